"""The command as users run it: a process of its own, on real releases."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import releases
import startup
from by_hand import make as make_by_hand
from mutated import signed
from sampling import sampled
from trees import everything

from distillpatch import __version__
from distillpatch.engine.plan import paths
from distillpatch.patch_sets import built_in

PROJECT = Path(__file__).resolve().parent.parent
RELEASES = ("8.0.150", "8.2.50", "8.3.200", "8.4.0", "8.4.190")
COMMANDS = ("diff", "apply", "revert", "status")
NOBODY = 65534
FILES = len(paths(built_in()))
ADDED = len(built_in().new_files)
RESTORED = f"Restored {FILES - ADDED} files and removed {ADDED} files in "

Checkout = Callable[[str], Path]


def variables(**changes: str) -> dict[str, str]:
    """Return a user's environment variables: without those that would name an environment, or colors."""
    ours = ("VIRTUAL_ENV", "CONDA_PREFIX", "NO_COLOR", "FORCE_COLOR")
    theirs = {key: value for key, value in os.environ.items() if key not in ours}
    return theirs | {"PYTHONPATH": str(PROJECT), "PYTHONNOUSERSITE": "1"} | changes


def run(
    *arguments: object, cwd: Path = Path("/"), env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "distillpatch", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=cwd,
        env=env or variables(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
    )


def done(*arguments: object, cwd: Path = Path("/"), env: Mapping[str, str] | None = None) -> str:
    """Run a command that succeeds, and return what it prints on stdout."""
    result = run(*arguments, cwd=cwd, env=env)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refused(*arguments: object, cwd: Path = Path("/"), env: Mapping[str, str] | None = None, code: int = 1) -> str:
    """Run a command that is refused, and return what it says on stderr."""
    result = run(*arguments, cwd=cwd, env=env)
    assert (result.returncode, result.stdout) == (code, ""), result
    assert "Traceback" not in result.stderr
    return result.stderr


def timed(root: Path) -> dict[str, tuple[str, bytes | str, int]]:
    """Return all that lies below a folder, times of change included."""
    return {name: (*facts, (root / name).lstat().st_mtime_ns) for name, facts in everything(root).items()}


def contents(root: Path) -> dict[str, bytes | str]:
    """Return the content of every file below a folder; git and patch have ideas of their own about modes."""
    return {name: content for name, (_, content) in everything(root).items() if "/.distillpatch" not in name}


def files_in(diff: str) -> set[str]:
    """Return the files that a diff is about."""
    return set(re.findall(r"(?m)^(?:---|\+\+\+) [ab]/(\S+)$", diff))


# The four commands on a release, one after the other.


@pytest.mark.parametrize("release", sampled(RELEASES, "8.2.50", "8.4.190"))
def test_there_and_back(release: str, checkout: Checkout, tmp_path: Path) -> None:
    root = checkout(release)
    shutil.rmtree(root / f"ultralytics-{release}.dist-info")  # which a checkout from git does not have
    (root / "ultralytics/engine/model.py").chmod(0o600)
    pristine, before = everything(root), timed(root)

    # Nothing that only looks writes.
    diff = done("diff", "--ultralytics-path", root)
    assert done("apply", "--dry-run", "--ultralytics-path", root) == diff
    assert f"ultralytics {release}: not patched, all 15 modifications fit\n" in done(
        "status", "--ultralytics-path", root
    )
    assert done("revert", "--dry-run", "--ultralytics-path", root) == ""
    assert timed(root) == before

    # git and patch make of the diff what apply makes.
    trees = []
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)  # a project that holds an environment
    for name, command in (("git", ["git", "apply"]), ("patch", ["patch", "-p1", "--silent"])):
        copy = shutil.copytree(root, tmp_path / name)
        subprocess.run(command, cwd=copy, input=diff, text=True, check=True)
        trees.append(contents(copy))

    listed = done("apply", "--ultralytics-path", root)
    assert re.match(rf"Applied 15 modifications to \d+ files in {root}/ultralytics:\n", listed)
    rows = set(re.findall(r"(?m)^ (ultralytics/\S+) +\+\d", listed))
    assert rows - {"ultralytics/utils/"} == files_in(diff) - {new_file.path for new_file in built_in().new_files}
    assert "\nTo train: yolo train " in listed and f"\nTo undo:  distillpatch revert {shlex.quote(str(root))}" in listed
    applied = timed(root)
    assert [tree == contents(root) for tree in trees] == [True, True]

    # A second time changes nothing, and says so.
    assert "Nothing to do: patched (by distillpatch " in done("apply", "--ultralytics-path", root)
    assert done("diff", "--ultralytics-path", root) == diff
    status = done("status", "--ultralytics-path", root)
    assert f"ultralytics {release}: patched (by distillpatch {__version__}, " in status
    assert re.findall(r"(?m)^ *(\d+)  2\.\S+(?: b)? +OK  ", status) == [str(number) for number in range(1, 16)]
    back = done("revert", "--dry-run", "--ultralytics-path", root)
    assert files_in(back) == files_in(diff)
    assert timed(root) == applied

    assert "Restored " in done("revert", "--ultralytics-path", root)
    assert everything(root) == pristine
    again = run("revert", "--ultralytics-path", root)
    assert (again.returncode, again.stdout) == (0, "Nothing to do: not patched.\n") and "Note" not in again.stderr
    assert everything(root) == pristine


def crossed(command: str, root: Path, event: str) -> subprocess.CompletedProcess[str]:
    """Run apply, or revert after it, while something happens between the first look at the checkout and the lock.

    The event is a line of Python, which knows the `checkout`.
    """
    if command == "revert":
        done("apply", "--ultralytics-path", root)
    program = (
        "import subprocess, sys\n"
        "from distillpatch import cli, commands\n"
        "look = commands.examine\n"
        "def look_once(checkout, *wanted, **how):\n"
        "    commands.examine, seen = look, look(checkout, *wanted, **how)\n"
        f"    {event}\n"
        "    return seen\n"
        "commands.examine = look_once\n"
        "cli.main()\n"
    )
    process = [sys.executable, "-c", program, command, "--ultralytics-path", root]
    return subprocess.run(process, cwd="/", env=variables(), capture_output=True, text=True)


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_what_another_process_does_meanwhile_is_not_done_again(command: str, checkout: Checkout) -> None:
    other = "[sys.executable, '-m', 'distillpatch', *sys.argv[1:]]"
    result = crossed(command, checkout("8.2.50"), f"subprocess.run({other}, stdout=subprocess.DEVNULL, check=True)")
    assert result.returncode == 0 and result.stdout.startswith("Nothing to do: "), result


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_a_run_that_another_process_leaves_meanwhile_is_told(command: str, checkout: Checkout) -> None:
    root = checkout("8.2.50")
    result = crossed(command, root, "(checkout.package / '.distillpatch' / 'run').mkdir(parents=True)")
    assert result.returncode == 0, result
    assert f"An earlier run of distillpatch on {root}/ultralytics was interrupted: " in result.stderr


def test_dry_run_of_what_is_done_says_so(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    done("apply", "--ultralytics-path", root)
    applied = timed(root)
    result = run("apply", "--dry-run", "--ultralytics-path", root)
    assert (result.returncode, result.stdout) == (0, "") and "Nothing to do: patched" in result.stderr
    assert timed(root) == applied


def test_a_diff_is_all_that_stdout_holds(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    result = run("diff", "--ultralytics-path", root)
    assert result.stderr == f"ultralytics 8.2.50 at {root}/ultralytics (named by --ultralytics-path)\n"
    starts = ("--- a/ultralytics/", "--- /dev/null", "+++ b/ultralytics/", "@@ -", " ", "+", "-")
    assert all(line.startswith(starts) for line in result.stdout.splitlines())
    assert "\x1b" not in result.stdout


def test_output_and_exit_code(checkout: Checkout, tmp_path: Path) -> None:
    root = checkout("8.2.50")
    file = tmp_path / "out.diff"
    diff = run("diff", "--exit-code", "--ultralytics-path", root)
    assert diff.returncode == 1 and diff.stdout
    written = run("diff", "--exit-code", "--output", file, "--ultralytics-path", root)
    assert (written.returncode, written.stdout) == (1, "")
    assert file.read_text(encoding="utf-8") == diff.stdout
    assert done("diff", "--output", file, "--ultralytics-path", root) == ""
    told = done("diff", "--json", "--output", file, "--ultralytics-path", root)
    assert json.loads(told)["diff"] == file.read_text(encoding="utf-8")
    assert done("diff", "--output", "-", "--ultralytics-path", root, cwd=tmp_path) == diff.stdout
    assert not (tmp_path / "-").exists()
    told = refused("diff", "--output", tmp_path / "missing" / "out.diff", "--ultralytics-path", root)
    assert f"Error: cannot write {tmp_path}/missing/out.diff: No such file or directory. Name another file.\n" in told
    (tmp_path / "itself").symlink_to("itself")
    assert "cannot write itself: " in refused("diff", "--output", "itself", "--ultralytics-path", root, cwd=tmp_path)
    assert "is a directory" in refused("diff", "--output", tmp_path, "--ultralytics-path", root, code=2)


@pytest.mark.parametrize(
    "name", ["ultralytics/cfg/__init__.py", "ultralytics/new.diff", "link", "docs/../ultralytics/x"]
)
def test_no_diff_is_written_into_the_package(name: str, checkout: Checkout) -> None:
    root = checkout("8.2.50")
    (root / "docs").mkdir()
    (root / "link").symlink_to(root / "ultralytics/engine/trainer.py")
    before = timed(root)
    told = refused("diff", "--output", name, "--ultralytics-path", root, cwd=root)
    assert f"Error: {name} is in the package itself: name a file elsewhere for the diff\n" in told
    assert timed(root) == before


def test_status_for_programs(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    report = json.loads(done("status", "--json", "--ultralytics-path", root))
    assert report["path"] == str(root / "ultralytics")
    assert (report["release"], report["standing"], report["applied"]) == ("8.2.50", "not_patched", None)
    assert [each["number"] for each in report["modifications"]] == list(range(1, 16))
    assert all(each["fits"] and each["places"] for each in report["modifications"])
    assert (report["files"], report["made_by_hand"], report["imports_this"]) == ({}, [], False)
    done("apply", "--ultralytics-path", root)
    with (root / "ultralytics/cfg/__init__.py").open("a") as file:
        file.write("# mine\n")
    env = variables(PYTHONPATH=f"{PROJECT}:{root}")
    report = json.loads(done("status", "--json", "--ultralytics-path", root, env=env))
    assert (report["standing"], report["applied"]["release"]) == ("edited", "8.2.50")
    assert report["files"]["ultralytics/cfg/__init__.py"] == "edited"
    assert (report["imported"], report["imports_this"]) == (str(root / "ultralytics"), True)


def test_status_of_an_edited_and_of_an_upgraded_checkout(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    done("apply", "--ultralytics-path", root)
    with (root / "ultralytics/cfg/__init__.py").open("a") as file:
        file.write("# mine\n")
    told = done("status", "--ultralytics-path", root)
    assert "8.2.50: patched and then edited (by" in told and "  ultralytics/cfg/__init__.py: edited since\n" in told
    releases.unpack("8.3.200", root)
    assert "8.3.200: overwritten by another release" in done("status", "--ultralytics-path", root)


def test_python_imports_this_one_or_another(checkout: Checkout, tmp_path: Path) -> None:
    root = checkout("8.2.50")
    this = run("status", "--ultralytics-path", root, env=variables(PYTHONPATH=f"{PROJECT}:{root}"))
    assert "Python imports this ultralytics, from PYTHONPATH.\n" in this.stderr
    none = run("status", "--ultralytics-path", root, env=variables(VIRTUAL_ENV="/nowhere"))
    assert "Warning: Python imports no ultralytics. Training started in another folder" in none.stderr
    assert f"To make Python import this one: put {root} first on PYTHONPATH\n" in none.stderr
    site = releases.unpack("8.2.50", tmp_path / "lib/python3.11/site-packages")
    other = run("apply", "--ultralytics-path", root, env=variables(VIRTUAL_ENV=str(tmp_path)))
    place = f"the virtual environment {tmp_path}"
    assert f"Warning: Python imports another ultralytics, {site}/ultralytics, from {place}. Tr" in other.stderr


def test_a_package_that_is_a_link_to_this_one_is_this_one(checkout: Checkout, tmp_path: Path) -> None:
    root, site = checkout("8.2.50"), tmp_path / "site"
    site.mkdir()
    (site / "ultralytics").symlink_to(root / "ultralytics")
    before = everything(root)
    env = variables(PYTHONPATH=f"{PROJECT}:{site}")
    told = run("status", "--ultralytics-path", root, env=env)
    assert "Python imports this ultralytics, from PYTHONPATH.\n" in told.stderr
    assert json.loads(done("status", "--json", "--ultralytics-path", root, env=env))["imports_this"]
    assert "Applied 15" in done("apply", "--ultralytics-path", site)
    assert "Nothing to do" in done("apply", "--ultralytics-path", root)
    assert RESTORED in done("revert", "--ultralytics-path", site)
    assert everything(root) == before


def test_the_advice_on_what_is_imported_helps(checkout: Checkout, tmp_path: Path) -> None:
    root = checkout("8.2.50")
    (root / "pyproject.toml").touch()
    site = releases.unpack("8.2.50", tmp_path / "lib/python3.11/site-packages")
    told = run("status", cwd=root, env=variables(VIRTUAL_ENV=str(tmp_path))).stderr
    assert f"To make Python import this one: pip install -e {root}\n" in told
    overruled = variables(VIRTUAL_ENV=str(tmp_path), PYTHONPATH=f"{PROJECT}:{site}")
    assert f"this one: put {root} first on PYTHONPATH\n" in run("status", cwd=root, env=overruled).stderr
    taken = variables(VIRTUAL_ENV=str(tmp_path), PYTHONPATH=f"{PROJECT}:{root}")
    assert f" at {root}/ultralytics (found in PYTHONPATH)\n" in run("status", env=taken).stderr


# Where the checkout is looked for.


@pytest.mark.parametrize("folder", [".", "ultralytics", "ultralytics/models/yolo"])
def test_the_checkout_around_the_current_folder(folder: str, checkout: Checkout) -> None:
    root = checkout("8.2.50")
    assert run("status", cwd=root / folder).stderr.startswith(
        f"ultralytics 8.2.50 at {root}/ultralytics (contains the current folder)\n"
    )


@pytest.mark.parametrize("kind", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_the_one_installed_in_the_active_environment(kind: str, tmp_path: Path) -> None:
    site = releases.unpack("8.2.50", tmp_path / "lib/python3.11/site-packages")
    pristine = everything(tmp_path)
    applied = run("apply", env=variables(**{kind: str(tmp_path)}))
    assert f"{site}/ultralytics (found in the " in applied.stderr
    assert "ultralytics/utils/AddLoss.py,sha256=" in (site / "ultralytics-8.2.50.dist-info/RECORD").read_text()
    reverted = done("revert", "--ultralytics-path", site)
    assert everything(tmp_path) == pristine
    # Both count the files of the package, for the RECORD is none that the user would look for.
    assert f"Applied 15 modifications to {FILES} files in" in applied.stdout
    assert reverted == f"{RESTORED}{site}/ultralytics.\n"


def test_the_way_back_that_apply_names_leads_to_the_same_checkout(checkout: Checkout, tmp_path: Path) -> None:
    root = checkout("8.2.50").rename(tmp_path / "my checkout")
    pristine = everything(root)
    for cwd, options in ((tmp_path, ["--ultralytics-path", "my checkout"]), (root, [])):
        told = done("apply", *options, cwd=cwd)
        command = told.partition("To undo:  ")[2].rstrip("\n")
        assert command == "distillpatch revert" + (f" '{root}'" if options else "")
        assert "Restored" in done(*shlex.split(command)[1:], cwd=Path("/") if options else cwd)
        assert everything(root) == pristine


def test_an_edited_file_that_is_set_aside_is_not_counted(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    assert f"to {FILES} files" in done("apply", "--ultralytics-path", root)
    added = root / "ultralytics/utils/AddLoss.py"
    added.write_text("# mine\n" + added.read_text())
    told = done("revert", "--restore-original", "--ultralytics-path", root)
    assert told.startswith(RESTORED) and "the edited file is now ultralytics/utils/AddLoss.py.edited" in told


def test_what_was_edited_away_since_is_told(checkout: Checkout) -> None:
    root = checkout("8.4.190")
    done("apply", root)
    trainer = root / "ultralytics/engine/trainer.py"
    text = trainer.read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^ +if self\.model_t is not None:\n +self\.distiller\.start_epoch\(\)\n", text)
    assert len(lines) == 1
    trainer.write_text(text.replace(lines[0], ""), encoding="utf-8")
    status = done("status", root)
    assert re.findall(r"(?m)^ *(\d+) +\S+ +edited  ", status) == ["7"] and len(re.findall(" OK  ", status)) == 14
    assert "To train" not in status and "To undo" in status
    told = {each["number"]: each for each in json.loads(done("status", "--json", root))["modifications"]}
    assert [number for number, each in told.items() if each["edited"]] == [7] and told[7]["places"] == []


def test_a_merge_that_is_not_finished_is_told_in_a_patched_checkout_too(checkout: Checkout) -> None:
    root = checkout("8.4.190")
    before = everything(root)
    done("apply", root)
    trainer = root / "ultralytics/engine/trainer.py"
    sound = trainer.read_bytes()
    trainer.write_bytes(sound + b"<<<<<<< HEAD\n")
    told = "ultralytics/engine/trainer.py has the marks of a merge conflict, at line "
    status = done("status", root)
    assert told in status and "To train" not in status and " OK " not in status
    for dry in ([], ["--dry-run"]):
        assert f"Error: {told}" in refused("apply", *dry, root)
    trainer.write_bytes(sound)
    assert "Nothing to do" in done("apply", root)
    done("revert", root)
    assert everything(root) == before


def test_what_is_left_is_told_with_what_to_do_about_it(checkout: Checkout, tmp_path: Path) -> None:
    root = checkout("8.2.50")
    done("apply", "--ultralytics-path", root)
    added, trainer = root / "ultralytics/utils/AddLoss.py", root / "ultralytics/engine/trainer.py"
    added.write_text("# mine\n" + added.read_text(encoding="utf-8"), encoding="utf-8")
    text = trainer.read_text(encoding="utf-8")
    trainer.write_text(text.replace("self.distiller.start_epoch()", "self.distiller.start_mine()"), encoding="utf-8")
    told = done("revert", "--keep-edited", "--ultralytics-path", root)
    assert re.search(
        r"(?m)^  ultralytics/utils/AddLoss\.py: left as it is, .* move it away before the next apply$",
        told,
    )
    assert re.search(
        r"(?m)^  ultralytics/engine/trainer\.py: left as it is, it still contains .* by hand$",
        told,
    )
    assert "\n- remove distillpatch's lines from ultralytics/engine/trainer.py by hand\n" in refused("apply", root)
    assert ": patched by distillpatch, but its state is not here" in done("doctor", root)
    releases.unpack("8.2.50", root)
    assert "ultralytics/utils/AddLoss.py:1" in refused("apply", "--ultralytics-path", root)
    added.rename(tmp_path / "AddLoss.py")
    assert "Applied 15" in done("apply", "--ultralytics-path", root)


# Refused: one message, that says what was expected, where, and what to do next.


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_not_a_checkout(command: str, tmp_path: Path) -> None:
    (tmp_path / "file.py").touch()
    told = refused(command, "--ultralytics-path", tmp_path)
    assert told == (
        f"Error: {tmp_path} is not an ultralytics checkout: expected ultralytics/__init__.py in it, stating a version. "
        "Name a checkout, the ultralytics folder in it, or a site-packages folder: distillpatch status PATH\n"
    )
    assert "does not exist" in refused(command, "--ultralytics-path", tmp_path / "nothing")
    assert "is a file: expected a folder" in refused(command, "--ultralytics-path", tmp_path / "file.py")
    assert "found no ultralytics. Looked at" in refused(command, cwd=tmp_path, env=variables(VIRTUAL_ENV="/nowhere"))


def test_several_installed(tmp_path: Path) -> None:
    roots = [releases.unpack("8.2.50", tmp_path / name) for name in ("one", "two")]
    env = variables(PYTHONPATH=os.pathsep.join(map(str, [PROJECT, *roots])))
    told = refused("apply", env=env)
    assert "PYTHONPATH holds more than one ultralytics, of which Python imports the first:\n" in told
    assert all(f"  {root}/ultralytics\n" in told for root in roots) and "Name the one to use, for example: " in told


def test_a_release_that_is_too_old(checkout: Checkout) -> None:
    root = checkout("8.0.134")
    before = timed(root)
    told = refused("apply", "--ultralytics-path", root)
    assert "8.0.134, whose trainer is still under ultralytics/yolo/. distillpatch works from 8.0.136 on" in told
    assert timed(root) == before


def test_an_anchor_that_is_missing(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    trainer = root / "ultralytics/engine/trainer.py"
    trainer.write_text(trainer.read_text().replace("self.plot_idx = [0, 1, 2]", "self.plot_idxs = [0, 1, 2]"))
    before = everything(root)
    for command in ("diff", "apply"):
        told = refused(command, "--ultralytics-path", root)
        assert "Error: modification 2 (section 2.2: " in told and "does not fit ultralytics 8.2.50\n" in told
        assert "  file:    ultralytics/engine/trainer.py\n  scope:   BaseTrainer.__init__\n" in told
        assert "  pattern: self.plot_idx = $INDICES\n  result:  expected one match, found none\n" in told
        assert "  nearest: line 146: self.plot_idxs = [0, 1, 2]\n  from:    02-attributes.patch:" in told
        assert "Nothing was written" in told
    status = done("status", "--ultralytics-path", root)
    assert "  2  2.2      does not fit  The trainer knows its teacher and the options.\n" in status
    assert "8.2.50: not patched, 1 of 15 modifications do not fit\n" in status
    assert "2: ultralytics/engine/trainer.py, BaseTrainer.__init__: expected one match, found none\n" in status
    assert f"To see why: distillpatch explain 2 {root}\n" in status and "nearest" not in status
    for command in (["status", "-v"], ["explain", "2"]):
        assert "nearest: line 146: self.plot_idxs" in done(*command, "--ultralytics-path", root)
    second = json.loads(done("status", "--json", "--ultralytics-path", root))["modifications"][1]
    assert not second["fits"]
    (misfit,) = (each for each in second["misfits"] if each["pattern"] == "self.plot_idx = $INDICES")
    assert misfit["origin"].startswith("02-attributes.patch:")
    assert (misfit["path"], misfit["scope"]) == ("ultralytics/engine/trainer.py", "BaseTrainer.__init__")
    assert misfit["reason"] == "expected one match, found none"
    assert misfit["nearest"][0] == "line 146: self.plot_idxs = [0, 1, 2]"
    assert everything(root) == before


def test_a_checkout_modified_by_hand(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    (root / "ultralytics/utils/AddLoss.py").write_text("# mine\n")
    before = everything(root)
    told = refused("apply", "--ultralytics-path", root)
    assert "has these modifications already" in told and "  ultralytics/utils/AddLoss.py:1: modification 1" in told
    assert "To take these edits out and apply: distillpatch apply --replace-hand-edits" in told
    status = done("status", "--ultralytics-path", root)
    assert "ultralytics 8.2.50: patched by hand\n" in status
    assert "by hand: ultralytics/utils/AddLoss.py:1: modification 1 (" in status
    assert json.loads(done("status", "--json", "--ultralytics-path", root))["standing"] == "unrecorded"
    assert everything(root) == before


def test_an_edit_by_hand_without_the_module_that_belongs_to_it(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    make_by_hand(root, [13])
    assert "8.2.50: patched by hand\n" in done("status", "--ultralytics-path", root)


def test_a_checkout_that_was_stripped_of_its_record(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    done("apply", "--ultralytics-path", root)
    shutil.rmtree(root / "ultralytics/.distillpatch")
    trainer = root / "ultralytics/engine/trainer.py"
    trainer.write_text(trainer.read_text() + "# mine\n")
    before = everything(root)
    for command in (["apply"], ["apply", "--replace-hand-edits"], ["diff"], ["explain", "7"], ["revert"]):
        for options in ([], ["--dry-run"] * (command[0] in ("apply", "revert"))):
            told = refused(*command, *options, "--ultralytics-path", root)
            assert "patched by distillpatch, but its state, the folder ultralytics/.distillpatch, is not here" in told
            assert (
                "delete the modules that begin with '# Added by distillpatch' (ultralytics/utils/AddLoss.py and" in told
            )
            assert "\n- install ultralytics 8.2.50 again\n" in told
    status = done("status", "--ultralytics-path", root)
    assert "ultralytics 8.2.50: patched by distillpatch, but its state is not here\n" in status
    assert "patched by hand" not in status and "`revert --keep-edited` for example, or did not come along" in status
    assert json.loads(done("status", "--json", "--ultralytics-path", root))["standing"] == "stateless"
    assert everything(root) == before


def test_what_it_says_about_a_lost_state_helps(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    before = everything(root)
    done("apply", "--ultralytics-path", root)
    state = root / "ultralytics/.distillpatch"
    kept = shutil.move(state, root.parent / "state")
    assert "\n- install" in refused("revert", "--ultralytics-path", root)
    shutil.copytree(kept, state)
    done("revert", "--ultralytics-path", root)
    assert everything(root) == before


def test_reverting_what_was_made_by_hand(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    make_by_hand(root, [1])
    before = timed(root)
    for options in ([], ["--dry-run"]):
        told = run("revert", *options, "--ultralytics-path", root)
        assert told.returncode == 0 and "Nothing to do: no distillpatch state was found.\n" in told.stdout + told.stderr
        assert "Note: ultralytics/utils/AddLoss.py exists, although no distillpatch state was found" in told.stderr
        assert "restore the files from git, or install ultralytics 8.2.50 again.\n" in told.stderr
    assert timed(root) == before


@pytest.mark.parametrize("release", sampled(["8.2.50", "8.4.190"], "8.4.190"))
def test_the_whole_tutorial_made_by_hand(release: str, checkout: Checkout) -> None:
    root = checkout(release)
    make_by_hand(root, range(1, 16))
    before = everything(root)
    for command in ("diff", "apply"):
        told = refused(command, "--ultralytics-path", root)
        numbers = re.findall(r"(?m)^  ultralytics/\S+:\d[-, \d]*: modification (\d+) \(", told)
        assert numbers == [str(number) for number in range(1, 16)]
        assert "Nothing was written, since nothing may be applied twice." in told
    status = done("status", "--ultralytics-path", root)
    assert re.findall(r"(?m)^by hand: (.*)$", status) == re.findall(r"(?m)^  (ultralytics/.*)$", told)
    assert everything(root) == before


@pytest.mark.parametrize("content", [b"def f(:\n", b"x = '\xff'\n", b"x = '\0'\n", b"# coding: rot13\n"])
def test_a_file_that_is_not_python(content: bytes, checkout: Checkout) -> None:
    root = checkout("8.2.50")
    (root / "ultralytics/cfg/__init__.py").write_bytes(content)
    for command in ("apply", "status"):
        told = refused(command, "--ultralytics-path", root)
        assert "Error: ultralytics/cfg/__init__.py " in told and (
            "be parsed by Python 3." in told or "be decoded" in told
        )


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """Return a release in a folder that every user may enter, as pytest's own are not."""
    root = releases.unpack("8.2.50", Path(tempfile.mkdtemp()) / "co")
    yield root
    for place in (root.parent, root, *root.rglob("*")):
        place.chmod(0o755)
    shutil.rmtree(root.parent)


def close(root: Path) -> None:
    """Take away the permission to write."""
    for place in (root.parent, root, *root.rglob("*")):
        place.chmod(0o555 if place.is_dir() else 0o444)


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_no_permission(command: str, open_to_all: Path) -> None:
    root = open_to_all
    if command == "revert":
        done("apply", "--ultralytics-path", root)
    close(root)
    before = timed(root)
    told = as_another_user(command, "--ultralytics-path", root)
    assert (told.returncode, told.stdout) == (1, "")
    assert re.search(rf"(?m)^Error: .* {root}/ultralytics\S*: Permission denied\. Nothing was changed\.$", told.stderr)
    assert timed(root) == before


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_what_has_nothing_to_do_needs_no_permission(command: str, open_to_all: Path) -> None:
    if command == "apply":
        done("apply", "--ultralytics-path", open_to_all)
    close(open_to_all)
    told = as_another_user(command, "--ultralytics-path", open_to_all)
    assert told.returncode == 0 and told.stdout.startswith("Nothing to do: "), told


def as_another_user(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody who is not root, whom no file refuses anything."""
    if os.geteuid() != 0:
        return run(*arguments)
    # The project may lie where nobody else may look, so the program gives up its rights when it has read all of it.
    program = (
        "import contextlib, importlib, io, os, pkgutil, distillpatch\n"
        "for module in pkgutil.walk_packages(distillpatch.__path__, 'distillpatch.'):\n"
        "    importlib.import_module(module.name)\n"
        "from distillpatch import cli\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        f"    cli.main(['status', {str(arguments[-1])!r}], standalone_mode=False)  # parts of LibCST come late\n"
        "from distillpatch import patch_sets\n"
        "patch_set = patch_sets.built_in()\n"
        "from distillpatch import commands\n"
        "patch_sets.built_in = commands.built_in = lambda: patch_set\n"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        f"cli.main({[*map(str, arguments)]!r})\n"
    )
    return subprocess.run([sys.executable, "-c", program], cwd="/", env=variables(), capture_output=True, text=True)


def test_wrong_usage(checkout: Checkout) -> None:
    assert "No such command 'aply'" in refused("aply", code=2)
    assert "No such option" in refused("diff", "--dry", code=2)
    both = refused("revert", "--keep-edited", "--restore-original", "--ultralytics-path", checkout("8.2.50"), code=2)
    assert "exclude each other" in both


def test_a_current_folder_that_is_gone() -> None:
    program = (
        "import os, subprocess, sys, tempfile\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    os.chdir(folder)\n"
        "sys.exit(subprocess.run([sys.executable, '-m', 'distillpatch', 'diff']).returncode)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], env=variables(), capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == "Error: the current folder does not exist any more; change to one that does\n"


# Checkouts that people have.


def test_a_checkout_with_windows_line_endings(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    for file in root.rglob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    pristine = everything(root)
    copy = shutil.copytree(root, root.with_name("copy"))
    diff = subprocess.run(
        [sys.executable, "-m", "distillpatch", "diff", "--ultralytics-path", root], env=variables(), capture_output=True
    )
    subprocess.run(["git", "apply"], cwd=copy, input=diff.stdout, check=True)
    done("apply", "--ultralytics-path", root)
    for path in ("engine/trainer.py", "engine/model.py", "cfg/__init__.py", "models/yolo/detect/train.py"):
        text = (root / "ultralytics" / path).read_bytes()
        assert text.count(b"\n") == text.count(b"\r\n")
        assert text == (copy / "ultralytics" / path).read_bytes()
    done("revert", "--ultralytics-path", root)
    assert everything(root) == pristine


def test_uncommitted_changes_are_told(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "--quiet"], cwd=root, check=True)
    subprocess.run([*git, "add", "--all"], cwd=root, check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "All"], cwd=root, check=True)
    with (root / "ultralytics/cfg/__init__.py").open("a") as file:
        file.write("# mine\n")
    note = "Note: ultralytics/cfg/__init__.py had changes that are not committed to git; they were kept.\n"
    assert note in run("apply", "--ultralytics-path", root).stderr
    assert (root / "ultralytics/cfg/__init__.py").read_text().endswith("# mine\n")


def test_a_patched_file_that_was_put_back_is_patched_again(checkout: Checkout, tmp_path: Path) -> None:
    root, pristine = checkout("8.4.190"), releases.unpack("8.4.190", tmp_path)
    done("apply", "--ultralytics-path", root)
    applied = everything(root / "ultralytics" / "engine")
    shutil.copy(pristine / "ultralytics/engine/trainer.py", root / "ultralytics/engine/trainer.py")
    assert "trainer.py: as it was before" in done("status", "--ultralytics-path", root)
    assert "Applied 15 modifications" in done("apply", "--ultralytics-path", root)
    assert everything(root / "ultralytics" / "engine") == applied


@pytest.mark.parametrize("put_back", [["ultralytics/engine/trainer.py"], built_in().edited_files], ids=["one", "all"])
def test_a_file_that_was_put_back_and_edited_is_patched_again_with_the_edit(
    put_back: Sequence[str], checkout: Checkout, tmp_path: Path
) -> None:
    root, release = checkout("8.2.50"), releases.unpack("8.2.50", tmp_path / "release")
    pristine = contents(root)

    def put_back_and_edit(mine: bytes) -> dict[str, bytes | str]:
        done("apply", "--ultralytics-path", root)
        edited = {path: (release / path).read_bytes() + mine for path in put_back}
        for path, content in edited.items():
            (root / path).write_bytes(content)
        return {**pristine, **edited}

    edited = put_back_and_edit(b"# mine\n")
    status = done("status", "--ultralytics-path", root)
    assert "  ultralytics/engine/trainer.py: replaced since, without distillpatch's changes\n" in status
    assert "Applied 15 modifications" in done("apply", "--ultralytics-path", root)
    for path in put_back:
        text = (root / path).read_bytes()
        assert text.endswith(b"# mine\n") and text != edited[path]
    assert "Nothing to do: patched (by" in done("apply", "--ultralytics-path", root)
    done("revert", "--ultralytics-path", root)
    assert contents(root) == edited

    edited = put_back_and_edit(b"# mine, too\n")
    told = done("revert", "--ultralytics-path", root)
    assert "  ultralytics/engine/trainer.py: left as it is, replaced since, without distillpatch's changes\n" in told
    assert contents(root) == edited


def test_nothing_of_the_checkout_is_run(checkout: Checkout, tmp_path: Path) -> None:
    root, marker = checkout("8.2.50"), tmp_path / "was-run"
    trap = f"open({str(marker)!r}, 'w').close()\nraise SystemExit('imported')\n"
    for file in root.rglob("*.py"):
        file.write_text(file.read_text() + f"\n\n{trap}")
    for name in ("sitecustomize.py", "usercustomize.py", "conftest.py", "setup.py", "click.py", "libcst.py"):
        (root / name).write_text(trap)
    (root / "ultralytics" / "click.py").write_text(trap)
    # As users call it: `python -m` would itself import from the current folder.
    script, env = Path(sys.executable).with_name("distillpatch"), variables(VIRTUAL_ENV=str(tmp_path))
    for command in COMMANDS:
        assert subprocess.run([script, command], cwd=root, env=env, capture_output=True).returncode == 0
        assert run(command, "--ultralytics-path", root).returncode == 0
    assert not marker.exists()


def test_the_heavy_modules_are_not_imported() -> None:
    program = (
        "import sys, distillpatch.cli\n"
        "sys.exit(bool({'torch', 'ultralytics', 'numpy', 'rich', 'libcst', 'yaml'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], env=variables()).returncode == 0


def test_a_pipe_waits_for_nothing_that_only_a_terminal_needs(checkout: Checkout, tmp_path: Path) -> None:
    root = checkout("8.4.190")
    for name in ("rich", "pygments"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')\n")
    env = variables(PYTHONPATH=f"{tmp_path}:{PROJECT}")
    for command in (*COMMANDS, "explain 7", "doctor"):
        named = [root] if command != "doctor" else []
        assert run(*command.split(), *named, env=env).returncode == 0, command
    assert "imported" in run("status", "--color", "always", root, env=env).stderr


# A terminal, a pipe, a shell.


def on_a_terminal(*arguments: object, **env: str) -> str:
    """Return what a command writes to a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "distillpatch", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=theirs, stderr=theirs, stdin=theirs, env=variables(TERM="xterm", **{"PAGER": "cat", **env})
    ):
        os.close(theirs)
        written = b""
        while True:
            try:
                written += os.read(ours, 65536)
            except OSError:  # the other end is closed
                os.close(ours)
                return written.decode()


def test_colors_are_for_terminals_that_want_them(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    colored = on_a_terminal("diff", "--ultralytics-path", root)
    assert "\x1b[32m+" in colored and "\x1b[31m-" in colored and "\x1b[36m@@" in colored
    assert "\x1b" not in on_a_terminal("diff", "--ultralytics-path", root, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal("status", "--ultralytics-path", root, NO_COLOR="1")
    assert "\x1b" in on_a_terminal("status", "--ultralytics-path", root, NO_COLOR="")
    assert "\x1b" not in done("status", "--ultralytics-path", root)


def test_a_reader_that_stops_early(checkout: Checkout) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # before anything is written: how much a pipe holds is nothing to rely on
    root = checkout("8.2.50")
    for command, code in ((["diff"], 1), (["status", "--check"], 2)):  # 1 would be an answer
        process = [sys.executable, "-m", "distillpatch", *command, root]
        result = subprocess.run(process, env=variables(), stdout=writer, stderr=subprocess.PIPE, text=True)
        assert "Error" not in result.stderr and "Exception" not in result.stderr
        assert result.returncode == code
    os.close(writer)


def test_a_folder_whose_name_is_in_no_encoding(checkout: Checkout, tmp_path: Path) -> None:
    root = checkout("8.2.50").rename(tmp_path / os.fsdecode(b"caf\xe9"))
    assert "8.2.50: not patched" in done("status", "--ultralytics-path", root)
    assert "Applied 15" in done("apply", "--ultralytics-path", root)
    assert "Restored" in done("revert", "--ultralytics-path", root)


def test_help_shows_examples() -> None:
    told = done("--help")
    assert "Examples:\n" in told and "  distillpatch apply ~/yolo " in told
    assert all(re.search(rf"(?m)^  {command} +[A-Z].*[^.]\.$", told) for command in COMMANDS)
    for command in COMMANDS:
        assert "--ultralytics-path" in done(command, "-h")
    assert "Exit with 1 if there is a difference and with 2 for an error." in " ".join(done("diff", "-h").split())


def test_the_version() -> None:
    assert done("--version").split()[-1] == __version__


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(shell: str) -> None:
    program = "from distillpatch.cli import main; main(prog_name='distillpatch')"
    env = variables(_DISTILLPATCH_COMPLETE=f"{shell}_source")
    result = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True)
    assert result.returncode == 0 and "_DISTILLPATCH_COMPLETE" in result.stdout


def test_a_diff_takes_little_more_than_its_floor(checkout: Checkout) -> None:
    """Processor time in turns, and the least of each, since a machine that is slow or busy is so for both."""
    root = checkout("8.4.190")
    edited = re.findall("(?m)^--- a/(.*)$", done("diff", "--ultralytics-path", root))
    assert len(edited) == 6
    runs = {
        "floor": [sys.executable, "-c", startup.FLOOR, *edited],
        "diff": [sys.executable, "-m", "distillpatch", "diff", "--ultralytics-path", str(root)],
    }
    rounds: list[list[float]] = []
    while len(rounds) < 20:
        rounds.append([startup.processor_time(run, root) for run in runs.values()])
        floor, diff = map(min, zip(*rounds, strict=True))
        if diff < 1.3 * floor:
            return
    pytest.fail(f"floor and diff: {rounds}")


def outdated(root: Path) -> None:
    """Have a checkout patched by a patch set that is not ours."""
    file = root / "ultralytics/.distillpatch/state.json"
    state = json.loads(file.read_text(encoding="utf-8"))
    (patch_set,) = state["patch_sets"]
    changed = {**patch_set, "digest": "another", "files": {}}
    file.write_bytes(signed(file.read_bytes(), patch_sets=[changed]))


def test_status_tells_what_it_can_where_edits_are_in_the_way(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    done("apply", "--ultralytics-path", root)
    outdated(root)
    trainer = root / "ultralytics/engine/trainer.py"
    text = trainer.read_text(encoding="utf-8")
    trainer.write_text(
        text.replace("self.distiller.start_epoch()", "self.distiller.start_my_epoch()"), encoding="utf-8"
    )
    told = done("status", "--ultralytics-path", root)
    assert "8.2.50: patched and then edited (by" in told and "  ultralytics/engine/trainer.py: edited since\n" in told
    assert "Which modifications fit is unknown: Edited since distillpatch patched them" in told
    report = json.loads(done("status", "--json", "--ultralytics-path", root))
    assert "at the very lines" in report["obstacle"] and report["modifications"] == []


def test_status_of_a_checkout_that_git_has_put_back(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    done("apply", "--ultralytics-path", root)
    releases.unpack("8.2.50", root)
    (root / "ultralytics/utils/AddLoss.py").unlink()
    told = done("status", "--ultralytics-path", root)
    assert "8.2.50: restored by another tool (for example git) since it was patched (by" in told
    assert "Applied 15" in done("apply", "--ultralytics-path", root)


def test_a_deleted_module_is_missed_and_comes_back(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    done("apply", "--ultralytics-path", root)
    applied = contents(root)
    (root / "ultralytics/utils/AddLoss.py").unlink()
    told = done("status", "--ultralytics-path", root)
    assert "patched and then edited" in told
    assert "  ultralytics/utils/AddLoss.py: removed since, distillpatch had added it\n" in told
    assert "Applied 15" in done("apply", "--ultralytics-path", root)
    assert contents(root) == applied


def test_the_added_module_may_be_read_by_all_who_may_read_the_package(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    for file in root.rglob("*.py"):
        file.chmod(0o644)
    added = root / "ultralytics/utils/AddLoss.py"
    umask = os.umask(0o077)
    try:
        done("apply", "--ultralytics-path", root)
        modes = [added.stat().st_mode & 0o777]
        added.unlink()
        done("apply", "--ultralytics-path", root)
        modes.append(added.stat().st_mode & 0o777)
    finally:
        os.umask(umask)
    assert modes == [0o644, 0o644]


def test_an_upgrade_does_not_take_our_own_lines_for_uncommitted_ones(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    git = ["git", "-c", "user.name=n", "-c", "user.email=e", "-C", str(root)]
    for command in (["init", "-q"], ["add", "ultralytics"], ["commit", "-q", "-m", "release"]):
        subprocess.run([*git, *command], check=True)
    done("apply", "--ultralytics-path", root)
    outdated(root)
    upgraded = run("apply", "--ultralytics-path", root)
    # The state alone is out of date here: git knows the originals, and the files are those of today to the byte.
    assert "Adopted 15" in upgraded.stdout and "not committed" not in upgraded.stderr

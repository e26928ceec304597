"""Errors that people cause: each says what was expected, where, and what to do next, to programs as well."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import releases
from commanded import invoke
from test_runs import make

from distillpatch import click_group, commands
from distillpatch.cli import main
from distillpatch.ledger import lock

Checkout = Callable[[str], Path]


# Errors: what was expected, where, what next; for programs as well.

ERRORS: dict[str, tuple[list[str], int, str]] = {
    "a typo": (["aply"], 2, "No such command 'aply'. Did you mean apply? All commands: distillpatch --help"),
    "an option of a command before it": (
        ["--color", "never", "status"],
        2,
        "--color is an option of a command: distillpatch status --color",
    ),
    "no command at all": (["frobnicate"], 2, "Expected one of apply, compare, diff, doctor, explain, "),
    "git's -C": (["status", "-C", "x"], 2, "No such option: -C. Name the checkout plainly: distillpatch status PATH"),
    "git's -C in its place": (["-C", "x", "status"], 2, "Name the checkout plainly: distillpatch status PATH"),
    "a path as an option": (["apply", "--path", "x"], 2, "No such option: --path. Name the checkout plainly: "),
    "an option's typo": (["diff", "--exitcode"], 2, "--exit-code"),
    "help for nothing": (["help", "aply"], 2, "No such command 'aply'. Did you mean apply?"),
    "two checkouts": (["status", "a", "--ultralytics-path", "b"], 2, "named 2 times: expected one PATH"),
    "three paths": (["status", "a", "b"], 2, "unexpected extra argument (b)"),
    "a path that is not there": (["status", "{tmp}/x"], 1, "/x does not exist. Name a checkout, "),
    "a folder without one": (
        ["status", "{tmp}"],
        1,
        "expected ultralytics/__init__.py in it, stating a version.",
    ),
    "a file": (["status", "{tmp}/file"], 1, "file is a file: expected a folder. Name a checkout, "),
    "an old release": (["status", "{old}"], 1, "distillpatch works from 8.0.136 on: upgrade ultralytics."),
    "both ways out": (["revert", "--keep-edited", "--restore-original", "{tree}"], 2, "expected one of them"),
    "a diff into the package": (["diff", "--output", "{tree}/ultralytics/x", "{tree}"], 1, "name a file elsewhere"),
    "a diff into nowhere": (["diff", "--output", "{tmp}/no/x", "{tree}"], 1, "No such file or directory. Name another"),
    "no such modification": (["explain", "16", "{tree}"], 1, "no modification 16: expected one of 1, 2, "),
    "not a number": (["explain", "x", "{tree}"], 2, "expected the number of a modification, such as 7, found 'x'"),
    "no number": (["explain"], 2, "Missing argument 'NUMBER'. For example: distillpatch explain 7"),
    "a path in place of a number": (
        ["explain", "{tree}", "7"],
        2,
        "expected the number of a modification, such as 7, ",
    ),
    "a color of its own": (["status", "--color", "red"], 2, "'red' is not one of 'auto', 'always', 'never'"),
    "no run": (["compare", "{tmp}"], 1, "expected the folder of a training run, such as runs/detect/train."),
    "no runs named": (["compare"], 2, "Missing argument 'RUN...'. For example: distillpatch compare runs/detect"),
    "a metric that is not there": (["compare", "--metric", "x", "{run}"], 1, "no metric x; expected one of mAP50(B), "),
    "a picture of another kind": (["compare", "--plot", "a.gif", "{run}"], 1, "a name that ends with .svg or .png."),
    "a picture into nowhere": (["compare", "--plot", "{tmp}/no/a.svg", "{run}"], 1, "Name another file."),
    "results that are none": (["compare", "{bad}"], 1, "expected a first line with the name of each column"),
    "a run that is a file": (["compare", "{tmp}/file"], 1, "/file is a file: expected the folder of a training run, "),
    "results without a metric": (
        ["compare", "{unmeasured}"],
        1,
        "results.csv: expected columns such as metrics/mAP50-95(B), found none that begins with metrics/. Leave",
    ),
    "a patch set that is not there": (["apply", "--patches", "{tmp}/x", "{tree}"], 1, "/x: No such file or directory."),
    "a folder without patches": (
        ["apply", "--patches", "{tmp}", "{tree}"],
        1,
        "tmp: expected a file named NN-name.patch, such as 01-tmp.patch, found none. Name the folder",
    ),
    "a package without its trainer": (
        ["apply", "{half}"],
        1,
        "ultralytics/engine/trainer.py does not exist: expected the release's file, which modifications 2, 3, 4, ",
    ),
    "an empty trainer": (["apply", "{empty}"], 1, "\nMore that do not fit: 5, 6, "),
    "not Python": (["apply", "{broken}"], 1, "ultralytics/cfg/__init__.py cannot be parsed by Python 3."),
    "a missing file": (
        ["apply", "{missing}"],
        1,
        "plotting.py does not exist: expected the release's file, which modification 14 changes. Restore it.\n\n",
    ),
    "Latin-1": (
        ["diff", "{latin}"],
        1,
        "cfg/__init__.py cannot be decoded (line 1): expected utf-8, found the byte 0xe9. Save it as UTF-8, or",
    ),
    "a file of 300 MB": (
        ["status", "{big}"],
        1,
        "plotting.py: 300 MB large, expected at most 16 MB. Restore the release's own file.",
    ),
    "a folder in place of a file": (
        ["status", "{folder}"],
        1,
        "plotting.py: not a regular file. Restore the release's",
    ),
    "a state that is none": (["status", "{lost}"], 1, "state.json"),
}

WRONG = ("broken", "missing", "half", "empty", "latin", "big", "folder", "lost")

COMMAND = 'from distillpatch.cli import main; main(prog_name="distillpatch")'


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return folders in which something is wrong, by what to call them."""
    base = tmp_path_factory.mktemp("errors")
    found = {name: base / name for name in ("tmp", "tree", "old", *WRONG, "run", "bad", "unmeasured")}
    for name in ("tree", *WRONG):
        releases.unpack("8.2.50", found[name])
    releases.unpack("8.0.134", found["old"])
    found["tmp"].mkdir()
    (found["tmp"] / "file").touch()
    (found["broken"] / "ultralytics/cfg/__init__.py").write_text("def f(:\n")
    (found["missing"] / "ultralytics/utils/plotting.py").unlink()
    shutil.rmtree(found["half"] / "ultralytics/engine")
    (found["empty"] / "ultralytics/engine/trainer.py").write_text("")
    with (found["latin"] / "ultralytics/cfg/__init__.py").open("r+b") as file:
        file.write(b"# \xe9")
    os.truncate(found["big"] / "ultralytics/utils/plotting.py", 300 * 2**20)
    (found["folder"] / "ultralytics/utils/plotting.py").unlink()
    (found["folder"] / "ultralytics/utils/plotting.py").mkdir()
    (found["lost"] / "ultralytics/.distillpatch").mkdir()
    (found["lost"] / "ultralytics/.distillpatch/state.json").write_text("{")
    make(found["run"], 0.1)
    make(found["bad"], 0.1)
    (found["bad"] / "results.csv").write_text("")
    make(found["unmeasured"], 0.1)
    (found["unmeasured"] / "results.csv").write_text("epoch,train/box_loss\n1,2\n")
    return found


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_says_what_was_expected_where_and_what_next(name: str, places: dict[str, Path]) -> None:
    arguments, code, message = ERRORS[name]
    arguments = [argument.format_map(places) for argument in arguments]
    told = invoke(*arguments)
    assert (told.exit_code, told.stdout) == (code, "") and message in told.stderr, told.stderr
    assert "Traceback" not in told.output and isinstance(told.exception, SystemExit)
    report = json.loads(invoke(*arguments, "--json").stdout)
    assert report["format"] == 1 and message in report["error"]["message"] and report["error"]["kind"]


def test_no_help_text_has_a_comma() -> None:
    """The completion of fish, and that of zsh, cut a text there."""
    texts = [(name, command.get_short_help_str(200)) for name, command in main.commands.items()]
    texts += [
        (name, parameter.help or "")
        for name, command in main.commands.items()
        for parameter in command.params
        if isinstance(parameter, click.Option)
    ]
    assert [each for each in texts if "," in each[1] or ":" in each[1]] == []


@pytest.mark.parametrize("shell", ["fish", "zsh"])
def test_a_shell_completes_with_whole_help_texts(shell: str, tmp_path: Path) -> None:
    """fish itself, where it is installed; what zsh reads, three lines for each name, is compared as it is."""
    (tmp_path / "distillpatch").write_text(f"#!/bin/sh\nexec {sys.executable} -c '{COMMAND}' \"$@\"\n")
    (tmp_path / "distillpatch").chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}
    env["PYTHONPATH"] = str(Path(click_group.__file__).parent.parent)
    run = ["fish", "-c", "_DISTILLPATCH_COMPLETE=fish_source distillpatch | source; complete -C 'distillpatch '"]
    if shell == "zsh":
        env |= {"COMP_WORDS": "distillpatch ", "COMP_CWORD": "1", "_DISTILLPATCH_COMPLETE": "zsh_complete"}
        run = ["distillpatch"]
    elif not shutil.which("fish"):
        pytest.skip("fish is not installed")
    lines = subprocess.run(run, env=env, cwd=tmp_path, capture_output=True, text=True).stdout.splitlines()
    told = (
        dict(line.split("\t") for line in lines)
        if shell == "fish"
        else dict(zip(lines[1::3], lines[2::3], strict=True))
    )
    visible = {name: command.help.split("\n")[0] for name, command in main.commands.items() if not command.hidden}
    assert {name: told.get(name) for name in visible} == visible


def test_a_permission_that_is_missing_comes_with_a_next_step(pristine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", denying)

    monkeypatch.setattr(commands, "examine", denied)
    denying = str(pristine / "ultralytics/x")
    told = invoke("status", pristine).stderr
    assert f"Error: {denying}: Permission denied.\nRun distillpatch as its owner, " in told
    assert "or install ultralytics in an environment of your own and patch that." in told
    denying = "/root/x"
    assert invoke("status", pristine).stderr.endswith("Error: /root/x: Permission denied.\n")


@pytest.mark.parametrize("command", ["status", "apply"])
def test_a_lock_that_another_process_holds_is_said_at_once(command: str, checkout: Checkout) -> None:
    root = checkout("8.2.50")
    hold = "from pathlib import Path; from distillpatch.ledger.transaction import lock; import sys, time\n"
    hold += "with lock(Path(sys.argv[1]), '8.2.50'):\n    print(flush=True)\n    sys.stdin.read()\n"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    env = {**os.environ, "PYTHONPATH": str(Path(click_group.__file__).parent.parent)}
    with subprocess.Popen([sys.executable, "-c", hold, root / "ultralytics"], env=env, **pipes) as holder:
        assert holder.stdin and holder.stdout and holder.stdout.readline()
        process = [sys.executable, "-m", "distillpatch", command, root]
        with subprocess.Popen(process, env=env, **pipes) as waiting:
            assert waiting.stderr and waiting.stdout
            waiting.stderr.readline()  # which checkout it is
            said = waiting.stderr.readline().decode()
            assert waiting.poll() is None  # it still waits as it says so
            holder.stdin.close()
            assert waiting.stdout.read() and waiting.wait() == 0
    package = root / "ultralytics"
    assert said.startswith(f"Waiting for another distillpatch that is at work on {package}: process {holder.pid} ")


def test_a_lock_that_is_taken_between_two_looks_is_said_as_well(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout("8.2.50")
    look, held = commands.examine, []

    def look_and_lock(*arguments: Any, **options: Any) -> Any:
        found = look(*arguments, **options)
        if not held:
            held.append(lock.acquire(root / "ultralytics", 1, lambda _: None))
            threading.Timer(1, lock.unlock, [root / "ultralytics", held[0]]).start()
        return found

    monkeypatch.setattr(commands, "examine", look_and_lock)
    told = invoke("apply", root)
    assert told.exit_code == 0 and f"Waiting for another distillpatch that is at work on {root}" in told.stderr


def test_remedies_can_be_pasted(tmp_path: Path) -> None:
    root = releases.unpack("8.2.50", tmp_path / "my proj")
    (root / "pyproject.toml").touch()
    told = invoke("status", root, VIRTUAL_ENV="/nowhere", PYTHONPATH=None)
    assert f"pip install -e '{root}'" in told.stderr and f"distillpatch apply '{root}'" in told.stdout


def test_help_is_a_command_as_well() -> None:
    assert invoke("help").stdout == invoke("--help").stdout
    assert "Usage: " in invoke("help", "apply").stdout and "--dry-run" in invoke("help", "apply").stdout
    assert shutil.which("sh") and "help " not in invoke("--help").stdout.split("Commands:")[1].split("Examples:")[0]

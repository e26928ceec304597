"""What is patched without a state, by `diff | git apply` or as a clone, is recognised, adopted and reverted."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from commanded import invoke
from test_cli import FILES
from trees import Tree, everything

from distillpatch.patch_sets import built_in
from distillpatch.tree.package import MARK

RELEASES = ("8.0.136", "8.4.190")

Checkout = Callable[[str], Path]


def git(root: Path, *arguments: str, stdin: str = "") -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "core.autocrlf=false"]
    subprocess.run(["git", "-C", root, *identity, *arguments], input=stdin.encode(), check=True, capture_output=True)


def repository(root: Path) -> None:
    """Make a release that was installed into a repository, which has no list of installed files."""
    (dist_info,) = root.glob("*.dist-info")
    shutil.rmtree(dist_info)
    git(root, "init", "--quiet")
    commit(root)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "x")


@pytest.fixture(params=RELEASES)
def applied(request: pytest.FixtureRequest, checkout: Checkout) -> tuple[Path, Tree]:
    """Return a checkout in git to which git has applied the diff, and what its files were before."""
    root = checkout(request.param)
    repository(root)
    before = files(root)
    git(root, "apply", stdin=invoke("diff", root).stdout)
    return root, before


def files(root: Path) -> Tree:
    return {name: facts for name, facts in everything(root).items() if not name.startswith(".git")}


def standing(root: Path) -> str:
    told: str = json.loads(invoke("status", "--json", root).stdout)["standing"]
    return told


def test_what_git_applied_is_adopted_and_reverted_to_the_byte(applied: tuple[Path, Tree]) -> None:
    root, before = applied
    assert standing(root) == "adoptable"
    page = invoke("status", root).stdout
    assert "patched to the byte by another tool" in page and "To adopt it: distillpatch apply" in page
    assert invoke("apply", root).stdout.startswith(f"Adopted 15 modifications found in {FILES} files ")
    assert standing(root) == "patched" and "Nothing to do" in invoke("apply", root).stdout
    commit(root)  # from here on git has the originals in its past only
    assert invoke("revert", root).stdout.startswith("Restored ")
    assert files(root) == before


def clone(root: Path, *options: str) -> Path:
    """Return a clone of a patched checkout that was committed: git ignores the state, so it has none."""
    there = root.with_name("clone")
    subprocess.run(["git", "clone", "--quiet", *options, root.as_uri(), there], check=True)
    assert (there / "ultralytics/utils/AddLoss.py").exists() and not (there / "ultralytics/.distillpatch").exists()
    return there


@pytest.fixture
def pushed(checkout: Checkout) -> Path:
    """Return a patched checkout that was committed, with work of the user's own before and after."""
    root = checkout("8.4.190")
    repository(root)
    append(root / "ultralytics/engine/model.py", "# mine, before")
    commit(root)
    invoke("apply", root)
    commit(root)
    return root


def append(file: Path, line: str) -> None:
    file.write_text(f"{file.read_text()}{line}\n")


def test_a_clone_of_a_patched_checkout_is_adopted_and_reverted_to_the_byte(pushed: Path) -> None:
    root = clone(pushed)
    assert standing(root) == "adoptable"
    told = invoke("apply", root)
    assert told.stdout.startswith(f"Adopted 15 modifications found in {FILES} files ")
    assert "not committed" not in told.stderr
    assert standing(root) == "patched"
    assert invoke("revert", root).stdout.startswith("Restored ")
    invoke("revert", pushed)
    assert files(root) == files(pushed)


def test_a_clone_that_was_edited_since_is_adopted_with_the_edits(pushed: Path) -> None:
    append(pushed / "ultralytics/engine/trainer.py", "# mine, since")
    commit(pushed)
    root = clone(pushed)
    append(root / "ultralytics/engine/model.py", "# mine, today")
    assert standing(root) == "edited"
    assert "To adopt it: distillpatch apply" in invoke("status", root).stdout
    told = invoke("apply", root)
    assert told.stdout.startswith(f"Adopted 15 modifications found in {FILES} files ")
    assert "Note: ultralytics/engine/model.py had changes that are not committed to git" in told.stderr
    assert invoke("revert", root).stdout.startswith("Restored ")
    append(pushed / "ultralytics/engine/model.py", "# mine, today")
    invoke("revert", pushed)
    assert files(root) == files(pushed)


@pytest.mark.parametrize("committed", [False, True])
def test_after_git_clean_the_modules_come_back(checkout: Checkout, committed: bool) -> None:
    root = checkout("8.4.190")
    repository(root)
    before = files(root)
    invoke("apply", root)
    patched = files(root)
    if committed:
        commit(root)
        shutil.rmtree(root / "ultralytics/.distillpatch")
        git(root, "rm", "--quiet", *(new_file.path for new_file in built_in().new_files))
        commit(root)
    else:
        git(root, "clean", "--quiet", "-fdx")
    assert not (root / "ultralytics/utils/distiller.py").exists()
    assert standing(root) == "edited"
    told = invoke("apply", root)
    assert told.stdout.startswith(f"Applied 15 modifications to {FILES} files ") and standing(root) == "patched"
    assert files(root).keys() == patched.keys()
    assert invoke("revert", root).stdout.startswith("Restored ")
    assert files(root) == before


def test_a_release_that_came_since_is_not_overwritten(checkout: Checkout) -> None:
    root, newer = checkout("8.4.0"), checkout("8.4.190")
    repository(root)
    invoke("apply", root)
    commit(root)
    shutil.rmtree(root / "ultralytics/.distillpatch")
    for file in (newer / "ultralytics").rglob("*.py"):
        there = root / file.relative_to(newer)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, there)
    commit(root)
    assert standing(root) == "overwritten"
    assert invoke("revert", "--restore-original", root).exit_code == 0
    for path in built_in().edited_files:
        if (newer / path).exists():
            assert (root / path).read_bytes() == (newer / path).read_bytes()


def test_an_earlier_patching_that_was_undone_is_another_story(checkout: Checkout) -> None:
    root = checkout("8.4.190")
    repository(root)
    for command in ("apply", "revert"):
        invoke(command, root)
        commit(root)
    append(root / "ultralytics/engine/trainer.py", "MY_WORK = 1")
    commit(root)
    invoke("apply", root)
    append(root / "ultralytics/engine/trainer.py", "# with the patch, in one commit")
    commit(root)
    assert standing(clone(root)) == "stateless"


def test_what_apply_refuses_is_not_advised(pushed: Path) -> None:
    root = clone(pushed)
    append(root / "ultralytics/utils/AddLoss.py", "# mine")
    assert invoke("apply", root).exit_code == 1
    shown = invoke("status", root).stdout
    assert "To adopt it" not in shown and "To undo it: distillpatch revert" in shown


def test_each_module_says_whose_it_is() -> None:
    assert all(new_file.content.startswith(MARK) for new_file in built_in().new_files)


def test_without_the_modules_either_it_is_still_known(checkout: Checkout) -> None:
    root = checkout("8.4.190")
    invoke("apply", root)
    shutil.rmtree(root / "ultralytics/.distillpatch")
    for new_file in built_in().new_files:
        (root / new_file.path).unlink()
    assert standing(root) == "stateless"
    told = invoke("revert", root)
    assert told.exit_code == 1
    assert "\n- restore the files from git (which has your own edits only if you committed them)\n- rem" in told.stderr
    assert "ultralytics/utils/plotting.py, ultralytics/engine/model.py by hand\n- install ultralytics" in told.stderr


def test_many_commits_since_then_do_not_hide_it(pushed: Path) -> None:
    root = clone(pushed)
    for number in range(11):
        append(root / "ultralytics/utils/AddLoss.py", f"# {number}")
        commit(root)
    assert standing(root) == "edited"


def test_a_clone_without_the_past_is_refused_with_what_to_do(pushed: Path) -> None:
    root = clone(pushed, "--depth", "1")
    assert standing(root) == "stateless"
    told = invoke("revert", root)
    assert told.exit_code == 1 and "copy ultralytics/.distillpatch from where the checkout was patched" in told.stderr
    assert "\n- run `git fetch --unshallow`, since git may know what there was before\n" in told.stderr
    git(root, "fetch", "--quiet", "--unshallow")
    assert standing(root) == "adoptable"


@pytest.mark.parametrize("applied", RELEASES[:1], indirect=True)
def test_what_git_applied_is_reverted_without_being_adopted(applied: tuple[Path, Tree]) -> None:
    root, before = applied
    assert invoke("revert", root).stdout.startswith("Restored ")
    assert files(root) == before


@pytest.mark.parametrize("applied", RELEASES[:1], indirect=True)
@pytest.mark.parametrize("path", ["ultralytics/engine/trainer.py", "ultralytics/utils/AddLoss.py"])
def test_a_byte_more_and_it_is_not_ours(applied: tuple[Path, Tree], path: str) -> None:
    root, _ = applied
    with (root / path).open("ab") as file:
        file.write(b"\n")
    after = files(root)
    assert standing(root) == "stateless"
    assert invoke("apply", root).exit_code == invoke("revert", root).exit_code == 1
    assert files(root) == after


def test_line_endings_that_git_gave_are_kept(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    git(root, "init", "--quiet")
    commit(root)
    trainer = root / "ultralytics/engine/trainer.py"
    trainer.write_bytes(trainer.read_bytes().replace(b"\n", b"\r\n"))  # as a checkout with core.autocrlf has them
    before = files(root)
    git(root, "apply", stdin=invoke("diff", root).stdout_bytes.decode())
    assert standing(root) == "adoptable"
    assert invoke("revert", root).stdout.startswith("Restored ")
    assert files(root) == before

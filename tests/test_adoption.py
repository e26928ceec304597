"""What `distillpatch diff | git apply` made is recognised to the byte, adopted by apply, and reverted."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from commanded import invoke
from trees import Tree, everything

RELEASES = ("8.0.136", "8.4.190")

Checkout = Callable[[str], Path]


def git(root: Path, *arguments: str, stdin: str = "") -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "core.autocrlf=false"]
    subprocess.run(["git", "-C", root, *identity, *arguments], input=stdin.encode(), check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "x")


@pytest.fixture(params=RELEASES)
def applied(request: pytest.FixtureRequest, checkout: Checkout) -> tuple[Path, Tree]:
    """Return a checkout in git to which git has applied the diff, and what its files were before."""
    root = checkout(request.param)
    git(root, "init", "--quiet")
    commit(root)
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
    assert invoke("apply", root).stdout.startswith("Adopted 15 modifications found to the byte in ")
    assert standing(root) == "patched" and "Nothing to do" in invoke("apply", root).stdout
    commit(root)  # from here on git has the originals in its past only
    assert invoke("revert", root).stdout.startswith("Restored ")
    assert files(root) == before


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
    assert standing(root) == "unrecorded"
    assert invoke("apply", root).exit_code == 1 and invoke("revert", root).stdout.startswith("Nothing to do: no ")
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

"""Whether the user's edits are committed, told without running anything that the repository asks for."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from commanded import invoke

from distillpatch import commands
from distillpatch.tree.git import _NO_FETCHING, obstacle, uncommitted
from distillpatch.tree.programs import find_program

FILES = {"p/a.py": b"a = 1\n", "p/b.py": b"b = 1\n"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "All")


def test_nothing_to_tell_of_committed_files(repository: Path) -> None:
    assert uncommitted(repository, FILES) == []


def test_an_edited_file_is_told_staged_or_not(repository: Path) -> None:
    edited = {**FILES, "p/b.py": b"b = 2\n"}
    assert uncommitted(repository, edited) == ["p/b.py"]
    (repository / "p/b.py").write_bytes(b"b = 2\n")
    git(repository, "add", "--all")
    assert uncommitted(repository, edited) == ["p/b.py"]
    commit(repository)
    assert uncommitted(repository, edited) == []


def test_files_that_git_does_not_track_are_not_told(repository: Path) -> None:
    assert uncommitted(repository, {"p/new.py": b""}) == []


def test_a_package_below_the_top_of_its_repository(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "checkout"
    root.mkdir(parents=True)
    (root / "a.py").write_bytes(b"a = 1\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    assert uncommitted(root, {"a.py": b"a = 1\n"}) == []
    assert uncommitted(root, {"a.py": b"a = 2\n"}) == ["a.py"]


def test_line_endings_that_git_converts_are_no_edit(repository: Path) -> None:
    assert uncommitted(repository, {"p/a.py": b"a = 1\r\n"}) == []


def test_a_repository_that_names_its_files_by_sha256(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"a = 1\n")
    git(tmp_path, "init", "--quiet", "--object-format=sha256")
    commit(tmp_path)
    assert uncommitted(tmp_path, {"a.py": b"a = 1\n"}) == []
    assert uncommitted(tmp_path, {"a.py": b"a = 2\n"}) == ["a.py"]


def test_no_repository_no_commit_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert uncommitted(tmp_path, FILES) == []
    git(tmp_path, "init", "--quiet")
    assert uncommitted(tmp_path, FILES) == []
    monkeypatch.setenv("PATH", str(tmp_path))
    assert uncommitted(tmp_path, FILES) == []


def test_what_keeps_git_from_telling_the_past(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert obstacle(repository / "p") is None
    (repository / ".git" / "config").write_text("[core]\n\trepositoryformatversion = 9\n")
    assert str(obstacle(repository / "p")).startswith(
        "have git read the repository (it says: Expected git repo version"
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    assert obstacle(repository / "p") == "install git"


@pytest.mark.parametrize(
    "setting", ["core.fsmonitor", "core.pager", "filter.x.clean", "diff.external", "alias.ls-tree"]
)
def test_nothing_that_the_repository_names_is_run(repository: Path, tmp_path: Path, setting: str) -> None:
    marker = tmp_path / "was-run"
    (repository / ".gitattributes").write_text("* filter=x diff=x\n")
    git(repository, "config", setting, f"touch {marker}")
    assert uncommitted(repository, {**FILES, "p/b.py": b"b = 2\n"}) == ["p/b.py"]
    assert obstacle(repository) is None
    assert not marker.exists()


@pytest.mark.parametrize("git_is", ["recent", "old"])
def test_nothing_is_run_to_fetch_what_a_partial_clone_lacks(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git_is: str
) -> None:
    marker = tmp_path / "was-run"
    settings = {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": str(tmp_path),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": f"touch {marker}; false",
        "protocol.allow": "always",
    }
    tree = subprocess.run(["git", "rev-parse", "HEAD^{tree}"], cwd=repository, capture_output=True, text=True).stdout
    for name, value in settings.items():
        git(repository, "config", name, value)
    (repository / ".git" / "objects" / tree[:2] / tree[2:].strip()).unlink()
    if git_is == "old":
        monkeypatch.delitem(_NO_FETCHING, "GIT_NO_LAZY_FETCH")
    assert uncommitted(repository, FILES) == []
    assert not marker.exists()


@pytest.mark.parametrize("entry", ["", ".", "{repository}/p"])
def test_a_git_that_is_in_the_checkout_is_not_run(
    repository: Path, entry: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path_factory.mktemp("elsewhere") / "was-run"
    for place in (repository / "git", repository / "p" / "git"):
        place.write_text(f"#!/bin/sh\ntouch {marker}\n")
        place.chmod(0o755)
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PATH", f"{entry.format(repository=repository)}{os.pathsep}{os.environ['PATH']}")
    assert uncommitted(repository, {**FILES, "p/b.py": b"b = 2\n"}) == ["p/b.py"]
    assert not marker.exists()


def test_a_program_is_found_for_a_checkout_at_the_root_of_the_disk() -> None:
    assert find_program("git", Path("/")) == shutil.which("git")


def test_git_is_asked_without_the_lock(checkout: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository whose HEAD is a FIFO has git wait, which keeps no other process waiting."""
    root = checkout("8.2.50")
    git(root, "init", "--quiet")
    (root / ".git/HEAD").unlink()
    os.mkfifo(root / ".git/HEAD")
    locked = []

    def ask(folder: Path, files: Mapping[str, bytes]) -> list[str]:
        locked.append((folder / "ultralytics/.distillpatch/lock").exists())
        return uncommitted(folder, files)

    monkeypatch.setattr(commands, "uncommitted", ask)
    started = time.monotonic()
    told = invoke("apply", root)
    assert (told.exit_code, locked) == (0, [False])
    assert time.monotonic() - started < 60

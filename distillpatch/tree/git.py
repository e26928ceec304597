"""Whether the user's own work in a file is safe in git, asked in a way that runs nothing of the repository's."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from distillpatch.tree.programs import find_program

# A partial clone fetches the objects that it lacks, by a program that the repository's configuration may name. Only a
# recent git can be asked not to fetch; any git can be left without a protocol to fetch by.
_NO_FETCHING = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}

# In seconds; a repository whose files are FIFOs would have git wait for ever.
_PATIENCE = 3

# How many of the commits that touched files are looked at. Modules are committed once, and again for each upgrade.
_COMMITS = 100


def uncommitted(root: Path, files: Mapping[str, bytes]) -> list[str]:
    """Return the files that are tracked by git and differ from the last commit.

    ``git ls-tree`` only reads the objects that are there. ``git status`` would also run the file system monitor and the
    filters that a repository's configuration names.

    Args:
        root: The folder that the paths are relative to.
        files: The content of each file.

    Returns:
        Their paths; none if the folder is in no repository, git is not installed, or the commit is not here.
    """
    names = _names(root, files)
    return [
        path
        for path, content in files.items()
        if path in names and names[path] not in (_blob(content, names[path]), _blob_lf(content, names[path]))
    ]


def committed(root: Path, paths: Iterable[str], revision: str = "HEAD") -> dict[str, bytes]:
    """Return files as a commit has them; those that it has not, or that are not here, are left out.

    Args:
        root: The folder that the paths are relative to.
        paths: The files.
        revision: The commit; the last one unless another is named.
    """
    contents = {}
    for path, name in _names(root, paths, revision).items():
        content = _ask(root, "cat-file", "blob", name)
        if _blob(content, name) == name:
            contents[path] = content
    return contents


def commit_that_brought(root: Path, paths: Sequence[str]) -> str | None:
    """Return the last commit that has some of the files where the one before has none; None if none is found.

    Args:
        root: The folder that the paths are relative to.
        paths: The files.
    """
    commits = _ask(root, "rev-list", f"--max-count={_COMMITS}", "HEAD", "--", *paths).decode().split()
    brought = (each for each in commits if _names(root, paths, each) and not _names(root, paths, f"{each}^"))
    return next(brought, None)


def obstacle(root: Path) -> str | None:
    """Return what to do so that git tells what there was in the past; None if nothing is in the way, or no repository.

    Args:
        root: A folder that is in a repository, perhaps.
    """
    git = find_program("git", root)
    if git is None:
        return "install git" if any((folder / ".git").exists() for folder in (root, *root.parents)) else None
    command = [git, "-C", str(root), "rev-parse", "--is-shallow-repository"]
    try:
        answer = subprocess.run(
            command,
            env=os.environ | _NO_FETCHING | {"LC_ALL": "C"},
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if answer.stdout.strip() == b"true":
        return "run `git fetch --unshallow`"
    told = answer.stderr.decode("utf-8", "replace").partition("\n")[0].removeprefix("fatal: ")
    return f"have git read the repository (it says: {told})" if told and "not a git repository" not in told else None


def own_setting(name: str) -> str:
    """Return a setting of the user's git, "" if it has none; what a repository sets does not count."""
    git = find_program("git", Path())
    if git is None:
        return ""
    command = [git, "config", "--get", name]
    try:
        answer = subprocess.run(
            command, env=os.environ | {"GIT_DIR": os.devnull}, capture_output=True, timeout=_PATIENCE, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.decode("utf-8", "replace").strip()


def _names(root: Path, paths: Iterable[str], revision: str = "HEAD") -> dict[str, str]:
    """Return git's names for the contents that files have in a commit."""
    names = {}
    for entry in _ask(root, "ls-tree", "-z", revision, "--", *paths).decode("utf-8", "replace").split("\0"):
        facts, _, path = entry.partition("\t")
        if path:
            names[path] = facts.split()[2]
    return names


def _ask(root: Path, *arguments: str) -> bytes:
    """Return what git answers, nothing if there is no git, no repository, or no such object here."""
    git = find_program("git", root)
    if git is None:
        return b""
    command = [git, "-C", str(root), *arguments]
    try:
        return subprocess.run(
            command, env=os.environ | _NO_FETCHING, capture_output=True, timeout=_PATIENCE, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return b""


def _blob(content: bytes, like: str) -> str:
    """Return git's name for a content, in the hash that ``like`` is in."""
    digest = hashlib.sha1 if len(like) == 40 else hashlib.sha256
    return digest(b"blob %d\0%s" % (len(content), content)).hexdigest()


def _blob_lf(content: bytes, like: str) -> str:
    """Return git's name for a content that was checked out with CRLF line endings."""
    return _blob(content.replace(b"\r\n", b"\n"), like)

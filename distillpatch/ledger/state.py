"""What was applied to a checkout, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from distillpatch import __version__
from distillpatch.ledger.places import StateError


class NewerStateError(StateError):
    """The state was written by a distillpatch newer than this one."""


@dataclass(frozen=True)
class AppliedFile:
    """One file as it was before `apply` and as `apply` left it.

    Attributes:
        path: The file, relative to the folder that holds the package, with forward slashes.
        original: Its content before, or None if it was created.
        patched: Its content afterwards, or None if it was removed.
        mode: Its permission bits before, or None if it was created.
        link: What it pointed to if it was a symbolic link, or None.
    """

    path: str
    original: bytes | None
    patched: bytes | None
    mode: int | None
    link: str | None


@dataclass(frozen=True)
class AppliedSet:
    """One patch set that was applied.

    Attributes:
        name: Its name.
        title: What it does, in one sentence.
        digest: The digest of its files.
        files: Its files by name, from which it is planned again; None in a state of format 1, which has not kept them.
    """

    name: str
    title: str
    digest: str
    files: Mapping[str, bytes] | None


@dataclass(frozen=True)
class State:
    """What was applied to a package.

    Attributes:
        version: The distillpatch that applied it.
        patch_sets: The patch sets, in the order in which they were applied.
        release: The ultralytics release that they were applied to.
        applied_at: When, in ISO 8601 and UTC.
        files: The files that they changed, from before the first to after the last.
    """

    version: str
    patch_sets: tuple[AppliedSet, ...]
    release: str
    applied_at: str
    files: tuple[AppliedFile, ...]

    def file(self, path: str) -> AppliedFile | None:
        """Return what is known of one file, or None if it was not touched."""
        return next((file for file in self.files if file.path == path), None)

    def original(self, path: str) -> bytes | None:
        """Return a file's content before `apply`, or None if `apply` created it or never touched it."""
        file = self.file(path)
        return file.original if file else None

    def patched(self, path: str) -> bytes | None:
        """Return a file's content as `apply` left it, or None if `apply` never touched it."""
        file = self.file(path)
        return file.patched if file else None


def refuse_newer(version: str) -> None:
    """Refuse to touch what a newer distillpatch wrote.

    Args:
        version: That of the distillpatch which wrote it.

    Raises:
        NewerStateError: It is newer than this one.
    """
    if _release_number(version) > _release_number(__version__):
        raise newer(version)


def newer(version: str) -> NewerStateError:
    """Return the error that a newer distillpatch has been at work."""
    return NewerStateError(
        f"This tree was patched by distillpatch {version}, and this is {__version__}, which is older: "
        "use the newer one, or install it again."
    )


def _release_number(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in version.split("+")[0].split(".") if number.isdecimal()]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)

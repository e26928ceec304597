"""Looks at the disk: what is at a place, read by functions that take no error for absence.

Only FileNotFoundError and NotADirectoryError say that nothing is there. `os.path.lexists` and its kin answer False for
any error, a disk that fails for a moment included, and whoever believes that removes what is there.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)

_ABSENT = (FileNotFoundError, NotADirectoryError)

# A package nests to about 10 levels, and distillpatch's folder in it is not much deeper.
_DEEPEST_FOLDER = 60


class NotRegularError(OSError):
    """There is no regular file, or a larger one than any of distillpatch's and of any release."""

    def __init__(self, place: Path, size: int = 0, limit: int = 0) -> None:
        reason = f"{_size(size)} large, expected at most {_size(limit)}" if size else "not a regular file"
        super().__init__(errno.EINVAL, reason, str(place))


def _size(count: int) -> str:
    return f"{count / 2**20:.0f} MB" if count >= 2**20 else f"{count:,} bytes"


def cannot_be_imported(error: OSError) -> bool:
    """Return whether an error means that there is no module here for this user; any other is a fault of the disk."""
    absent = isinstance(error, (*_ABSENT, PermissionError, NotRegularError))
    return absent or error.errno in (errno.ELOOP, errno.ENAMETOOLONG)


def look(place: Path) -> os.stat_result | None:
    """Return the status of what is at a place, of a symbolic link itself; None if nothing is there.

    Raises:
        OSError: It cannot be found out whether something is there.
    """
    try:
        return os.lstat(place)
    except _ABSENT:
        return None


def follow(place: Path) -> os.stat_result | None:
    """Return the status of what is at a place, of what a symbolic link points to; None if nothing is there.

    Raises:
        OSError: It cannot be found out whether something is there.
    """
    try:
        return os.stat(place)  # noqa: PTH116 - the twin of os.lstat()
    except _ABSENT:
        return None


def exists(place: Path) -> bool:
    """Return whether anything is at a place, a symbolic link to nothing included."""
    return look(place) is not None


def is_link(place: Path) -> bool:
    """Return whether a symbolic link is at a place."""
    status = look(place)
    return status is not None and stat.S_ISLNK(status.st_mode)


def is_folder(place: Path) -> bool:
    """Return whether a real folder is at a place, and not a symbolic link to one."""
    status = look(place)
    return status is not None and stat.S_ISDIR(status.st_mode)


def leads_to_folder(place: Path) -> bool:
    """Return whether a folder is at a place, or a symbolic link to one."""
    status = follow(place)
    return status is not None and stat.S_ISDIR(status.st_mode)


def link_text(place: Path) -> str:
    """Return the exact text of a symbolic link."""
    return os.readlink(place)  # noqa: PTH115 - Path.readlink() would tidy up ./a//b


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted."""
    return sorted(os.listdir(folder))  # noqa: PTH208 - the names alone


def walk(folder: Path, deepest: int = _DEEPEST_FOLDER) -> Iterator[tuple[Path, bool]]:
    """Yield all that is below a folder, and whether it is a real folder: the content of a folder before the folder.

    What is nested deeper than `deepest` folders is not looked into.

    Raises:
        OSError: A folder cannot be read.
    """
    for name in names_in(folder):
        place = folder / name
        is_real_folder = is_folder(place)
        if is_real_folder and deepest > 0:
            yield from walk(place, deepest - 1)
        yield place, is_real_folder


def read_regular(place: Path, limit: int, *, through_link: bool = False) -> bytes:
    """Read a file, unless that would take for ever or more memory than it may.

    Args:
        place: The file.
        limit: How many bytes it may have.
        through_link: Whether it may be a symbolic link to the file.

    Raises:
        NotRegularError: It is something else, or larger.
        OSError: It is not there, or cannot be read.
    """
    if is_link(place) and not (through_link and _leads_somewhere(place)):  # a link to nothing is not nothing
        raise NotRegularError(place)
    # The status is that of what was opened, and not of what was there a moment before. Opening a FIFO in this way does
    # not wait.
    descriptor = os.open(place, _FLAGS if through_link else _FLAGS | getattr(os, "O_NOFOLLOW", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotRegularError(place)
        if status.st_size > limit:
            raise NotRegularError(place, status.st_size, limit)
        return _read(descriptor, place, limit)
    finally:
        os.close(descriptor)


def _read(descriptor: int, place: Path, limit: int) -> bytes:
    content = bytearray()
    try:
        while part := os.read(descriptor, limit - len(content)):
            content += part
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place)) from error  # which names no file by itself
    return bytes(content)


def _leads_somewhere(place: Path) -> bool:
    try:
        return follow(place) is not None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link to itself leads nowhere
            return False
        raise

"""Every change of the disk is one of these functions: this module alone writes to the user's tree."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import IO

from distillpatch.ledger.places import MAX_FILE
from distillpatch.tree.files import exists, is_link, link_text, read_regular

_CANNOT_FLUSH_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF)


def step(name: str, place: Path) -> None:
    """Called before each change of the disk: this is where tests interrupt a run."""


def make_folder(place: Path) -> None:
    """Make a folder."""
    step("mkdir", place)
    place.mkdir()
    hand_over(place, like=place.parent)


def write(place: Path, data: bytes, like: Path, mode: int | None = None, times: tuple[int, int] | None = None) -> None:
    """Write a new file and flush it; root's belongs to the owner of `like`."""
    step("create", place)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(place, flags, 0o666), "wb") as file:
        step("write", place)
        file.write(data)
        file.flush()
        hand_over(_handle(file, place), like)
        if mode is not None:
            os.chmod(_handle(file, place), mode)  # noqa: PTH101 - a Path has no descriptor
        if times is not None:
            os.utime(_handle(file, place), ns=times)
        step("fsync", place)
        _flush(file.fileno(), place)


def _flush(descriptor: int, place: Path) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place)) from error  # fsync names no file


def _handle(file: IO[bytes], place: Path) -> int | Path:
    """Return what names an open file whatever is at its place by now, where the system has such a thing."""
    return file.fileno() if {os.chmod, os.utime} <= os.supports_fd else place


def hand_over(place: int | Path, like: Path) -> None:
    """Give what root made in a user's tree to the user: the owner of `like`."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        owner = like.stat()
        os.chown(place, owner.st_uid, owner.st_gid, follow_symlinks=isinstance(place, int))


def copy_or_link(source: Path, place: Path) -> None:
    """Make a second name of a file, or a copy where the file system has no such thing."""
    step("link", place)
    try:
        os.link(source, place, follow_symlinks=False)
    except (OSError, NotImplementedError):
        if is_link(source):
            symlink(link_text(source), place)
            return
        facts = source.stat()
        data = read_regular(source, MAX_FILE)
        write(place, data, source, facts.st_mode & 0o777, (facts.st_atime_ns, facts.st_mtime_ns))


def symlink(text: str, place: Path) -> None:
    """Make a symbolic link with this exact text."""
    step("symlink", place)
    place.symlink_to(text)
    hand_over(place, like=place.parent)


def rename(source: Path, place: Path) -> None:
    """Give a file another place, instead of what is there."""
    step("rename", place)
    source.replace(place)


def unlink(place: Path) -> None:
    """Remove a file, or a symbolic link."""
    step("unlink", place)
    place.unlink()


def remove_folder(place: Path) -> None:
    """Remove an empty folder."""
    step("rmdir", place)
    place.rmdir()


def flush_folder(folder: Path) -> None:
    """Flush a folder. Some file systems, shared folders among them, cannot: git and SQLite go on there as well."""
    step("fsync", folder)
    if sys.platform == "win32":  # which keeps folders safe by itself, and cannot open one
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _flush(descriptor, folder)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH_FOLDERS:
            raise
    finally:
        os.close(descriptor)


def open_lock(place: Path) -> int:
    """Open the lock file, which is made if there is none, and return its descriptor."""
    step("open", place)
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        return os.open(place, flags | os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if not exists(place):
            raise
        # Root's, which died before it handed the file over. To lock it, reading it is enough.
        return os.open(place, flags | os.O_RDONLY)


def sign_lock(descriptor: int, text: bytes, like: Path) -> None:
    """Write into the lock file who has it."""
    hand_over(descriptor, like)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, text)

"""Ordinary files of a sensible size are read here, and nothing else that may lie in the place of one."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


class NotOrdinaryError(OSError):
    """What lies there is no ordinary file, or one of a size that none of ours and of any release has."""

    def __init__(self, place: Path) -> None:
        super().__init__(errno.EINVAL, "it is not an ordinary file of a sensible size", str(place))


def read_ordinary(place: Path, limit: int, *, through_link: bool = False) -> bytes:
    """Read a file, unless it would take for ever or more memory than it may.

    Args:
        place: The file.
        limit: How many bytes it may have.
        through_link: Whether it may be a symbolic link to the file.

    Raises:
        NotOrdinaryError: It is something else, or larger.
        OSError: It is not there, or cannot be read.
    """
    if place.is_symlink() and not (through_link and place.exists()):  # a link to nothing is not nothing
        raise NotOrdinaryError(place)
    # What was opened is looked at, and not what lay there a moment before; opening a FIFO in this way does not wait.
    descriptor = os.open(place, _FLAGS if through_link else _FLAGS | getattr(os, "O_NOFOLLOW", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            raise NotOrdinaryError(place)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(descriptor)

"""Reads of a tree that fail: each of them once, or all from one on, with the errors that disks and systems give."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

READS = ("stat", "lstat", "open", "read", "fstat", "listdir", "scandir", "readlink")
ERRORS = (errno.EIO, errno.EACCES, errno.ENOMEM)

# `make faults` has every read fail; a test run takes a sample.
ALL = bool(os.environ.get("DISTILLPATCH_FAULTS"))


class Faults:
    """Has reads below a folder fail: the one of a number, or all from there on. None of them without a number.

    Attributes:
        count: How many there were.
        played: How many runs there were in which one failed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self.count = self.played = 0

    def cases(self, reads: int, stride: int) -> Iterator[tuple[int, int, bool]]:
        """Yield which read shall fail, how, and whether all later ones fail as well, each time before that is played.

        A run that reads nothing more after its first failure is the same whether that lasts or not: it is played once.
        """
        for turn, number in enumerate(range(0, reads, stride)):
            for error in ERRORS if stride == 1 else ERRORS[turn % 3 :][:1]:
                for lasting in (False, True):
                    if not lasting or self.count > number + 1:
                        self.played += 1
                        yield number, error, lasting

    @contextmanager
    def failing(self, at: int | None, error: int = errno.EIO, *, lasting: bool = False) -> Iterator[None]:
        self.count = 0
        with pytest.MonkeyPatch.context() as patch:
            for name in READS:
                patch.setattr(os, name, self._failing(name, getattr(os, name), os.readlink, at, error, lasting))
            yield

    def _failing(
        self, name: str, real: Callable[..., Any], readlink: Callable[..., str], at: int | None, error: int, last: bool
    ) -> Callable[..., Any]:
        def read(place: Any = ".", *arguments: Any, **options: Any) -> Any:
            creates = name == "open" and bool(arguments) and arguments[0] & os.O_CREAT
            path = readlink(f"/proc/self/fd/{place}") if isinstance(place, int) else os.fspath(place)
            if path.startswith(self._folder) and not creates:
                number, self.count = self.count, self.count + 1
                if at is not None and (number >= at if last else number == at):
                    raise OSError(error, os.strerror(error), None if isinstance(place, int) else path)
            return real(place, *arguments, **options)

        return read

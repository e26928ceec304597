"""A folder of patches: its files are read one by one, as they are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from distillpatch.errors import DistillpatchError
from distillpatch.tree.files import read_regular

# The largest file of a patch set is one that it adds: a module, or an example.
_LARGEST_FILE = 1024 * 1024


class Folder(Mapping[str, bytes]):
    """The files of a folder by name, each read when it is asked for.

    Raises:
        DistillpatchError: If the folder or the file that is asked for cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            with os.scandir(folder) as entries:
                self._names = frozenset(entry.name for entry in entries if not entry.is_dir())
        except OSError as error:
            raise DistillpatchError(
                f"expected a folder of patches at {folder}: {error.strerror}. Name another one."
            ) from error

    def __getitem__(self, name: str) -> bytes:
        if name not in self._names:
            raise KeyError(name)
        try:
            return read_regular(self._folder / name, _LARGEST_FILE, through_link=True)
        except OSError as error:
            raise DistillpatchError(
                f"cannot read {self._folder / name}: {error.strerror}. Name another one."
            ) from error

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

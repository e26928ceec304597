"""A folder of patches is read here, file by file as the parser asks for them; the built-in one is found here, too."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from distillpatch.engine.landing import check_patterns
from distillpatch.engine.patchset import PatchSet, parse
from distillpatch.errors import DistillpatchError
from distillpatch.tree.environment import PACKAGE
from distillpatch.tree.files import read_regular

_BUILT_IN = "distillation"

# The largest file of a patch set is one that it adds: a module, or an example.
_LARGEST_FILE = 1024 * 1024


@functools.cache
def built_in() -> PatchSet:
    """Return the patch set that ships with distillpatch."""
    packaged = Path(__file__).resolve().parent.parent / "patches"
    # An installed distillpatch carries the patch set inside the package; in its own checkout it is at the root.
    return parse(_Folder(packaged if packaged.is_dir() else packaged.parent.parent / "patches"), _BUILT_IN, PACKAGE)


def load(folder: Path) -> PatchSet:
    """Read a patch set from a folder, whose name it has unless it gives itself one.

    Raises:
        PatchSetError: If a file breaks the notation.
        PatternError: If a pattern is malformed.
        DistillpatchError: If the folder or one of its files cannot be read.
    """
    patch_set = parse(_Folder(folder), folder.resolve().name, PACKAGE)
    check_patterns(patch_set)
    return patch_set


class _Folder(Mapping[str, bytes]):
    """The files of a folder by name, each read when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            with os.scandir(folder) as entries:
                self._names = frozenset(entry.name for entry in entries if not entry.is_dir())
        except OSError as error:
            raise DistillpatchError(f"expected a folder of patches at {folder}: {error.strerror}") from error

    def __getitem__(self, name: str) -> bytes:
        if name not in self._names:
            raise KeyError(name)
        try:
            return read_regular(self._folder / name, _LARGEST_FILE, through_link=True)
        except OSError as error:
            raise DistillpatchError(f"cannot read {self._folder / name}: {error.strerror}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._names))

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

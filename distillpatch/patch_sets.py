"""Where patch sets come from: the one that ships with distillpatch, and those in folders of the user's."""

from __future__ import annotations

import functools
from pathlib import Path

from distillpatch.engine.landing import check_patterns
from distillpatch.engine.patchset import PatchSet, parse
from distillpatch.tree.environment import PACKAGE
from distillpatch.tree.patch_folder import Folder

_BUILT_IN = "distillation"


@functools.cache
def built_in() -> PatchSet:
    """Return the patch set that ships with distillpatch."""
    packaged = Path(__file__).resolve().parent / "patches"
    # An installed distillpatch carries the patch set inside the package; in its own checkout it is at the root.
    return parse(Folder(packaged if packaged.is_dir() else packaged.parent.parent / "patches"), _BUILT_IN, PACKAGE)


def load(folder: Path) -> PatchSet:
    """Read a patch set from a folder, whose name it has unless it gives itself one.

    Raises:
        PatchSetError: If a file breaks the notation.
        PatternError: If a pattern is malformed.
        DistillpatchError: If the folder or one of its files cannot be read.
    """
    patch_set = parse(Folder(folder), folder.resolve().name, PACKAGE)
    check_patterns(patch_set)
    return patch_set

"""Programs of the user's, which are run; never one that is in a checkout, which may be anybody's."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def find_program(name: str, checkout: Path) -> str | None:
    """Return the path of a program, None if there is none: not in a checkout, and not in the current folder.

    Args:
        name: Its name, or its path.
        checkout: The checkout.
    """
    here, root = Path(os.path.realpath(".")), Path(os.path.realpath(checkout))
    trusted = []
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        real = Path(os.path.realpath(folder))
        is_inside = real.is_relative_to(root) and root != root.parent  # the whole disk is nobody's checkout
        if Path(folder).is_absolute() and real != here and not is_inside:
            trusted.append(folder)
    return shutil.which(name, path=os.pathsep.join(trusted)) if trusted else None

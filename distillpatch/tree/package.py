"""The Python files of a package, as text: none of them is imported or run."""

from __future__ import annotations

import os
from pathlib import Path

from distillpatch.tree.files import cannot_be_imported, read_regular

# What the modules that distillpatch adds to a package begin with, in every version.
MARK = b"# Added by distillpatch"

# No release has a module of a tenth of this; what is larger is data.
_MAX_MODULE = 4 * 2**20


def python_files(package: Path) -> dict[str, bytes]:
    """Return the content of each module of a package that can be imported and read.

    Args:
        package: The package's folder.

    Returns:
        The contents by path, relative to the folder that holds the package.

    Raises:
        OSError: The disk failed, so that it is unknown which modules there are.
    """
    found = {}
    for folder, subfolders, names in os.walk(package, onerror=_pass_over):
        subfolders[:] = sorted(name for name in subfolders if name.isidentifier() and name != "__pycache__")
        for name in sorted(names):
            module = Path(folder, name)
            if module.suffix == ".py" and module.stem.isidentifier():
                try:
                    content = read_regular(module, _MAX_MODULE, through_link=True)
                except OSError as error:
                    _pass_over(error)
                    continue
                found[module.relative_to(package.parent).as_posix()] = content
    return found


def _pass_over(error: OSError) -> None:
    """Raise an error of the disk; what Python cannot import either is none of the package's modules."""
    if not cannot_be_imported(error):
        raise error

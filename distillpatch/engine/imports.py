"""Imports that are added to those at the head of a file."""

from __future__ import annotations

import re

from distillpatch.engine.edit import Edit
from distillpatch.engine.source import Source


def add_imports(source: Source, added: str) -> Edit:
    """Add ``from`` imports of one module to those of a file, where sorting by module would put them."""
    module = added.split()[1]
    statements = source.imports()
    family = [s for s in statements if s.module.split(".")[0] == module.split(".")[0]]
    later = next((s for s in family if s.module.lower() > module.lower()), None)
    block = added.replace("\n", source.newline) + source.newline
    if later:
        at = source.offset(later.first_line, 0)
    elif statements:
        at = source.line_end(source.offset((family or statements)[-1].last_line, 0))
    else:
        at, block = source.head, f"{block}{source.newline}"
    if source.text[at - 1 : at] not in ("", "\n", "\r"):
        return Edit(at, at, source.newline + block.rstrip("\r\n"))
    return Edit(at, at, block)


def taken_names(source: Source, added: str) -> dict[str, int]:
    """Return the names that an import brings and the file defines, and the lines at which it does."""
    imported = set(re.findall(r"\w+", added.partition(" import ")[2]))
    return {name: line for name, line in source.definitions() if name in imported}

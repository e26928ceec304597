"""Where the fifteen modifications have to land, said a second time and without the engine.

The patch set says which code a modification hangs on; the checks in `modifications` say what it means to the program:
before what, after what, inside what, with how many values. They read the patched files with :mod:`ast` alone, and try
out three small functions (the labels of the losses, the remembered keys, the format strings) rather than to read them.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

import modifications
from statements import PATCHES, UTILS, Files, Misplaced, Patched


@dataclass(frozen=True)
class Landings:
    """What the checks found.

    Attributes:
        neighbours: For each modification, the code that it hangs on: what tells one shape of releases from another.
        failures: What is wrong, each naming its modification.
    """

    neighbours: Mapping[int, str]
    failures: tuple[str, ...]


def examine(files: Files) -> Landings:
    """Check all modifications in the patched files of a release."""
    neighbours: dict[int, str] = {}
    failures: list[str] = []
    try:
        checkout = Patched({path: ast.parse(content) for path, content in files.items()})
        for path, content in files.items():
            compile(content, path, "exec", dont_inherit=True)  # which refuses more than the grammar does
    except SyntaxError as error:
        return Landings({}, (f"does not compile: {error}",))
    for module in sorted(PATCHES.glob("*.py")):
        if files.get(f"{UTILS}/{module.name}") != module.read_bytes():
            failures.append(f"modification 1: {module.name} is not the one of the patch set")
    for number, modification in modifications.ALL.items():
        try:
            neighbours[number] = modification.landing(checkout)
        except Misplaced as error:
            failures.append(f"modification {number}: {error}")
    return Landings(neighbours, tuple(failures))

"""The tutorial's edits as people make them by hand, for tests that have to recognise them.

People retype code from a page: they leave lines out, put two on one line, rename things, and write for their release
what the tutorial writes for another. Each modification has several such spellings, in its file in `modifications`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import dedent, indent

import modifications
from spelling import Files, Spelling

TUTORIAL = "the tutorial's"
"""How the names of the spellings start that make up the tutorial's own."""

SPELLINGS: Mapping[int, Mapping[str, Spelling]] = {
    number: modification.BY_HAND for number, modification in modifications.ALL.items()
}


def tutorial(numbers: Iterable[int]) -> list[Spelling]:
    """Return the edits of some of the tutorial's modifications, as the tutorial writes them."""
    written = [(name, edit) for number in numbers for name, edit in SPELLINGS[number].items()]
    return [edit for name, edit in written if name.startswith(TUTORIAL)]


def hand(number: int) -> dict[int, str]:
    """Return how the person of a number, from 0 to ``HANDS``, spells each modification."""
    return {modification: list(names)[number % len(names)] for modification, names in SPELLINGS.items()}


HANDS = max(map(len, SPELLINGS.values()))
"""How many people it takes for every spelling to be used."""


def make(root: Path, numbers: Iterable[int]) -> None:
    """Make some of the tutorial's modifications in a checkout."""
    edits = tutorial(numbers)
    places = {edit.place.path: root / edit.place.path for edit in edits}
    files = {path: file.read_bytes() if file.exists() else None for path, file in places.items()}
    for path, content in edited(files, edits)[0].items():
        places[path].write_bytes(content or b"")


def edited(files: Files, edits: Iterable[Spelling]) -> tuple[Files, dict[Spelling, range]]:
    """Return files with edits made, and the lines of each edit."""
    found = [(edit, match) for edit in edits if (match := edit.place.search(files))]
    changed = dict(files)
    lines = {}
    for path in {edit.place.path for edit, _ in found}:
        text, at = "", 0
        here = [(edit, match) for edit, match in found if edit.place.path == path]
        for edit, match in sorted(here, key=lambda pair: pair[1].span("here")):
            start, end = match.span("here")
            text += match.string[at:start]
            first = text.count("\n") - match.string.count("\n", match.start(), start) + 1
            text += _lines(edit.code, match["indent"]) if "indent" in match.groupdict() else edit.code
            lines[edit] = range(first, text.rstrip("\n").count("\n") + 2)
            at = end
        text += match.string[at:]
        compile(text, path, "exec")
        changed[path] = text.encode()
    return changed, lines


def _lines(code: str, with_indent: str) -> str:
    return indent(f"{dedent(code).strip()}\n", with_indent)

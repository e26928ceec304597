"""What became of each file since it was patched, judged by its content."""

from __future__ import annotations

import re
from collections.abc import Set
from enum import Enum
from pathlib import Path

from distillpatch.ledger.places import current
from distillpatch.ledger.state import AppliedFile, State

_WORD = re.compile(rb"\w+")


class Condition(Enum):
    """What became of a file since it was patched."""

    INTACT = "as patched"
    EDITED = "edited since"
    RESTORED = "as it was before"
    MISSING = "missing"
    OVERWRITTEN = "replaced since, without distillpatch's changes"


def survey(package_dir: Path, state: State, release: str) -> dict[str, Condition]:
    """Return what became of each file of the state.

    Args:
        package_dir: The package, absolute.
        state: What was applied.
        release: The ultralytics release that is in the tree now.

    Returns:
        The condition of each file, by path.

    Raises:
        DistillpatchError: A file cannot be read.
    """
    return {file.path: _condition(file, current(package_dir, file.path), state, release) for file in state.files}


def _condition(file: AppliedFile, now: bytes | None, state: State, release: str) -> Condition:
    if now == file.patched:
        return Condition.INTACT
    if now == file.original:
        return Condition.RESTORED
    if now is None:
        return Condition.MISSING
    marks = _marks(file, state)
    ours, found = _marked_lines(file.patched, marks), _marked_lines(now, marks)
    # Another release may have one of the words by itself, though hardly the whole line. In the same one a word is
    # enough, for the line may have been edited; without a word to look for, there is no telling that ours are gone.
    ours_is_there = bool(found) or not ours if release == state.release else not ours.isdisjoint(found)
    return Condition.EDITED if ours_is_there else Condition.OVERWRITTEN


def _marks(file: AppliedFile, state: State) -> Set[bytes]:
    """Return the words that came to a file with what was applied, and that no file had before."""
    originals = (known.original or b"" for known in state.files)
    return set(_WORD.findall(file.patched or b"")).difference(*map(_WORD.findall, originals))


def _marked_lines(content: bytes | None, marks: Set[bytes]) -> set[bytes]:
    """Return the lines that have such a word: any other that was added, such as `else:`, may be anybody's."""
    lines = {line.strip() for line in (content or b"").splitlines()}
    return {line for line in lines if not marks.isdisjoint(_WORD.findall(line))}

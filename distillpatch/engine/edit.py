"""Edits: what replaces which characters of a text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from distillpatch.engine.pattern import PatternError


@dataclass(frozen=True)
class Edit:
    """Replace the characters from ``start`` to ``end`` by ``text``.

    Attributes:
        kept: How many characters of ``text`` come before the code that it adds: a comma, a comment that was there.
    """

    start: int
    end: int
    text: str
    kept: int = 0

    @property
    def lines_before(self) -> int:
        """Number of line breaks in ``text`` before the code that it adds."""
        added = self.text[self.kept :]
        return self.text.count("\n", 0, self.kept + len(added) - len(added.lstrip()))


def splice(text: str, edits: Iterable[Edit]) -> str:
    """Return ``text`` with all edits made; edits at one offset come out in the order given.

    Raises:
        PatternError: If two edits overlap.
    """
    parts = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < at:
            raise PatternError(f"two hunks change the code that becomes {edit.text!r}: expected one for both")
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])

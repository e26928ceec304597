"""A file that is edited step by step, and where each of its lines came from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from distillpatch.engine.edit import Edit, splice
from distillpatch.engine.source import Source


class Draft:
    """A file that is edited step by step.

    Args:
        source: The file as it is.

    Attributes:
        source: The file after the steps so far.
    """

    def __init__(self, source: Source) -> None:
        self.source = self.original = source
        self._steps: list[Sequence[Edit]] = []

    def make(self, edits: Iterable[Edit]) -> None:
        """Make a step.

        Raises:
            SourceError: If it would leave the file broken.
        """
        step = sorted(edits, key=lambda edit: (edit.start, edit.end))
        content = self.source.encode(splice(self.source.text, step))
        self.source = Source(self.source.path, content)
        self._steps.append(step)

    def original_line(self, offset: int) -> int:
        """Return the line of the file as it was that a place in the draft came from."""
        for step in reversed(self._steps):
            offset = _before(step, offset)
        return self.original.line_of(offset)


def _before(step: Sequence[Edit], offset: int) -> int:
    """Return where a place of the text after some edits was before them."""
    grown = 0
    for edit in step:
        start = edit.start + grown
        if offset < start:
            break
        if offset < start + len(edit.text):
            return min(edit.start + offset - start, edit.end)
        grown += len(edit.text) - (edit.end - edit.start)
    return offset - grown

"""A file that is edited step by step, and where each of its lines came from."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence

from distillpatch.engine.edit import Edit, splice
from distillpatch.engine.source import Source, look_at


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
        self.source = look_at(self.source.path, content)
        self._steps.append(step)

    def original_line(self, offset: int) -> int:
        """Return the line of the file as it was that a place in the draft came from."""
        for step in reversed(self._steps):
            offset = _before(step, offset)
        return self.original.line_of(offset)

    def changed_lines(self, lines: Collection[int]) -> list[str]:
        """Return the lines of the draft that some lines of the file as it was became, without those left as they were.

        Args:
            lines: The numbers of the lines of the file as it was; at least one.
        """

        def came_from(number: int) -> int:
            return self.original_line(self.source.offset(number, 0))

        numbers = range(1, self.source.line_count + 1)
        # The steps keep the order of the lines.
        first = bisect_left(numbers, min(lines), key=came_from)
        last = bisect_right(numbers, max(lines), key=came_from)
        were = {self.original.line_text(line) for line in lines}
        became = [self.source.line_text(number) for number in numbers[first:last] if came_from(number) in lines]
        return [text for text in became if text not in were]


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

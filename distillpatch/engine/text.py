"""The text of a file, in lines and offsets; offsets count characters of the whole file."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from distillpatch.errors import DistillpatchError

_LINE_START = re.compile(r"\r\n|\n|\r")


class SourceError(DistillpatchError):
    """A file is not Python that can be read."""


class Text:
    """The text of a file.

    Attributes:
        path: Name of the file in messages.
        text: Its text.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_START.finditer(self.text))]

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a line (from 1) and column (from 0, in characters)."""
        return self._line_starts[line - 1] + column

    def line_of(self, offset: int) -> int:
        """Return the number (from 1) of the line that holds ``offset``."""
        return bisect_right(self._line_starts, offset)

    def line_text(self, line: int) -> str:
        """Return line number ``line`` (from 1) without its line ending."""
        return self.text[self._line_starts[line - 1] : self._next_line_start(line)].rstrip("\r\n")

    def _next_line_start(self, line: int) -> int:
        return self._line_starts[line] if line < len(self._line_starts) else len(self.text)

    @property
    def line_count(self) -> int:
        """Number of lines, the last one included even when it is empty."""
        return len(self._line_starts)

    @cached_property
    def newline(self) -> str:
        """The line ending of the first line, or ``\\n`` for a file of one line."""
        match = _LINE_START.search(self.text)
        return match.group() if match else "\n"

    def line_end(self, offset: int) -> int:
        """Return the offset just after the line ending of the line that holds ``offset``."""
        return self._next_line_start(self.line_of(offset))

    def line_start(self, offset: int) -> int:
        """Return the offset of the first character of the line that holds ``offset``."""
        return self._line_starts[self.line_of(offset) - 1]


def indentation(line: str) -> str:
    """Return the blanks that a line begins with."""
    return line[: len(line) - len(line.lstrip())]

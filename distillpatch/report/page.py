"""A page of text: lines with styles and tables, written plainly to a pipe, and by rich where a person looks.

rich is imported here, and only for a page that a person looks at: a pipe gets the same text, and gets it sooner.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TextIO

_BRAILLE = "\u28ff"

# How narrow a column of text may become before names are cut.
_FOLDED = 16


class Span(NamedTuple):
    """A piece of a line, and its style in rich's words: "bold", "red", "dim". A pipe gets the text alone."""

    text: str
    style: str = ""


Cell = str | Span


@dataclass(frozen=True)
class Line:
    """A line of text."""

    spans: tuple[Cell, ...]

    def __init__(self, *spans: Cell) -> None:
        object.__setattr__(self, "spans", spans)


class Words(Line):
    """A line of words alone: where a terminal is too narrow it is folded between words."""


@dataclass(frozen=True)
class Table:
    """A table without lines around it, and without a head if all titles are empty.

    Attributes:
        titles: The head of each column, after a sign: ">" is of a column that is aligned to the right; where a terminal
            is too narrow, "~" is of a last column that is cut, and "^" of one of names, which are cut in the middle.
        rows: The cells of each row.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    @property
    def is_right(self) -> list[bool]:
        """Whether each column is aligned to the right."""
        return [title.startswith(">") for title in self.titles]

    @property
    def heads(self) -> list[str]:
        """The head of each column."""
        return [title.lstrip(">~^") for title in self.titles]

    @property
    def is_cut(self) -> list[bool]:
        """Whether each column is cut to the width of a terminal."""
        return [title.startswith("~") for title in self.titles]

    @property
    def is_named(self) -> list[bool]:
        """Whether each column is one of names."""
        return [title.startswith("^") for title in self.titles]


Block = str | Line | Table


@dataclass(frozen=True)
class Output:
    """Where a page goes.

    Attributes:
        stream: The stream.
        is_terminal: Whether a person looks at it, so that lines are folded to its width.
        has_color: Whether it takes colors.
        width: Its columns, those of an ordinary terminal where it has none.
    """

    stream: TextIO
    is_terminal: bool
    has_color: bool
    width: int

    @property
    def encoding(self) -> str:
        """Its encoding: one that has every character if it keeps text as it is."""
        return getattr(self.stream, "encoding", None) or "utf-8"

    @property
    def has_pictures(self) -> bool:
        """Whether its encoding has the signs that curves are drawn with."""
        return self.shown(_BRAILLE) == _BRAILLE

    @property
    def ellipsis(self) -> str:
        """What marks a place where text was cut: in an encoding for Chinese alone, "…" is two columns wide."""
        return "…" if self.has_pictures else "..."

    def shown(self, text: str) -> str:
        """Return a text as it is shown: characters that the encoding lacks are escaped."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)


def output(choice: str, variables: Mapping[str, str], stream: TextIO | None = None) -> Output:
    """Return where to write.

    Args:
        choice: "always", "never", or "auto": then the environment and the stream decide, as no-color.org and
            bixense.com/clicolors have it.
        variables: The process's environment variables.
        stream: The stream, stdout by default.
    """
    stream = stream or sys.stdout
    is_terminal = stream.isatty()
    forced = any(variables.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE"))
    wanted = False if variables.get("NO_COLOR") else forced or (is_terminal and variables.get("TERM") != "dumb")
    has_color = wanted if choice == "auto" else choice == "always"
    return Output(stream, is_terminal or has_color, has_color, shutil.get_terminal_size().columns)


def write(blocks: Iterable[Block], out: Output) -> None:
    """Write a page."""
    blocks = (_shown(block, out) for block in blocks)  # before columns are counted
    if out.is_terminal:
        _write_rich(blocks, out)
    else:
        out.stream.write("".join(f"{line}\n" for block in blocks for line in _plain(block)))
        out.stream.flush()


def _shown(block: Block, out: Output) -> Block:
    def shown(cell: Cell) -> Cell:
        return Span(out.shown(cell.text), cell.style) if isinstance(cell, Span) else out.shown(cell)

    if isinstance(block, Table):
        return Table(block.titles, [[shown(cell) for cell in row] for row in block.rows])
    return type(block)(*map(shown, block.spans)) if isinstance(block, Line) else out.shown(block)


def _write_rich(blocks: Iterable[Block], out: Output) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=out.stream,
        force_terminal=out.has_color,
        color_system="standard" if out.has_color else None,  # the 16 colors that the user has chosen
        width=out.width,
        highlight=False,
        markup=False,
        emoji=False,
        _environ=dict(os.environ) | {"NO_COLOR": ""},  # what is asked for by --color has been decided above
    )
    for block in blocks:
        if isinstance(block, Table):
            console.print(_rich_table(block, out))
        else:
            cells = block.spans if isinstance(block, Line) else (block,)
            console.print(Text.assemble(*map(_rich_text, cells)), soft_wrap=not isinstance(block, Words))


def _rich_text(cell: Cell) -> Any:
    from rich.text import Text

    return Text(*cell) if isinstance(cell, Span) else Text(cell)


def _rich_table(table: Table, out: Output) -> Any:
    from rich.table import Table as RichTable

    drawn = RichTable(
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        header_style="bold" * out.has_color,
        show_header=any(table.heads),
    )
    cut = any(table.is_cut)
    kinds = zip(table.heads, table.is_right, table.is_cut, table.is_named, strict=True)
    for index, (head, right, is_cut, named) in enumerate(kinds):
        drawn.add_column(
            head,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=right or is_cut or named,
            min_width=_natural(table, index) if cut and not is_cut else None,
        )
    for row in _cut(table, out) if cut else _shortened(table, out):
        drawn.add_row(*map(_rich_text, row))
    return drawn


def _natural(table: Table, column: int) -> int:
    """Return how wide a column is if nothing of it is cut."""
    return max(map(columns, [table.heads[column], *(_text(row[column]) for row in table.rows)]))


def _cut(table: Table, out: Output) -> list[list[Cell]]:
    """Return the rows of a table, those cells of the last column cut for which a terminal is too narrow."""
    rows = [[*row] for row in table.rows]
    at = table.is_cut.index(True)
    room = max(10, out.width - sum(_natural(table, column) + 2 for column in range(at)))
    for row in rows:
        text = _text(row[at])
        if columns(text) > room:
            while columns(text) + len(out.ellipsis) > room:
                text = text[:-1]
            row[at] = text + out.ellipsis
    return rows


def _shortened(table: Table, out: Output) -> list[list[Cell]]:
    """Return the rows of a table, names cut in the middle, the longest column first, if a terminal is too narrow.

    The ends are kept, in which the names of runs differ. Other text gives way before them: it is folded.
    """
    widths = [_natural(table, column) for column in range(len(table.titles))]
    folded = [min(w, _FOLDED) if title[:1].isalpha() else w for w, title in zip(widths, table.titles, strict=True)]
    names = [column for column, named in enumerate(table.is_named) if named]
    while names and sum(folded) + 2 * len(folded) - 2 > out.width:
        longest = max(names, key=lambda column: folded[column])
        if folded[longest] <= _FOLDED // 2:
            break
        folded[longest] -= 1
    rows = [[*row] for row in table.rows]
    for row in rows:
        for column in names:
            row[column] = _middle_out(row[column], folded[column], out.ellipsis)
    return rows


def _middle_out(cell: Cell, room: int, ellipsis: str) -> Cell:
    """Return a cell that is as wide as there is room for, without its middle if need be."""
    text = _text(cell)
    if columns(text) <= room:
        return cell
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    while columns(head) + columns(tail) + len(ellipsis) > room:
        head, tail = (head[:-1], tail) if columns(head) >= columns(tail) else (head, tail[1:])
    return f"{head}{ellipsis}{tail}"


def _plain(block: Block) -> list[str]:
    if isinstance(block, str):
        return [block]
    if isinstance(block, Line):
        return ["".join(map(_text, block.spans))]
    rows = [*([block.heads] if any(block.heads) else []), *([_text(cell) for cell in row] for row in block.rows)]
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        padded = []
        for cell, width, right in zip(row, widths, block.is_right, strict=True):
            space = " " * (width - columns(cell))
            padded.append(space + cell if right else cell + space)
        lines.append("  ".join(padded).rstrip())
    return lines


def _text(cell: Cell) -> str:
    return cell.text if isinstance(cell, Span) else cell


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes: Chinese characters take two, and accents none."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def as_text(blocks: Iterable[Block]) -> str:
    """Return a page as a pipe gets it."""
    stream = io.StringIO()
    write(blocks, Output(stream, False, False, 80))
    return stream.getvalue()

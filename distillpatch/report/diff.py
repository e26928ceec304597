"""Changes as a unified diff: bytes that git and patch take, and the same with colors for a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from distillpatch.change import FileChange
from distillpatch.report.page import Block, Cell, Line, Span
from distillpatch.report.python_styles import python_styles

_CONTEXT = 3
_SCOPE = re.compile(rb"[ \t]*((class|(async[ \t]+)?def)[ \t].*)$")  # as git's own driver for Python has it
_LONGEST_SCOPE = 80

Opcode = tuple[str, int, int, int, int]


def in_reading_order(changes: Iterable[FileChange]) -> list[FileChange]:
    """Return the changes to files that exist first, since these are read, and those that add or remove one after."""
    return sorted(changes, key=lambda change: change.before is None or change.after is None)


def unified_diff(changes: Iterable[FileChange]) -> bytes:
    """Return changes as a unified diff that ``git apply`` and ``patch -p1`` take, in the folder that holds the package.

    It has none of git's own header lines: git takes the paths below ``diff --git`` as relative to the repository, and
    where the package is deeper in one, as site-packages often does, it would silently apply nothing.
    """
    return b"".join(line for change in in_reading_order(changes) for line, _ in _file_diff(change))


def diff_page(changes: Iterable[FileChange], *, highlighted: bool = True) -> Iterator[Block]:
    """Yield changes for a person: what each file gains and loses, and then the diff, with its Python highlighted.

    Args:
        changes: The changes.
        highlighted: Whether to highlight it, which takes Pygments.
    """
    changed = [change for change in in_reading_order(changes) if change.before != change.after]
    if not changed:
        return
    diffs = [[*_file_diff(change)] for change in changed]
    yield from _stat_lines(_stats(changed, diffs), len(changed))
    for change, diff in zip(changed, diffs, strict=True):
        yield ""
        before, after = (
            python_styles(content or b"") if highlighted else {} for content in (change.before, change.after)
        )
        for line, number in diff:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            styles = (before if text[:1] == "-" else after).get(number, ()) if number else ()
            yield _styled(text, styles, is_header=number is None)


def stat_lines(changes: Sequence[FileChange]) -> Iterator[Line]:
    """Yield how many lines each file gains and loses, the new files of a folder together, and the sum of all."""
    yield from _stat_lines(_together(_stats(changes, map(_file_diff, changes))), len(changes))


class _Stat(NamedTuple):
    path: str
    added: int
    removed: int
    what: str = ""


def _stats(changes: Iterable[FileChange], diffs: Iterable[Iterable[tuple[bytes, int | None]]]) -> list[_Stat]:
    stats = []
    for change, diff in zip(changes, diffs, strict=True):
        signs = [line[:1] for line, number in diff if number]
        what = "new file" if change.before is None else "removed" if change.after is None else ""
        stats.append(_Stat(change.path, signs.count(b"+"), signs.count(b"-"), what))
    return stats


def _together(stats: Sequence[_Stat]) -> list[_Stat]:
    """Return the same with one row for all new files of a folder, since each row is to be read."""
    by_row: dict[str, list[_Stat]] = {}
    for stat in stats:
        by_row.setdefault(f"{PurePosixPath(stat.path).parent}/" if stat.what == "new file" else stat.path, []).append(
            stat
        )
    return [
        group[0] if len(group) == 1 else _Stat(row, sum(stat.added for stat in group), 0, f"{len(group)} new files")
        for row, group in by_row.items()
    ]


def _stat_lines(stats: Sequence[_Stat], count: int) -> Iterator[Line]:
    width = max(map(len, [*(stat.path for stat in stats), files(count)]))
    total = sum(stat.added for stat in stats), sum(stat.removed for stat in stats)
    for stat in (*stats, _Stat(files(count), *total)):
        cells: list[Cell] = [f" {stat.path:{width}}  ", Span(f"{f'+{stat.added}':>6}", "green")]
        if stat.removed or stat.what:
            cells.append(Span(f"{f'-{stat.removed}' if stat.removed else '':>5}", "red"))
        yield Line(*cells, *([Span(f"  {stat.what}", "dim")] if stat.what else []))


def files(count: int) -> str:
    """Return a count of files as people say it."""
    return f"{count} file" if count == 1 else f"{count} files"


def _file_diff(change: FileChange) -> Iterator[tuple[bytes, int | None]]:
    """Yield the lines of a file's diff, and which line of the file each is, before for ``-`` and after for others."""
    if change.before == change.after:
        return
    path = change.path.encode()
    before, after = _lines(change.before), _lines(change.after)
    yield b"--- " + (b"/dev/null" if change.before is None else b"a/" + path) + b"\n", None
    yield b"+++ " + (b"/dev/null" if change.after is None else b"b/" + path) + b"\n", None
    matcher = _Matcher(before, after)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        start = group[0][1]
        spans = _span(start, group[-1][2]), _span(group[0][3], group[-1][4])
        yield b"@@ -%b +%b @@%b\n" % (*spans, _scope(before[:start])), None
        for kind, first, last, new_first, new_last in group:
            if kind == "equal":
                yield from _signed(b" ", after, new_first, new_last)
            else:
                yield from _signed(b"-", before, first, last)
                yield from _signed(b"+", after, new_first, new_last)


class _Matcher(SequenceMatcher[bytes]):
    """A matcher whose blocks are where a reader expects them."""

    def __init__(self, before: Sequence[bytes], after: Sequence[bytes]) -> None:
        super().__init__(None, before, after)
        self._settled = _settled(super().get_opcodes(), before, after)

    def get_opcodes(self) -> list[Any]:
        """Return the blocks; those with context are made of them."""
        return self._settled


def _signed(sign: bytes, lines: Sequence[bytes], first: int, last: int) -> Iterator[tuple[bytes, int]]:
    for i in range(first, last):
        end = b"" if lines[i].endswith(b"\n") else b"\n\\ No newline at end of file\n"
        yield sign + lines[i] + end, i + 1


def _settled(opcodes: Sequence[Opcode], before: Sequence[bytes], after: Sequence[bytes]) -> list[Opcode]:
    """Return opcodes with each block of added or removed lines where a reader expects it.

    Where the line after a block is equal to its first line, the block may as well begin one line later. Of all these
    places the one counts at which the code around its two ends is indented least, and of several such the last, as git
    does it.
    """
    result: list[Opcode] = []
    for opcode in opcodes:
        result.append(opcode)
        # The neighbours of a block are equal lines; where there are none it cannot move.
        if len(result) > 2 and result[-2][0] in ("insert", "delete") and result[-3][0] == opcode[0] == "equal":
            result[-3:] = _moved(result[-3], result[-2], opcode, before, after)
    return result


def _moved(
    above: Opcode, block: Opcode, below: Opcode, before: Sequence[bytes], after: Sequence[bytes]
) -> list[Opcode]:
    kind, a1, a2, b1, b2 = block
    lines, first, last = (after, b1, b2) if kind == "insert" else (before, a1, a2)
    steps = [0]
    while -steps[-1] < above[2] - above[1] - 1 and lines[first + steps[-1] - 1] == lines[last + steps[-1] - 1]:
        steps.append(steps[-1] - 1)
    steps.reverse()
    while steps[-1] < below[2] - below[1] - 1 and lines[first + steps[-1]] == lines[last + steps[-1]]:
        steps.append(steps[-1] + 1)
    by = min(reversed(steps), key=lambda step: _indent(lines, first + step) + _indent(lines, last + step))
    return [
        ("equal", above[1], a1 + by, above[3], b1 + by),
        (kind, a1 + by, a2 + by, b1 + by, b2 + by),
        ("equal", a2 + by, below[2], b2 + by, below[4]),
    ]


def _indent(lines: Sequence[bytes], index: int) -> int:
    """Return how far the code at a line, or after it where that is blank, is indented."""
    for line in lines[index:]:
        if line.strip():
            return len(line) - len(line.lstrip())
    return 0


def _span(first: int, last: int) -> bytes:
    length = last - first
    return b"%d" % (first + 1) if length == 1 else b"%d,%d" % (first + (length > 0), length)


def _scope(above: Sequence[bytes]) -> bytes:
    """Return the head of the class or function that the last of some lines is in, or in front of."""
    for line in reversed(above):
        found = _SCOPE.match(line.rstrip(b"\r\n"))
        if found and line.isascii():
            return b" " + line.strip()[:_LONGEST_SCOPE]
    return b""


def _lines(content: bytes | None) -> list[bytes]:
    """Split at line feeds alone, as diff does; ``splitlines`` would also split at a lone carriage return."""
    lines = (content or b"").split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _styled(text: str, styles: Iterable[tuple[int, int, str]], *, is_header: bool) -> Line:
    """Return a line of a diff in color: the sign and the rest in the color of the sign, and in it what Python knows."""
    if is_header:
        head, marks, scope = text.rpartition("@@") if text.startswith("@@") else ("", text, "")
        return Line(Span(head + marks, "cyan" if head else "bold"), scope)
    color = {"+": "green", "-": "red"}.get(text[:1], "")
    spans: list[Cell] = []
    at = 0
    for first, last, style in styles:
        spans += [Span(text[at : first + 1], color), Span(text[first + 1 : last + 1], f"{style} {color}".strip())]
        at = last + 1
    return Line(*spans, Span(text[at:], color))

"""The engine: one alternative of a hunk against one source file, giving the splices that make the change."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import libcst as cst

from distillpatch.engine.patchset import HOLE, Alternative
from distillpatch.engine.pattern import Match, Pattern, PatternError, is_gap, parameters
from distillpatch.engine.source import Scope, Source

# A bracket that would grow past this column is continued on a line of its own.
_LINE_LIMIT = 120

_PATCH_INDENT = " " * 4
_COMMENT = re.compile(r"[ \t]*#")
_SKIPPED = re.compile(r"(?:\s|\\|#[^\r\n]*)*")

# The code of a hole stays as it is, to the byte, however the lines around it are laid out. Meanwhile its line ends are
# held back: surrogates stand for them, which no decoded text has.
_HELD = str.maketrans("\r\n", "\ud800\ud801")
_RELEASED = str.maketrans("\ud800\ud801", "\r\n")

# Expressions that can stand under any operator without parentheses.
_ATOMS = (
    cst.Attribute,
    cst.Call,
    cst.Dict,
    cst.Float,
    cst.FormattedString,
    cst.Integer,
    cst.List,
    cst.Name,
    cst.Set,
    cst.SimpleString,
    cst.Subscript,
)


class Misfit(Exception):
    """An alternative does not fit; says why."""


class Ambiguity(Misfit):
    """An alternative fits at several places, and there is no telling which is meant."""


@dataclass(frozen=True)
class Edit:
    """Replace the characters from ``start`` to ``end`` by ``text``.

    Attributes:
        kept: How many characters of ``text`` stand before the code that it adds: a comma, a comment that was there.
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


def edits(source: Source, alternative: Alternative) -> list[Edit]:
    """Return the edits by which an alternative changes a file, in the file's order.

    Raises:
        Misfit: If its pattern does not match exactly once in its scope.
        PatternError: If its pattern is malformed.
    """
    if not alternative.pattern:
        return [_add_imports(source, alternative.added)]
    scope, pattern, match = locate(source, alternative)
    return [_Change(scope, pattern, match, *change).edit() for change in _changes(alternative)]


def locate(source: Source, alternative: Alternative) -> tuple[Scope, Pattern, Match]:
    """Return the one place that the pattern of an alternative matches.

    Raises:
        Misfit: If there is no such place, or more than one.
    """
    scopes = source.scopes(alternative.scope)
    if len(scopes) != 1:
        found = f"found {len(scopes)} of that name" if scopes else "there is none of that name"
        raise Misfit(f"expected the scope {alternative.scope} once, {found}")
    pattern = _compile(alternative)
    matches = _find(pattern, scopes[0])
    if not matches:
        raise Misfit("expected one match, found none")
    if len(matches) > 1:
        raise Ambiguity(f"expected one match, found {len(matches)}")
    if not _find(pattern, scopes[0], in_branches=False):
        raise Misfit("found in a branch (if, else, except) that the pattern does not show, so it may not be run")
    return scopes[0], pattern, matches[0]


def occurrences(source: Source, alternative: Alternative) -> list[int]:
    """Return the numbers of the lines at which the pattern of an alternative matches, however often."""
    pattern = _compile(alternative)
    return [
        source.line_of(_place(scope, pattern, match))
        for scope in source.scopes(alternative.scope)
        for match in _find(pattern, scope)
    ]


def nearest(source: Source, alternative: Alternative) -> list[int]:
    """Return the numbers of the lines to look at when an alternative does not fit.

    They are those of all matches if there are several, else the line that is most like what was looked for.
    """
    if not alternative.pattern:
        return list(_taken(source, alternative.added).values())
    scopes = source.scopes(alternative.scope)
    if len(scopes) > 1:
        return [scope.first_line for scope in scopes]
    return occurrences(source, alternative) or (
        _nearest_line(scopes[0], alternative) if scopes else _nearest_definition(source, alternative)
    )


def _find(pattern: Pattern, scope: Scope, in_branches: bool = True) -> list[Match]:
    # Most signs, and most alternatives for other releases, fail here, before the scope is parsed.
    return pattern.find(scope.statements, in_branches) if pattern.names <= scope.words else []


@cache
def _compile(alternative: Alternative) -> Pattern:
    try:
        return Pattern(alternative.pattern, alternative.adds_statements)
    except PatternError as error:
        raise PatternError(f"{alternative.origin}: {error}") from error


def _place(scope: Scope, pattern: Pattern, match: Match) -> int:
    first: cst.CSTNode | None = pattern.expression
    if first is None:
        first = next(statement for statement in pattern.statements if not is_gap(statement))
    return scope.span(match.nodes[id(first)])[0]


def _changes(alternative: Alternative) -> Iterator[tuple[int, int, str]]:
    """Yield each run of ``-`` and ``+`` lines: first line in the pattern, the one behind it, and what is added."""
    at = first = 0
    added: list[str] = []
    changing = False
    for line in alternative.lines:
        if line.kind == " ":
            if changing:
                yield first, at, "\n".join(added)
            changing = False
            at += 1
            continue
        if not changing:
            changing, first, added = True, at, []
        if line.kind == "-":
            at += 1
        else:
            added.append(line.text)
    if changing:
        yield first, at, "\n".join(added)


class _Change:
    """One run of changed lines of a hunk, on the code that the hunk matched."""

    def __init__(self, scope: Scope, pattern: Pattern, match: Match, first: int, behind: int, added: str) -> None:
        self.scope = scope
        self.source = scope.source
        self.pattern = pattern
        self.match = match
        self.first = first
        self.behind = behind
        self.added = HOLE.sub(lambda hole: self._text(match.holes[hole[1]]).translate(_HELD), added)

    def edit(self) -> Edit:
        edit = self._laid_out()
        return replace(edit, text=edit.text.translate(_RELEASED))

    def _laid_out(self) -> Edit:
        if self.first < self.behind:
            return self._replace()
        neighbour, code, index, is_block = self._insertion_point()
        if not is_block:
            return self._insert_items(code, index)
        return self._insert_behind(code[neighbour]) if neighbour < index else self._insert_before(code[neighbour])

    def _replace(self) -> Edit:
        """Replace the statements, the items of a bracket or the expression that the ``-`` lines are."""
        for items, _ in _sequences(self.pattern):
            replaced = [item for item in items if self.first <= self.pattern.lines(item)[0] < self.behind]
            lines = [line for item in replaced for line in self.pattern.lines(item)]
            if lines and (lines[0], lines[-1]) == (self.first, self.behind - 1):
                break
        else:
            raise PatternError(f"the '-' lines are no whole statements, items or expression of\n{self.pattern.text}")
        first, last = (self.match.nodes[id(item)] for item in (replaced[0], replaced[-1]))
        start, end = self.scope.span(first)[0], self._end(last)
        if isinstance(first, cst.BaseStatement):
            return Edit(start, end, self._block(self.added, start).strip())
        return Edit(start, end, self.added.strip().rstrip(",").replace("\n", self.source.newline))

    def _insertion_point(self) -> tuple[int, Sequence[cst.CSTNode], int, bool]:
        """Return where the added lines go.

        In a pattern, the indentation of the added lines tells which sequence they belong to: they line up with the
        items of it.

        Returns:
            The index of the item that they stand beside, the code's sequence of it, the index at which to insert, and
            whether the sequence is a block of statements.
        """
        column = _width(next((line for line in self.added.split("\n") if line.strip()), ""))
        before = None
        for items, owner in _sequences(self.pattern):
            for index, item in enumerate(items):
                run = self.match.runs.get((id(owner), index))
                if run is None or self.pattern.column(item) != column:
                    continue
                code, start, stop = run
                is_block = isinstance(item, cst.BaseStatement)
                first, last = self.pattern.lines(item)
                if last == self.first - 1 and stop > 0:
                    return stop - 1, code, stop, is_block
                if first == self.first and start < len(code):
                    before = start, code, start, is_block
        if before is None:
            raise Misfit("the added lines stand neither behind nor before a line of the pattern of their indentation")
        return before

    def _insert_behind(self, statement: cst.CSTNode) -> Edit:
        start, end = self.scope.span(statement)
        at = self._behind_block(start, end)
        block = self._block(self.added, start)
        if self.source.text[at - 1] not in "\r\n":  # behind a last line that has no line ending
            return Edit(at, at, self.source.newline + block.rstrip("\r\n"))
        return Edit(at, at, self._paragraph(block, at))

    def _paragraph(self, block: str, at: int) -> str:
        """Return added lines with a blank one behind them if they begin with one, unless it is there already."""
        newline = self.source.newline
        line = self.source.line_of(at)
        is_last = _width(self.source.line_text(line)) < _width(block.strip("\r\n")) or at == len(self.source.text)
        if not block.startswith(newline) or is_last:
            return block
        return block + newline if self.source.line_text(line).strip() else block

    def _insert_before(self, statement: cst.CSTNode) -> Edit:
        """Insert above a statement and the comments that stand right above it."""
        start, _ = self.scope.span(statement)
        above = [line.comment for line in getattr(statement, "leading_lines", ())]
        comments = len(above) - max((i for i, comment in enumerate(above, start=1) if comment is None), default=0)
        at = self.source.offset(self.source.line_of(start) - comments, 0)
        return Edit(at, at, self._block(self.added, start))

    def _behind_block(self, start: int, end: int) -> int:
        """Return the offset behind a statement's last line and the comments below it that belong to its body."""
        source = self.source
        line = source.line_of(end)
        own_indent = _width(source.line_text(source.line_of(start)))
        if source.line_of(start) != line:
            below = line + 1
            while below <= source.line_count and _COMMENT.match(source.line_text(below)):
                if _width(source.line_text(below)) > own_indent:
                    line = below
                below += 1
        return source.line_end(source.offset(line, 0))

    def _block(self, added: str, beside: int) -> str:
        """Return added lines with the indentation, and the line endings, of the statement at offset ``beside``."""
        line = self.source.line_text(self.source.line_of(beside))
        outer = line[: _width(line)]
        block = []
        for text in textwrap.dedent(added).split("\n"):
            depth, rest = divmod(_width(text), len(_PATCH_INDENT))
            block.append(f"{outer}{self.scope.indent * depth}{' ' * rest}{text.lstrip()}" if text else "")
        return "".join(f"{text}{self.source.newline}" for text in block)

    def _insert_items(self, code: Sequence[cst.CSTNode], index: int) -> Edit:
        """Add arguments, parameters or elements to a bracket, on lines of their own if their neighbours have such."""
        items = [line.strip().rstrip(",") for line in self.added.split("\n")]
        text, newline = self.source.text, self.source.newline
        if index == 0:
            start = self.scope.span(code[0])[0]
            return Edit(start, start, "".join(f"{item}, " for item in items))
        start, end = self.scope.span(code[index - 1])[0], self._end(code[index - 1])
        has_comma = isinstance(getattr(code[index - 1], "comma", None), cst.Comma)
        behind = _skip(text, end) + 1 if has_comma else end
        comma, closing = ("", ",") if has_comma else (",", "")
        line_start = self.source.line_start(start)
        indent = text[line_start:start]
        rest_of_line = text[behind : self.source.line_end(behind)].rstrip("\r\n")
        if not indent.strip():  # the neighbour starts its line
            lines = ",".join(f"{newline}{indent}{item}" for item in items)
            if not rest_of_line.strip() or _COMMENT.match(rest_of_line):
                kept = f"{comma}{rest_of_line}"
                return Edit(behind, behind + len(rest_of_line), f"{kept}{lines}{closing}", len(kept))
            if not has_comma:
                return Edit(behind, behind, f",{lines}", 1)
        joined = ", ".join(items)
        gap = " "
        if behind - line_start + len(rest_of_line) + len(joined) + 2 > _LINE_LIMIT:
            if below := self._one_below_the_other(code, index, items):
                return below
            first = self.scope.span(code[0])[0]
            gap = newline + re.sub(r"\S", " ", text[self.source.line_start(first) : first])
        return Edit(behind, behind, f"{comma}{gap}{joined}{closing}", len(comma))

    def _one_below_the_other(self, code: Sequence[cst.CSTNode], index: int, added: Sequence[str]) -> Edit | None:
        """Give each item of a bracket, the added ones included, a line of its own, as formatters do when it gets long.

        Returns:
            The edit, or None if the bracket is not all on one line.
        """
        text, newline = self.source.text, self.source.newline
        starts = [self.scope.span(item)[0] for item in code]
        behind = _skip(text, self._end(code[-1]))
        behind = _skip(text, behind + 1) if text[behind : behind + 1] == "," else behind
        line = self.source.line_of(starts[0])
        opening = text[self.source.line_start(starts[0]) : starts[0]].rstrip()
        if opening[-1:] not in tuple("([{") or text[behind : behind + 1] not in tuple(")]}"):
            return None
        if self.source.line_of(behind) != line:
            return None
        items = [text[start:end].strip(", ") for start, end in pairwise([*starts, behind])]
        indent = opening[: _width(opening)]
        before, after = (
            "".join(f"{newline}{indent}{self.scope.indent}{item}," for item in run)
            for run in (items[:index], [*added, *items[index:]])
        )
        return Edit(starts[0], behind, f"{before}{after}{newline}{indent}", len(before))

    def _end(self, node: cst.CSTNode) -> int:
        """Return the offset behind a statement, an expression or an item of a bracket, its comma not included."""
        if isinstance(node, cst.Param):
            value = node.default or (node.annotation.annotation if node.annotation else node.name)
            return self.scope.outer_span(value)[1]
        start, end = self.scope.span(node)
        return start + 1 if isinstance(node, (cst.ParamStar, cst.ParamSlash)) else end

    def _text(self, expression: cst.BaseExpression) -> str:
        """Return the text of an expression in a form that can stand anywhere."""
        start, end = self.scope.outer_span(expression)
        text = self.source.text[start:end]
        return text if expression.lpar or isinstance(expression, _ATOMS) else f"({text})"


def _sequences(pattern: Pattern) -> Iterator[tuple[Sequence[cst.CSTNode], object]]:
    """Yield the sequences of a pattern, outer ones first, each with what a match knows it by."""
    if pattern.expression is None:
        yield pattern.statements, pattern.statements
    else:
        yield [pattern.expression], pattern.expression
    nodes: list[cst.CSTNode] = list(pattern.statements)
    while nodes:
        node = nodes.pop(0)
        nodes.extend(node.children)
        if isinstance(node, cst.Parameters):
            yield parameters(node), node
        elif isinstance(node, cst.Call):
            yield node.args, node.args
        elif isinstance(node, (cst.Tuple, cst.List, cst.Set)):
            yield node.elements, node.elements
        elif isinstance(node, cst.IndentedBlock):
            yield node.body, node.body


def _skip(text: str, at: int) -> int:
    """Return the offset of the first character from ``at`` on that is neither white space nor comment."""
    skipped = _SKIPPED.match(text, at)
    return skipped.end() if skipped else at


def _width(line: str) -> int:
    return len(line) - len(line.lstrip())


def _add_imports(source: Source, added: str) -> Edit:
    """Add ``from`` imports to the imports at the head of a file, where sorting by module would put them."""
    module = added.split()[1]
    if taken := _taken(source, added):
        raise Misfit(f"the file defines {', '.join(taken)} itself")
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


def _taken(source: Source, added: str) -> dict[str, int]:
    """Return the names that an import brings and the file defines, and the lines at which it does."""
    imported = set(re.findall(r"\w+", added.partition(" import ")[2]))
    return {name: line for name, line in source.definitions() if name in imported}


def _nearest_definition(source: Source, alternative: Alternative) -> list[int]:
    """Return the line of the class or function whose name is most like the scope's."""
    names = dict(source.definitions())
    wanted = alternative.scope
    by_last_part = {name.rpartition(".")[2]: line for name, line in names.items()}
    close = difflib.get_close_matches(wanted, names, n=1)
    close_last_part = difflib.get_close_matches(wanted.rpartition(".")[2], by_last_part, n=1)
    return [names[name] for name in close] or [by_last_part[name] for name in close_last_part]


def _nearest_line(scope: Scope, alternative: Alternative) -> list[int]:
    """Return the line of the scope that is most like one of the first lines of the pattern, if any is like it.

    Lines of the pattern that the scope has, to the letter, are not what is missing, unless it has all of them.
    """
    wanted = [text for text in map(str.strip, alternative.pattern.split("\n")) if text != "..." and len(text) > 2]
    lines = {line: scope.source.line_text(line).strip() for line in range(scope.first_line, scope.last_line + 1)}
    missing = [text for text in wanted if text not in lines.values()] or wanted
    likeness, line = max(
        ((_likeness(text, found), -line) for text in missing[:3] for line, found in lines.items()), default=(0.0, 0)
    )
    return [-line] if likeness >= 0.5 else []


def _likeness(pattern: str, line: str) -> float:
    matcher = difflib.SequenceMatcher(None, pattern, line, autojunk=False)
    return matcher.ratio() if matcher.quick_ratio() >= 0.5 else 0.0


def splice(text: str, edits: Iterable[Edit]) -> str:
    """Return ``text`` with all edits made; edits at one offset come out in the order given.

    Raises:
        PatternError: If two edits overlap.
    """
    parts = []
    at = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < at:
            raise PatternError(f"two changes of the patch set overlap at {edit.text!r}")
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])

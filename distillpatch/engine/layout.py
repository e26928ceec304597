"""How added code is laid out: in the indentation, the line ends and the style of brackets of the code around it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import pairwise

import libcst as cst

from distillpatch.engine.edit import Edit
from distillpatch.engine.nodes import Items
from distillpatch.engine.scope import Scope

# A bracket that would grow past this column is continued on a line of its own.
_LINE_LIMIT = 120

_PATCH_INDENT = " " * 4
_COMMENT = re.compile(r"[ \t]*#")
_SKIPPED = re.compile(r"(?:\s|\\|#[^\r\n]*)*")

# Expressions that can be under any operator without parentheses.
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


def width(line: str) -> int:
    """Return the number of blanks that a line begins with."""
    return len(line) - len(line.lstrip())


def standalone(scope: Scope, expression: cst.BaseExpression) -> str:
    """Return the text of an expression in a form that can be anywhere."""
    start, end = scope.outer_span(expression)
    text = scope.source.text[start:end]
    return text if expression.lpar or isinstance(expression, _ATOMS) else f"({text})"


def listed(added: str) -> list[str]:
    """Return the items of a bracket that added lines are, without their commas."""
    return [line.strip().rstrip(",") for line in added.split("\n")]


def text_of(scope: Scope, item: cst.CSTNode) -> str:
    """Return the text of an item of a bracket, without its comma."""
    return scope.source.text[_start(scope, item) : _end(scope, item)]


def replaced(scope: Scope, nodes: Sequence[cst.CSTNode], added: str) -> Edit:
    """Replace statements, items of a bracket or one expression."""
    start, end = _start(scope, nodes[0]), _end(scope, nodes[-1])
    if isinstance(nodes[0], cst.BaseStatement):
        return Edit(start, end, _block(scope, added, start).strip())
    return Edit(start, end, added.strip().rstrip(",").replace("\n", scope.source.newline))


def removed_statements(scope: Scope, statements: Items) -> Edit:
    """Remove statements with the lines that they are on, and the comments that belong to their bodies."""
    source = scope.source
    start = source.line_start(_start(scope, statements[0]))
    return Edit(start, _after_block(scope, *scope.span(statements[-1])), "")


def removed_items(scope: Scope, code: Items, start: int, stop: int, keeps_comma: bool) -> Edit:
    """Remove arguments, parameters or elements from a bracket, with their lines if they have such of their own.

    Args:
        scope: The scope that the bracket is in.
        code: The items of the bracket.
        start: The index of the first one to remove.
        stop: The index after the last one.
        keeps_comma: Whether a comma has to come after an item that is left alone.
    """
    source, text = scope.source, scope.source.text
    first, end = scope.span(code[start])[0], _end(scope, code[stop - 1])
    after = _skip(text, end) + 1 if isinstance(getattr(code[stop - 1], "comma", None), cst.Comma) else end
    rest_of_line = text[after : source.line_end(after)]
    is_alone = not text[source.line_start(first) : first].strip()
    leaves_one = keeps_comma and len(code) - (stop - start) == 1
    if is_alone and (not rest_of_line.strip() or _COMMENT.match(rest_of_line)) and not (leaves_one and start):
        return Edit(source.line_start(first), source.line_end(after), "")
    if stop < len(code):
        return Edit(first, scope.span(code[stop])[0], "")
    if start > 0:
        return Edit(_end(scope, code[start - 1]), after if leaves_one else end, "," if leaves_one else "")
    return Edit(first, after + width(rest_of_line.rstrip("\r\n")), "")


def inserted_after(scope: Scope, code: Items, index: int, added: str) -> Edit:
    """Insert lines after the item before an index."""
    if not isinstance(code[0], cst.BaseStatement):
        return _inserted_items(scope, code, index, added)
    start, end = scope.span(code[index - 1])
    at = _after_block(scope, start, end)
    block = _block(scope, added, start)
    if scope.source.text[at - 1] not in "\r\n":  # after a last line that has no line ending
        return Edit(at, at, scope.source.newline + block.rstrip("\r\n"))
    return Edit(at, at, _paragraph(scope, block, at))


def inserted_before(scope: Scope, code: Items, index: int, added: str) -> Edit:
    """Insert lines before the item at an index; before a statement, above the comments right above it."""
    if not isinstance(code[0], cst.BaseStatement):
        return _inserted_items(scope, code, index, added)
    start, _ = scope.span(code[index])
    above = [line.comment for line in getattr(code[index], "leading_lines", ())]
    comments = len(above) - max((i for i, comment in enumerate(above, start=1) if comment is None), default=0)
    at = scope.source.offset(scope.source.line_of(start) - comments, 0)
    return Edit(at, at, _block(scope, added, start))


def _paragraph(scope: Scope, block: str, at: int) -> str:
    """Return added lines with a blank one after them if they begin with one, unless it is there already."""
    source = scope.source
    line = source.line_text(source.line_of(at))
    is_last = width(line) < width(block.strip("\r\n")) or at == len(source.text)
    if not block.startswith(source.newline) or is_last:
        return block
    return block + source.newline if line.strip() else block


def _after_block(scope: Scope, start: int, end: int) -> int:
    """Return the offset after a statement's last line and the comments below it that belong to its body."""
    source = scope.source
    line = source.line_of(end)
    own_indent = width(source.line_text(source.line_of(start)))
    if source.line_of(start) != line:
        below = line + 1
        while below <= source.line_count and _COMMENT.match(source.line_text(below)):
            if width(source.line_text(below)) > own_indent:
                line = below
            below += 1
    return source.line_end(source.offset(line, 0))


def _block(scope: Scope, added: str, beside: int) -> str:
    """Return added lines with the indentation, and the line endings, of the statement at offset ``beside``."""
    source = scope.source
    line = source.line_text(source.line_of(beside))
    outer = line[: width(line)]
    block = []
    for text in textwrap.dedent(added).split("\n"):
        depth, rest = divmod(width(text), len(_PATCH_INDENT))
        block.append(f"{outer}{scope.indent * depth}{' ' * rest}{text.lstrip()}" if text else "")
    return "".join(f"{text}{source.newline}" for text in block)


def _inserted_items(scope: Scope, code: Items, index: int, added: str) -> Edit:
    """Add arguments, parameters or elements to a bracket, on lines of their own if their neighbours have such."""
    items = listed(added)
    source, text = scope.source, scope.source.text
    if index == 0:
        start = scope.span(code[0])[0]
        return Edit(start, start, "".join(f"{item}, " for item in items))
    neighbour = code[index - 1]
    start, end = scope.span(neighbour)[0], _end(scope, neighbour)
    has_comma = isinstance(getattr(neighbour, "comma", None), cst.Comma)
    after = _skip(text, end) + 1 if has_comma else end
    comma, closing = ("", ",") if has_comma else (",", "")
    line_start = source.line_start(start)
    indent = text[line_start:start]
    rest_of_line = text[after : source.line_end(after)].rstrip("\r\n")
    if not indent.strip():  # the neighbour starts its line
        lines = ",".join(f"{source.newline}{indent}{item}" for item in items)
        if not rest_of_line.strip() or _COMMENT.match(rest_of_line):
            kept = f"{comma}{rest_of_line}"
            return Edit(after, after + len(rest_of_line), f"{kept}{lines}{closing}", len(kept))
        if not has_comma:
            return Edit(after, after, f",{lines}", 1)
    joined = ", ".join(items)
    gap = " "
    if after - line_start + len(rest_of_line) + len(joined) + 2 > _LINE_LIMIT:
        if below := _one_below_the_other(scope, code, index, items):
            return below
        first = scope.span(code[0])[0]
        gap = source.newline + re.sub(r"\S", " ", text[source.line_start(first) : first])
    return Edit(after, after, f"{comma}{gap}{joined}{closing}", len(comma))


def _one_below_the_other(scope: Scope, code: Items, index: int, added: Sequence[str]) -> Edit | None:
    """Give each item of a bracket, the added ones included, a line of its own, as formatters do when it gets long.

    Returns:
        The edit, or None if the bracket is not all on one line.
    """
    source, text = scope.source, scope.source.text
    starts = [scope.span(item)[0] for item in code]
    after = _skip(text, _end(scope, code[-1]))
    after = _skip(text, after + 1) if text[after : after + 1] == "," else after
    opening = text[source.line_start(starts[0]) : starts[0]].rstrip()
    if opening[-1:] not in tuple("([{") or text[after : after + 1] not in tuple(")]}"):
        return None
    if source.line_of(after) != source.line_of(starts[0]):
        return None
    items = [text[start:end].strip(", ") for start, end in pairwise([*starts, after])]
    indent = opening[: width(opening)]
    before, rest = (
        "".join(f"{source.newline}{indent}{scope.indent}{item}," for item in run)
        for run in (items[:index], [*added, *items[index:]])
    )
    return Edit(starts[0], after, f"{before}{rest}{source.newline}{indent}", len(before))


def _start(scope: Scope, node: cst.CSTNode) -> int:
    """Return the offset at which a node starts, decorators included."""
    return min(scope.span(part)[0] for part in (node, *getattr(node, "decorators", ())))


def _end(scope: Scope, node: cst.CSTNode) -> int:
    """Return the offset after a statement, an expression or an item of a bracket, its comma not included."""
    if isinstance(node, cst.Param):
        value = node.default or (node.annotation.annotation if node.annotation else node.name)
        return scope.outer_span(value)[1]
    start, end = scope.span(node)
    return start + 1 if isinstance(node, (cst.ParamStar, cst.ParamSlash)) else end


def _skip(text: str, at: int) -> int:
    """Return the offset of the first character from ``at`` on that is neither white space nor comment."""
    skipped = _SKIPPED.match(text, at)
    return skipped.end() if skipped else at

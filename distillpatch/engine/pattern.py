"""Patterns: Python with holes, compared with syntax trees rather than with text.

``$NAME`` stands for any expression and ``...`` for any run of statements, arguments, parameters or elements.
Formatting, comments, kinds of quotes, parentheses that change nothing, trailing commas and type hints do not matter.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from distillpatch.errors import DistillpatchError

_GAP = "__gap__"
_HOLE = "__hole_"
_TOKEN = re.compile(
    r"""(?P<string>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|\$(?P<hole>[A-Z_]+)|(?P<before>[(\[{,]\s*)?\.\.\."""
)
_SIGNATURE = re.compile(r"\bdef \w+\([^()]*\)")

# Fields of LibCST nodes that hold formatting, or what a pattern leaves open: a hint that the pattern does not mention.
_FORMATTING = frozenset(
    {
        "asynchronous",
        "colon",
        "comma",
        "dot",
        "equal",
        "footer",
        "header",
        "indent",
        "lbrace",
        "lbracket",
        "leading_lines",
        "lines_after_decorators",
        "lpar",
        "rbrace",
        "rbracket",
        "rpar",
        "semicolon",
        "trailing_whitespace",
    }
)
_HINTS = frozenset({"annotation", "returns", "decorators", "type_parameters"})

# What may not be run: inside a scope, a function that is defined there is a branch as well.
_BRANCHES = (cst.If, cst.Else, cst.ExceptHandler, cst.FunctionDef)

_Node = cst.CSTNode
_Sequence = Sequence[cst.CSTNode]


class PatternError(DistillpatchError):
    """A pattern is not Python with holes."""


@dataclass
class Match:
    """How a pattern lies on the code that it matched.

    Attributes:
        nodes: The code's node for each node of the pattern.
        holes: The code's expression for each ``$NAME``.
        runs: For a pattern's sequence and the index of an item in it, the code's sequence and the range of items there.
    """

    nodes: dict[int, _Node] = field(default_factory=dict)
    holes: dict[str, cst.BaseExpression] = field(default_factory=dict)
    runs: dict[tuple[int, int], tuple[_Sequence, int, int]] = field(default_factory=dict)

    def copy(self) -> Match:
        return Match(dict(self.nodes), dict(self.holes), dict(self.runs))

    def take(self, other: Match) -> None:
        self.nodes, self.holes, self.runs = other.nodes, other.holes, other.runs


class Pattern:
    """A compiled pattern.

    Args:
        text: One expression, or a run of statements.
        as_statements: Whether a lone expression is a statement all the same.

    Attributes:
        text: The text it was compiled from.
        statements: The pattern's statements.
        expression: The pattern's expression, if it is a single expression: such a pattern matches anywhere, not only as
            a statement of its own.

    Raises:
        PatternError: If the text does not parse.
    """

    def __init__(self, text: str, as_statements: bool = False) -> None:
        self.text = text
        try:
            self._wrapper = MetadataWrapper(cst.parse_module(_as_python(text)), unsafe_skip_copy=True)
        except cst.ParserSyntaxError as error:
            raise PatternError(f"the pattern does not parse: {error.message}\n{text}") from error
        self.statements: _Sequence = self._wrapper.module.body
        self.expression = None if as_statements else _only_expression(self.statements)

    @cached_property
    def names(self) -> frozenset[str]:
        """The identifiers that code must contain to match."""
        names: set[str] = set()
        nodes: list[_Node] = [*self.statements]
        while nodes:
            node = nodes.pop()
            nodes.extend(_children(node))
            if isinstance(node, cst.Name) and node.value != _GAP and not node.value.startswith(_HOLE):
                names.add(node.value)
        return frozenset(names)

    @cached_property
    def _positions(self) -> Mapping[_Node, CodeRange]:
        return self._wrapper.resolve(PositionProvider)

    def lines(self, node: _Node) -> tuple[int, int]:
        """Return the first and the last line (from 0) of a node of this pattern."""
        return self._positions[node].start.line - 1, self._positions[node].end.line - 1

    def column(self, node: _Node) -> int:
        """Return the column (from 0) at which a node of this pattern starts."""
        return self._positions[node].start.column

    def find(self, statements: Sequence[cst.BaseStatement], in_branches: bool = True) -> list[Match]:
        """Return every match within a run of statements and all that is nested in them, in the code's order.

        Args:
            statements: Where to look.
            in_branches: Whether a run of statements is found in a branch as well, which may not be taken.
        """
        if self.expression is not None:
            return [match for node in statements for match in self._expressions(node, self.expression)]
        blocks: list[_Sequence] = [statements]
        for statement in statements:
            is_own = isinstance(statement, cst.FunctionDef)  # the scope itself is no branch
            blocks += [b for part in _parts(statement, in_branches or is_own) for b in _blocks(part.body, in_branches)]
        return [match for block in blocks for match in self._in_block(block)]

    def _expressions(self, node: _Node, expression: cst.BaseExpression) -> Iterator[Match]:
        match = Match()
        if type(node) is type(expression) and _matches(expression, node, match):
            yield match
        for child in _children(node):
            yield from self._expressions(child, expression)

    def _in_block(self, block: _Sequence) -> Iterator[Match]:
        for start in range(len(block)):
            match = Match()
            if _run_matches(self.statements, block, match, start, whole=False):
                yield match


def is_gap(node: _Node) -> bool:
    """Return whether a node of a pattern is ``...``."""
    if isinstance(node, cst.SimpleStatementLine) and len(node.body) == 1 and isinstance(node.body[0], cst.Expr):
        return isinstance(node.body[0].value, cst.Ellipsis)
    if isinstance(node, (cst.Arg, cst.StarredElement)):
        return isinstance(node.value, cst.Name) and node.value.value == _GAP
    return isinstance(node, cst.Param) and node.name.value == _GAP


def parameters(node: cst.Parameters) -> _Sequence:
    """Return the parameters of a function in order, ``/`` and ``*`` among them, ``**kwargs`` not: it stays the last."""
    items = [*node.posonly_params, node.posonly_ind, *node.params, node.star_arg, *node.kwonly_params]
    return [item for item in items if isinstance(item, cst.CSTNode)]


def _as_python(text: str) -> str:
    """Return a pattern with names for what is not Python in it."""
    return _SIGNATURE.sub(_one_star, _TOKEN.sub(_name_token, text))


def _one_star(signature: re.Match[str]) -> str:
    """Return a signature in which only the first gap has a star, which leaves those behind it parameters by keyword."""
    first, gap, others = signature[0].partition(f"*{_GAP}")
    return first + gap + others.replace(f"*{_GAP}", _GAP)


def _name_token(token: re.Match[str]) -> str:
    if token["string"]:
        return token["string"]
    if token["hole"]:
        return f"{_HOLE}{token['hole']}"
    return "..." if token["before"] is None else f"{token['before']}*{_GAP}"


def _only_expression(statements: _Sequence) -> cst.BaseExpression | None:
    if len(statements) == 1 and isinstance(statements[0], cst.SimpleStatementLine):
        body = statements[0].body
        if len(body) == 1 and isinstance(body[0], cst.Expr):
            return body[0].value
    return None


def _blocks(statements: _Sequence, in_branches: bool) -> Iterator[_Sequence]:
    """Yield a run of statements and every block nested in it, outer ones first."""
    yield statements
    for statement in statements:
        for part in _parts(statement, in_branches):
            yield from _blocks(part.body, in_branches)


def _parts(node: _Node, in_branches: bool = True) -> Iterator[cst.IndentedBlock]:
    if isinstance(node, _BRANCHES) and not in_branches:
        return
    for child in _children(node):
        if isinstance(child, cst.IndentedBlock):
            yield child
        elif isinstance(child, (cst.BaseCompoundStatement, cst.Else, cst.ExceptHandler, cst.Finally)):
            yield from _parts(child, in_branches)


@cache
def _fields(kind: type[_Node]) -> tuple[str, ...]:
    """Return the names of the fields of a node that say what it means, not how it is laid out."""
    names = (item.name for item in dataclasses.fields(kind))
    return tuple(name for name in names if name not in _FORMATTING and not name.startswith("whitespace"))


def _children(node: _Node) -> Iterator[_Node]:
    """Yield the parts of a node that mean something; LibCST's own ``children`` visits every blank as well."""
    for name in _fields(type(node)):
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from (item for item in value if isinstance(item, cst.CSTNode))


def _matches(pattern: object, code: object, match: Match) -> bool:
    """Return whether a node (or a plain value) of the pattern matches one of the code; record how in ``match``."""
    if isinstance(pattern, cst.Name) and pattern.value.startswith(_HOLE):
        return _fill(pattern.value, code, match)
    if isinstance(pattern, cst.Assign) and isinstance(code, cst.AnnAssign):
        code = _without_hint(code)
    if type(pattern) is not type(code):
        return False
    if not isinstance(pattern, cst.CSTNode):
        return bool(pattern == code)
    assert isinstance(code, cst.CSTNode)
    match.nodes[id(pattern)] = code
    if isinstance(pattern, (cst.SimpleString, cst.Integer, cst.Float)) and isinstance(code, type(pattern)):
        return bool(pattern.evaluated_value == code.evaluated_value)
    if isinstance(pattern, cst.Parameters) and isinstance(code, cst.Parameters):
        return _run_matches(parameters(pattern), parameters(code), match, owner=pattern)
    return all(
        _field_matches(name, getattr(pattern, name), getattr(code, name), match) for name in _fields(type(pattern))
    )


def _field_matches(name: str, pattern: object, code: object, match: Match) -> bool:
    if name in _HINTS and not pattern:
        return True
    if name in ("start", "end") and isinstance(pattern, str):  # an f-string's prefix and quotes
        return True
    if isinstance(pattern, (list, tuple)) and isinstance(code, (list, tuple)):
        return _run_matches(pattern, code, match)
    return _matches(pattern, code, match)


def _fill(name: str, code: object, match: Match) -> bool:
    if not isinstance(code, cst.BaseExpression):
        return False
    hole = name.removeprefix(_HOLE)
    return match.holes.setdefault(hole, code) is code or _matches(match.holes[hole], code, Match())


def _without_hint(code: cst.AnnAssign) -> object:
    """Return ``name: hint = value`` as ``name = value``, with the very nodes that have positions in the code."""
    return code if code.value is None else cst.Assign([cst.AssignTarget(code.target)], code.value)


def _run_matches(
    pattern: _Sequence,
    code: _Sequence,
    match: Match,
    start: int = 0,
    whole: bool = True,
    index: int = 0,
    owner: cst.CSTNode | None = None,
) -> bool:
    """Return whether ``pattern[index:]`` matches a run of ``code`` from ``start`` on (to its end, if ``whole``)."""
    if index == len(pattern):
        return start == len(code) or not whole
    key = (id(owner if owner is not None else pattern), index)
    if is_gap(pattern[index]):
        stops = range(start, len(code) + 1)
    elif start < len(code):
        stops = range(start + 1, start + 2)
    else:
        return False
    for stop in stops:
        attempt = match.copy()
        attempt.runs[key] = (code, start, stop)
        item_matches = is_gap(pattern[index]) or _matches(pattern[index], code[start], attempt)
        if item_matches and _run_matches(pattern, code, attempt, stop, whole, index + 1, owner):
            match.take(attempt)
            return True
    return False

"""Patterns: Python with holes and gaps, compiled to a syntax tree.

``$NAME`` matches any expression, ``...`` any run of statements, arguments, parameters, elements or subscripts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import libcst as cst

from distillpatch.engine.nodes import Items, children, items, tree
from distillpatch.engine.positions import positions
from distillpatch.engine.spelling import GAP_NAME, HOLE_PREFIX, as_python
from distillpatch.errors import DistillpatchError


class PatternError(DistillpatchError):
    """A pattern is not Python with holes and gaps."""


class Pattern:
    """A compiled pattern.

    Args:
        text: One expression, or a run of statements.
        as_statements: Whether a lone expression is a statement nevertheless.
        choices: What a ``$NAME`` may stand for, the texts of expressions; anything, if it is not mentioned.

    Attributes:
        text: The text it was compiled from.
        module: Its syntax tree.
        expression: The pattern's expression, if it is a single expression: such a pattern matches anywhere, not only as
            a statement of its own.
        choices: The compiled choices of each ``$NAME`` that has such.

    Raises:
        PatternError: If the text does not parse, or has a gap where none can be.
    """

    def __init__(
        self, text: str, as_statements: bool = False, choices: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.text = text
        try:
            self.module = cst.parse_module(as_python(text))
        except cst.ParserSyntaxError as error:
            raise PatternError(f"the pattern does not parse: {error.message}\n{text}") from error
        _check_gaps(self.module, text)
        self.expression = None if as_statements else _only_expression(self.module.body)
        self.choices = {name: tuple(map(_choice, texts)) for name, texts in (choices or {}).items()}
        if (name := hole(self.expression)) and name not in self.choices:
            raise PatternError(f"${name} alone would match any expression: expected what is around it\n{text}")

    @property
    def statements(self) -> Items:
        """The pattern's statements."""
        return self.module.body

    @cached_property
    def kinds(self) -> frozenset[type[cst.CSTNode]]:
        """The types of the expressions that the pattern's expression may match."""
        return self._kinds(self.expression)

    def _kinds(self, expression: cst.BaseExpression | None) -> frozenset[type[cst.CSTNode]]:
        if name := hole(expression):
            return frozenset[type[cst.CSTNode]]().union(*map(self._kinds, self.choices[name]))
        return frozenset([type(expression)] if expression else [])

    @cached_property
    def gaps(self) -> frozenset[int]:
        """The gaps, by their identities."""
        roots = (self.module, *(choice for choices in self.choices.values() for choice in choices))
        return frozenset(id(node) for root in roots for node in tree(root) if is_gap(node))

    @cached_property
    def first(self) -> cst.CSTNode:
        """The expression, or the first statement that is no gap."""
        return self.expression or next(statement for statement in self.statements if not is_gap(statement))

    def holes(self, node: cst.CSTNode) -> frozenset[str]:
        """Return the names of the holes in a part of this pattern, those in what they may stand for included."""
        if node not in self._holes:
            found = {name.removeprefix(HOLE_PREFIX) for name in _names(node) if name.startswith(HOLE_PREFIX)}
            for choice in [choice for name in found for choice in self.choices.get(name, ())]:
                found |= self.holes(choice)
            self._holes[node] = frozenset(found)
        return self._holes[node]

    @cached_property
    def _holes(self) -> dict[cst.CSTNode, frozenset[str]]:
        return {}

    def lines(self, node: cst.CSTNode) -> tuple[int, int]:
        """Return the first and the last line (from 0) of a node of this pattern, decorators included."""
        first = [node, *getattr(node, "decorators", ())][:2][-1]
        return self._positions[first].start.line - 1, self._positions[node].end.line - 1

    def column(self, node: cst.CSTNode) -> int:
        """Return the column (from 0) at which a node of this pattern starts."""
        return self._positions[node].start.column

    @cached_property
    def _positions(self) -> Mapping[cst.CSTNode, cst.metadata.CodeRange]:
        return positions(self.module)

    @cached_property
    def sequences(self) -> tuple[tuple[cst.CSTNode, Items], ...]:
        """The sequences of the pattern, outer ones first, each with the node whose items they are.

        An expression is a sequence of its own.
        """
        found: list[tuple[cst.CSTNode, Items]] = []
        if self.expression is not None:
            found.append((self.module, [self.expression]))
        for node in tree(self.module):
            own = items(node)
            if own is not None and not (node is self.module and self.expression is not None):
                found.append((node, own))
        return tuple(found)


def hole(node: object) -> str | None:
    """Return the name of the hole that a node of a pattern is, if it is one."""
    if type(node) is cst.Name and node.value.startswith(HOLE_PREFIX):
        return node.value.removeprefix(HOLE_PREFIX)
    return None


def is_gap(node: cst.CSTNode) -> bool:
    """Return whether a node of a pattern is ``...``."""
    if isinstance(node, cst.SimpleStatementLine):
        return len(node.body) == 1 and _is_ellipsis(node.body[0])
    if isinstance(node, cst.SubscriptElement):
        return isinstance(node.slice, cst.Index) and _is_gap_name(node.slice.value)
    if isinstance(node, (cst.Arg, cst.StarredElement, cst.StarredDictElement)):
        return _is_gap_name(node.value)
    return isinstance(node, (cst.Param, cst.ImportAlias)) and _is_gap_name(node.name)


def _is_gap_name(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Name) and node.value == GAP_NAME


def _is_ellipsis(node: cst.CSTNode) -> bool:
    if isinstance(node, cst.Decorator):
        return isinstance(node.decorator, cst.Ellipsis)
    return isinstance(node, cst.Expr) and isinstance(node.value, cst.Ellipsis)


def _names(node: cst.CSTNode) -> Iterator[str]:
    """Yield the identifiers in a part of a pattern, those that stand for holes included."""
    for part in tree(node):
        if isinstance(part, cst.Name) and part.value != GAP_NAME:
            yield part.value


def _choice(text: str) -> cst.BaseExpression:
    try:
        expression = cst.parse_expression(as_python(text))
    except cst.ParserSyntaxError as error:
        raise PatternError(f"what a hole may stand for does not parse: {error.message}\n{text}") from error
    _check_gaps(expression, text)
    return expression


def _only_expression(statements: Items) -> cst.BaseExpression | None:
    if len(statements) == 1 and isinstance(statements[0], cst.SimpleStatementLine):
        body = statements[0].body
        if len(body) == 1 and isinstance(body[0], cst.Expr):
            return body[0].value
    return None


def _check_gaps(node: cst.CSTNode, text: str) -> None:
    """Raise PatternError if there is a gap where there is nothing that it could stand for."""
    nodes = [node]
    while nodes:
        node = nodes.pop()
        if _is_gap_name(node) or _is_ellipsis(node):
            raise PatternError(
                "'...' stands for statements, each on a line of its own, or for arguments, parameters, elements or "
                f"subscripts: expected one of these\n{text}"
            )
        gaps = {item for item in items(node) or () if is_gap(item)}
        nodes += [child for child in children(node) if child not in gaps]

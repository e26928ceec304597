"""Where nodes are: offsets in the file, worked out statement by statement as they are asked for.

LibCST works out the positions of a whole tree, which takes as long as parsing it. The compiler's own tree, which is
there anyway, has the positions of statements; LibCST's provider is asked for those of one statement alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import libcst as cst
from libcst import BatchableCSTVisitor
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from distillpatch.engine.nodes import children
from distillpatch.engine.text import Text, indentation


class _Wrapper(MetadataWrapper):
    """A syntax tree with positions, which LibCST computes without visitors but for which it walks the whole tree."""

    def visit_batched(self, visitors: Iterable[BatchableCSTVisitor], *hooks: Any, **named_hooks: Any) -> cst.CSTNode:
        return super().visit_batched(visitors, *hooks, **named_hooks) if visitors else self.module


def positions(module: cst.Module) -> Mapping[cst.CSTNode, CodeRange]:
    """Return the lines and columns of all nodes of a module."""
    try:
        return _Wrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    except KeyError as error:
        # What ends LibCST's pass early, Ctrl-C say, comes out of it as another error: of a node that has no place yet.
        cause: BaseException = error
        while cause.__context__:
            cause = cause.__context__
        raise cause from None


class Positions:
    """The offsets of the nodes of a run of statements.

    Args:
        source: The file.
        statements: Statements, as LibCST has parsed them.
        tree: The same statements, as the compiler has parsed them.
        default_indent: The indentation of blocks that have none of their own.
    """

    def __init__(
        self, source: Text, statements: Sequence[cst.CSTNode], tree: Sequence[ast.stmt], default_indent: str
    ) -> None:
        self._source = source
        self._statements = statements
        self._tree = tree
        self._default_indent = default_indent
        # Lines and columns, and the number of lines of the file above those.
        self._found: dict[cst.CSTNode, tuple[CodeRange, int]] = {}

    def span(self, node: cst.CSTNode, around: cst.CSTNode | None = None) -> tuple[int, int]:
        """Return the offsets at which a node starts and ends, parentheses around it not included.

        Args:
            node: A node.
            around: The expression that it is a parenthesis of, if it is one.
        """
        if node in self._compiled:
            first, last = self._compiled[node]
            return self._offset(first.lineno, first.col_offset), self._offset(last.end_lineno, last.end_col_offset)
        if node not in self._found:
            statement = self._homes[around or node]
            self._measure(statement, _head(statement))
            if node not in self._found:
                self._measure(statement, statement)
        place, above = self._found[node]
        start, end = (self._source.offset(at.line + above, at.column) for at in (place.start, place.end))
        return start, end

    def _measure(self, statement: cst.CSTNode, lone: Any) -> None:
        """Work out where all nodes of a statement are, or of the head of one."""
        first, _ = self._compiled[statement]
        indent = indentation(self._source.line_text(first.lineno))
        # Lines that are continued count from the block's indentation.
        block = cst.If(cst.Name("True"), cst.IndentedBlock([lone], indent=indent)) if indent else lone
        found = positions(cst.Module([block], default_indent=self._default_indent))
        above = first.lineno - found[lone].start.line
        self._found.update((node, (place, above)) for node, place in found.items())

    def _offset(self, line: int | None, column: int | None) -> int:
        """Return the offset of a place as the compiler tells it, in bytes of UTF-8."""
        assert line is not None and column is not None
        text = self._source.line_text(line)
        return self._source.offset(line, column if text.isascii() else len(text.encode()[:column].decode()))

    @cached_property
    def _compiled(self) -> dict[cst.CSTNode, tuple[ast.stmt, ast.stmt]]:
        """What the compiler has made of each statement: the first and the last of those on a line."""
        return dict(_pairs(self._statements, self._tree))

    @cached_property
    def _homes(self) -> dict[cst.CSTNode, cst.CSTNode]:
        """The innermost statement that each node is in, one that can be alone: an ``elif`` cannot."""
        homes = {}
        nodes = [(statement, statement) for statement in self._statements]
        while nodes:
            node, home = nodes.pop()
            homes[node] = home
            is_block = isinstance(node, cst.IndentedBlock)
            nodes += [(child, child if is_block else home) for child in children(node)]
        return homes


def _head(statement: cst.CSTNode) -> cst.CSTNode:
    """Return a statement without the blocks that are nested in it, or all of one that has more after its first."""
    if isinstance(statement, (cst.Try, cst.TryStar)):
        return statement
    if isinstance(getattr(statement, "body", None), cst.IndentedBlock):
        statement = statement.with_changes(body=cst.IndentedBlock([]))
    if getattr(statement, "orelse", None):
        statement = statement.with_changes(orelse=None)
    return statement


def _pairs(
    statements: Iterable[cst.CSTNode], tree: Iterable[ast.stmt]
) -> Iterator[tuple[cst.CSTNode, tuple[ast.stmt, ast.stmt]]]:
    """Yield each statement, or line of them, of a block with what the compiler has made of it; then the nested ones."""
    compiled = iter(tree)
    for statement in statements:
        if isinstance(statement, cst.SimpleStatementLine):
            on_line = [next(compiled) for _ in statement.body]
            yield statement, (on_line[0], on_line[-1])
        else:
            whole = next(compiled)
            yield statement, (whole, whole)
            for block, nested in zip(_blocks(statement), _nested(whole), strict=True):
                yield from _pairs(block, nested)


def _blocks(statement: cst.CSTNode) -> Iterator[Sequence[cst.CSTNode]]:
    """Yield the blocks of a compound statement, those of its ``else`` and so on included; one on its line is empty."""
    for child in children(statement):
        if isinstance(child, cst.If) and isinstance(statement, cst.If):  # elif
            yield [child]
        elif isinstance(child, cst.BaseSuite):
            yield child.body if isinstance(child, cst.IndentedBlock) else ()
        elif not isinstance(child, (cst.BaseExpression, cst.Decorator)):
            yield from _blocks(child)


def _nested(statement: ast.AST) -> Iterator[Sequence[ast.stmt]]:
    """Yield the blocks of a compound statement as the compiler has them, in the same order."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        found = getattr(statement, name, ())
        if name in ("handlers", "cases"):
            for part in found:
                yield part.body
        elif found:
            yield found

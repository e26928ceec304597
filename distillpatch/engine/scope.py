"""A class, a function or a whole file, as LibCST parses it: only what is looked into is parsed."""

from __future__ import annotations

import ast
import functools
import re
from functools import cached_property

import libcst as cst

from distillpatch.engine.matching import Code
from distillpatch.engine.nesting import refuse_deep_nesting
from distillpatch.engine.positions import Positions
from distillpatch.engine.text import SourceError, Text, indentation

MODULE = "<module>"
"""The scope that is the file itself."""

DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
"""What the compiler's tree has for a class or a function."""

_WORD = re.compile(r"\w+")


@functools.lru_cache(64)
def _parse(text: str, is_indented: bool) -> tuple[cst.Module, Code]:
    """Return LibCST's tree of a scope's text, and its statements to look in.

    Nothing changes them, and an edit leaves most scopes of a file as they are. An indented slice is no module, but a
    block around it makes it one.
    """
    tree = cst.parse_module(f"if True:\n{text}" if is_indented else text)
    block = tree.body[0] if is_indented else None
    return tree, Code(block.body.body if isinstance(block, cst.If) else tree.body)


class Scope:
    """A class, a function or the whole file, parsed by LibCST when it is first looked into.

    Attributes:
        source: The file's text.
        name: Its dotted name.
        first_line: Its first line, decorators included.
        last_line: Its last line.
    """

    def __init__(self, source: Text, name: str, tree: ast.Module | ast.stmt, first_line: int, last_line: int) -> None:
        self.source = source
        self.name = name
        self.first_line = first_line
        self.last_line = last_line
        self._tree = tree

    @property
    def text(self) -> str:
        """Its lines."""
        start = self.source.offset(self.first_line, 0)
        return self.source.text[start : self.source.line_end(self.source.offset(self.last_line, 0))]

    @cached_property
    def words(self) -> frozenset[str]:
        """All that could be an identifier in it, found without parsing."""
        return frozenset(_WORD.findall(self.text))

    @cached_property
    def _parsed(self) -> tuple[cst.Module, Code]:
        refuse_deep_nesting(self.source, self._tree)
        text = self.text
        try:
            return _parse(text, text[:1] in (" ", "\t"))
        except Exception as error:  # LibCST's parser raises several unrelated types
            raise SourceError(f"{self.source.path}: {self.name} does not parse: {error}") from error

    @property
    def tree(self) -> cst.Module:
        """The scope's syntax tree."""
        return self._parsed[0]

    @property
    def code(self) -> Code:
        """The statements of the scope, to look in: of the file, or the one definition."""
        return self._parsed[1]

    @cached_property
    def indent(self) -> str:
        """One level of its indentation."""
        if not isinstance(self._tree, DEFINITIONS):
            return self.tree.default_indent
        outer, inner = (indentation(self.source.line_text(node.lineno)) for node in (self._tree, self._tree.body[0]))
        return inner.removeprefix(outer) or self.tree.default_indent

    @cached_property
    def _positions(self) -> Positions:
        compiled = self._tree.body if isinstance(self._tree, ast.Module) else [self._tree]
        return Positions(self.source, self.code.statements, compiled, self.tree.default_indent)

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Return the offsets in the file at which a node starts and ends, parentheses around it not included."""
        return self._positions.span(node)

    def outer_span(self, node: cst.BaseExpression) -> tuple[int, int]:
        """Return the offsets at which an expression starts and ends, parentheses around it included."""
        if not node.lpar:
            return self.span(node)
        return self._positions.span(node.lpar[0], node)[0], self._positions.span(node.rpar[-1], node)[1]

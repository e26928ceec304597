"""Python source as the engine sees it: text that keeps its bytes, scopes found by name, nodes with offsets.

The compiler's own front end (:mod:`ast`) says where a scope such as ``BaseTrainer._setup_train`` lies; only that
slice is parsed by LibCST, which is what keeps a run over files of a thousand lines well under a second. Offsets always
count characters of the whole file, so an edit is a splice and every byte outside it survives.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import libcst as cst
from libcst import BatchableCSTVisitor
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from distillpatch.errors import DistillpatchError
from distillpatch.syntax import parse

MODULE = "<module>"
"""The scope that is the file itself."""

# Real code nests to about 20 levels. Beyond this the recursive parsers below would exhaust the stack of the process.
_DEEPEST_NESTING = 90
_LONGEST_SOURCE = 8 * 1024 * 1024

_LINE_START = re.compile(r"\r\n|\n|\r")
_WORD = re.compile(r"\w+")
_DOTTED_NAME = re.compile(r"\b\w+(?:[\s\\]*\.[\s\\]*\w+)+")
_SCOPES = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class SourceError(DistillpatchError):
    """A file is not Python that can be read."""


class Source:
    """One Python file.

    Args:
        path: Name of the file in messages.
        content: Its bytes. A byte order mark, the declared encoding and the kind of line ending are kept.

    Raises:
        SourceError: If the bytes do not decode or do not parse as Python.
    """

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        if len(content) > _LONGEST_SOURCE:
            raise SourceError(f"{path} is larger than {_LONGEST_SOURCE} bytes; is it really Python source?")
        try:
            self.encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
            self.text = content.decode(self.encoding)
        except (SyntaxError, LookupError, UnicodeError) as error:
            raise SourceError(f"{path} cannot be decoded: {error}") from error
        if self.encode(self.text) != content:
            raise SourceError(f"{path} cannot be decoded from {self.encoding} and encoded again without loss")
        _refuse_long_names(self)
        self._line_starts = [0, *(match.end() for match in _LINE_START.finditer(self.text))]
        self._tree = self._parse()
        self._scopes: dict[str, list[Scope]] = {}

    def _parse(self) -> ast.Module:
        try:
            return parse(self.text)
        except SyntaxError as error:
            where = f" (line {error.lineno})" if error.lineno else ""
            raise self._unparsed(where, error.msg) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise self._unparsed("", f"{error or type(error).__name__}") from error

    def _unparsed(self, where: str, reason: str) -> SourceError:
        running = ".".join(map(str, sys.version_info[:2]))
        return SourceError(
            f"{self.path} cannot be parsed by Python {running}, which distillpatch runs on{where}: {reason}. "
            "Mend it there, or run distillpatch with the Python that you train with."
        )

    def check_compiles(self) -> None:
        """Make sure that Python can compile the file, which refuses more than its grammar does.

        Raises:
            SourceError: If it cannot: a name stands twice among the parameters of a function, say.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(self._tree, self.path, "exec", dont_inherit=True)
        except SyntaxError as error:
            raise SourceError(f"{self.path} does not compile (line {error.lineno}): {error.msg}") from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise SourceError(f"{self.path} does not compile: {error or type(error).__name__}") from error

    def encode(self, text: str) -> bytes:
        """Return ``text`` as bytes in this file's encoding, byte order mark included.

        Raises:
            SourceError: If the encoding has no bytes for a character of ``text``.
        """
        try:
            return text.encode(self.encoding)
        except UnicodeError as error:
            raise SourceError(f"{self.path} cannot hold what would be added: {error}") from error

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
        """Return the offset just behind the line ending of the line that holds ``offset``."""
        return self._next_line_start(self.line_of(offset))

    def line_start(self, offset: int) -> int:
        """Return the offset of the first character of the line that holds ``offset``."""
        return self._line_starts[self.line_of(offset) - 1]

    def scopes(self, name: str) -> list[Scope]:
        """Return the classes or functions of that dotted name, in the file's order; ``<module>`` is the file itself.

        Definitions under ``if``, ``try`` or ``with`` count as well.
        """
        if name not in self._scopes:
            self._scopes[name] = list(self._find_scopes(name))
        return self._scopes[name]

    def _find_scopes(self, name: str) -> Iterator[Scope]:
        if name == MODULE:
            yield Scope(self, name, self._tree, 1, self.line_count)
            return
        nodes: list[ast.AST] = [self._tree]
        for part in name.split("."):
            nodes = [child for node in nodes for child in _definitions(node) if child.name == part]
        for node in nodes:
            assert isinstance(node, _SCOPES) and node.end_lineno
            first_line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield Scope(self, name, node, first_line, node.end_lineno)

    def definitions(self) -> Iterator[tuple[str, int]]:
        """Yield the dotted name and the line of every class and of every function that is not inside another."""
        for node in _definitions(self._tree):
            yield node.name, node.lineno
            if isinstance(node, ast.ClassDef):
                for child in _definitions(node):
                    yield f"{node.name}.{child.name}", child.lineno

    @property
    def head(self) -> int:
        """The offset of the first line behind the docstring and the comments at the head of the file."""
        body = self._tree.body
        if ast.get_docstring(self._tree, clean=False) is not None:
            return self.line_end(self.offset(body[0].end_lineno or 1, 0))
        line = 1
        while line < self.line_count and self.line_text(line).startswith("#"):
            line += 1
        return self.offset(line, 0)

    def imports(self) -> list[Import]:
        """Return the ``import`` statements of the module's own block, up to the first definition."""
        statements = []
        for node in self._tree.body:
            if isinstance(node, _SCOPES):
                break
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
                statements.append(Import(module, node.lineno, node.end_lineno or node.lineno))
        return statements


@dataclass(frozen=True)
class Import:
    """An ``import`` statement: the module that it names, its first and its last line."""

    module: str
    first_line: int
    last_line: int


class _Wrapper(MetadataWrapper):
    """A syntax tree with positions, which LibCST computes without visitors but walks the tree for all the same."""

    def visit_batched(self, visitors: Iterable[BatchableCSTVisitor], *hooks: Any, **named_hooks: Any) -> cst.CSTNode:
        return super().visit_batched(visitors, *hooks, **named_hooks) if visitors else self.module


class Scope:
    """A class, a function or the whole file, parsed by LibCST when it is first looked into.

    Attributes:
        source: The file.
        name: Its dotted name.
        first_line: Its first line, decorators included.
        last_line: Its last line.
    """

    def __init__(self, source: Source, name: str, tree: ast.AST, first_line: int, last_line: int) -> None:
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
    def _wrapper(self) -> MetadataWrapper:
        _refuse_deep_nesting(self.source, self._tree)
        text = self.text
        if text[:1] in " \t":  # an indented slice is not a module; a block around it makes it one
            text = f"if True:\n{text}"
            self._lines_before = self.first_line - 2
        else:
            self._lines_before = self.first_line - 1
        try:
            return _Wrapper(cst.parse_module(text), unsafe_skip_copy=True)
        except Exception as error:  # LibCST's parser raises several unrelated types
            raise SourceError(f"{self.source.path}: {self.name} does not parse: {error}") from error

    @cached_property
    def _positions(self) -> Mapping[cst.CSTNode, CodeRange]:
        try:
            return self._wrapper.resolve(PositionProvider)
        except Exception as error:  # of several types, which cannot even be printed, for their text is the tree
            raise _too_deep(f"{self.source.path}: {self.name}") from error

    @property
    def tree(self) -> cst.Module:
        """The scope's syntax tree."""
        return self._wrapper.module

    @cached_property
    def indent(self) -> str:
        """One level of its indentation."""
        if not isinstance(self._tree, _SCOPES):
            return self.tree.default_indent
        outer, inner = (_indentation(self.source.line_text(node.lineno)) for node in (self._tree, self._tree.body[0]))
        return inner.removeprefix(outer) or self.tree.default_indent

    @cached_property
    def statements(self) -> tuple[cst.BaseStatement, ...]:
        """The statements of the scope: of the file, or the one definition."""
        body = self.tree.body
        if self.name != MODULE and isinstance(body[0], cst.If):  # the block added around an indented slice
            return tuple(node for node in body[0].body.body if isinstance(node, cst.BaseStatement))
        return tuple(body)

    def span(self, node: cst.CSTNode) -> tuple[int, int]:
        """Return the offsets in the file at which a node starts and ends, parentheses around it not included."""
        position = self._positions[node]
        return (
            self.source.offset(position.start.line + self._lines_before, position.start.column),
            self.source.offset(position.end.line + self._lines_before, position.end.column),
        )

    def outer_span(self, node: cst.BaseExpression) -> tuple[int, int]:
        """Return the offsets at which an expression starts and ends, parentheses around it included."""
        if not node.lpar:
            return self.span(node)
        return self.span(node.lpar[0])[0], self.span(node.rpar[-1])[1]


def _indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def _definitions(node: ast.AST) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the definitions of a block, those under ``if``, ``try`` or ``with`` included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, _SCOPES):
            yield child
        elif isinstance(child, (ast.stmt, ast.excepthandler)):
            yield from _definitions(child)


def _too_deep(what: str) -> SourceError:
    return SourceError(f"{what} nests deeper than {_DEEPEST_NESTING} levels; is it really written by hand?")


def _refuse_long_names(source: Source) -> None:
    """Raise SourceError for ``import a.b.c`` and so on, for which the compiler takes the square of its length."""
    if any(name.group().count(".") > _DEEPEST_NESTING for name in _DOTTED_NAME.finditer(source.text)):
        raise _too_deep(f"a dotted name in {source.path}")


def _refuse_deep_nesting(source: Source, tree: ast.AST) -> None:
    """Raise SourceError for nesting that would exhaust the parsers' stack, which could not be caught."""
    nodes = [(tree, 0)]
    while nodes:
        node, depth = nodes.pop()
        if depth > _DEEPEST_NESTING:
            raise _too_deep(source.path)
        nodes += [(child, depth + _levels(child)) for child in ast.iter_child_nodes(node)]


def _levels(node: ast.AST) -> int:
    """Return how many levels deep LibCST nests a node: ``a or b or c`` is a list to the compiler, a chain to LibCST."""
    return len(node.values) if isinstance(node, ast.BoolOp) else 1

"""Python source as the engine sees it: text that keeps its bytes, scopes found by name, nodes with offsets.

The compiler's own front end (:mod:`ast`) says where a scope such as ``BaseTrainer._setup_train`` is; only that
slice is parsed by LibCST, which is what keeps a run over files of a thousand lines well under a second. Offsets always
count characters of the whole file, so an edit is a splice and every byte outside it survives.
"""

from __future__ import annotations

import ast
import functools
import io
import re
import sys
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from distillpatch.engine.nesting import refuse_long_names
from distillpatch.engine.scope import DEFINITIONS, MODULE, Scope
from distillpatch.engine.text import SourceError, Text
from distillpatch.syntax import parse

# What git, and others, leave where two versions of a file overlap.
_CONFLICT = re.compile(r"^([<|=>])\1{6}(?![<|=>])", re.MULTILINE)
# Seven times the longest of any release. LibCST's parser alone takes 9 s for 1 MB, see docs/cost.md.
LONGEST_SOURCE = 700 * 1024


class Source(Text):
    """One Python file.

    Args:
        path: Name of the file in messages.
        content: Its bytes. A byte order mark, the declared encoding and the kind of line ending are kept.

    Attributes:
        tree: Its syntax tree, as the compiler parses it.

    Raises:
        SourceError: If the bytes do not decode or do not parse as Python.
    """

    def __init__(self, path: str, content: bytes) -> None:
        if len(content) > LONGEST_SOURCE:
            raise SourceError(
                f"{path} has {len(content):,} bytes: expected Python source of at most {LONGEST_SOURCE:,}. Restore "
                "the release's own file."
            )
        self.encoding, text = _decoded(path, content)
        super().__init__(path, text)
        if self.encode(text) != content:
            raise SourceError(f"{path} cannot be decoded from {self.encoding} and encoded again without loss")
        refuse_long_names(path, text)
        self.tree = self._parse()
        self._scopes: dict[str, list[Scope]] = {}

    def _parse(self) -> ast.Module:
        try:
            return parse(self.text)
        except SyntaxError as error:
            marks = [*_CONFLICT.finditer(self.text)]
            if any(mark[1] == "<" for mark in marks):
                lines = ", ".join(str(self.line_of(mark.start())) for mark in marks)
                at = "line" if len(marks) == 1 else "lines"
                raise SourceError(
                    f"{self.path} has the marks of a merge conflict, at {at} {lines}. Finish the merge first."
                ) from error
            where = f" (line {error.lineno})" if error.lineno else ""
            raise self._unparsed(where, error.msg) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise self._unparsed("", f"{error or type(error).__name__}") from error

    def _unparsed(self, where: str, reason: str) -> SourceError:
        running = ".".join(map(str, sys.version_info[:2]))
        return SourceError(
            f"{self.path} cannot be parsed by Python {running}, which distillpatch runs on{where}: {reason}. "
            "Fix it there. If the code is for a newer Python, run distillpatch with that one."
        )

    def encode(self, text: str) -> bytes:
        """Return ``text`` as bytes in this file's encoding, byte order mark included.

        Raises:
            SourceError: If the encoding has no bytes for a character of ``text``.
        """
        try:
            return text.encode(self.encoding)
        except UnicodeError as error:
            raise SourceError(f"{self.path} cannot hold what would be added: {error}") from error

    def scopes(self, name: str) -> list[Scope]:
        """Return the classes or functions of that dotted name, in the file's order; ``<module>`` is the file itself.

        Definitions under ``if``, ``try`` or ``with`` count as well.
        """
        if name not in self._scopes:
            self._scopes[name] = list(self._find_scopes(name))
        return self._scopes[name]

    def _find_scopes(self, name: str) -> Iterator[Scope]:
        if name == MODULE:
            yield Scope(self, name, self.tree, 1, self.line_count)
            return
        nodes: list[ast.AST] = [self.tree]
        for part in name.split("."):
            nodes = [child for node in nodes for child in _definitions(node) if child.name == part]
        for node in nodes:
            assert isinstance(node, DEFINITIONS) and node.end_lineno
            first_line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield Scope(self, name, node, first_line, node.end_lineno)

    def definitions(self) -> Iterator[tuple[str, int]]:
        """Yield the dotted name and the line of every class and of every function that is not inside another."""
        for node in _definitions(self.tree):
            yield node.name, node.lineno
            if isinstance(node, ast.ClassDef):
                for child in _definitions(node):
                    yield f"{node.name}.{child.name}", child.lineno

    @property
    def head(self) -> int:
        """The offset of the first line after the docstring and the comments at the head of the file."""
        body = self.tree.body
        if ast.get_docstring(self.tree, clean=False) is not None:
            return self.line_end(self.offset(body[0].end_lineno or 1, 0))
        line = 1
        while line < self.line_count and self.line_text(line).startswith("#"):
            line += 1
        return self.offset(line, 0)

    def imports(self) -> list[Import]:
        """Return the ``import`` statements of the module's own block, up to the first definition."""
        statements = []
        for node in self.tree.body:
            if isinstance(node, DEFINITIONS):
                break
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
                statements.append(Import(module, node.lineno, node.end_lineno or node.lineno))
        return statements


@functools.lru_cache(16)
def look_at(path: str, content: bytes) -> Source:
    """Return a file's source, the same for all who look at the same file: none of them changes it.

    A patch set edits six files, which are looked at several times where edits made by hand are taken out.
    """
    return Source(path, content)


def _decoded(path: str, content: bytes) -> tuple[str, str]:
    """Return the encoding of a Python file, and its text.

    Raises:
        SourceError: If the bytes are not of that encoding, with the line.
    """
    encoding = "utf-8"
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return encoding, content.decode(encoding)
    except (SyntaxError, LookupError, UnicodeError) as error:
        reason, line = str(error), 0
        try:
            content.decode(encoding)
        except UnicodeDecodeError as undecoded:
            reason = f"expected {encoding}, found the byte 0x{content[undecoded.start]:02x}"
            line = content.count(b"\n", 0, undecoded.start) + 1
        except (LookupError, UnicodeError):
            pass  # an encoding that Python does not know, or that is none of text
        where = f" (line {line})" if line else ""
        raise SourceError(
            f"{path} cannot be decoded{where}: {reason}. Save it as UTF-8, or name its encoding in its first line."
        ) from error


@dataclass(frozen=True)
class Import:
    """An ``import`` statement: the module that it names, its first and its last line."""

    module: str
    first_line: int
    last_line: int


def _definitions(node: ast.AST) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the definitions of a block, those under ``if``, ``try`` or ``with`` included."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, DEFINITIONS):
            yield child
        elif isinstance(child, (ast.stmt, ast.excepthandler)):
            yield from _definitions(child)


def check_compiles(path: str, content: bytes) -> None:
    """Make sure that Python can compile a file, which refuses more than its grammar does.

    Raises:
        SourceError: If it cannot: a name occurs twice among the parameters of a function, say.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(content, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise SourceError(f"{path} does not compile (line {error.lineno}): {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise SourceError(f"{path} does not compile: {error or type(error).__name__}") from error

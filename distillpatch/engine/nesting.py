"""Nesting is measured before anything recursive looks at it: a stack that overflows takes the process along."""

from __future__ import annotations

import ast
import re

from distillpatch.engine.text import SourceError, Text

# Real code nests to about 20 levels.
_DEEPEST_NESTING = 90

_STRING = re.compile(r"""(\"{3}|'{3}|["'])(?:\\.|(?!\1).)*\1""", re.DOTALL)
_DOTTED_NAME = re.compile(r"\b\w+(?:[\s\\]*\.[\s\\]*\w+)+")


def refuse_long_names(path: str, text: str) -> None:
    """Raise SourceError for ``import a.b.c`` and so on, for which the compiler takes the square of its length."""
    if any(name.group().count(".") > _DEEPEST_NESTING for name in _DOTTED_NAME.finditer(text)):
        raise _too_deep(f"a dotted name in {path}")


def refuse_deep_nesting(source: Text, tree: ast.AST) -> None:
    """Raise SourceError for nesting that LibCST's parser, or what looks at its tree, could not take."""
    nodes = [(tree, 0)]
    while nodes:
        node, depth = nodes.pop()
        if depth > _DEEPEST_NESTING:
            raise _too_deep(source.path)
        for name in node._fields:
            value = getattr(node, name, None)
            for child in value if type(value) is list else (value,):
                if isinstance(child, ast.AST) and child._fields:  # not Load(), Add() and so on
                    nodes.append((child, depth + _levels(source, child)))


def _levels(source: Text, node: ast.AST) -> int:
    """Return how many levels deep LibCST nests a node.

    ``a or b or c``, and strings that follow each other, are one node to the compiler and a chain to LibCST.
    """
    if isinstance(node, ast.BoolOp):
        return len(node.values)
    if isinstance(node, (ast.Constant, ast.JoinedStr)):
        last = node.end_lineno or node.lineno
        if last > node.lineno or (node.end_col_offset or 0) - node.col_offset > 2 * _DEEPEST_NESTING:
            return _strings("\n".join(map(source.line_text, range(node.lineno, last + 1))))
    return 1


def _strings(lines: str) -> int:
    """Return how many strings there are in some lines, if they are many enough to count; at least 1."""
    if lines.count("'") + lines.count('"') < 2 * _DEEPEST_NESTING:
        return 1
    return len(_STRING.findall(lines))


def _too_deep(what: str) -> SourceError:
    return SourceError(f"{what} nests deeper than {_DEEPEST_NESTING} levels; is it really written by hand?")

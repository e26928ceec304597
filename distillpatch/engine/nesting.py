"""Nesting is measured before anything recursive looks at it: a stack that overflows takes the process along."""

from __future__ import annotations

import ast
import re

import libcst as cst

from distillpatch.engine.nodes import children
from distillpatch.engine.text import SourceError

# Real code nests to about 20 levels.
_DEEPEST_NESTING = 90

# LibCST has about three nodes for one of the compiler's; strings that follow each other are a chain to it.
_DEEPEST_TREE = 3 * _DEEPEST_NESTING

_DOTTED_NAME = re.compile(r"\b\w+(?:[\s\\]*\.[\s\\]*\w+)+")


def refuse_long_names(path: str, text: str) -> None:
    """Raise SourceError for ``import a.b.c`` and so on, for which the compiler takes the square of its length."""
    if any(name.group().count(".") > _DEEPEST_NESTING for name in _DOTTED_NAME.finditer(text)):
        raise _too_deep(f"a dotted name in {path}")


def refuse_deep_nesting(path: str, tree: ast.AST) -> None:
    """Raise SourceError for nesting that LibCST's parser could not take."""
    nodes = [(tree, 0)]
    while nodes:
        node, depth = nodes.pop()
        if depth > _DEEPEST_NESTING:
            raise _too_deep(path)
        nodes += [(child, depth + _levels(child)) for child in ast.iter_child_nodes(node)]


def refuse_deep_tree(path: str, tree: cst.CSTNode) -> None:
    """Raise SourceError for a tree that is too deep to be compared or printed."""
    level: list[cst.CSTNode] = [tree]
    for _ in range(_DEEPEST_TREE):
        level = [child for node in level for child in children(node)]
    if level:
        raise _too_deep(path)


def _levels(node: ast.AST) -> int:
    """Return how many levels deep LibCST nests a node: ``a or b or c`` is a list to the compiler, a chain to LibCST."""
    return len(node.values) if isinstance(node, ast.BoolOp) else 1


def _too_deep(what: str) -> SourceError:
    return SourceError(f"{what} nests deeper than {_DEEPEST_NESTING} levels; is it really written by hand?")

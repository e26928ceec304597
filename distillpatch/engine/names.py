"""Names that are left over when code is gone: those that only it bound, and those that only it read."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator

from distillpatch.syntax import parse

_ALWAYS_THERE = frozenset({*dir(builtins), "__file__", "__path__", "__annotations__"})


def lost_names(before: str, after: str) -> dict[str, int]:
    """Return the names that a file reads though the code that bound them is gone.

    Args:
        before: The file with that code.
        after: The file without it.

    Returns:
        For each name, and each attribute as ``.name``, the first line of ``after`` that reads it.
    """
    old, new = parse(before), parse(after)
    lost = unbound_names(after) - unbound_names(before)
    lost |= (_attributes(old, ast.Store) - _attributes(new, ast.Store)) & _attributes(new, ast.Load)
    lines: dict[str, int] = {}
    for name, line in _reads(new):
        if name in lost:
            lines[name] = min(line, lines.get(name, line))
    names = {name for name, _ in _reads(old)}
    return {name: line for name, line in lines.items() if name in names}


def idle_names(before: str, after: str) -> dict[str, int]:
    """Return the names that functions set though the code in them that read these names is gone.

    Args:
        before: The file with that code.
        after: The file without it.

    Returns:
        For each name, the first line of ``after`` that sets it.
    """
    old = _functions(parse(before))
    lines: dict[str, int] = {}
    for scope, function in _functions(parse(after)).items():
        lost = _names(old[scope], ast.Load).keys() - _names(function, ast.Load).keys() if scope in old else set()
        lines |= {name: line for name, line in _names(function, ast.Store).items() if name in lost}
    return lines


def _functions(tree: ast.AST, within: str = "") -> dict[str, ast.AST]:
    """Return the outermost functions of a file, by their dotted names."""
    found: dict[str, ast.AST] = {}
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found[f"{within}{node.name}"] = node
        elif isinstance(node, ast.ClassDef):
            found |= _functions(node, f"{within}{node.name}.")
    return found


def _names(tree: ast.AST, context: type[ast.expr_context]) -> dict[str, int]:
    """Return the names that are read, or set, and the first line of each."""
    lines: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, context):
            lines[node.id] = min(node.lineno, lines.get(node.id, node.lineno))
    return lines


def unbound_names(text: str) -> set[str]:
    """Return the names that a file reads and that nothing in it binds; what ``import *`` brings is not known."""
    return set(_unbound(text))


def _unbound(text: str) -> Iterator[str]:
    """Yield the names that are read and that nothing in the file binds."""
    module = symtable.symtable(text, "", "exec")
    in_module = [symbol for symbol in module.get_symbols() if symbol.is_assigned() or symbol.is_imported()]
    bound = {symbol.get_name() for symbol in in_module} | _ALWAYS_THERE
    tables = [module]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (symbol.is_global() or table is module) and symbol.get_name() not in bound:
                yield symbol.get_name()


def _attributes(tree: ast.AST, context: type[ast.expr_context]) -> set[str]:
    """Return the attributes that are read, or set, as ``.name``."""
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return {f".{node.attr}" for node in nodes if isinstance(node.ctx, context)}


def _reads(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield f".{node.attr}", node.lineno

"""What is known of LibCST's nodes: which of their parts mean something, and which are sequences of items."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TypeGuard

import libcst as cst

Items = Sequence[cst.CSTNode]
"""The items of a bracket or of a block: arguments, parameters, elements, subscripts or statements."""

LITERALS = (cst.SimpleString, cst.Integer, cst.Float)
"""What is written in several ways and means the same."""

# Fields that hold formatting.
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

# The fields that are the items of a node, for nodes that have such.
_ITEMS: dict[type[cst.CSTNode], tuple[str, ...]] = {
    cst.Call: ("args",),
    cst.ClassDef: ("bases", "keywords"),
    cst.Dict: ("elements",),
    cst.ImportFrom: ("names",),
    cst.IndentedBlock: ("body",),
    cst.List: ("elements",),
    cst.Module: ("body",),
    # ``**kwargs`` is no item: it is always the last.
    cst.Parameters: ("posonly_params", "posonly_ind", "params", "star_arg", "kwonly_params"),
    cst.Set: ("elements",),
    cst.Subscript: ("slice",),
    cst.Tuple: ("elements",),
}


@cache
def _is_kind(kind: type) -> bool:
    return issubclass(kind, cst.CSTNode)


def is_node(value: object) -> TypeGuard[cst.CSTNode]:
    """Return whether a value is a node; ``isinstance`` takes ten times as long, since LibCST's classes are abstract."""
    return _is_kind(type(value))  # type: ignore[arg-type]


def items(node: cst.CSTNode) -> Items | None:
    """Return the items of a node in order, ``/`` and ``*`` of a signature among them; None for a node without any."""
    fields = _ITEMS.get(type(node))
    if fields is None:
        return None
    if len(fields) == 1 and isinstance(value := getattr(node, fields[0]), (list, tuple)):
        return value  # "from m import *" has no list
    found: list[cst.CSTNode] = []
    for name in fields:
        value = getattr(node, name)
        found += value if isinstance(value, (list, tuple)) else [value]
    return [item for item in found if is_node(item)]


@cache
def fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """Return the names of the fields of a node that say what it means, its items not among them."""
    left_out = {*_FORMATTING, *_ITEMS.get(kind, ())}
    names = (item.name for item in dataclasses.fields(kind))
    return tuple(name for name in names if name not in left_out and not name.startswith("whitespace"))


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield the parts of a node that mean something; LibCST's own ``children`` visits every blank as well."""
    for name in fields(type(node)):
        value = getattr(node, name)
        if is_node(value):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from (item for item in value if is_node(item))
    yield from items(node) or ()


def tree(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield a node and all that means something in it, outer nodes first."""
    nodes = [node]
    while nodes:
        node = nodes.pop()
        yield node
        nodes += reversed([*children(node)])


def canonical(value: object) -> object:
    """Return what code means, however it is laid out: equal for equal code, and hashable."""
    if type(value) in LITERALS:
        return type(value), value.evaluated_value  # type: ignore[attr-defined]
    if is_node(value):
        parts = [canonical(getattr(value, name)) for name in fields(type(value)) if name not in ("start", "end")]
        return type(value), *parts, canonical(items(value))
    if isinstance(value, (list, tuple)):
        return tuple(map(canonical, value))
    return value

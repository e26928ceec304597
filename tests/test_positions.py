"""Where nodes are: as LibCST itself has it for the whole file, though only a statement of it is looked at."""

from __future__ import annotations

import libcst as cst
import pytest
from hunks import pristine
from libcst.metadata import MetadataWrapper, PositionProvider

from distillpatch.engine import positions
from distillpatch.engine.nodes import tree
from distillpatch.engine.scope import MODULE
from distillpatch.engine.source import Source

TRICKY = """\
'''Docs.'''
@decorated(a)
@b
class A(B, metaclass=C):
  x: int = 1; y = (2); z = [
    "é", 漢,
  ]

  async def f(self, *a, b: int = (1), **c) -> d:
    if a: pass
    elif (b):
        g(  # why
            1, x=[i for i in (range(3))],
  )
    elif c and (
        d
    ):
        h()
    else: i(); j()
    try:
        with a as b, (c): ...
    except (E, F) as e:
        raise
    else:
        pass
    finally:
        for x, in y:
            continue
        else: break
    while True: x = \\
        1; y = f"{x}é{y!r:>{w}}"
    async with q:
        return lambda a, /, *, b=1: (yield)
    match (x):
        case [1, *_] if k: z()
        case {"a": A(b=1)}:
            def inner(): pass
"""


def _told(path: str, content: bytes) -> None:
    """Compare the span of every expression, item and statement of a file."""
    source = Source(path, content)
    (scope,) = source.scopes(MODULE)
    module = scope.tree
    expected = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    kinds = (cst.BaseExpression, cst.BaseStatement, cst.Arg, cst.Param, cst.BaseElement, cst.SubscriptElement)
    compared = 0
    for statement in module.body:
        for node in tree(statement):
            if isinstance(node, kinds) and not isinstance(node, cst.IndentedBlock):
                place = expected[node]
                told = scope.span(node)
                ends = [source.offset(at.line, at.column) for at in (place.start, place.end)]
                assert [*told] == ends, (source.text[slice(*told)], source.text[slice(*ends)])
                compared += 1
    assert compared > 50


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_node_is_where_libcst_has_it(newline: str) -> None:
    _told("m.py", TRICKY.replace("\n", newline).encode())


@pytest.mark.parametrize("release", ["8.0.136", "8.4.190"])
def test_every_node_of_a_release_is_where_libcst_has_it(release: str) -> None:
    for path, content in pristine(release).items():
        if content is not None and path.endswith(("detect/train.py", "engine/model.py")):
            _told(path, content)


def test_an_interruption_arrives_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """LibCST's pass turns any exception into a KeyError, of a node that has no place yet."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cst.Name, "_codegen_impl", interrupt)
    with pytest.raises(KeyboardInterrupt):
        positions.positions(cst.parse_module("def f():\n    if a:\n        return b\n"))

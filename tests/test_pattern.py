"""What a pattern matches, and what it does not: structure counts, layout does not."""

from __future__ import annotations

import libcst as cst
import pytest

from distillpatch.engine.matching import Code, find
from distillpatch.engine.pattern import Pattern, PatternError


def count(pattern: str, code: str) -> int:
    return len(find(Pattern(pattern), Code(cst.parse_module(code).body)))


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        # Layout, quotes, comments, parentheses, trailing commas.
        ("f(a, b)", "f( a,b )"),
        ("f(a, b)", "f(\n    a,  # first\n    b,\n)"),
        ("f(a)", "(f)((a))"),
        ('x["k"]', "x['k']"),
        ('f("k")', 'f("""k""")'),
        ("x = 1000", "x = 1_000"),
        ("x = 16", "x = 0x10"),
        ("x = 1e3", "x = 1000.0"),
        ("(a, b)", "a, b"),
        ("x = a, b", "x = (a, b,)"),
        ("x = a + b", "x = (a +\n    b)"),
        ("assert a", "assert (a)  # why"),
        ("f(f'{a}')", 'f(f"{a}")'),
        # What the pattern leaves open: type hints, decorators.
        ("x = 1", "x: int = 1"),
        ("self.x = 1", "self.x: 'int' = 1"),
        ("def f(a):\n    ...", "@cached\ndef f(a: int) -> str:\n    return a"),
        # Holes.
        ("self.x = $VALUE", "self.x = a if b else c"),
        ("$A = $A + 1", "n = n + 1"),
        ("$A = $A + 1", "n[i, j] = n[i,j] + 1"),
        ("f($A, $B)", "f(x, x)"),
        # Gaps: none, one, many.
        ("f(...)", "f()"),
        ("f(...)", "f(a, *b, c=1, **d)"),
        ("f(a, ...)", "f(a)"),
        ("f(a, ..., b=$B)", "f(a, c, d=1, b=2)"),
        ("f(..., b=$B, ...)", "f(a, b=2, c=3)"),
        ('{"a", ...}', "{'a', 'b'}"),
        ('{..., "b", ...}', "{'a', 'b', 'c'}"),
        ('["a", ...]', "['a']"),
        ('(..., "b")', "('a', 'b')"),
        ("for $I in $X:\n    ...", "for i in range(3):\n    a()\n    b()"),
        ("def f(self, ...):\n    ...", "def f(self, a, *b, c=1, **d):\n    pass"),
        ("def f(self, ..., c=1):\n    ...", "def f(self, a, *b, c=1):\n    pass"),
        ("def f(..., b, ...):\n    ...", "def f(a, b, c):\n    pass"),
        ("def f(..., b, ...):\n    ...", "def f(b):\n    pass"),
        ("def f(self, ..., b=$B, ...):\n    ...", "def f(self, a=1, *, b=2, c=3, **d):\n    pass"),
        ("a()\n...\nb()", "a()\nb()"),
        ("a()\n...\nb()", "a()\nc()\nd()\nb()"),
        # Real ellipses and dollars in strings are what they are.
        ("x = ...", "x = ..."),
        ('f("...")', "f('...')"),
        ('f("$A")', "f('$A')"),
        # Anywhere, if it is an expression; in any block, if it is a statement.
        ("len(x)", "y = [a for a in b if len(x) > 1]"),
        ("len(x)", "def f(a=len(x)):\n    pass"),
        ("len(x)", "if a:\n    pass\nelif len(x):\n    pass"),
        ("x = 1", "try:\n    pass\nfinally:\n    x = 1"),
        ("x = 1", "try:\n    pass\nexcept E:\n    x = 1"),
        ("x = 1", "with a as b:\n    for c in d:\n        x = 1"),
        ("x = 1", "for a in b:\n    pass\nelse:\n    x = 1"),
    ],
)
def test_matches_once(pattern: str, code: str) -> None:
    assert count(pattern, code) == 1


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("f(a, b)", "f(b, a)"),
        ("f(a)", "f(a, b)"),
        ("f(a)", "f(*a)"),
        ("f(a=1)", "f(b=1)"),
        ("f(a)", "g.f(a)"),
        ("f.a(b)", "f.b(a)"),
        ('f("k")', "f(b'k')"),
        ('f("ab")', "f('a' 'b')"),
        ("x = 1", "x = 1.0"),
        ("x = 1", "x += 1"),
        ("x = 1", "x: int"),
        ("x = 1", "y = x = 1"),
        ("a + b", "a - b"),
        ("a - b", "b - a"),
        ("a + b + c", "a + (b + c)"),
        ("x == 1", "x != 1"),
        ("not a", "a"),
        ("x = 1", "# x = 1"),
        ("x = 1", "'x = 1'"),
        ("$A = $A + 1", "n = m + 1"),
        ("f($A, $A)", "f(x, y)"),
        ("f($A, $A)", "f(x[0], x[1])"),
        ("f($A)", "f()"),
        ("f($A)", "f(a, b)"),
        ("f($A)", "f(*a)"),
        ("f($A)", "f(k=a)"),
        ("f(a, ...)", "f(b, a)"),
        ("f(..., a)", "f(a, b)"),
        ('{"a", ...}', "['a']"),
        ('{"a", ...}', "{'b', 'a'}"),
        ("def f(a):\n    ...", "def f(a, b):\n    pass"),
        ("def f(..., b, ...):\n    ...", "def f(a, c=b):\n    b()"),
        ("def f(a):\n    ...", "def f(a=1):\n    pass"),
        ("def f(a, b):\n    ...", "def f(a, *, b):\n    pass"),
        ("def f(a, b):\n    ...", "def f(a, /, b):\n    pass"),
        ("def f(a: int):\n    ...", "def f(a: str):\n    pass"),
        ("def f(a):\n    ...", "class f(a):\n    pass"),
        ("a()\nb()", "a()\nc()\nb()"),
        ("a()\nb()", "b()\na()"),
        ("a()\nb()", "if x:\n    a()\nb()"),
        ("if x:\n    ...", "if x:\n    a()\nelse:\n    b()"),
        ("for i in x:\n    a()", "for i in x:\n    a()\n    b()"),
        ("with a:\n    ...", "with a as b:\n    pass"),
        ("return x", "yield x"),
    ],
)
def test_left_alone(pattern: str, code: str) -> None:
    assert count(pattern, code) == 0


@pytest.mark.parametrize(
    ("pattern", "code", "matches"),
    [
        ("f($A)", "f(1)\nf(2)", 2),
        ("f($A)", "f(f(1))", 2),
        ("x = 1", "x = 1\nif a:\n    x = 1\nelse:\n    x = 1", 3),
        ("...\na()", "b()\na()", 2),
    ],
)
def test_every_match_is_found(pattern: str, code: str, matches: int) -> None:
    assert count(pattern, code) == matches


def test_a_lone_expression_can_be_meant_as_a_statement() -> None:
    (statement,) = cst.parse_module("x = f()\n").body
    assert len(find(Pattern("f()"), Code([statement]))) == 1
    assert len(find(Pattern("f()", as_statements=True), Code([statement]))) == 0


def test_the_names_that_code_must_have() -> None:
    pattern = Pattern("for $I in model.parts():\n    ...\nself.x = g(..., key='text')")
    words = {"model", "parts", "self", "x", "g", "key"}
    assert pattern.can_match(words)
    assert not any(pattern.can_match(words - {word}) for word in words)


@pytest.mark.parametrize("text", ["f(", "x = = 1", "$a", "def f(self):", "f(a, ..., $)"])
def test_what_is_not_python_with_holes_is_refused(text: str) -> None:
    with pytest.raises(PatternError, match="the pattern does not parse") as caught:
        Pattern(text)
    assert text in str(caught.value)

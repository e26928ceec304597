"""What a pattern matches, and what it does not: structure counts, layout does not."""

from __future__ import annotations

from collections.abc import Mapping

import libcst as cst
import pytest

from distillpatch.engine import matching
from distillpatch.engine.matching import Code, TooRepetitive, _Search, find
from distillpatch.engine.pattern import Pattern, PatternError
from distillpatch.engine.spelling import required_words, split_choices


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
        ("def f(a=g(), ..., b=1, ...):\n    ...", "def f(a=g(), x=2, *, b=1, c, **d):\n    pass"),
        ("def f(..., a=g(), b=(1, 2), ...):\n    ...", "def f(x, a=g(), b=(1, 2)):\n    pass"),
        ("def f(..., *a, ..., b):\n    ...", "def f(x, *a, c=1, b):\n    pass"),
        ("def f(..., k=1, ..., *a, ...):\n    ...", "def f(x, k=1, y=2, *a, b):\n    pass"),
        ("def f(a, **k):\n    ...", "def f(a, **k):\n    pass"),
        ("lambda a, ...: b", "lambda a, *c, **d: b"),
        ("class A(..., B, ...):\n    ...", "class A(C, B, metaclass=M):\n    pass"),
        ("x[...]", "x[a, 1:2]"),
        ("x[a, ...]", "x[a]"),
        ('{"a": 1, ...}', '{"a": 1, "b": 2, **c}'),
        ('{..., "b": $B}', '{"a": 1, "b": 2}'),
        ("{**a, ...}", "{**a}"),
        ("f(lambda a: {b, ...})", "f(lambda a: {b, c})"),
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
        ("x[a, ...]", "x[b]"),
        ('{"a": 1, ...}', '{"b": 2}'),
        ('{"a": 1, ...}', '{"a"}'),
        ("def f(a, **k):\n    ...", "def f(a):\n    pass"),
        ("def f(a):\n    ...", "def f(a, **k):\n    pass"),
        ("class A(B):\n    ...", "class A(B, metaclass=M):\n    pass"),
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
    pattern = "for $I in model.parts():\n    ...\nself.x = g(..., 1_0, key=f'text')"
    assert required_words(pattern) == {"for", "in", "model", "parts", "self", "x", "g", "key"}


@pytest.mark.parametrize(
    ("pattern", "choices", "code", "matches"),
    [
        ("f($X)", {"X": ["a", "b.$Y"]}, "f(a)\nf(b)\nf(b.c)\nf(c)", 2),
        ("$X + $X", {"X": ["a", "b"]}, "a + a\na + b\nb + b\nc + c", 2),
        ("f($N=1)", {"N": ["a", "b"]}, "f(a=1)\nf(c=1)", 1),
        ("def f(..., $N, ...):\n    ...", {"N": ["a", "b"]}, "def f(x, b):\n    pass", 1),
        ("$X", {"X": ["f($Y)", "self.$Y"], "Y": ["a", "b"]}, "f(a)\nself.b\nf(c)\nself.c", 2),
        ("f($X, ..., $Y)", {"X": ["a", "g(...)"]}, "f(g(1, 2), 3, 4)", 1),
    ],
)
def test_what_a_hole_may_stand_for(pattern: str, choices: Mapping[str, list[str]], code: str, matches: int) -> None:
    assert len(find(Pattern(pattern, choices=choices), Code(cst.parse_module(code).body))) == matches


def test_matches_of_several_kinds_come_in_the_codes_order() -> None:
    pattern = Pattern("$X", choices={"X": ["a[...]", "f(...)", "f.b"]})
    matches = find(pattern, Code(cst.parse_module("f(1)\na[0]\nf.b\nf(a[1])\n").body))
    kinds = [cst.Call, cst.Subscript, cst.Attribute, cst.Call, cst.Subscript]
    assert [type(match.holes["X"]) for match in matches] == kinds


def test_a_choice_is_divided_where_no_bracket_or_string_is_open() -> None:
    assert split_choices("a | f(b | c) | '|' | d") == ("a", "f(b | c)", "'|'", "d")


def test_a_gap_before_which_a_hole_was_filled_is_tried_again_for_other_code() -> None:
    code = "x = f(a)\nx = f(b)\nuse(c)\nuse(b)\n"
    (match,) = find(Pattern("x = f($X)\n...\nuse($X)"), Code(cst.parse_module(code).body))
    assert cst.Module([]).code_for_node(match.holes["X"]) == "b"


def test_what_would_take_the_square_of_the_block_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_MOST_COMPARISONS", 10_000)
    code = "".join(f"x = f({n})\n" for n in range(200))
    with pytest.raises(TooRepetitive):
        find(Pattern("x = f($X)\n...\nuse($X)"), Code(cst.parse_module(code).body))


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("a()\n...\nb()\n...\nc()", "a()\n" * 1_000 + "b()\n" * 1_000),
        ("a()\n...\nb()\n...\nc()\n...\nd()", "a()\n" * 1_000 + "b()\n" * 1_000 + "c()\n" * 1_000),
        ("a()\n...\nb()", "a()\n" * 2_000 + "b()\n"),
        ("with x:\n    ...\n    a()\n    ...\n    b()\n    ...", "with x:\n" + "    a()\n    c()\n" * 1_000),
        ("f(..., a, ..., b, ..., c)", f"f({'a, b, ' * 1_000})"),
        ("x = $X\n...\ny = $Y\n...\nz()", "".join(f"x = {n}\n" for n in range(1_000)) + "y = 1\n" * 1_000),
    ],
)
def test_the_time_grows_with_the_block_and_not_with_a_power_of_it(pattern: str, code: str) -> None:
    search = _Search(Pattern(pattern))
    for block, _ in Code(cst.parse_module(code).body).blocks:
        for start in range(len(block)):
            search.statements(block, start, False)
    if search._pattern.expression:
        for node in Code(cst.parse_module(code).body).nodes(search._pattern.kinds):
            search.expression(node)
    assert search._comparisons <= 8 * code.count("\n") + 16 * code.count(",")


@pytest.mark.parametrize(
    "text",
    [
        "if a: ...",
        "...; a()",
        "x = [... for a in b]",
        "@...\ndef f():\n    pass",
        "match x:\n    case [a, ...]:\n        pass",
        "$X",
    ],
)
def test_a_gap_or_a_hole_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(PatternError):
        Pattern(text)


@pytest.mark.parametrize("text", ["f(", "x = = 1", "$a", "def f(self):", "f(a, ..., $)"])
def test_what_is_not_python_with_holes_is_refused(text: str) -> None:
    with pytest.raises(PatternError, match="the pattern does not parse") as caught:
        Pattern(text)
    assert text in str(caught.value)

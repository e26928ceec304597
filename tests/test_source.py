"""Files that keep their bytes, scopes found by name, and what is no Python at all."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest

from distillpatch.engine.source import Source
from distillpatch.engine.text import SourceError


def source(text: str | bytes) -> Source:
    return Source("m.py", text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"x = 1\n", "utf-8"),
        (b"", "utf-8"),
        (b"\xef\xbb\xbfx = 1\r\n", "utf-8-sig"),
        (b"# coding: latin-1\nx = '\xe9'\n", "iso-8859-1"),
        (b"#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nx = '\x80'\n", "cp1252"),
        ("x = '漢字 😀'".encode(), "utf-8"),
        (b"x = 1\r\ny = 2\rz = 3\n\x0c\n", "utf-8"),
    ],
)
def test_bytes_survive_reading_and_writing(content: bytes, encoding: str) -> None:
    assert source(content).encoding == encoding
    assert source(content).encode(source(content).text) == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"x = 1\ny = = 2\n",
            r"m\.py cannot be parsed by Python 3\.\d+, which .* \(line 2\): .*newer Python, run distillpatch with that",
        ),
        (b"def f(:\n", r"cannot be parsed by Python .* \(line 1\)"),
        (b"if x:\n\ta()\n        b()\n", "cannot be parsed by Python"),
        (
            b"a()\r\n<<<<<<< HEAD\r\nx = 1\r\n=======\r\nx = 2\r\n>>>>>>> topic\r\n",
            r"^m\.py has the marks of a merge conflict, at lines 2, 4, 6\. Finish the merge first\.$",
        ),
        (b"'''\n=======\n'''\nx = = 1\n", "cannot be parsed by Python"),
        (b"x = '\x00'\n", "cannot be parsed by Python"),
        (
            b"y = 1\nx = '\xff'\n",
            r"m\.py cannot be decoded \(line 2\): expected utf-8, found the byte 0xff\. Save it as",
        ),
        (b"# coding: no-such-thing\n", r"m\.py cannot be decoded: unknown encoding"),
        (b"# coding: rot13\nk = 1\n", r"m\.py cannot be decoded"),
        (b"# coding: utf-7\nx = '+AGE-'\n", r"without loss"),
        (b"x" * (2 * 2**20), r"2,097,152 bytes: expected Python source of at most 716,800\."),
    ],
)
def test_what_is_not_python_is_named(content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        source(content)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "-" * 20_000 + "1\n",
        "x = " + "f(" * 95 + ")" * 95,
        "x = " + "(" * 190 + "1" + ")" * 190,
        "x = a" + " or a" * 10_000,
        "x = (" + "'a' " * 600 + ")",
        "x = (" + "'a' \n" * 600 + ")",
        "import a" + ".a" * 200_000,
        "from a" + " .\\\na" * 10_000 + " import b",
    ],
    ids=lambda text: text[:20],
)
def test_nesting_that_would_exhaust_the_parsers_is_refused_or_read(text: str) -> None:
    """In a process of its own, since a stack that overflows takes its process along."""
    program = (
        "import sys\n"
        "from distillpatch.engine.source import Source\n"
        "from distillpatch.engine.text import SourceError\n"
        "try:\n"
        "    (scope,) = Source('m.py', sys.stdin.buffer.read()).scopes('<module>')\n"
        "    scope.span(scope.code.statements[0])\n"
        "except SourceError:\n"
        "    pass\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=text.encode(), capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("code", "name"), [("x = {}1\n", "<module>"), ("class A:\n  def f(): return {}1\n", "A.f")])
def test_nesting_that_nobody_writes_is_told(code: str, name: str) -> None:
    (scope,) = source(code.format("-" * 80)).scopes(name)
    assert scope.code.statements
    (scope,) = source(code.format("'-' " * 80 + "* ")).scopes(name)
    assert scope.code.statements
    for deep in ("-" * 100, "'-' " * 100 + "* ", "('-'\n" + "'-' \n" * 100 + ") + "):
        (scope,) = source(code.format(deep)).scopes(name)
        with pytest.raises(SourceError, match=r"m\.py nests deeper than 90 levels"):
            _ = scope.code.statements


def test_what_cannot_be_encoded_is_told() -> None:
    with pytest.raises(SourceError, match=r"m\.py cannot hold what would be added"):
        source(b"# coding: latin-1\n").encode("漢")


def test_the_warnings_of_the_compiler_are_not_ours() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source('x = "\\d"\nif x is 1: pass\n')


CODE = """\
class A:
    def f(self):
        def inner():
            pass

    if True:
        def g(self): pass
    else:
        def g(self): pass

    class B:
        @first
        @second
        def f(self):
            return 1  # end

def f(): pass

try:
    def h(): pass
except E:
    with x:
        def i(): pass
"""


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("<module>", [(1, 23)]),
        ("A", [(1, 15)]),
        ("A.f", [(2, 4)]),
        ("A.g", [(7, 7), (9, 9)]),
        ("A.B.f", [(12, 15)]),
        ("A.f.inner", [(3, 4)]),
        ("f", [(17, 17)]),
        ("h", [(20, 20)]),
        ("i", [(23, 23)]),
        ("inner", []),
        ("g", []),
        ("A.h", []),
        ("a", []),
        ("B.f", []),
    ],
)
def test_scopes_are_found_by_name(name: str, lines: list[tuple[int, int]]) -> None:
    found = source(CODE.rstrip("\n")).scopes(name)
    assert [(scope.first_line, scope.last_line) for scope in found] == lines


@pytest.mark.parametrize(
    ("code", "name", "indent"),
    [
        ("class A:\n  def f():\n    pass\n", "A", "  "),
        ("class A:\n  def f():\n    pass\n", "A.f", "  "),
        ("if x:\n   class A:\n      def f():\n         pass\n", "A.f", "   "),
        ("class A:\n\tdef f():\n\t\tpass\n", "A.f", "\t"),
        ("class A:\n    def f():\n      @d\n      def g(): pass\n", "A.f", "  "),
        ("def f(\n        a):\n  pass\n", "f", "  "),
        ("def f(): pass\n", "f", "    "),
        ("if x:\n  pass\n", "<module>", "  "),
    ],
)
def test_one_level_of_indentation(code: str, name: str, indent: str) -> None:
    (scope,) = source(code).scopes(name)
    assert scope.indent == indent


def test_spans_are_offsets_in_the_file() -> None:
    text = "# é\nclass A:\n\n    def f(self, a=(1)):\n        return (  # 漢\n            (self)\n        )\n"
    code = source(text)
    (scope,) = code.scopes("A.f")
    value = scope.code.statements[0].body.body[0].body[0].value  # type: ignore[attr-defined]
    start, end = scope.span(value)
    assert text[start:end] == "self"
    start, end = scope.outer_span(value)
    assert text[start:end] == "(  # 漢\n            (self)\n        )"


def test_lines_and_offsets() -> None:
    code = source("a\r\nbb\rccc\n\nd")
    assert [code.line_text(line) for line in range(1, code.line_count + 1)] == ["a", "bb", "ccc", "", "d"]
    assert [code.line_of(offset) for offset in (0, 1, 2, 3, 4, 6, 9, 10, 11)] == [1, 1, 1, 2, 2, 3, 3, 4, 5]
    assert code.line_start(5) == 3 and code.line_end(4) == 6 and code.line_end(11) == 12
    assert code.newline == "\r\n"


def test_reading_a_file_runs_nothing_of_it() -> None:
    program = (
        "import sys\n"
        "from distillpatch.engine.source import Source\n"
        "before = set(sys.modules)\n"
        "source = Source('m.py', b'import this\\nprint(1)\\n')\n"
        "source.scopes('<module>')[0].tree\n"
        "sys.exit('this' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")

"""The notation: what a patch file may say, what it means, and what is told of one that says it wrongly."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hunks import patch_set, patched

from distillpatch.engine.modification import Line
from distillpatch.engine.notation import PatchSetError
from distillpatch.engine.patchset import PatchSet, parse
from distillpatch.engine.pattern import PatternError
from distillpatch.engine.plan import PlanError, make_plan
from distillpatch.engine.refusal import require
from distillpatch.patch_sets import built_in

HUNK = "--- pkg/m.py  f\n  a()\n+ b()\n"


def parsed(files: Mapping[str, str], package: str | None = None) -> PatchSet:
    return parse({name: text.encode() for name, text in files.items()}, "a-name", package)


def test_a_modification_as_it_is_read() -> None:
    (modification,) = patch_set(
        """\
        # A comment.
        +++ pkg/new.py  New.py

        --- pkg/m.py  A.f
          a()
        -
        - b()
        +
        + c()
        or
        # For later releases.
        --- pkg/n.py  A
        + d()
          e()
        or
          f()
        + g()

        --- pkg/m.py
        + from x import y

        !!! pkg/m.py  A
          $X.by_hand
        """,
        **{"New.py": "x = 1\n"},
    ).modifications
    assert str(modification) == "modification 1 (section 1.0: Test.)"
    assert [(file.path, file.content) for file in modification.new_files] == [("pkg/new.py", b"x = 1\n")]
    (first, second, third), (imports,) = (hunk.alternatives for hunk in modification.hunks)
    assert (first.path, first.scope, first.origin) == ("pkg/m.py", "A.f", "01-test.patch:7")
    assert first.lines == (Line(" ", "a()"), Line("-", ""), Line("-", "b()"), Line("+", ""), Line("+", "c()"))
    assert (first.pattern, first.added) == ("a()\n\nb()", "\nc()")
    assert (second.path, second.scope, third.path, third.scope) == ("pkg/n.py", "A", "pkg/n.py", "A")
    assert (imports.scope, imports.pattern) == ("<module>", "")
    assert [(sign.path, sign.scope, sign.pattern) for sign in modification.signs] == [("pkg/m.py", "A", "$X.by_hand")]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "the first line is"),
        ("# No section\n", 1, "the first line is"),
        ("# 1.1  Title.\n", 1, "expected a hunk, or a file to add, below the title"),
        ("# 1.1  Title.\n\n  a()\n", 3, "expected a header"),
        ("# 1.1  Title.\n\n---\n  a()\n", 3, "expected a header"),
        ("# 1.1  Title.\n\n--- m.py f\n  a()\n", 3, "expected a header"),
        ("# 1.1  Title.\n\n--- m.py  f\na()\n", 4, "expected lines that start with"),
        ("# 1.1  Title.\n\n--- m.py  f\n a()\n", 4, "expected lines that start with"),
        ("# 1.1  Title.\n\n--- m.py  f\n+ a()\n  b()\n+b()\n", 6, "expected a header"),
        ("# 1.1  Title.\n\n--- m.py  f\n  a()\n+ b()\nor\n", 7, "expected lines that start with"),
        ("# 1.1  Title.\n\n--- m.py  f\n  a()\n+ b()\nor\n--- n.py  g\n\n", 8, "expected lines that start with"),
        ("# 1.1  Title.\n\n--- m.py  f\n  a()\n+ b($X)\n", 4, r"\$X is used, and occurs nowhere in the pattern"),
        ("# 1.1  Title.\n\n--- m.py  f\n  a()\n", 4, "changes nothing"),
        ("# 1.1  Title.\n\n--- m.py  f\n  a()\n- ...\n", 4, r"removes '\.\.\.', which may be nothing"),
        ("# 1.1  Title.\n\n!!! m.py  f\n  a($X)\nwhere $X are b\n", 5, "expected 'where"),
        ("# 1.1  Title.\n\n!!! m.py  f\n  a($X)\nwhere $Y is b\n", 4, r"\$Y has choices, and occurs nowhere"),
        ("# 1.1  Title.\n\n!!! m.py  f\n  a($X)\nwhere $X is $X.b\n", 5, r"the line of \$X below those that use it"),
        (
            "# 1.1  Title.\n\n!!! m.py  f\n  a($X, $Y)\nwhere $Y is b\nwhere $X is f($Y)\n",
            6,
            r"the line of \$Y below those that use it",
        ),
        ("# 1.1  Title.\n\n!!! m.py  f\n+ a()\n", 4, "expected context lines only"),
        ("# 1.1  Title.\n\n--- m.py\n+ x = 1\n", 4, "has no pattern"),
        ("# 1.1  Title.\n\n!!! m.py  f\n  a()\nor\n--- m.py  f\n  b()\n", 6, "of the kind that it stands for: '!!!'"),
        ("# 1.1  Title.\n\n+++ m.py  Missing.py\n", 3, r"Missing\.py"),
        ("# 1.1  Title.\n\n+++ m.py\n", 3, "expected the file to add"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(PatchSetError, match=rf"(?s)^01-bad\.patch:{line}: .*{message}"):
        parsed({"01-bad.patch": text})


def test_modifications_are_numbered_without_gaps() -> None:
    with pytest.raises(PatchSetError, match=r"03-c\.patch: expected number 02"):
        parsed({"01-a.patch": f"# 1.1  A.\n{HUNK}", "03-c.patch": f"# 1.3  C.\n{HUNK}"})


def test_other_files_are_no_modifications() -> None:
    with pytest.raises(PatchSetError, match=r"expected a file named NN-name\.patch, such as 01-"):
        parsed({"README.md": "# 1.1  A.\n", "1-a.patch": "", "01-a.patch~": "", "01_a.patch": ""})


def test_the_digest_is_of_all_that_is_applied() -> None:
    files = {"01-a.patch": "# 1.1  A.\n\n+++ m.py  New.py\n", "New.py": "x = 1\n"}
    digest = parsed(files).digest
    assert parsed({**files, "README.md": "unrelated"}).digest == digest
    assert parsed({**files, "New.py": "x = 2\n"}).digest != digest
    assert parsed({**files, "01-a.patch": f"{files['01-a.patch']}# more\n"}).digest != digest


def test_a_patch_set_parses_again_from_the_files_that_it_keeps() -> None:
    files = {"01-a.patch": "# 1.1  A.\n\n+++ pkg/m.py  New.py\n", "New.py": "x = 1\n", "patchset.toml": 'title = "T."'}
    patches = parsed({**files, "README.md": "unrelated"}, "pkg")
    assert patches.files == {name: text.encode() for name, text in files.items()}
    assert parse(patches.files, "a-name", "pkg") == patches


@pytest.mark.parametrize(
    ("described", "name", "title", "package"),
    [
        ({}, "a-name", "a-name", "pkg"),
        ({"patchset.toml": 'title = "What it does."'}, "a-name", "What it does.", "pkg"),
        ({"patchset.toml": 'name = "own"\npackage = "other"'}, "own", "own", "other"),
    ],
)
def test_what_a_patch_set_says_of_itself(described: Mapping[str, str], name: str, title: str, package: str) -> None:
    patches = parsed({"01-a.patch": f"# 1.1  A.\n{HUNK}".replace("pkg", package), **described}, "pkg")
    assert (patches.name, patches.title, patches.package) == (name, title, package)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "expected TOML"),
        ('nmae = "a"', "expected 'name', 'title' or 'package', found 'nmae'"),
        ("name = 1", 'expected name = "some text", on one line, found 1'),
        ('title = " "', "expected title = "),
        ('title = "a\\nb"', "expected title = "),
    ],
)
def test_a_mistake_in_the_description_is_told(text: str, message: str) -> None:
    with pytest.raises(PatchSetError, match=rf"^patchset\.toml: {message}"):
        parsed({"01-a.patch": "# 1.1  A.\n", "patchset.toml": text})


@pytest.mark.parametrize("header", ["--- {}\n+ from x import y\n", "!!! {}\n  a()\n", "+++ {}  New.py\n"])
@pytest.mark.parametrize("path", ["/etc/m.py", "../m.py", "pkg/../../m.py", "pkg//m.py", "pkg/./m.py", "pkg\\m.py"])
def test_a_path_does_not_leave_its_folder(path: str, header: str) -> None:
    with pytest.raises(PatchSetError, match=r"^01-a\.patch:3: expected the path of a file"):
        parsed({"01-a.patch": f"# 1.1  A.\n\n{header.format(path)}", "New.py": ""})


@pytest.mark.parametrize("path", ["m.py", "pkg", "other/m.py", "pkg.py"])
def test_a_path_is_in_the_package(path: str) -> None:
    with pytest.raises(
        PatchSetError, match=rf"^01-a\.patch:6: expected a file in the package, pkg/\.\.\., found '{path}'"
    ):
        parsed(
            {"01-a.patch": f"# 1.1  A.\n\n--- pkg/m.py\n+ from x import y\nor\n--- {path}\n+ from x import y\n"}, "pkg"
        )


def test_a_file_that_is_no_text_is_told() -> None:
    with pytest.raises(PatchSetError, match=r"^01-a\.patch: expected text in UTF-8"):
        parse({"01-a.patch": b"# 1.1  \xff\n"}, "a-name")


def test_a_pattern_that_does_not_parse_is_told_with_its_line() -> None:
    with pytest.raises(PatternError, match=r"01-test\.patch:4: the pattern does not parse"):
        patched("a()\n", "  a(\n+ b()\n")


TRIED_IN_ORDER = """\
  first()
+ new = 1
or
  second()
+ new = 2
or
  third()
+ new = 3
"""


@pytest.mark.parametrize(
    ("code", "added"),
    [
        ("first()\n", "new = 1\n"),
        ("second()\n", "new = 2\n"),
        ("third()\n", "new = 3\n"),
    ],
)
def test_the_first_alternative_that_fits_is_taken(code: str, added: str) -> None:
    assert patched(code, TRIED_IN_ORDER) == f"{code}{added}"


def test_one_alternative_is_taken_even_if_more_fit() -> None:
    assert patched("third()\nsecond()\nfirst()\n", TRIED_IN_ORDER) == "third()\nsecond()\nfirst()\nnew = 1\n"


def test_refused_if_no_alternative_fits() -> None:
    with pytest.raises(PlanError) as caught:
        patched("fourth()\n", TRIED_IN_ORDER)
    assert re.findall(r"pattern: +(\w+)", str(caught.value)) == ["first", "second", "third"]


def test_alternatives_may_be_in_different_files_and_scopes() -> None:
    patches = patch_set(
        """\
        --- gone.py  f
          a()
        + b()
        or
        --- m.py  g
          a()
        + b()
        or
        --- m.py  f
          a()
        + b()
        """
    )
    files = {"gone.py": None, "m.py": b"def f():\n    a()\n"}
    (change,) = require(make_plan(patches, files, "1")).changes
    assert change.after == b"def f():\n    a()\n    b()\n"


def test_the_patch_set_that_ships() -> None:
    patches = built_in()
    assert [modification.number for modification in patches.modifications] == list(range(1, 16))
    sections = [modification.section for modification in patches.modifications]
    assert sections == [*(f"2.{n}" for n in range(1, 9)), "2.8 (second)", *(f"2.{n}" for n in range(9, 15))]
    assert all(modification.signs or modification.new_files for modification in patches.modifications)

"""The notation: what a patch file may say, what it means, and what is told of one that says it wrongly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hunks import patch_set, patched

from distillpatch.engine.patchset import Line, PatchSetError, built_in, load
from distillpatch.engine.pattern import PatternError
from distillpatch.engine.plan import PlanError, make_plan, require


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


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
        ("# 1.1  Title.\n\n  a()\n", 3, "expected a header"),
        ("# 1.1  Title.\n\n---\n  a()\n", 3, "expected a header"),
        ("# 1.1  Title.\n\n--- m.py f\n  a()\n", 3, "expected a header"),
        ("# 1.1  Title.\n\n--- m.py  f\na()\n", 4, "expected lines that start with"),
        ("# 1.1  Title.\n\n--- m.py  f\n a()\n", 4, "expected lines that start with"),
        ("# 1.1  Title.\n\n--- m.py  f\n+ a()\n  b()\n+b()\n", 6, "expected a header"),
        ("# 1.1  Title.\n\n--- m.py  f\n  a()\n+ b()\nor\n", 7, "expected lines that start with"),
        ("# 1.1  Title.\n\n--- m.py  f\n  a()\n+ b()\nor\n--- n.py  g\n\n", 8, "expected lines that start with"),
        ("# 1.1  Title.\n\n--- m.py  f\n  a()\n+ b($X)\n", 4, r"\$X is used, and stands nowhere in the pattern"),
        ("# 1.1  Title.\n\n--- m.py  f\n  a()\n", 4, "changes nothing"),
        ("# 1.1  Title.\n\n--- m.py  f\n- a()\n", 4, "replaced by nothing"),
        ("# 1.1  Title.\n\n!!! m.py  f\n+ a()\n", 4, "a sign has context lines only"),
        ("# 1.1  Title.\n\n--- m.py\n+ x = 1\n", 4, "has no pattern"),
        ("# 1.1  Title.\n\n!!! m.py  f\n  a()\nor\n--- m.py  f\n  b()\n", 6, "of the kind that it stands for: '!!!'"),
        ("# 1.1  Title.\n\n+++ m.py  Missing.py\n", 3, r"Missing\.py"),
        ("# 1.1  Title.\n\n+++ m.py\n", 3, "expected the file to add"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(PatchSetError, match=rf"(?s)^01-bad\.patch:{line}: .*{message}"):
        load(write(tmp_path, {"01-bad.patch": text}))


def test_modifications_are_numbered_without_gaps(tmp_path: Path) -> None:
    with pytest.raises(PatchSetError, match=r"03-c\.patch: expected number 02"):
        load(write(tmp_path, {"01-a.patch": "# 1.1  A.\n", "03-c.patch": "# 1.3  C.\n"}))


def test_other_files_in_the_folder_are_no_modifications(tmp_path: Path) -> None:
    with pytest.raises(PatchSetError, match=r"holds no NN-name\.patch file"):
        load(write(tmp_path, {"README.md": "# 1.1  A.\n", "1-a.patch": "", "01-a.patch~": "", "01_a.patch": ""}))


def test_the_digest_is_of_all_that_is_applied(tmp_path: Path) -> None:
    files = {"01-a.patch": "# 1.1  A.\n\n+++ m.py  New.py\n", "New.py": "x = 1\n"}
    digest = load(write(tmp_path, files)).digest
    assert load(write(tmp_path, {"README.md": "unrelated"})).digest == digest
    assert load(write(tmp_path, {"New.py": "x = 2\n"})).digest != digest
    assert load(write(tmp_path, {**files, "01-a.patch": f"{files['01-a.patch']}# more\n"})).digest != digest


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

"""Diffs that git and patch take, and the same diffs for people."""

from __future__ import annotations

import io
import json
import re
import subprocess
from pathlib import Path

import pytest
from hunks import patch_set
from hypothesis import given
from hypothesis import strategies as st

from distillpatch.change import FileChange
from distillpatch.engine.plan import make_plan
from distillpatch.engine.refusal import explain
from distillpatch.report.diff import diff_page, unified_diff
from distillpatch.report.modifications import outcome_report
from distillpatch.report.page import Output, as_text, write


def test_a_changed_file() -> None:
    change = FileChange("p/m.py", b"a\nb\nc\n", b"a\nB\nc\n")
    assert unified_diff([change]) == b"--- a/p/m.py\n+++ b/p/m.py\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"


def test_an_added_and_a_removed_file() -> None:
    assert unified_diff([FileChange("n.py", None, b"a\n"), FileChange("o.py", b"a\n", None)]) == (
        b"--- /dev/null\n+++ b/n.py\n@@ -0,0 +1 @@\n+a\n--- a/o.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n"
    )


def test_a_file_that_stays_as_it_is_is_left_out() -> None:
    assert unified_diff([FileChange("m.py", b"a\n", b"a\n")]) == b""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\nb\n", b"a\nnew\nb\n"),
        (b"a\nb", b"a\nb\nnew"),
        (b"a\nb", b"new\na\nb"),
        (b"a\nb\n", b"a\nb"),
        (b"a\r\nb\r\n", b"a\r\nnew\r\nb\r\n"),
        (b"a\rb\nc\n", b"a\rb\nnew\nc\n"),
        (b"\xef\xbb\xbfa\n\xff\x0c\n", b"\xef\xbb\xbfa\nnew\n\xff\x0c\n"),
        (b"a\n", None),
        (None, b"a\r\nb"),
    ],
)
@pytest.mark.parametrize("command", [["git", "apply"], ["patch", "-p1", "--silent"]])
@pytest.mark.parametrize("repository", [None, ".", ".."], ids=["no repository", "its root", "a folder in it"])
def test_git_and_patch_make_the_same_bytes_of_it(
    before: bytes | None, after: bytes | None, repository: str | None, command: list[str], tmp_path: Path
) -> None:
    root = tmp_path / "site-packages"
    file = root / "p" / "m.py"
    file.parent.mkdir(parents=True)
    if before is not None:
        file.write_bytes(before)
    if repository is not None:
        subprocess.run(["git", "init", "--quiet", root / repository], check=True)
    diff = unified_diff([FileChange("p/m.py", before, after)])
    subprocess.run(command, cwd=root, input=diff, check=True)
    assert (file.read_bytes() if file.exists() else None) == after
    subprocess.run([*command, "--reverse"], cwd=root, input=diff, check=True)
    assert (file.read_bytes() if file.exists() else None) == before


def colored(changes: list[FileChange]) -> str:
    stream = io.StringIO()
    write(diff_page(changes), Output(stream, is_terminal=True, has_color=True, width=80))
    return stream.getvalue()


def test_colors_leave_the_text_as_it_is() -> None:
    change = FileChange("m.py", b"a\nb = 1\n", b"a\nif b: # \xc3\xa9\xff\n" + b"x" * 200 + b"\n")
    lines = colored([change]).splitlines()
    assert "\x1b[31m-b = 1\x1b[0m" in lines and "\x1b[1mif\x1b[0m" not in lines and " a" in lines
    assert "\x1b[32m+\x1b[0m\x1b[1;32mif\x1b[0m\x1b[32m b: \x1b[0m\x1b[2;3;32m# é\ufffd\x1b[0m" in lines
    assert any(line.startswith("\x1b[36m@@ -1,2 +1,3 @@") for line in lines)
    shown = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in lines[lines.index("") + 1 :]]
    assert shown == unified_diff([change]).decode("utf-8", "replace").splitlines()


def test_a_page_begins_with_what_each_file_gains_and_loses() -> None:
    changes = [FileChange("new.py", None, b"a\n" * 7), FileChange("m.py", b"a\nb\n", b"a\nB\nC\n")]
    page = as_text(diff_page(changes))
    assert page.startswith(
        " m.py         +2   -1\n new.py       +7       new file\n 2 files      +9   -1\n\n--- a/m.py\n"
    )
    assert as_text(diff_page([FileChange("m.py", b"a\n", b"a\n")])) == ""


def test_files_that_exist_come_before_those_that_are_added() -> None:
    changes = [FileChange("n.py", None, b"a\n"), FileChange("o.py", b"a\n", b"b\n")]
    assert re.findall(rb"(?m)^\+\+\+ (.*)$", unified_diff(changes)) == [b"b/o.py", b"b/n.py"]


def test_a_hunk_begins_where_the_added_code_begins() -> None:
    before = b"from a import (\n    x,\n)\nfrom c import (\n    z,\n)\n"
    after = before.replace(b"from c", b"from b import (\n    y,\n)\nfrom c")
    added = [line for line in unified_diff([FileChange("m.py", before, after)]).splitlines() if line[:1] == b"+"][1:]
    assert added == [b"+from b import (", b"+    y,", b"+)"]


def test_a_hunk_names_the_scope_that_it_is_in() -> None:
    before = b"class A:\n    def f(self):\n" + b"        x\n" * 9
    diff = unified_diff([FileChange("m.py", before, before + b"        y\n")])
    assert b"@@ -9,3 +9,4 @@ def f(self):\n" in diff
    # A line in an encoding that a terminal may not have would end up in every hunk below it.
    diff = unified_diff([FileChange("m.py", b"def \xff():\n" + before[9:], b"def \xff():\n" + before[9:] + b"y\n")])
    assert b"def f" in diff and b"@@ def \xff" not in diff


@given(st.lists(st.sampled_from(["a", " a", "b", "", " )"]), max_size=12), st.lists(st.integers(0, 20), max_size=6))
def test_a_hunk_that_is_moved_makes_the_same_file(lines: list[str], where: list[int]) -> None:
    before = "".join(f"{line}\n" for line in lines).encode()
    grown = list(lines)
    for i in where:
        grown[i % (len(grown) + 1) : i % (len(grown) + 1)] = grown[i % 3 : i % 3 + 2] or ["new"]
    after = "".join(f"{line}\n" for line in grown).encode()
    for old, new in ((before, after), (after, before)):
        assert patched(old, unified_diff([FileChange("m.py", old, new)])) == new


def patched(before: bytes, diff: bytes) -> bytes:
    """Return what a diff makes of a file, each of whose context and removed lines has to be where it says."""
    lines, result, at = before.splitlines(keepends=True), [], 0
    for line in diff.splitlines(keepends=True)[2:]:
        if header := re.match(rb"@@ -(\d+)(,0)?", line):
            start = int(header[1]) - (0 if header[2] else 1)
            result += lines[at:start]
            at = start
        elif line[:1] == b"+":
            result.append(line[1:])
        else:
            assert lines[at] == line[1:]
            result += [line[1:]] if line[:1] == b" " else []
            at += 1
    return b"".join([*result, *lines[at:]])


def test_programs_are_told_of_misfits_what_people_are() -> None:
    patches = patch_set(
        "--- m.py\n  a()\n+ b()\nor\n--- n.py\n  z()\n+ b()\n",
        "--- m.py  f\n  c()\n  d()\n+ e()\n",
        "--- gone.py\n+ from m import n\n",
    )
    files = {"m.py": b"x()\ndef f():\n    c()\n", "n.py": b"y()\n", "gone.py": None}
    plan = make_plan(patches, files, "1")
    for outcome in plan.outcomes:
        report = outcome_report(outcome, outcome.places)
        assert json.loads(json.dumps(report)) == report
        assert not report["fits"] and report["misfits"]
        for misfit in report["misfits"]:
            assert list(misfit) == ["path", "scope", "pattern", "reason", "nearest", "origin"]
            assert misfit["pattern"]
        missing = [misfit["path"] for misfit in report["misfits"] if files[misfit["path"]] is None]
        assert all(f"{path} does not exist" in explain(outcome, "1") for path in missing)
        # Of a file that does not exist, people are told that alone, and not what was looked for in it.
        told = [value for misfit in report["misfits"] if misfit["path"] not in missing for value in misfit.values()]
        lines = [line for value in told for line in (value if isinstance(value, list) else value.split("\n"))]
        assert [line for line in lines if line not in explain(outcome, "1")] == []
    assert [len(outcome_report(outcome, outcome.places)["misfits"]) for outcome in plan.outcomes] == [2, 1, 1]


def test_programs_are_told_where_what_fits_went() -> None:
    (outcome,) = make_plan(patch_set("--- m.py\n  a()\n+ b()\n"), {"m.py": b"a()\n"}, "1").outcomes
    assert outcome_report(outcome, outcome.places) == {
        "number": 1,
        "section": "1.0",
        "title": "Test.",
        "fits": True,
        "places": [{"path": "m.py", "line": 2}],
        "misfits": [],
    }

"""Diffs that git and patch take, and the same diffs for people."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hunks import patch_set

from distillpatch.change import FileChange
from distillpatch.engine.plan import explain, make_plan
from distillpatch.report.diff import colored, unified_diff
from distillpatch.report.modifications import outcome_lines, outcome_report


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


def test_colors_leave_the_text_as_it_is() -> None:
    diff = unified_diff([FileChange("m.py", b"a\nb\n", b"a\nB \xc3\xa9\xff\n")])
    lines = colored(diff).splitlines()
    assert "\x1b[32m+B é\ufffd\x1b[0m" in lines and "\x1b[31m-b\x1b[0m" in lines and " a" in lines
    assert any(line.startswith("\x1b[36m@@ -1,2 +1,2 @@") for line in lines)
    assert all(line.startswith("\x1b[1m") for line in lines[:2])


def test_modifications_are_listed_with_their_places() -> None:
    patches = patch_set("--- m.py\n  a()\n+ b()\n\n--- m.py\n  c()\n+ d()\n", "--- m.py\n  z()\n+ b()\n")
    lines = outcome_lines(make_plan(patches, {"m.py": b"a()\nc()\n"}, "1").outcomes)
    assert [plain(line) for line in lines] == [
        "  1  1.0  Test.",
        "       m.py:2",
        "       m.py:4",
        "  2  2.0  Test. does not fit",
    ]


def test_programs_are_told_of_misfits_what_people_are() -> None:
    patches = patch_set(
        "--- m.py\n  a()\n+ b()\nor\n--- n.py\n  z()\n+ b()\n",
        "--- m.py  f\n  c()\n  d()\n+ e()\n",
        "--- gone.py\n+ from m import n\n",
    )
    files = {"m.py": b"x()\ndef f():\n    c()\n", "n.py": b"y()\n", "gone.py": None}
    plan = make_plan(patches, files, "1")
    for outcome in plan.outcomes:
        report = outcome_report(outcome)
        assert json.loads(json.dumps(report)) == report
        assert not report["fits"] and report["misfits"]
        for misfit in report["misfits"]:
            assert list(misfit) == ["path", "scope", "pattern", "reason", "nearest", "origin"]
            assert misfit["pattern"]
        told = [value for misfit in report["misfits"] for value in misfit.values()]
        lines = [line for value in told for line in (value if isinstance(value, list) else value.split("\n"))]
        assert [line for line in lines if line not in explain(outcome, "1")] == []
    assert [len(outcome_report(outcome)["misfits"]) for outcome in plan.outcomes] == [2, 1, 1]


def test_programs_are_told_where_what_fits_went() -> None:
    (outcome,) = make_plan(patch_set("--- m.py\n  a()\n+ b()\n"), {"m.py": b"a()\n"}, "1").outcomes
    assert outcome_report(outcome) == {
        "number": 1,
        "section": "1.0",
        "title": "Test.",
        "fits": True,
        "places": [{"path": "m.py", "line": 2}],
        "misfits": [],
    }


def plain(text: str) -> str:
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m"):
        text = text.replace(code, "")
    return text

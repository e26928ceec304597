"""What people are told: a screen of status, colors, JSON, and what every provoked error says of itself."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from commanded import invoke

from distillpatch import report
from distillpatch.patch_sets import built_in
from distillpatch.report import chart
from distillpatch.report.page import Output, Span, Table, columns, output, write
from distillpatch.report.pager import write_paged
from distillpatch.report.status import local_time

Checkout = Callable[[str], Path]


# A screen.


def test_status_fits_on_a_screen(pristine: Path) -> None:
    variables = {"COLUMNS": "80", "FORCE_COLOR": "1"}
    shown = invoke("status", pristine, **variables).stdout
    lines = re.sub("\x1b\\[[0-9;]*m", "", shown).splitlines()
    # Two lines of a screen of 24 are for the command and the next prompt, three for the notes on stderr.
    assert len(lines) <= 19 and max(map(len, lines[:-2])) <= 80
    assert lines[0] == "ultralytics 8.4.190: not patched, all 15 modifications fit"
    assert lines[9].rstrip() == "  8  2.8      OK     Features and outputs come from the student's one pass."
    assert "…" not in shown  # no title is too long
    assert "\x1b[32mOK" in shown


def test_apply_and_revert_fit_on_a_screen(checkout: Checkout) -> None:
    """New files are one line a folder; a screen of 24 lines has to hold the command and the notes as well."""
    root = checkout("8.4.190")
    lines = invoke("apply", root, COLUMNS="80").stdout.splitlines()
    added, edited = len(built_in().new_files), len(built_in().edited_files)
    assert re.fullmatch(rf" ultralytics/utils/ +\+\d{{4}} +{added} new files", lines[edited + 1])
    assert len(lines) <= 12 and lines[edited + 2].startswith(f" {added + edited} files ")
    assert max(map(len, lines[1:-1])) <= 80 and lines == [line.rstrip() for line in lines]
    shown = invoke("diff", root, FORCE_COLOR="1").stdout
    assert re.sub("\x1b\\[[0-9;]*m", "", shown).count("  new file\n") == added  # there each is a file to look at
    reverted = f"Restored {edited} files and removed {added} files in {root}/ultralytics.\n"
    assert invoke("revert", root).stdout == reverted


def test_no_color_is_unreadable_on_a_light_or_a_dark_background() -> None:
    """Yellow and white are not on white, blue is not on black; two of them are left for a fifth and a sixth curve."""
    code = {path.name: path.read_text(encoding="utf-8") for path in Path(report.__file__).parent.glob("*.py")}
    styles = {
        (name, color)
        for name, text in code.items()
        for color in re.findall(r'"[^"\n]*(yellow|blue|white|bright)', text)
    }
    assert styles == {("chart.py", "blue"), ("chart.py", "yellow")}
    assert {"blue", "yellow"}.isdisjoint(map(chart.style, range(4)))


def test_a_missing_file_is_said_once(checkout: Checkout) -> None:
    root = checkout("8.4.190")
    (root / "ultralytics/engine/trainer.py").unlink()
    shown = invoke("status", root).stdout
    (line,) = [line for line in shown.splitlines() if "does not exist" in line]
    assert line == "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15: ultralytics/engine/trainer.py: the file does not exist"


def test_edits_that_cannot_be_taken_out_have_a_next_step(checkout: Checkout) -> None:
    root = checkout("8.4.190")
    (root / "ultralytics/utils/AddLoss.py").write_text("def mine(): ...\n", encoding="utf-8")
    (root / "ultralytics/utils/mine.py").write_text("from ultralytics.utils.AddLoss import mine\n", encoding="utf-8")
    shown = invoke("status", root).stdout
    assert "cannot be taken out: " in shown
    assert shown.endswith("Undo these edits first, for example by installing ultralytics 8.4.190 again.\n")


def test_places_are_lines_of_the_files_as_they_are_on_disk(checkout: Checkout) -> None:
    root = checkout("8.4.190")
    trainer = root / "ultralytics/engine/trainer.py"

    def build_optimizer() -> tuple[int, list[int]]:
        report = json.loads(invoke("status", "--json", root).stdout)
        lines = [place["line"] for place in report["modifications"][10]["places"]]
        text = trainer.read_text(encoding="utf-8").splitlines()
        return next(i for i, line in enumerate(text, 1) if "def build_optimizer" in line), lines

    line, found = build_optimizer()
    assert 0 <= found[0] - line < 10  # where its parameters are
    trainer.write_text("# mine\n" * 100 + trainer.read_text(encoding="utf-8"), encoding="utf-8")
    assert build_optimizer() == (line + 100, [found[0] + 100])
    invoke("apply", root)
    line, found = build_optimizer()
    assert 0 <= found[0] - line < 10
    trainer.write_text("# mine\n" * 50 + trainer.read_text(encoding="utf-8"), encoding="utf-8")
    assert build_optimizer() == (line + 50, [found[0] + 50])
    told = invoke("status", "-v", root).stdout
    assert re.search(rf"(?m)^ 11  2\.10 .*\n {{20,}}ultralytics/engine/trainer\.py:{found[0] + 50}$", told)
    narrow = invoke("status", "-v", root, COLUMNS="80", FORCE_COLOR="1").stdout
    lines = re.sub("\x1b\\[[0-9;]*m", "", narrow).splitlines()
    assert max(map(len, lines[2:-2])) <= 80 and "…" not in narrow
    assert any(line.strip() == f"ultralytics/engine/trainer.py:{found[0] + 50}" for line in lines)
    every = json.loads(invoke("status", "--json", root).stdout)["modifications"]
    assert all(each["places"] == sorted(each["places"], key=lambda at: (at["path"], at["line"])) for each in every)


def test_check_asks_and_answers(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    assert invoke("status", "--check", root).exit_code == 1
    assert invoke("apply", root).exit_code == 0
    assert invoke("status", "--check", root).exit_code == 0
    with (root / "ultralytics/cfg/__init__.py").open("a") as file:
        file.write("# mine\n")
    assert invoke("status", "--check", root).exit_code == 1
    assert invoke("status", root).exit_code == 0
    for question in (["status", "--check"], ["diff", "--exit-code"]):
        assert invoke(*question, root / "nowhere").exit_code == 2
    assert invoke("status", root / "nowhere").exit_code == 1


def test_one_modification_is_explained(checkout: Checkout) -> None:
    root = checkout("8.2.50")
    before = invoke("explain", "7", root).stdout
    assert before.startswith("7. Each epoch starts with") and "Section 2.7 of the patch set distillation." in before
    assert "    --- ultralytics/engine/trainer.py  BaseTrainer._do_train\n" in before
    assert "\n+++ b/ultralytics/engine/trainer.py\n" in before and "!!!" not in before
    assert "\x1b[1m    --- ultralytics/engine/trainer.py" in invoke("explain", "7", root, FORCE_COLOR="1").stdout
    assert before.count(built_in().modifications[6].title) == 1 and "next section's" not in before
    # The other modifications are not in it, and it is the same once all are applied.
    assert len(re.findall(r"(?m)^@@", before)) == 1
    invoke("apply", root)
    assert invoke("explain", "7", root).stdout == before
    report = json.loads(invoke("explain", "--json", "7", root).stdout)
    assert (report["number"], report["fits"]) == (7, True) and report["diff"] in before


def test_what_is_about_edits_made_by_hand_is_not_explained(pristine: Path) -> None:
    for modification in built_in().modifications:
        explained = invoke("explain", str(modification.number), pristine)
        patch = explained.stdout.partition("\nIn ultralytics ")[0]
        (source,) = (text for name, text in built_in().files.items() if name.startswith(f"{modification.number:02}-"))
        headers = re.findall(r"(?m)^(?:---|===|\+\+\+|\?\?\?|>>>) .*", source.decode())
        assert re.findall(r"(?m)^    ((?:---|===|\+\+\+|\?\?\?|>>>|!!!|<<<) .*)", patch) == headers


def test_the_doctor_imports_nothing(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    for name in ("torch", "ultralytics"):
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").write_text("__version__ = '8.5.0'\nraise SystemExit('imported')\n")
    (site / "torch" / "version.py").write_text("cuda: Optional[str] = '12.4'\n")
    (site / "torch-1.12.1.dist-info").mkdir()
    (site / "torch-1.12.1.dist-info" / "METADATA").write_text("Name: torch\nVersion: 1.12.1\n")
    result = invoke("doctor", "--json", VIRTUAL_ENV=str(tmp_path), PYTHONPATH=None, CONDA_PREFIX=None)
    found = {each["name"]: each for each in json.loads(result.stdout)["findings"]}
    assert found["PyTorch"]["value"].startswith("1.12.1 in ") and "1.13 or newer" in found["PyTorch"]["problem"]
    assert found["CUDA of PyTorch"]["value"] == "12.4"
    assert f"8.5.0 at {site}/ultralytics, imported from the virtual env" in found["ultralytics"]["value"]
    assert "Newer than 8.4.190" in found["ultralytics"]["problem"]
    assert found["status"]["value"] == "not patched" and found["upstream's own"]["problem"] is None
    result = invoke("doctor", "--json", tmp_path, VIRTUAL_ENV=str(tmp_path), PYTHONPATH=None, CONDA_PREFIX=None)
    named = {each["name"]: each for each in json.loads(result.stdout)["findings"]}["this checkout"]
    assert named["value"] == "none" and "is not an ultralytics checkout: expected " in named["problem"]
    page = invoke("doctor", VIRTUAL_ENV=str(tmp_path), PYTHONPATH=None, CONDA_PREFIX=None).stdout
    assert "1.12.1 in " in page and page.endswith(" to look at.\n")
    variables = {
        "VIRTUAL_ENV": str(tmp_path),
        "PYTHONPATH": None,
        "CONDA_PREFIX": None,
        "FORCE_COLOR": "1",
        "COLUMNS": "60",
    }
    narrow = re.sub("\x1b\\[[0-9;]*m", "", invoke("doctor", **variables).stdout).splitlines()
    column = narrow[0].index(page.split()[1])
    assert max(map(len, narrow)) <= 60 and narrow[1][:column].strip() == ""  # what is folded stays in its column


def test_a_release_that_nobody_tested_is_said_once(checkout: Checkout) -> None:
    root = checkout("8.4.190")
    file = root / "ultralytics/__init__.py"
    file.write_text(file.read_text(encoding="utf-8").replace("8.4.190", "8.5.0"), encoding="utf-8")
    told = invoke("apply", root)
    note = "Note: 8.5.0 is newer than 8.4.190, the newest release that this was tested with.\n"
    assert told.exit_code == 0 and told.stderr.count(note) == 1
    assert "tested with" not in invoke("status", checkout("8.2.50")).stderr


def test_a_version_that_is_no_number_is_said(checkout: Checkout) -> None:
    root = checkout("8.4.190")
    file = root / "ultralytics/__init__.py"
    file.write_text(file.read_text(encoding="utf-8").replace("8.4.190", "unknown"), encoding="utf-8")
    note = "Note: unknown is not the number of a release, so this was not tested with it.\n"
    assert note in invoke("status", root).stderr


# Naming the checkout.


def test_ways_to_name_a_checkout(pristine: Path) -> None:
    for arguments, variables, by in (
        ([pristine], {}, "PATH"),
        (["--ultralytics-path", pristine], {}, "--ultralytics-path"),
        ([], {"DISTILLPATCH_ULTRALYTICS_PATH": str(pristine)}, "DISTILLPATCH_ULTRALYTICS_PATH"),
        ([pristine], {"DISTILLPATCH_ULTRALYTICS_PATH": "/nowhere"}, "PATH"),
        (["~/ultralytics"], {"HOME": str(pristine)}, "PATH"),
    ):
        told = invoke("diff", "--exit-code", *arguments, **variables)
        assert f"8.4.190 at {pristine}/ultralytics (named by {by})\n" in told.stderr
    told = invoke("status", DISTILLPATCH_ULTRALYTICS_PATH="/nowhere")
    assert told.stderr.endswith("\nThe path is from DISTILLPATCH_ULTRALYTICS_PATH: change or unset it.\n")
    assert "unset it" not in invoke("status", "/nowhere").stderr
    assert f"8.4.190 at {pristine}/ultralytics (named by PATH): not patched" in invoke("doctor", pristine).stdout
    assert "(named by PATH): not patched" in invoke("doctor", DISTILLPATCH_ULTRALYTICS_PATH=str(pristine)).stdout


@pytest.mark.parametrize("arguments", [["/a", "--ultralytics-path", "/b"], ["--ultralytics-path", "/a"] * 2])
def test_a_checkout_that_is_named_twice(arguments: list[str]) -> None:
    told = invoke("status", *arguments)
    assert told.exit_code == 2 and "the checkout is named 2 times: expected one PATH" in told.stderr


# Colors and the pager.


@pytest.mark.parametrize(
    ("choice", "variables", "terminal", "color"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_when_there_are_colors(choice: str, variables: Mapping[str, str], terminal: bool, color: bool) -> None:
    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    stream = Stream()
    out = output(choice, variables, stream)
    write([Table(("name",), [[Span("OK", "green")]])], out)
    assert (out.has_color, "\x1b[32m" in stream.getvalue(), "\x1b" in stream.getvalue()) == (color, color, color)


@pytest.mark.parametrize("title", ["distill" * 9, "蒸馏知识" * 9])
def test_what_is_cut_fills_the_line_and_no_more(title: str) -> None:
    stream = io.StringIO()
    write([Table(("no.", "~title"), [["1", title]])], Output(stream, True, False, 39))
    _, row = stream.getvalue().splitlines()
    assert columns(row) in (38, 39) and row.endswith("…")


def test_a_pipe_gets_what_git_takes_and_forced_colors_get_a_page(pristine: Path) -> None:
    plain = invoke("diff", pristine).stdout
    assert plain.startswith("--- a/ultralytics/")
    assert invoke("diff", "--color", "never", pristine).stdout == plain
    assert "\x1b[32m" in invoke("diff", "--color", "always", pristine).stdout
    assert "\x1b" not in invoke("diff", "--color", "always", "--output", "-", "--json", pristine).stdout


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "setting", "shown"),
    [
        ({"PAGER": "tr a-z A-Z"}, None, "BOTH"),
        ({"PAGER": "cat"}, None, "both"),
        ({"PAGER": ""}, None, "both"),
        ({"PAGER": "no-such-pager"}, None, "both"),
        ({"PAGER": "'"}, None, "both"),
        ({"PAGER": "cat"}, "tr a-z A-Z", "BOTH"),
        ({"PAGER": "tr a-z A-Z"}, "cat", "both"),
        ({"GIT_PAGER": "tr a-z A-Z", "PAGER": "cat"}, "cat", "BOTH"),
        ({"GIT_PAGER": ""}, "tr a-z A-Z", "both"),
    ],
)
def test_which_pager(
    variables: Mapping[str, str],
    setting: str | None,
    shown: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """As git has it, but for what a repository says: with that a checkout could name a program to run."""
    (tmp_path / "config").write_text(f"[core]\n\tpager = {setting}\n" if setting else "")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "config", "core.pager", "touch was-run"], check=True)
    monkeypatch.chdir(tmp_path)
    stream = Terminal()
    write_paged(["both"], Output(stream, True, False, 80), {**variables, "PATH": os.environ["PATH"]})
    assert (stream.getvalue() + capfd.readouterr().out).strip() == shown
    assert not (tmp_path / "was-run").exists()


def test_no_pager_of_the_checkout_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "less").write_text("#!/bin/sh\n: > was-run\n")
    (tmp_path / "less").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for path in (".", str(tmp_path)):
        monkeypatch.setenv("PATH", f"{path}{os.pathsep}/nowhere")
        write_paged(["both"], Output(Terminal(), True, False, 80), {"PATH": os.environ["PATH"]})
    assert not (tmp_path / "was-run").exists()


def test_times_are_those_of_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        assert local_time("2026-01-02T03:04:05+00:00") == "2026-01-02 11:04"
        assert local_time("not a time") == "not a time"
    finally:
        monkeypatch.undo()
        time.tzset()

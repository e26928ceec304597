"""Training runs as releases leave them on disk, and as a user may have left them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_runs import HEADER, compare, make, refused, told

from distillpatch.runs import read_run


def test_what_is_in_the_files_of_all_releases(tmp_path: Path) -> None:
    run = make(tmp_path / "a", 0.3)
    # Up to 8.2, names and values are padded and epochs count from 0; an editor on Windows adds its own.
    rows = [HEADER.replace(",", ",         "), "0, 1, 2, 0, 0, 0.2, 0.1, 1", "1, 1, 2, 0, 0, 0.4, 0.2, 1"]
    (run / "results.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(rows).encode() + b"\r\n")
    assert read_run(run).curve("mAP50-95(B)") == {1: 0.1, 2: 0.2}


def test_an_epoch_that_was_done_again_counts_once(tmp_path: Path) -> None:
    run = make(tmp_path / "a", 0.1, 0.2, 0.3)
    with (run / "results.csv").open("a") as file:
        file.write("2,1,2,0,0,0.8,0.4,1\n")  # resumed from the first epoch, or started again in the same folder
    assert read_run(run).curve("mAP50-95(B)") == {1: 0.1, 2: 0.4}


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    run = make(tmp_path / "a", 0.1, 0.2, 0.3)
    with (run / "results.csv").open("a") as file:
        file.write("4,1,2")
    assert len(read_run(run).epochs) == 3


@pytest.mark.parametrize(
    ("written", "teacher"),
    [
        ("null", None),
        ("/a/t.pt", "/a/t.pt"),
        ("'/with: colon/t.pt'", "/with: colon/t.pt"),
        ("/a folder with a name that is longer than a line of YAML is allowed to\n  be/t.pt",
         "/a folder with a name that is longer than a line of YAML is allowed to be/t.pt"),
        ('"/home/\\u7528\\u6237/t.pt"', "/home/用户/t.pt"),
        ("'" + "DetectionModel(" * 500 + "'", "a model that no file holds"),
    ],
)  # fmt: skip
def test_the_teacher_as_it_is_written(written: str, teacher: str | None, tmp_path: Path) -> None:
    assert read_run(make(tmp_path / "a", 0.1, teacher=written)).teacher == teacher


def test_which_losses_taught(tmp_path: Path) -> None:
    more = "distill_feat_type: mgd\ndistill_feat_weight: 0.3\ndistill_logit_type: soft\nlogit_loss: true\n"
    run = make(tmp_path / "a", 0.1, teacher="t.pt", more=more)
    assert read_run(run).losses == ("mgd 0.3",)  # the logit loss was zero all the time
    results = (run / "results.csv").read_text().replace("0.5,0,", "0.5,2.25,")
    (run / "results.csv").write_text(results)
    assert read_run(run).losses == ("mgd 0.3", "soft")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected a first line with the name of each column"),
        ("a,b\n1,2\n", "expected a first line with the name of each column"),
        (f"{HEADER}\n", "no epoch is complete yet. Train on, or leave this run out."),
        (f"{HEADER}\n1,2\n2,1,2,0,0,0,0,0\n", "line 2: expected 8 numbers, one for each column of the first line."),
        (f"{HEADER}\n1,1,2,0,0,x,0,0\n", "line 2: expected 8 numbers"),
        (f"\n{HEADER}\n\n1,1,2,0,0,1,0,0\n\nx\n", "line 6: expected 8 numbers"),
        (f"{HEADER}\nnan,1,2,0,0,0,0,0\n", "line 2: expected 8 numbers"),
        ('"\0', "expected a first line"),
        (f"{HEADER}\n{'1' * 200_000}\n", "line 2: not what ultralytics writes: field larger than field limit"),
    ],
)
def test_results_that_cannot_be_read(content: str, message: str, tmp_path: Path) -> None:
    run = make(tmp_path / "a", 0.1)
    (run / "results.csv").write_text(content)
    error = refused(run)
    assert error.startswith(f"Error: {run}/results.csv") and message in error


@pytest.mark.parametrize("content", ["a: [", "a: b: c\n", "- 1\n", "x", "[" * 5000, "a: !!python/object:os.system x"])
def test_arguments_that_cannot_be_read(content: str, tmp_path: Path) -> None:
    run = make(tmp_path / "a", 0.1)
    (run / "args.yaml").write_text(content)
    assert re.match(rf"Error: {run}/args\.yaml(, line \d+)?: .* move it away to compare without", refused(run))


def test_arguments_that_are_missing(tmp_path: Path) -> None:
    (make(tmp_path / "a", 0.1) / "args.yaml").unlink()
    page = told(tmp_path)
    assert "no args.yaml, so its teacher and its arguments are unknown; it is not compared" in page
    assert re.search(r"(?m)^A +\? +1 +0\.1000$", page)


def test_a_seed_may_be_anything(tmp_path: Path) -> None:
    run = make(tmp_path / "a", 0.1)
    (run / "args.yaml").write_text("seed: [1]\n")
    assert "[1]" in told(run)


def test_results_as_an_old_spreadsheet_writes_them(tmp_path: Path) -> None:
    run = make(tmp_path / "a", 0.1, 0.2)
    results = run / "results.csv"
    results.write_bytes(results.read_bytes().replace(b"\n", b"\r"))
    assert len(read_run(run).epochs) == 2


def test_a_run_that_cannot_be_read_is_left_out_unless_it_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make(tmp_path / "runs" / "detect" / "project" / name, 0.1)
    dead = tmp_path / "runs" / "detect" / "project" / "b"
    (dead / "results.csv").write_text("")
    result = compare(tmp_path / "runs")
    assert result.exit_code == 0
    assert "b: left out: results.csv: expected a first line with the name of each column" in result.stdout
    assert f"Error: {dead}/results.csv: expected a first line" in refused(tmp_path / "runs", dead)
    (dead.parent / "a" / "results.csv").write_text("")
    assert f"Error: {dead.parent}/a/results.csv: expected" in refused(tmp_path / "runs")


def test_a_metric_is_named_as_its_column_or_without_its_group(tmp_path: Path) -> None:
    run = make(tmp_path / "a", 0.1)
    assert told("--metric", "metrics/mAP50(B)", run) == told("--metric", "mAP50(B)", run)
    assert "0.2000" in told("--metric", "metrics/mAP50(B)", run)


def test_folders_that_are_no_runs(tmp_path: Path) -> None:
    expected = "expected the folder of a training run, such as runs/detect/train."
    assert (
        f"Error: {tmp_path} has no results.csv, and neither have the folders up to 3 levels below it: {expected}"
        in refused(tmp_path)
    )
    assert f"{tmp_path}/x does not exist: {expected}" in refused(tmp_path / "x")
    (tmp_path / "results.csv").mkdir()
    assert "cannot read" in refused(tmp_path)
    assert compare().exit_code == 2

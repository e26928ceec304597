"""Training runs compared, from the files that they leave."""

from __future__ import annotations

import builtins
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from distillpatch.cli import main
from distillpatch.comparison import compare_folders, interval
from distillpatch.report.page import Output, columns, write
from distillpatch.report.runs import comparison_page, run_names, teacher_name
from distillpatch.runs import VALIDATION

HEADER = "epoch,time,train/box_loss,train/dfeaLoss,train/dlogitLoss,metrics/mAP50(B),metrics/mAP50-95(B),val/box_loss"
ARGUMENTS = (
    "task: detect\nmode: train\nmodel: yolov8n.yaml\ndata: data.yaml\nepochs: {epochs}\nbatch: 16\nseed: {seed}\n"
)


def make(folder: Path, *accuracies: float, seed: int = 0, teacher: str | None = None, more: str = "") -> Path:
    """Write the files of a run, as ultralytics does."""
    folder.mkdir(parents=True)
    feature = 0.5 if teacher else 0
    rows = [f"{i},1.5,2.1,{feature},0,{2 * value},{value},1.2" for i, value in enumerate(accuracies, 1)]
    (folder / "results.csv").write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    arguments = ARGUMENTS.format(epochs=len(accuracies), seed=seed) + (f"model_t: {teacher}\n" if teacher else "")
    (folder / "args.yaml").write_text(arguments + more + f"save_dir: {folder}\n", encoding="utf-8")
    return folder


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def told(*arguments: object) -> str:
    result = compare(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object) -> str:
    result = compare(*arguments)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    return result.stderr


def report(*arguments: object) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(told("--json", *arguments))
    return loaded


def test_a_run_with_a_teacher_and_one_without(tmp_path: Path) -> None:
    make(tmp_path / "alone", 0.1, 0.3, 0.2)
    make(tmp_path / "taught", 0.2, 0.25, 0.35, teacher="/weights/yolov8l.pt")
    page = told(tmp_path)
    assert re.search(r"(?m)^A +none +1 +0\.3000$", page)
    assert re.search(r"(?m)^B +yolov8l\.pt +cwd +1 +0\.3500 +\+0\.0500$", page)
    assert re.search(r"(?m)^A +alone +0 +3 +0\.3000 +2 +0\.2000$", page)
    assert re.search(r"(?m)^B +taught +0 +3 +0\.3500 +3 +0\.3500 +\+0\.0500$", page)
    assert "B: +0.0500 from one seed. Another seed alone may change as much" in page
    chart = page.partition("\n\n 0.")[2].partition("epoch 1")[0].splitlines()
    assert len(chart) == 13 and all(line == line.rstrip() for line in chart[:-1])
    assert "+0.1500" in told("--by", "last", tmp_path)
    assert "+0.1000" in told("--metric", "mAP50(B)", tmp_path / "alone", tmp_path / "taught" / "results.csv")


def test_seeds_are_paired(tmp_path: Path) -> None:
    for seed, (alone, taught) in enumerate([(0.30, 0.33), (0.40, 0.41), (0.20, 0.22)]):
        make(tmp_path / f"alone{seed}", alone, seed=seed)
        make(tmp_path / f"taught{seed}", taught, seed=seed, teacher="t.pt")
    make(tmp_path / "taught9", 0.9, seed=9, teacher="t.pt")
    found = report(tmp_path)
    way = found["ways"][1]
    assert way["gains"] == pytest.approx([0.03, 0.01, 0.02])
    # By hand: 0.02 +- 4.303 * 0.01 / sqrt(3).
    assert way["mean_gain"] == pytest.approx(0.02) and way["interval"] == pytest.approx([-0.00484, 0.04484], abs=1e-5)
    assert "+0.0200 from 3 seeds; the 95 % interval, -0.0048 to +0.0448, includes 0: it may be chance." in told(
        tmp_path
    )
    (note,) = found["notes"]
    assert "taught9: no run without a teacher to compare with; the nearest, " in note and "seed=0 and not 9" in note


@pytest.mark.parametrize(("values", "half"), [([0.0, 2.0], 12.706), ([1.0, 3.0] * 10, 2.093 * 1.02598 / 20**0.5)])
def test_the_interval_is_students(values: list[float], half: float) -> None:
    low, high = interval(values) or (0, 0)
    middle = sum(values) / len(values)
    assert (low, high) == pytest.approx((middle - half, middle + half), abs=1e-3)
    assert interval(values[:1]) is None


def test_a_gain_beyond_chance_is_said(tmp_path: Path) -> None:
    for seed in range(3):
        make(tmp_path / f"alone{seed}", 0.3 + seed / 10, seed=seed)
        make(tmp_path / f"taught{seed}", 0.4 + seed / 10, seed=seed, teacher="t.pt")
    assert "B: +0.1000 from 3 seeds; the 95 % interval, +0.1000 to +0.1000, excludes 0: more than chance." in told(
        tmp_path
    )


@pytest.mark.parametrize("width", [80, 160])
def test_a_terminal_gets_one_line_a_run(width: int, tmp_path: Path) -> None:
    """Long names are cut in the middle, since it is their ends that differ."""
    teacher = make(tmp_path / "teachers" / "yolov8l-of-all-the-labels-for-300-epochs", 0.9) / "weights/best.pt"
    losses = "distill_feat_type: frs\ndistill_feat_weight: 10.0\n"
    for seed in range(2):
        make(tmp_path / "runs" / f"yolov8n-alone-with-128-labels-seed{seed}", 0.3, 0.4, seed=seed)
        name = f"yolov8n-frs-soft-default-recipe-128-labels-seed{seed}"
        make(tmp_path / "runs" / name, 0.4, 0.5, seed=seed, teacher=str(teacher), more=losses)
    stream = io.StringIO()
    page = comparison_page(compare_folders([tmp_path / "runs"], None, "best"), width, pictures=True)
    write(page, Output(stream, True, False, width))
    tables, _, verdicts = stream.getvalue().partition("epoch 1")
    assert max(map(columns, verdicts.splitlines())) <= width
    assert "B: +0.1000 from 2 seeds" in verdicts and "excludes 0: more than chance." in " ".join(verdicts.split())
    assert max(map(columns, tables.splitlines())) <= width
    rows = re.findall(r"(?m)^[AB]  (\S+seed\d) +(\d) +2  0\.\d+ ", tables)
    assert [(name[:10], name[-5:], seed) for name, seed in rows] == [
        (name, f"seed{seed}", str(seed)) for name in ("yolov8n-al", "yolov8n-fr") for seed in range(2)
    ]
    assert all(("…" in name) == (width == 80) for name, _ in rows)
    assert re.search(r"(?m)^B  teachers/\S+/best\.pt +frs 10", tables)
    assert "the 95 % interval" in " ".join(verdicts.split())


def test_how_much_of_the_gap_is_closed(tmp_path: Path) -> None:
    teacher = make(tmp_path / "teacher", 0.5, 0.4, more="lr0: 0.2\n")
    make(tmp_path / "runs" / "alone", 0.3)
    for name in ("best", "last"):
        make(tmp_path / "runs" / name, 0.35, teacher=str(teacher / "weights" / f"{name}.pt"))
    closed = {run["path"][-4:]: run["gap_closed"] for way in report(tmp_path / "runs")["ways"] for run in way["runs"]}
    # The teacher that counts is the file that taught: 0.5 in its best epoch, 0.4 in its last.
    assert closed == {"lone": None, "best": pytest.approx(0.25), "last": pytest.approx(0.5)}


@pytest.mark.parametrize(
    ("line", "difference"),
    [
        ("data: other.yaml\n", "data=other.yaml and not data.yaml"),
        ("imgsz: 320\n", "imgsz=320 and not 640"),
        ("split: test\n", "split=test and not val"),
        ("single_cls: true\n", "single_cls=True and not None"),
        (None, "no args.yaml"),
    ],
)
def test_a_teacher_that_was_measured_otherwise_tells_nothing_of_the_gap(
    line: str | None, difference: str, tmp_path: Path
) -> None:
    same = "imgsz: 640\nsplit: val\n"
    teacher = make(tmp_path / "teacher", 0.5, more=same)
    weights = str(teacher / "weights/best.pt")
    make(tmp_path / "runs" / "alone", 0.3, more=same)
    taught = make(tmp_path / "runs" / "taught", 0.35, teacher=weights, more=same)
    assert [score["gap_closed"] for score in report(tmp_path / "runs")["ways"][1]["runs"]] == [pytest.approx(0.25)]
    if line:
        with (teacher / "args.yaml").open("a", encoding="utf-8") as file:
            file.write(line)  # the last of two lines for an argument counts
    else:
        (teacher / "args.yaml").unlink()
    found = report(tmp_path / "runs")
    assert [score["gap_closed"] for score in found["ways"][1]["runs"]] == [None]
    unknown = f"its share of the gap is unknown: its teacher's run has {difference}."
    assert found["notes"] == [f"{taught}: {unknown}"]
    make(tmp_path / "runs" / "again", 0.35, teacher=weights, more=same, seed=1)
    make(tmp_path / "runs" / "alone1", 0.3, more=same, seed=1)
    page = told(tmp_path / "runs")
    assert f"\nNote: taught, again: {unknown}\n" in page or f"\nNote: again, taught: {unknown}\n" in page
    assert "of gap" not in page  # a column without a figure in any row is left out


def test_the_trainer_compares_what_was_measured_alike_as_well() -> None:
    """It says at the end of a run how far student and teacher are apart; patches import nothing of distillpatch."""
    from patches import distill_outcome

    assert distill_outcome.VALIDATION == VALIDATION


def test_other_arguments_are_not_compared(tmp_path: Path) -> None:
    make(tmp_path / "alone", 0.3, more="lr0: 0.01\n")
    make(tmp_path / "taught", 0.4, more="lr0: 0.02\n", teacher="t.pt")
    found = report(tmp_path)
    assert [way["gains"] for way in found["ways"]] == [[], []]
    assert found["notes"][0].endswith("alone, has lr0=0.01 and not 0.02.")
    text = (tmp_path / "alone" / "args.yaml").read_text(encoding="utf-8")
    (tmp_path / "alone" / "args.yaml").write_text(text.replace("lr0: 0.01", "lr0: 0.02\ndis: 6.0\nplots: true"))
    assert report(tmp_path)["ways"][1]["gains"] == pytest.approx([0.1])


def test_the_same_run_twice_is_no_second_sample(tmp_path: Path) -> None:
    run = make(tmp_path / "a", 0.3)
    assert len(report(run, run, tmp_path)["ways"][0]["runs"]) == 1
    make(tmp_path / "b", 0.3)
    (note,) = report(tmp_path)["notes"]
    assert note == f"{tmp_path}/b: the same arguments and seed as {run}; not a sample of its own."


def test_runs_without_a_validation_or_with_a_loss_that_is_no_number(tmp_path: Path) -> None:
    run = make(tmp_path / "a", 0.3)
    (run / "results.csv").write_text(f"{HEADER}\n1,1,2,0,0,0,0,0\n2,1,nan,0,0,0.4,0.2,1\n3,1,nan,0,0,0,0,0\n")
    (score,) = report(run)["ways"][0]["runs"]
    assert (score["best"], score["best_epoch"], score["last"]) == (0.2, 2, 0.2)  # a zero without validation is no value
    assert [note.partition(": ")[2] for note in report(run)["notes"]] == [
        "a loss is not a finite number from epoch 2 on."
    ]
    (run / "results.csv").write_text(f"{HEADER}\n1,1,2,0,0,0,0,0\n")
    page = told(run)
    assert "mAP50-95(B) was not measured in any epoch (val=False?)" in page and re.search(r"(?m)^A +a +0 +1 +-", page)


def test_runs_of_different_tasks(tmp_path: Path) -> None:
    make(tmp_path / "a", 0.1)
    classify = make(tmp_path / "b", 0.1) / "results.csv"
    classify.write_text("epoch,metrics/accuracy_top1\n1,0.5\n")
    assert "these runs have no accuracy in common: expected runs of one task." in refused(tmp_path)
    assert "/b: no metric mAP50(B); expected one of accuracy_top1." in refused("--metric", "mAP50(B)", tmp_path)
    assert "0.5000" in told(classify)


@pytest.mark.one_python  # where matplotlib is installed
def test_a_picture_for_matplotlib(tmp_path: Path) -> None:
    make(tmp_path / "runs" / "alone", 0.1, 0.3)
    told("--plot", tmp_path / "a.png", tmp_path / "runs")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_picture(tmp_path: Path) -> None:
    make(tmp_path / "runs" / "alone", 0.1, 0.3)
    make(tmp_path / "runs" / "taught", 0.2, 0.35, teacher="<t&>.pt")
    told("--plot", tmp_path / "a.svg", tmp_path / "runs")
    picture = ElementTree.parse(tmp_path / "a.svg").getroot()
    texts = [element.text for element in picture.iter() if element.text]
    assert {"no teacher  0.300", "<t&>.pt: cwd  0.350", "epoch 2", "mAP50-95(B)"} <= set(texts)
    assert "expected a name that ends with .svg or .png." in refused("--plot", tmp_path / "a.gif", tmp_path / "runs")
    assert f"cannot write {tmp_path}/no/a.svg: No such file or directory" in refused(
        "--plot", tmp_path / "no" / "a.svg", tmp_path / "runs"
    )


def test_png_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    error = refused("--plot", tmp_path / "a.png", make(tmp_path / "a", 0.1))
    assert "PNG needs matplotlib, which is not installed here. Name a file that ends with .svg" in error
    assert f"{sys.executable} -m pip install matplotlib" in error


def test_short_names() -> None:
    assert run_names([Path("/r/a/run"), Path("/r/b/run")]) == ["a", "b"]
    assert run_names([Path("/r/a"), Path("/r/a/b")]) == ["a", "a/b"]
    assert run_names([Path("/r/train")]) == ["train"]
    assert teacher_name("C:\\x\\runs\\train\\weights\\best.pt") == "runs/train/best.pt"
    assert teacher_name("yolo11l.pt") == "yolo11l.pt"
    assert columns("用户é") == 5 and columns("e\u0301") == 1


@pytest.mark.training(core=("8.4.190",))
@pytest.mark.parametrize("release", ["8.4.190"])
def test_what_a_training_leaves(release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path) -> None:
    from training import train

    tree = patched(release)
    teacher = train(tree, tmp_path / "teacher", "yolov8n.yaml", digits, batch=4)
    train(tree, tmp_path / "runs" / "alone", "yolov8n.yaml", digits)
    options = {"model_t": str(teacher.weights), "distill_feat_type": "cwd"}
    train(tree, tmp_path / "runs" / "taught", "yolov8n.yaml", digits, **options)
    comparison = compare_folders([tmp_path / "runs"], None, "best")
    assert comparison.notes == ()
    alone, taught = comparison.ways
    assert alone.teacher is None and taught.teacher == str(teacher.weights)
    assert len(taught.gains) == 1
    assert any(loss.startswith("cwd") for loss in taught.scores[0].run.losses)

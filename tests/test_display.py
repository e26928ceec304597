"""What people see of a distillation: the progress bar, results.csv and its curves, loggers, and a line at the start."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lessons import COLUMNS, LOSSES, lesson, results
from training import Run

pytestmark = pytest.mark.training

TASKS = ("detect", "segment", "pose", "obb")

# Headers and rows as tuples of constant length, curves by numbers (8.0.136: no obb) and by names, names of the losses
# known from the start and (8.4.190) from the first batch on.
RELEASES = ("8.0.136", "8.2.50", "8.3.200", "8.4.190")

# Two epochs with and without a teacher, of which the first is not validated. `plot_metrics` is what `plots=True` calls.
CODE = """
import matplotlib
matplotlib.use("agg")
from matplotlib.figure import Figure
from ultralytics.utils.callbacks import tensorboard

class Writer:
    def __init__(self):
        self.scalars = {}

    def add_scalar(self, name, value, step):
        self.scalars[name] = float(value)

def curves(trainer):
    drawn = {}

    def look(figure, *args, **kwargs):
        drawn.update({a.get_title(): list(map(float, a.lines[0].get_ydata())) for a in figure.axes if a.get_visible()})
        return savefig(figure, *args, **kwargs)

    savefig, Figure.savefig = Figure.savefig, look
    trainer.plot_metrics()
    Figure.savefig = savefig
    return drawn

def observe(name, student, data, **options):
    tensorboard.WRITER = tensorboard.writer = writer = Writer()
    model = YOLO(student)
    batches = []

    def note(trainer):
        losses = (trainer.featureloss, trainer.teacherloss, trainer.logitloss)
        batches.append([trainer.epoch, *map(float, losses)])

    model.add_callback("on_train_batch_end", note)
    for event in ("on_batch_end", "on_train_epoch_end"):
        if hasattr(tensorboard, event):
            model.add_callback(event, getattr(tensorboard, event))
    model.train(**{**SETTINGS, "name": name, "data": data, "epochs": 2, "val": False, **options})
    report(**{name: {"curves": curves(model.trainer), "scalars": writer.scalars, "batches": batches}})

SUFFIX = {"detect": "", "segment": "-seg", "pose": "-pose", "obb": "-obb"}
for task, data in TASKS.items():
    points = {"kpt_shape": [4, 3]} if task == "pose" else {}
    teacher = save_teacher(f"{task}.pt", f"yolov8s{SUFFIX[task]}.yaml", **points)
    print(f"::{task}::")
    observe(task, f"yolov8n{SUFFIX[task]}.yaml", data, model_t=teacher, logit_loss=True, distillonline=True,
            distill_recipe="tutorial")
    print(f"::{task} alone::")
    observe(f"{task} alone", f"yolov8n{SUFFIX[task]}.yaml", data)
print("::end::")

from ultralytics.utils.plotting import plot_results

try:
    plot_results("nowhere/results.csv")
except Exception as error:
    report(nowhere=type(error).__name__)

from ultralytics.utils.distill_columns import add_distill_curves

given = object(), object(), ["train/box_loss"]
report(untouched=all(a is b for a, b in zip(given, add_distill_curves(*given, "nowhere"))))
"""


@pytest.fixture(scope="module", params=RELEASES)
def run(
    request: pytest.FixtureRequest, patched: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """Train with a release for all tasks, with and without a teacher, in one process."""
    from digits import make_digits

    folder = tmp_path_factory.mktemp(request.param)
    tasks = TASKS[:3] if request.param == "8.0.136" else TASKS
    sets = {task: str(make_digits(folder / "data" / task, images=10, size=64, task=task)) for task in tasks}
    return lesson(patched(request.param), folder, folder, f"TASKS = {sets!r}\n{CODE}", limit=900, batch=4)


def tasks_of(run: Run) -> list[str]:
    """Return the tasks that a release knows; the training without a teacher is called after the task as well."""
    return [name for name in run.facts if name in TASKS]


def log_of(run: Run, name: str) -> str:
    """Return the part of the log that one training has written, as lines."""
    return run.log.split(f"::{name}::")[1].split("\n::")[0].replace("\r", "\n").replace("\x1b[K", "")


def cells(line: str) -> list[str]:
    """Split a line of the progress bar into its columns, which are 11 wide and filled to the right."""
    columns = [line[i : i + 11] for i in range(0, len(line), 11)]
    assert all(len(column) == 11 and column[-1] != " " for column in columns), line
    return [column.strip() for column in columns]


def progress(run: Run, name: str) -> tuple[list[str], list[str]]:
    """Return the columns of the last header and of the row below it."""
    log = log_of(run, name)
    header = re.findall(r"^ +Epoch +GPU_mem.*", log, re.MULTILINE)[-1]
    row = re.findall(r"^ +2/2 +\S+G .+?(?=: )", log, re.MULTILINE)[-1]
    return cells(header), cells(row)


def test_each_figure_of_the_progress_bar_stands_under_its_heading(run: Run) -> None:
    for task in tasks_of(run):
        for name, ours in ((task, list(LOSSES)), (f"{task} alone", [])):
            header, row = progress(run, name)
            assert [heading for heading in header if heading in LOSSES] == ours
            assert header[-2 - len(ours) : -2] == ours or not ours
            assert header[-2:] == ["Instances", "Size"]
            shown = dict(zip(header, row, strict=True))
            assert shown["Size"] == "64"
            table = results(run, name)
            for loss in header[2:-2]:
                assert float(shown[loss]) == pytest.approx(table.column(f"train/{loss}")[-1], rel=1e-3, abs=1e-4)


def test_results_csv_has_the_three_losses_in_all_rows(run: Run) -> None:
    for task in tasks_of(run):
        table, plain = results(run, task), results(run, f"{task} alone")
        assert [len(row) for row in table.rows] == 2 * [len(table.columns)]
        assert [column for column in table.columns if column not in COLUMNS] == plain.columns
        first = table.columns.index(COLUMNS[0])
        assert table.columns[first : first + 3] == list(COLUMNS)
        assert all(column.startswith("train/") for column in table.columns[2:first])
        for column in COLUMNS:
            assert min(table.column(column)) > 0


def test_the_losses_are_means_over_the_batches_of_an_epoch(run: Run) -> None:
    for task in tasks_of(run):
        table, batches = results(run, task), run.facts[task]["batches"]
        assert [epoch for epoch, *_ in batches] == [0, 0, 1, 1]
        for number, column in enumerate(COLUMNS, start=1):
            values = [batch[number] for batch in batches]
            assert len(set(values)) == len(values)
            assert table.column(column) == pytest.approx([sum(values[:2]) / 2, sum(values[2:]) / 2], rel=1e-3, abs=2e-5)


def test_the_curves_are_upstreams_and_ours(run: Run) -> None:
    for task in tasks_of(run):
        curves, table = run.facts[task]["curves"], results(run, task)
        assert list(curves) == [*run.facts[f"{task} alone"]["curves"], *COLUMNS]
        for column, drawn in curves.items():
            assert drawn == pytest.approx(table.column(column))


def test_loggers_get_the_three_losses(run: Run) -> None:
    for task in tasks_of(run):
        scalars, table = run.facts[task]["scalars"], results(run, task)
        for column in COLUMNS:
            assert scalars[column] == pytest.approx(table.column(column)[-1], rel=1e-4, abs=1e-4)
        assert set(scalars) - set(run.facts[f"{task} alone"]["scalars"]) == set(COLUMNS)


def test_one_line_says_who_teaches_whom(run: Run) -> None:
    for task in tasks_of(run):
        (line,) = re.findall(r"^Distillation: .* teaches .*", log_of(run, task), re.MULTILINE)
        assert f"{task}.pt teaches online by cwd feature loss (weight 1) on layers" in line
        assert "mse response loss (weight 1); recipe tutorial, schedule epoch" in line
        assert "layers [2, 4, 6, 8, 12, 15, 18, 21]" in line
        assert "channels [32, 64, 128, 256, 128, 64, 128, 256] -> [64, 128, 256, 512, 256, 128, 256, 512]" in line
        assert "Distillation" not in log_of(run, f"{task} alone")


def test_without_results_the_curves_are_missed_as_upstream_misses_them(run: Run) -> None:
    assert run.facts["nowhere"] == "AssertionError"


def test_without_losses_of_distillation_the_figure_is_upstreams_own(run: Run) -> None:
    assert run.facts["untouched"]

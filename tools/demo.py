"""What `make demo` shows: a real release learns to distill, a student profits from it, and nothing is left behind.

Everything happens under `build/demo`, from a pristine release that is unpacked there. Each training is short enough for
two processor cores, so the figures are those of models that have barely begun to learn: they show that the losses work
together, not what distillation is worth at the end of a long training.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from digits import make_digits
from releases import unpack
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.syntax import Syntax
from rich.table import Table
from training import QUICK, Run, execute

RELEASE = "8.4.190"
STAGE = Path(__file__).resolve().parent.parent / "build" / "demo"

# Sizes that fit six minutes on two cores: 400 images of 96 x 96 pixels. Two trainings at a time with a thread each,
# because a second thread costs about a tenth more processor time on images this small.
IMAGES, SIZE = 400, 96
AT_ONCE = 2
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
TEACHER_EPOCHS, STUDENT_EPOCHS = 14, 10

# Training this short needs every step. Upstream adds up the gradients of 64 images before the optimizer moves (`nbs`),
# and spends its first epochs on warming up and on augmentations that pay off much later.
SHORT = {
    **QUICK,
    "imgsz": SIZE,
    "batch": 16,
    "nbs": 16,
    "optimizer": "AdamW",
    "lr0": 0.003,
    "warmup_epochs": 0.5,
    "mosaic": 0.0,
    "translate": 0.0,
    "scale": 0.0,
    "fliplr": 0.0,
    "val": False,
}

# The teacher is a YOLOv8n, and the student a YOLOv8n of half the width.
TEACHER = "yolov8n.yaml"
HALVE = """
import yaml
from ultralytics.nn.tasks import yaml_model_load
layout = yaml_model_load("yolov8n.yaml")
layout["scales"] = {"n": [0.33, 0.125, 1024]}
layout.pop("yaml_file"), layout.pop("scale")
open("yolov8n-half.yaml", "w").write(yaml.safe_dump(layout))
"""

TRAIN = """
from ultralytics import YOLO
metrics = YOLO({model!r}).train(**{arguments!r})
report(map=float(metrics.box.map), map50=float(metrics.box.map50))
"""

# The losses of a mode are named by it, see `check`.
MODES: dict[str, dict[str, Any]] = {
    "offline, features and soft targets": {},
    "offline, features alone": {"distill_feat_type": "cwd", "logit_loss": False},
    "online, features and soft targets": {"distillonline": True},
}

# As wide as the table needs, also where the output is no terminal.
console = Console(highlight=False, width=max(120, Console().width))


class Lesson(NamedTuple):
    """One training of the demo, done."""

    name: str
    run: Run

    @property
    def accuracy(self) -> float:
        """Return mAP50-95 on the validation images."""
        return float(self.run.facts["map"])

    def fall(self, column: str) -> str:
        """Return a loss of the first and of the last epoch, or nothing if this training did not have it."""
        losses = [row.get(f"train/{column}", 0.0) for row in self.run.results]
        return f"{losses[0]:.2f} → {losses[-1]:.2f}" if any(losses) else ""


def main() -> None:
    """Tell the story."""
    started = time.monotonic()
    shutil.rmtree(STAGE, ignore_errors=True)
    tree, pristine = unpack(RELEASE, STAGE / "checkout"), unpack(RELEASE, STAGE / "pristine")

    chapter(f"What distillpatch would change in ultralytics {RELEASE}")
    show_diff(distillpatch("diff", tree))

    chapter("Apply it")
    console.print(distillpatch("apply", tree))

    chapter("Train: a teacher, a student alone, and the same student with the teacher's help")
    lessons = train_all(tree, make_digits(STAGE / "digits", IMAGES, SIZE))
    console.print(table_of(lessons))
    check(lessons)

    chapter("Revert it")
    console.print(distillpatch("revert", tree))
    compare(pristine, tree)
    console.print(f"\nDone in {time.monotonic() - started:.0f} s. What was made is in {STAGE}.")


def chapter(title: str) -> None:
    """Begin the next part of the story."""
    console.rule(f"[bold]{title}", align="left")


def distillpatch(command: str, tree: Path) -> str:
    """Run one of the commands on the checkout, as a user would, and return what it prints."""
    path = tree.relative_to(STAGE)
    console.print(f"[dim]$ distillpatch {command} --ultralytics-path {path}[/dim]")
    return shell(sys.executable, "-m", "distillpatch", command, "--ultralytics-path", str(path))


def shell(*command: str) -> str:
    """Run a command on the stage and return its output; its failure ends the demo."""
    done = subprocess.run(command, cwd=STAGE, capture_output=True, text=True, check=False)
    if done.returncode:
        console.print(f"{done.stdout}{done.stderr}", markup=False)
        raise SystemExit(f"demo: exit code {done.returncode}: {' '.join(command)}")
    return done.stdout.strip()


def show_diff(diff: str) -> None:
    """Show what changes in the files that exist; the file that is added is too long to read here."""
    (STAGE / "distillpatch.diff").write_text(diff + "\n", encoding="utf-8")
    files = re.split(r"(?m)^(?=--- (?:a/|/dev/null))", diff)[1:]
    shown = [text for text in files if "--- /dev/null" not in text]
    console.print(Syntax("".join(shown), "diff", background_color="default", word_wrap=True))
    added = sum(line.startswith("+") and not line.startswith("+++") for line in diff.splitlines())
    console.print(f"{len(files)} files, {added} lines added; all of it is in {STAGE / 'distillpatch.diff'}")


def train_all(tree: Path, data: Path) -> list[Lesson]:
    """Train the teacher and the student alone, then the students that the teacher helps, with progress bars."""
    execute(tree, STAGE / "half", HALVE)
    student = str(STAGE / "half" / "yolov8n-half.yaml")
    columns = (
        TextColumn("{task.description:32}"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress, ThreadPoolExecutor(AT_ONCE) as pool:

        def begin(name: str, model: str, epochs: int, **options: Any) -> Future[Lesson]:
            task = progress.add_task(name, total=epochs, state="waiting", start=False)
            return pool.submit(train, name, tree, model, data, progress, task, epochs=epochs, **options)

        first = [begin("teacher", TEACHER, TEACHER_EPOCHS), begin("student alone", student, STUDENT_EPOCHS)]
        weights = str(first[0].result().run.weights)
        rest = [begin(mode, student, STUDENT_EPOCHS, model_t=weights, **options) for mode, options in MODES.items()]
        return [lesson.result() for lesson in first + rest]


def train(name: str, tree: Path, model: str, data: Path, progress: Progress, task: TaskID, **options: Any) -> Lesson:
    """Train once, and follow the epochs in the results file as they are done."""
    folder = STAGE / "runs" / name.replace(", ", "-").replace(" ", "-")
    arguments = {**SHORT, "data": str(data), "project": str(folder), **options}
    progress.start_task(task)
    progress.update(task, state="starting")
    done = threading.Event()
    follower = threading.Thread(target=follow, args=(folder / "run/results.csv", progress, task, done))
    follower.start()
    try:
        code = TRAIN.format(model=model, arguments=arguments)
        run = execute(tree, folder, code, python=sys.executable, limit=1200, variables=ONE_THREAD)
    finally:
        done.set()
        follower.join()
    lesson = Lesson(name, run)
    progress.update(task, completed=arguments["epochs"], state=f"mAP50-95 {lesson.accuracy:.3f}")
    progress.stop_task(task)
    return lesson


def follow(results: Path, progress: Progress, task: TaskID, done: threading.Event) -> None:
    """Move a progress bar on by the rows of a results file."""
    while not done.wait(0.5):
        if results.exists():
            epochs = len(results.read_text(encoding="utf-8").splitlines()) - 1
            progress.update(task, completed=epochs, state=f"epoch {epochs}")


def table_of(lessons: list[Lesson]) -> Table:
    """Return what came of the trainings: each loss in the first and in the last epoch, and the accuracy."""
    losses = {
        "box": "box_loss",
        "class": "cls_loss",
        "features": "dfeaLoss",
        "soft targets": "dlogitLoss",
        "teacher": "dlineLoss",
    }
    table = Table(
        "", "epochs", *losses, "mAP50-95", title="Losses from the first epoch to the last", title_justify="left"
    )
    for lesson in lessons:
        falls = [lesson.fall(column) for column in losses.values()]
        table.add_row(lesson.name, str(len(lesson.run.results)), *falls, f"{lesson.accuracy:.3f}")
    return table


def check(lessons: list[Lesson]) -> None:
    """Fail if a mode of distillation did not have its losses, or if they did not fall."""
    for lesson in lessons[2:]:
        columns = {"dfeaLoss": "features", "dlogitLoss": "soft targets", "dlineLoss": "online"}
        for column, word in columns.items():
            expected = word in lesson.name
            losses = [row[f"train/{column}"] for row in lesson.run.results]
            if any(losses) != expected or (expected and losses[-1] >= losses[0]):
                raise SystemExit(f"demo: {lesson.name}: {column} did not fall as it should: {losses}")


def compare(pristine: Path, tree: Path) -> None:
    """Show that the checkout is what it was; only the interpreter's bytecode may have come."""
    console.print("[dim]$ diff -r --exclude __pycache__ pristine checkout[/dim]")
    shell("diff", "-r", "--exclude", "__pycache__", str(pristine), str(tree))
    console.print("(no difference)")


if __name__ == "__main__":
    main()

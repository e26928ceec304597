"""What a run says at its end: the student beside its teacher, where the teacher's accuracy on this data is known."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import releases
from lessons import lesson, results
from training import Run

pytestmark = pytest.mark.training

# Its checkpoints do not hold how accurate they were.
SILENT = releases.OLDEST

RUNS = """
import os
from pathlib import Path

from ultralytics.utils.distill_outcome import tell_outcome

train("teacher")
best = Path(SETTINGS["project"]) / "teacher/weights/best.pt"

def teacher(path, accuracy=0.6331, **arguments):
    "Save the trained teacher as one that was more accurate, or was trained otherwise."
    checkpoint = torch.load(best, weights_only=False)
    if "train_metrics" in checkpoint:
        checkpoint["train_metrics"]["metrics/mAP50-95(B)"] = accuracy
    checkpoint["train_args"].update(arguments)
    torch.save(checkpoint, path)
    return path

same, replaced = teacher("same.pt"), teacher("replaced.pt")
others = {
    "data": teacher("data.pt", data="other.yaml"),
    "size": teacher("size.pt", imgsz=128),
    "unmeasured": teacher("unmeasured.pt", 0.0),
    "spoilt": Path("spoilt.pt"),
    "missing": "missing.pt",
    "replaced": replaced,
}
others["spoilt"].write_bytes(b"spoilt")

print("\\n:: same")
trainer = train("same", model_t=same)
teacher(replaced)
for name, path in others.items():
    print("\\n:: " + name)
    trainer.args.model_t = str(path)
    tell_outcome(trainer)
print("\\n:: learns")
train("learns", model_t=same, distillonline=True)

def interrupt(trainer):
    raise KeyboardInterrupt

print("\\n:: interrupted")
model = YOLO("yolov8n.yaml")
model.add_callback("on_train_epoch_end", interrupt)
try:
    model.train(**{**SETTINGS, "name": "interrupted", "model_t": same})
except KeyboardInterrupt:
    report(interrupted=True)
"""

LINE = re.compile(r"Distillation: student ([\d.]+) mAP50-95\(B\), teacher ([\d.]+) .*")


@pytest.fixture(scope="module", params=[SILENT, "8.2.50", "8.4.190"])
def run(
    request: pytest.FixtureRequest,
    patched: Callable[[str], Path],
    digits: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    return lesson(patched(request.param), tmp_path_factory.mktemp(request.param), digits, RUNS, limit=900)


def outcomes(run: Run) -> dict[str, list[re.Match[str]]]:
    """Return by training the lines on its outcome."""
    _, *parts = re.split(r"(?m)^:: ", run.log)
    return {part.split("\n", 1)[0]: list(LINE.finditer(part)) for part in parts}


def test_student_and_teacher_are_named_where_both_are_known(
    run: Run, digits: Path, request: pytest.FixtureRequest
) -> None:
    lines = outcomes(run)["same"]
    if SILENT in request.node.name:
        assert not lines
        return
    (line,) = lines
    accuracy = max(results(run, "same").column("metrics/mAP50-95(B)"))
    assert (float(line[1]), line[2]) == (pytest.approx(accuracy, abs=2e-3), "0.633")
    assert f"was also given data={digits} and imgsz=64; the difference is {float(line[1]) - 0.633:+.3f}." in line[0]


def test_nothing_is_said_of_a_teacher_whose_accuracy_is_not_known(run: Run) -> None:
    """Its checkpoint is of another training, was changed since, cannot be read or is not what taught the student."""
    lines = outcomes(run)
    assert lines.pop("same") is not None
    unknown = ("data", "size", "unmeasured", "spoilt", "missing", "replaced", "learns")
    assert lines == {name: [] for name in (*unknown, "interrupted")}
    assert run.facts["interrupted"]

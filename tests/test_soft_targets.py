"""Soft targets in a training: in each task and in each branch of a head, classes and boxes learn from the teacher."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from lessons import lesson
from releases import NEWEST, version_key

pytestmark = pytest.mark.training(core=(NEWEST,))

RELEASES = ("8.2.50", "8.4.190")

# The two convolutions of each branch of a head: boxes, classes.
ONE_TO_MANY, ONE_TO_ONE = {"cv2", "cv3"}, {"one2one_cv2", "one2one_cv3"}


class Pair(NamedTuple):
    """A student and a teacher, and the convolutions of the student's head that learn."""

    student: str
    teacher: str
    learning: set[str] = ONE_TO_MANY
    task: str = "detect"
    since: str = "8.2.50"


PAIRS = (
    Pair("yolov8n-seg.yaml", "yolov8s-seg.yaml", task="segment"),
    Pair("yolov8n-pose.yaml", "yolov8s-pose.yaml", task="pose"),
    Pair("yolov8n-obb.yaml", "yolov8s-obb.yaml", task="obb"),
    Pair("yolov10n.yaml", "yolov10s.yaml", ONE_TO_MANY | ONE_TO_ONE),
    Pair("yolov10n.yaml", "yolov8s.yaml"),  # which has one branch
    Pair("yolo26n.yaml", "yolo26s.yaml", ONE_TO_MANY | ONE_TO_ONE, since="8.4.190"),
    Pair("yolo26n-seg.yaml", "yolo26s-seg.yaml", ONE_TO_MANY | ONE_TO_ONE, task="segment", since="8.4.190"),
    # Other distances than the teacher's (reg_max 1 and 16): boxes are compared as they are decoded.
    Pair("yolo26n.yaml", "yolo11s.yaml", since="8.4.190"),
    Pair("yolo11n.yaml", "yolo26s.yaml", since="8.4.190"),
)

# What the response loss alone sends into the head, in the first step.
CODE = """
from ultralytics.utils.distiller import Distiller

class Enough(Exception):
    pass

def measured(self, batch):
    added = original(self, batch)
    sent = {}
    for name, module in self.trainer.model.model[-1].named_children():
        parameters = [p for p in module.parameters() if p.requires_grad]
        grads = torch.autograd.grad(added, parameters, retain_graph=True, allow_unused=True) if parameters else ()
        sent[name] = sum(float(g.abs().sum()) for g in grads if g is not None)
    report(**{key: {"loss": float(self.trainer.logitloss), "sent": sent}})
    raise Enough

original, Distiller.loss = Distiller.loss, measured
for key, student, teacher, data, task in PAIRS:
    save_teacher("teacher.pt", teacher, **({"kpt_shape": [4, 3]} if task == "pose" else {}))
    try:
        YOLO(student).train(**{**SETTINGS, "data": data, "batch": 4, "imgsz": 128}, model_t="teacher.pt",
                            distill_feat_type="none")
    except Enough:
        pass
"""


@pytest.mark.parametrize("release", RELEASES)
def test_soft_targets_teach_classes_and_boxes(release: str, patched: Callable[[str], Path], tmp_path: Path) -> None:
    from digits import make_digits

    pairs = {str(i): p for i, p in enumerate(PAIRS) if version_key(p.since) <= version_key(release)}
    data = {t: str(make_digits(tmp_path / t, images=20, size=64, task=t)) for t in {p.task for p in pairs.values()}}
    rows = [(key, p.student, p.teacher, data[p.task], p.task) for key, p in pairs.items()]
    run = lesson(patched(release), tmp_path, tmp_path, f"PAIRS = {rows!r}\n{CODE}", limit=900)
    for key, pair in pairs.items():
        found = run.facts[key]
        assert found["loss"] > 0, pair
        assert all(map(math.isfinite, found["sent"].values())), pair
        learning = {name for name, size in found["sent"].items() if size > 0}
        assert learning & (ONE_TO_MANY | ONE_TO_ONE) == pair.learning, pair

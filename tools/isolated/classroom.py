"""Imported by the code that runs with a release: teachers to learn from, and trainings that take no time.

The first argument of the process holds what all trainings have in common; see `lessons.py`, which starts it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch
from ultralytics import RTDETR, YOLO
from ultralytics.utils.metrics import ConfusionMatrix

# Releases up to 8.1 draw it after the last epoch whatever `plots` says, which takes longer than the training.
ConfusionMatrix.plot = lambda *_, **__: None

SETTINGS: dict[str, Any] = json.loads(sys.argv[1])


def save_teacher(
    path: str = "teacher.pt",
    config: str = "yolov8s.yaml",
    classes: int = 10,
    kpt_shape: list[int] | None = None,
    called: str = "{}",
) -> str:
    """Save a model of random weights as a checkpoint that every release opens, and return its path.

    Its classes have the names of the digits, as in the data, unless they are called otherwise.
    """
    torch.manual_seed(1)
    yolo = (RTDETR if "rtdetr" in config else YOLO)(config)
    points = {"data_kpt_shape": kpt_shape} if kpt_shape else {}
    teacher = type(yolo.model)(config, nc=classes, verbose=False, **points)
    teacher.names = {i: called.format(i) for i in range(classes)}
    torch.save({"model": teacher, "epoch": -1, "train_args": {"task": yolo.task}}, path)
    return path


def train(name: str, student: str = "yolov8n.yaml", **arguments: Any) -> Any:
    """Train a student, and return the trainer as the training has left it."""
    model = YOLO(student)
    model.train(**{**SETTINGS, "name": name, **arguments})
    return model.trainer


def attempt(student: str = "yolov8n.yaml", kind: Any = YOLO, **arguments: Any) -> dict[str, Any]:
    """Try to train; return what came of it, and whether the first batch was reached."""
    batches: list[int] = []
    try:
        model = kind(student)
        model.add_callback("on_train_batch_start", lambda _: batches.append(1))
        model.train(**{**SETTINGS, "name": "attempt", **arguments})
    except Exception as error:
        return {"error": type(error).__name__, "message": str(error), "started": bool(batches)}
    return {"error": None, "message": "", "started": bool(batches)}

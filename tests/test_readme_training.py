"""What README says of training is run as it is written there."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lessons import COLUMNS, lesson, results, yolo
from test_commands_in_docs import blocks
from test_docs import page
from training import QUICK

pytestmark = pytest.mark.training

# Of the same names as in README: a data set, and a teacher that is small.
FILES = 'save_teacher("teacher.pt", "yolov8s.yaml")\n'

# What README calls, made short.
SHORT = (
    "train, YOLO.train = YOLO.train, lambda self, **given: train(self, **{**given, **SETTINGS, 'data': given['data']})"
)


def test_the_readme_trains(patched: Callable[[str], Path], digits: Path, tmp_path: Path) -> None:
    tree = patched("8.4.190")
    text = page("README.md")  # the other language has the same commands
    (code,) = re.findall(r"(?m)^    from ultralytics import YOLO\n\n    YOLO\(.*\n", text)
    shutil.copytree(digits.parent, tmp_path, dirs_exist_ok=True)
    run = lesson(tree, tmp_path, digits, f"{FILES}{SHORT}\n" + re.sub(r"(?m)^ {4}", "", code), name="python")
    (command,) = {command for command in blocks(text) if command.startswith("yolo ")}
    short = [f"{key}={value}" for key, value in {**QUICK, "project": tmp_path, "name": "shell"}.items()]
    yolo(tree, tmp_path, *shlex.split(command)[2:], *short)
    for way in ("python", "shell"):
        assert results(run, way).column(COLUMNS[2])[0] > 0

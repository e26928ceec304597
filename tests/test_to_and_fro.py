"""Runs go to and fro between a patched release and the pristine one: each trains on with what the other has left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

import releases
from lessons import COLUMNS, lesson

pytestmark = pytest.mark.training

RELEASES = ("8.0.150", "8.4.190")

# A run that is interrupted after its first epoch of two.
LEFT = """
def interrupt(trainer):
    if trainer.epoch == 0:
        raise KeyboardInterrupt

def leave(name, **options):
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_fit_epoch_end", interrupt)
    try:
        model.train(**{**SETTINGS, "name": name, "epochs": 2, **options})
    except KeyboardInterrupt:
        pass

save_teacher()
leave("alone")
"""

# What people do with such a run: train on with its weights, train again with its arguments, resume it.
USED = """
import sys
import yaml
from pathlib import Path

def outcome(run, train, **settings):
    try:
        train(**settings)
    except SyntaxError as error:
        return report(**{run: str(error)})
    header, *rows = Path(run, "results.csv").read_text().splitlines()
    report(**{run: [[column.strip() for column in header.split(",")], len(rows)]})

def train_on(name, weights, **options):
    outcome(name, YOLO(weights).train, **{**SETTINGS, "name": name, **options})

def train_again(name, run):
    settings = yaml.safe_load(Path(run, "args.yaml").read_text())
    settings.pop("save_dir", None)  # 8.0.150 writes it, and accepts it from nobody
    outcome(name, YOLO("yolov8n.yaml").train, **{**settings, "name": name, "epochs": 1})

train_on("on", "alone/weights/last.pt")
train_again("again", "alone")
outcome("alone", YOLO("alone/weights/last.pt").train, resume=True)
"""


@pytest.mark.parametrize("release", RELEASES)
def test_what_a_patched_release_leaves_trains_on_in_the_pristine_one(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    pristine = releases.unpack(release, tmp_path / "pristine")
    taught = 'leave("taught", model_t="teacher.pt", logit_loss=True)\n'
    lesson(patched(release), tmp_path / "runs", digits, LEFT + taught)
    more = 'train_on("on taught", "taught/weights/last.pt")\ntrain_again("again taught", "taught")\n'
    used = lesson(pristine, tmp_path / "runs", digits, USED + more).facts

    assert [used[name][1] for name in ("on", "again", "alone", "on taught")] == [1, 1, 2, 1]
    assert all(not set(COLUMNS) & set(used[name][0]) for name in ("on", "again", "alone", "on taught"))
    # The arguments of a run with a teacher say so, and are not taken for those of a run without.
    assert "model_t" in used["again taught"] and "is not a valid YOLO argument" in used["again taught"]


@pytest.mark.parametrize("release", RELEASES)
def test_what_the_pristine_release_leaves_trains_on_in_a_patched_one(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    lesson(releases.unpack(release, tmp_path / "pristine"), tmp_path / "runs", digits, LEFT)
    more = 'train_on("on taught", "on/weights/last.pt", model_t="teacher.pt")\n'
    used = lesson(patched(release), tmp_path / "runs", digits, USED + more).facts

    assert [used[name][1] for name in ("on", "again", "alone", "on taught")] == [1, 1, 2, 1]
    assert all(not set(COLUMNS) & set(used[name][0]) for name in ("on", "again", "alone"))
    assert set(COLUMNS) <= set(used["on taught"][0])

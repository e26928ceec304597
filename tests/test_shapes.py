"""Every way in which the trainer's code was ever written where we edit it: patched, it trains with a teacher."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from lessons import COLUMNS, lesson, results
from releases import CORE, PINNED, TRAINING_LOOPS
from training import Run

pytestmark = pytest.mark.training(core=(*CORE, *TRAINING_LOOPS))

CODE = """
import numpy as np

teacher = save_teacher()
train("offline", model_t=teacher, distill_feat_type="cwd")
other = save_teacher("other.pt", called="digit {}")
online = train("online", model_t=other, distill_feat_type="cwd", distillonline=True)

learnt = YOLO(online.wdir / "last_teacher.pt")
image = np.zeros((64, 64, 3), np.uint8)
report(names=list(learnt.names.values()), seen=len(learnt.predict(image, imgsz=64, verbose=False)))
"""


@pytest.mark.parametrize("release", PINNED)
def test_one_epoch_with_a_teacher(release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path) -> None:
    run = lesson(patched(release), tmp_path, digits, CODE)

    feature, teacher, logit = losses_of(run, "offline")
    assert feature > 0 and logit > 0
    assert teacher == 0

    assert all(loss > 0 for loss in losses_of(run, "online"))
    assert run.facts == {"names": [f"digit {i}" for i in range(10)], "seen": 1}


def losses_of(run: Run, name: str) -> list[float]:
    """Return the losses of the only epoch of a training, all of its figures being finite."""
    table = results(run, name)
    (row,) = table.rows
    assert len(row) == len(table.columns)
    assert all(map(math.isfinite, row))
    return [table.column(column)[0] for column in COLUMNS]

"""The oldest Python and PyTorch that are promised: a patched release trains there, in each mode, and resumes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from environments import python_of
from lessons import LOSSES, lesson, results

pytestmark = pytest.mark.training

CODE = """
import platform
teacher = save_teacher()


def interrupt(trainer):
    if trainer.epoch == 0:
        raise KeyboardInterrupt


train("mgd", model_t=teacher, distill_feat_type="mgd", logit_loss=True)
model = YOLO("yolov8n.yaml")
model.add_callback("on_fit_epoch_end", interrupt)
try:
    model.train(**{**SETTINGS, "name": "online", "epochs": 2}, model_t=teacher, distillonline=True)
except KeyboardInterrupt:
    YOLO("online/weights/last.pt").train(resume=True)
report(versions=[platform.python_version_tuple()[:2], torch.__version__.split(".")[:2]])
"""


def test_a_patched_release_trains_on_the_oldest_python_and_pytorch(
    patched: Callable[[str], Path], tmp_path: Path
) -> None:
    from digits import make_digits

    # A data set of its own: beside the shared one lies a cache of labels that only newer versions of NumPy read.
    data = make_digits(tmp_path / "digits", images=20, size=64)
    run = lesson(patched("8.2.50"), tmp_path, data, CODE, python=python_of("runtime-oldest"))
    assert run.facts["versions"] == [["3", "8"], ["1", "13"]]
    offline, online = results(run, "mgd"), results(run, "online")
    assert [offline.column(f"train/{loss}")[0] > 0 for loss in LOSSES] == [True, False, True]
    assert online.column("epoch") == [1, 2]
    assert all(min(online.column(f"train/{loss}")) > 0 for loss in LOSSES[1:])

"""A training that is interrupted leaves the user's model as it would without a teacher: to copy, to save, to train."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lessons import lesson

pytestmark = pytest.mark.training

# In a notebook: the trainer and its model are still there after Ctrl-C, wherever that came.
INTERRUPTED = """
from copy import deepcopy

class Stop(KeyboardInterrupt):
    pass

def stop(*_):
    raise Stop

def left(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())

def interrupt(name, place, **options):
    handles = []

    def prepare(trainer):
        models = {"student": trainer.model, "teacher": trainer.model_t}
        handles.append(models[place[0]].model[place[1]].register_forward_pre_hook(stop))

    yolo = YOLO("student.pt")
    yolo.add_callback("on_train_start", prepare)
    try:
        yolo.train(**{**SETTINGS, "name": name, **options})
    except Stop:
        handles[0].remove()
        trainer = yolo.trainer
        models = [yolo.model, trainer.model, *([trainer.model_t] if options else [])]
        found = {"hooks": [left(model) for model in models]}
        for model in models:
            deepcopy(model)
        yolo.save(f"{name}.pt")
        found["saved"] = type(YOLO(f"{name}.pt").model).__name__
        report(**{name: found})

save_teacher("student.pt", "yolov8n.yaml")
teacher = save_teacher()
interrupt("alone", ("student", 21))
interrupt("student", ("student", 21), model_t=teacher, logit_loss=True)
interrupt("teacher", ("teacher", 21), model_t=teacher, logit_loss=True)
interrupt("online", ("teacher", 21), model_t=teacher, distillonline=True)
"""


@pytest.mark.parametrize("release", ["8.2.50", "8.4.190"])
def test_an_interrupted_training_leaves_nothing_on_the_models(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    facts = lesson(patched(release), tmp_path, digits, INTERRUPTED).facts
    assert set(facts) == {"alone", "student", "teacher", "online"}
    for name, found in facts.items():
        assert set(found["hooks"]) == {0}, name
        assert found["saved"] == "DetectionModel"


AT_REST = """
from ultralytics.utils.distill_features import active_branches, get_channels

def state(model):
    return [[m.training, len(m._forward_hooks)] for m in model.modules()]

def stop(*_):
    raise MemoryError

for mode in (True, False):
    model = YOLO("yolov8n.yaml").model.train(mode)
    model.model[3].eval()
    handle = model.model[20].register_forward_pre_hook(stop)
    before = state(model)
    for look in (get_channels, active_branches):
        try:
            look(model)
        except MemoryError:
            report(**{f"{look.__name__} {mode}": state(model) == before})
"""


@pytest.mark.parametrize("release", ["8.2.50"])
def test_a_look_at_a_model_that_fails_leaves_it_in_its_modes(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    facts = lesson(patched(release), tmp_path, digits, AT_REST).facts
    looks = ("get_channels", "active_branches")
    assert facts == {f"{look} {mode}": True for look in looks for mode in (True, False)}

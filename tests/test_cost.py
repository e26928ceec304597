"""What distillation costs: one forward pass of each model a step, nothing kept, and little besides.

Seconds are for `tools/step_time.py`; here the work is counted, which comes out the same on a busy machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from releases import NEWEST, TRAINING_LOOPS

pytestmark = pytest.mark.training(core=(NEWEST,))

# Counts calls by global hooks, so that the models themselves are left alone.
SCRIPT = """
import pickle, weakref
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.flop_counter import FlopCounterMode
from ultralytics.nn.tasks import DetectionModel


class Observer:
    def __init__(self):
        self.calls, self.maps, self.kept, self.hooks, self.pickled, self.flops = [], [], [], 0, 0, []
        self.layers = {}

    def watch(self, trainer):
        self.models = {"student": trainer.model, "teacher": trainer.model_t}
        self.models = {name: model for name, model in self.models.items() if model is not None}
        self.layers = {m.model[0]: name for name, m in self.models.items()}
        self.watched = {m.model[i] for m in self.models.values() for i in (2, 21)}
        self.tracked = [m.model[0].bn.num_batches_tracked.item() for m in self.models.values()]

    def called(self, module, inputs, output):
        if module in self.layers:
            self.calls[-1][self.layers[module]] += 1
        if self.layers and module in self.watched:
            self.maps.append(weakref.ref(output))

    def start(self, trainer):
        self.look(trainer)
        self.kept.append(sum(ref() is not None for ref in self.maps))
        self.calls.append(dict.fromkeys(self.models, 0))
        self.maps = []
        self.counter = FlopCounterMode(display=False)
        self.counter.__enter__()

    def end(self, trainer):
        self.counter.__exit__(None, None, None)
        self.flops.append(self.counter.get_total_flops())
        self.look(trainer)

    def look(self, trainer):
        for model in self.models.values():
            self.hooks += sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
            pickled = pickle.dumps(model)
            self.pickled += sum(word in pickled for word in (b"AddLoss", b"utils.distill"))

    def stop(self, trainer):
        after = [m.model[0].bn.num_batches_tracked.item() for m in self.models.values()]
        self.tracked = [b - a for a, b in zip(self.tracked, after)]


def observe(name, **options):
    observer = Observer()
    model = YOLO("yolov8n.yaml")
    events = {"on_train_start": observer.watch, "on_train_batch_start": observer.start}
    events.update(on_train_batch_end=observer.end, on_train_epoch_end=observer.stop)
    for event, function in events.items():
        model.add_callback(event, function)
    handle = register_module_forward_hook(observer.called)
    model.train(**{**SETTINGS, "name": name, **options})
    handle.remove()
    keys = ("calls", "kept", "hooks", "pickled", "flops", "tracked")
    report(**{name: {key: getattr(observer, key) for key in keys}})


torch.manual_seed(1)
TEACHER = DetectionModel("yolov8s.yaml", nc=10, verbose=False)
observe("plain")
TUTORIAL = dict(model_t=TEACHER, distill_recipe="tutorial")
observe("default", model_t=TEACHER)
observe("features", **TUTORIAL)
observe("offline", **TUTORIAL, logit_loss=True)
observe("online", **TUTORIAL, logit_loss=True, distillonline=True)

with FlopCounterMode(display=False) as counter, torch.no_grad():
    TEACHER.eval()(torch.zeros(4, 3, 64, 64))
report(teacher=counter.get_total_flops())
"""

STEPS = 4


@pytest.fixture(scope="module", params=TRAINING_LOOPS)
def facts(request: pytest.FixtureRequest, teach: Callable[..., Any]) -> dict[str, Any]:
    """Train in each way, in one process."""
    # With SGD, because MuSGD multiplies matrices as well, and as many for images of any size.
    settings = {"nbs": 4, "batch": 4, "warmup_epochs": 0, "optimizer": "SGD"}
    return teach(request.param, SCRIPT, **settings).facts


@pytest.mark.parametrize("mode", ["default", "features", "offline", "online"])
def test_a_step_makes_one_forward_pass_of_each_model(facts: dict[str, Any], mode: str) -> None:
    assert facts[mode]["calls"] == [{"student": 1, "teacher": 1}] * STEPS


@pytest.mark.parametrize(
    ("mode", "tracked"),
    [
        ("plain", [STEPS]),
        ("default", [STEPS, 0]),
        ("features", [STEPS, 0]),
        ("offline", [STEPS, 0]),
        ("online", [STEPS, STEPS]),
    ],
)
def test_batch_statistics_are_updated_once_a_step(facts: dict[str, Any], mode: str, tracked: list[int]) -> None:
    assert facts[mode]["tracked"] == tracked


@pytest.mark.parametrize("mode", ["default", "features", "offline", "online"])
def test_no_hook_survives_a_step_or_is_pickled(facts: dict[str, Any], mode: str) -> None:
    assert facts[mode]["hooks"] == 0
    assert facts[mode]["pickled"] == 0


@pytest.mark.parametrize("mode", ["default", "features", "offline", "online"])
def test_the_feature_maps_of_a_step_are_free_at_the_next(facts: dict[str, Any], mode: str) -> None:
    assert facts[mode]["kept"] == [0] * STEPS


def test_a_step_is_hardly_more_work_than_the_floor(facts: dict[str, Any]) -> None:
    """The floor is a plain step and one forward pass of the teacher."""
    floor = facts["plain"]["flops"][-1] + facts["teacher"]
    assert floor <= facts["default"]["flops"][-1] <= 1.05 * floor
    assert floor < facts["offline"]["flops"][-1] <= 1.05 * floor


def test_a_teacher_whose_logits_nobody_compares_is_spared_its_head(facts: dict[str, Any]) -> None:
    """That is more work than the feature loss adds, so a step is less than the floor."""
    floor = facts["plain"]["flops"][-1] + facts["teacher"]
    assert facts["plain"]["flops"][-1] < facts["features"]["flops"][-1] < 0.95 * floor

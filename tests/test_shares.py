"""The line that says what share of the student's gradient comes from distillation."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from lessons import said
from releases import NEWEST, TRAINING_LOOPS

pytestmark = pytest.mark.training(core=(NEWEST,))

# One step of each training, from the same start: the share is the last step's, which is the first.
SCRIPT = """
from ultralytics.models.yolo.detect import DetectionTrainer


class Observed(DetectionTrainer):
    def optimizer_step(self):
        self.gradient = torch.cat([p.grad.double().flatten() for p in self.model.parameters() if p.grad is not None])
        super().optimizer_step()


def gradient(name, frozen=0, **options):
    def freeze(trainer):  # as `freeze` does, which releases know from 8.0.154 on
        for layer in trainer.model.model[:frozen]:
            layer.requires_grad_(False)

    print(f"TRAINING {name}")
    torch.manual_seed(0)
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_start", freeze)
    model.train(trainer=Observed, **{**SETTINGS, "name": name, "model_t": "teacher.pt", **options})
    return model.trainer.gradient


save_teacher()
train("first")  # in 8.3.200 to 8.4.60 the first training of a process draws other random numbers
both = dict(distill_feat_type="cwd", batch=16, nbs=16)
zero = dict(distill_feat_weight=0.0, distill_logit_weight=0.0)
task = gradient("task", **both, **zero)
facts = {"feature": dict(distill_logit_weight=0.0), "logit": dict(distill_feat_weight=0.0), "all": {}}
report(**{k: float((gradient(k, **both, **v) - task).norm() / task.norm()) for k, v in facts.items()})
gradient("drowned", **both, distill_logit_weight=1e4)
gradient("late", batch=8, nbs=8, epochs=3, warmup_epochs=1)
gradient("average", batch=8, nbs=8, epochs=3, warmup_epochs=1, model_t="ema")
gradient("distrusted", batch=8, nbs=8, warmup_epochs=3, model_t="ema")


def fails(*_, **__):
    raise TypeError("Cannot convert a MPS Tensor to float64")


double, torch.Tensor.double = torch.Tensor.double, fails
print("TRAINING single precision")
train("single precision", model_t="teacher.pt")
torch.Tensor.double = double
grad, torch.autograd.grad = torch.autograd.grad, fails
print("TRAINING unmeasured")
train("unmeasured", model_t="teacher.pt")
torch.autograd.grad = grad
gradient("head", frozen=22)
try:
    gradient("frozen", frozen=22, logit_loss=False)
except ValueError as error:
    report(frozen=str(error))
"""

SHARE = r"Distillation: it sends the student ([\d.]+)% of the gradient that the task sends \((.*)\)"


@pytest.fixture(scope="module", params=TRAINING_LOOPS)
def run(request: pytest.FixtureRequest, teach: Callable[..., Any]) -> Any:
    """Make the trainings, in one process."""
    return teach(request.param, SCRIPT)


def test_the_share_is_that_of_the_gradient_that_distillation_adds(run: Any) -> None:
    logs = said(run)
    for name in ("feature", "logit", "all"):
        (share, _), *more = re.findall(SHARE, logs[name])
        assert not more
        assert float(share) / 100 == pytest.approx(run.facts[name], rel=0.01, abs=0.001)
    _, parts = re.findall(SHARE, logs["all"])[0]
    singles = [re.findall(SHARE, logs[name])[0][0] for name in ("feature", "logit")]
    assert re.findall(r"(\w+) ([\d.]+)%", parts) == [("dfeaLoss", singles[0]), ("dlogitLoss", singles[1])]


def test_a_share_that_is_too_small_or_too_large_is_warned_of(run: Any) -> None:
    logs = said(run)
    weights = "distill_feat_weight or distill_logit_weight"
    assert f"below 3% the teacher hardly teaches; try a larger {weights}" in logs["task"]
    assert "above 500% the teacher outweighs the labels; try a smaller" in logs["drowned"]
    assert "teacher hardly" not in logs["drowned"]


def test_a_share_at_a_part_of_the_weight_is_told_as_such_and_not_taken_for_a_small_one(run: Any) -> None:
    """The average does not count before the warm-up is over, and a run that short ends before."""
    log = said(run)["distrusted"]
    (share, _), *_ = re.findall(SHARE, log)
    assert float(share) < 3
    assert re.search(rf"{SHARE}, at 1% of its full weight", log)
    assert "hardly teaches" not in log
    assert "of its full weight" not in said(run)["all"]


def test_it_needs_no_precision_that_a_device_may_not_have(run: Any) -> None:
    assert re.search(SHARE, said(run)["single precision"])


def test_a_training_goes_on_where_it_cannot_be_measured(run: Any) -> None:
    log = said(run)["unmeasured"]
    assert "what share of the gradient it sends cannot be measured: Cannot convert a MPS Tensor to float64" in log
    assert "1 epochs completed" in log


def test_frozen_layers_that_cannot_be_taught_are_told_and_refused_if_there_is_nothing_else(run: Any) -> None:
    without_effect = "distill_feat_type: without effect while all layers up to those that are compared are frozen"
    assert [name for name, log in said(run).items() if without_effect in log] == ["head"]
    assert run.facts["frozen"].startswith(
        "model_t: nothing is taught, all layers up to those that are compared are frozen;"
    )


def test_it_is_said_once_at_the_end_of_the_warm_up(run: Any) -> None:
    for name in ("late", "average"):
        assert len(re.findall(SHARE, said(run)[name])) == 1

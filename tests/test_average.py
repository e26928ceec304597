"""model_t="ema": the student is taught by its own exponential moving average."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from lessons import results
from releases import NEWEST
from test_resume import RELEASES

pytestmark = pytest.mark.training(core=(NEWEST,))

SCRIPT = """
def flat(model):
    return torch.cat([p.detach().double().flatten() for p in model.parameters()])


def note(trainer):
    # At the start of each step: the weights that the teacher takes into its average.
    trainer.steps = getattr(trainer, "steps", [flat(trainer.model_t)])
    trainer.steps.append(flat(trainer.model))


def stop(trainer):
    if trainer.epoch == 1:
        torch.save([flat(trainer.model_t), trainer.distiller.teacher.steps], "interrupted.pt")
        raise KeyboardInterrupt


def begun(trainer):
    average, steps = torch.load("interrupted.pt")
    report(resumed=[float((flat(trainer.model_t) - average).abs().max()), trainer.distiller.teacher.steps - steps])


def teach(name, **options):
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_batch_start", note)
    if name == "part":
        model.add_callback("on_fit_epoch_end", stop)
    options = {**SETTINGS, "name": name, "epochs": 4, "warmup_epochs": 1, "model_t": "ema", **options}
    try:
        model.train(**options)
    except KeyboardInterrupt:
        pass
    return model.trainer


trainer = teach("whole")
average, *steps = trainer.steps
for t, weights in enumerate(steps, 1):
    share = 9 / (10 + t)
    average = (1 - share) * average + share * weights
report(apart=float((flat(trainer.model_t) - average).abs().max()), moved=float((average - steps[0]).abs().max()))
report(recipe={name: getattr(trainer.args, name, None) for name in ("distill_feat_type", "distill_logit_weight")})
report(trust=[trainer.distiller.teacher.trust(part) for part in (0, 0.25, 0.4, 0.55, 1)])
teach("part")
again = YOLO("part/weights/last.pt")
again.add_callback("on_train_start", begun)
again.train(resume=True)
report(left=[path.name for path in again.trainer.wdir.iterdir() if "distill" in path.name])
"""


@pytest.fixture(scope="module", params=RELEASES)
def run(request: pytest.FixtureRequest, teach: Callable[..., Any]) -> Any:
    return teach(request.param, SCRIPT, nbs=8)


def test_the_teacher_is_the_average_of_the_students_weights(run: Any) -> None:
    assert run.facts["moved"] > 1e-5
    assert run.facts["apart"] < run.facts["moved"] / 100


def test_it_is_followed_less_than_a_real_teacher(run: Any) -> None:
    assert run.facts["recipe"] == {"distill_feat_type": "none", "distill_logit_weight": 0.3}
    assert results(run, "whole").column("train/dfeaLoss") == [0, 0, 0, 0]


def test_it_counts_for_more_after_the_warm_up(run: Any) -> None:
    x = (0.4 - 0.25) / 0.3
    expected = [math.exp(-5), math.exp(-5), math.exp(-5 * (1 - x) ** 2), 1, 1]
    assert run.facts["trust"] == pytest.approx(expected)
    # It has begun as the student itself, so there is little to learn from it at first.
    losses = results(run, "whole").column("train/dlogitLoss")
    assert 0 < losses[0] < losses[-1]


def test_a_resumed_run_goes_on_with_the_same_average(run: Any) -> None:
    apart, steps = run.facts["resumed"]
    assert apart == 0
    assert steps == 0
    assert run.facts["left"] == []
    assert run.log.count("Distillation: ema teaches as the student's own average by ") == 3

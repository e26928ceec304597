"""How much a teacher counts, and when the share of its gradient is told, step by step of a run."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.one_python

BATCHES = 60


def schedule(
    name: str = "constant", epochs: int = 4, close: int = 0, warmup: float = 2, trusted_from: float = 0
) -> Any:
    """Return the schedule of a run of 60 batches an epoch."""
    from patches.distill_schedule import Schedule

    args = SimpleNamespace(distill_schedule=name, distill_close=close, warmup_epochs=warmup)
    trainer = SimpleNamespace(args=args, epochs=epochs, train_loader=range(BATCHES), epoch=0)
    trainer.distill_items = SimpleNamespace(batches=0)
    teacher = SimpleNamespace(trust=lambda progress: 1.0 if progress >= trusted_from else 0.5)
    return Schedule(trainer, teacher)


def at(schedule: Any, step: int) -> Any:
    """Return the schedule at a step of the run."""
    schedule.trainer.epoch, schedule.trainer.distill_items.batches = divmod(step, BATCHES)
    return schedule


def first_warm(schedule: Any) -> int:
    """Return the first step after which the share can be told."""
    return next(step for step in range(schedule.trainer.epochs * BATCHES) if at(schedule, step).is_warm())


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({}, 120),  # two epochs of warm-up
        ({"warmup": 0}, 0),
        ({"warmup": 0.5}, 100),  # upstream's least
        ({"warmup": 10}, 239),  # longer than the run: its last step
        ({"warmup": 10, "close": 1}, 179),  # its last step with the teacher
        ({"trusted_from": 0.6}, 144),
        ({"trusted_from": 2}, 239),
    ],
)
def test_the_share_is_told_when_the_teacher_has_its_full_weight(options: dict[str, Any], first: int) -> None:
    assert first_warm(schedule(**options)) == first


def test_a_teacher_closes_in_the_last_epochs() -> None:
    closing = schedule(close=1)
    assert [at(closing, epoch * BATCHES).is_open() for epoch in range(4)] == [True, True, True, False]


def test_a_teacher_that_is_half_trusted_counts_half() -> None:
    counts = at(schedule(trusted_from=0.5), 60).counts()
    assert counts == {"feature": 0.5, "online": 1, "logit": 0.5}


@pytest.mark.parametrize(
    ("name", "step", "expected"),
    [
        ("cosine", 0, 1.0),
        ("cosine", 120, 0.55),
        ("cosine", 239, 0.1),
        ("late", 0, 1.0),
        ("late", 120, 1.0),
        ("late", 180, 0.55),
        ("late", 239, 0.1),
    ],
)
def test_a_teacher_lets_go_over_the_whole_run_or_its_second_half(name: str, step: int, expected: float) -> None:
    counts = at(schedule(name), step).counts()
    assert counts == pytest.approx({"feature": expected, "online": 1, "logit": expected}, abs=0.01)


def test_the_tutorials_schedule_begins_anew_in_each_epoch_and_is_the_feature_losss_alone() -> None:
    epoch = schedule("epoch")
    counts = [at(epoch, step).counts() for step in (0, 30, 60, 90)]
    assert [count["feature"] for count in counts[:2]] == [count["feature"] for count in counts[2:]]
    expected = 0.1 + 0.9 * (1 + math.cos(math.pi * 30 / BATCHES)) / 2
    assert counts[1] == pytest.approx({"feature": expected, "online": 1, "logit": 1.0}, abs=0.02)

"""The response losses, on their own: dense soft targets are what NumPy makes of them, and finite.

They run on the oldest Python and PyTorch, too, so this file keeps to what those know.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from test_losses import pyramid, wave

from patches.AddLoss import full_precision
from patches.distill_response import SoftTargets

pytestmark = pytest.mark.training


# What the soft targets are, computed a second time, place by place, with NumPy in float64.
def soft_targets(s: Any, t: Any, bins: tuple[int, int], gains: tuple[float, float, float]) -> float:
    """Return the loss of raw outputs of one level, of shape (N, channels, places)."""
    box, cls, dfl = gains
    total, confidence = 0.0, 0.0
    for image_s, image_t in zip(s.astype("float64"), t.astype("float64")):
        for one, other in zip(image_s.T, image_t.T):
            sides = [x[: 4 * n].reshape(4, n) for x, n in ((one, bins[0]), (other, bins[1]))]
            p_s, p_t = (1 / (1 + np.exp(-x[4 * n :])) for x, n in ((one, bins[0]), (other, bins[1])))
            w = p_t.max()
            confidence += w
            total += cls * (p_t * np.log(p_t / p_s) + (1 - p_t) * np.log((1 - p_t) / (1 - p_s))).sum()
            shares = [np.exp(x) / np.exp(x).sum(1, keepdims=True) for x in sides]
            ends = [x[:, 0] if x.shape[1] == 1 else p @ np.arange(x.shape[1]) for x, p in zip(sides, shares)]
            corners = [(-d[0], -d[1], d[2], d[3]) for d in ends]
            (l1, t1, r1, b1), (l2, t2, r2, b2) = corners
            shared = max(min(r1, r2) - max(l1, l2), 0) * max(min(b1, b2) - max(t1, t2), 0)
            union = (r1 - l1) * (b1 - t1) + (r2 - l2) * (b2 - t2) - shared
            hull = (max(r1, r2) - min(l1, l2)) * (max(b1, b2) - min(t1, t2))
            total += box * w * (1 - shared / union + (hull - union) / hull)
            if bins[0] == bins[1] > 1:
                total += dfl * w * (shares[1] * np.log(shares[1] / shares[0])).sum(1).mean()
    return total / max(confidence, len(s))


@pytest.mark.parametrize("bins", [(16, 16), (1, 1), (16, 1), (1, 16), (8, 16)])
@pytest.mark.parametrize("sure", [True, False])
def test_the_soft_targets_are_those_of_numpy(bins: tuple[int, int], sure: bool) -> None:
    def outputs(count: int, a: float, b: float) -> torch.Tensor:
        raw = 2 * wave([2, 4 * count + 3, 4, 4], a, b)
        if count == 1:
            raw[:, :4] += 2.5  # distances, which are positive as a rule
        raw[:, 4 * count :] -= 0 if sure else 6
        return raw

    s, t = outputs(bins[0], 0.37, 0.0).requires_grad_(), outputs(bins[1], 0.23, 1.0).requires_grad_()
    expected = soft_targets(s.detach().flatten(2).numpy(), t.detach().flatten(2).numpy(), bins, (7.5, 0.5, 1.5))
    loss = SoftTargets(*map(model_of, bins), SimpleNamespace(box=7.5, cls=0.5, dfl=1.5))
    levels = [[x[:, :, :3], x[:, :, 3:]] for x in (s, t)]
    value = loss({"one2many": levels[0]}, {"one2many": levels[1]}, {"one2many": 1.0})
    assert value.item() == pytest.approx(expected, rel=1e-4)
    both = {"one2many": levels[0], "one2one": levels[0]}, {"one2many": levels[1], "one2one": levels[1]}
    weighted = loss(*both, {"one2many": 0.7, "one2one": 0.2})
    assert weighted.item() == pytest.approx(0.9 * expected, rel=1e-4)
    value.backward()
    assert t.grad is None, "the teacher must not learn to be imitated"
    assert s.grad.isfinite().all() and s.grad.abs().sum() > 0


def model_of(bins: int) -> Any:
    """Return what of a model the response losses look at."""
    return SimpleNamespace(model=[SimpleNamespace(reg_max=bins)])


def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn() -> None:
    same = [10 * wave([2, 67, 4, 4], 0.37, 0.0)]
    loss = SoftTargets(model_of(16), model_of(16), SimpleNamespace(box=7.5, cls=0.5, dfl=1.5))
    s = [same[0].clone().requires_grad_()]
    value = loss({"one2many": s}, {"one2many": same}, {"one2many": 1.0})
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-4)
    assert s[0].grad.abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_soft_targets_are_finite_in_half_precision(dtype: torch.dtype) -> None:
    s, t = ([(6e4 * x).to(dtype) for x in pyramid([[2, 67, 4, 4]], a, 0.0)] for a in (0.37, 0.23))
    s[0] = s[0].detach().requires_grad_()
    loss = SoftTargets(model_of(16), model_of(16), SimpleNamespace(box=7.5, cls=0.5, dfl=1.5))
    with torch.autocast("cpu", dtype=torch.bfloat16), full_precision(torch.device("cpu")):
        value = loss({"one2many": s}, {"one2many": t}, {"one2many": 1.0})
    value.backward()
    assert value.dtype == torch.float32 and value.isfinite()
    assert s[0].grad.isfinite().all()

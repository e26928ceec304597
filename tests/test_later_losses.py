"""The feature losses of later papers, on their own: each is what NumPy makes of its formula, in float64.

They run on the oldest Python and PyTorch, too, so this file keeps to what those know.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from test_losses import wave

from patches.AddLoss import FeatureLoss, MimicLoss
from patches.distill_losses import FRSLoss, PKDLoss, RelationLoss

pytestmark = pytest.mark.training


# Feature richness score -----------------------------------------------------------------------------------------------


def test_frs_counts_places_by_the_teachers_confidence() -> None:
    """Against NumPy: sum(w * mean_c (s - t)^2) / max(sum(w), N), summed over the levels."""
    shapes = [(2, 3, 4, 5), (2, 6, 2, 2)]
    y_s, y_t = ([wave(list(shape), step, 0.1).requires_grad_() for shape in shapes] for step in (0.7, 0.3))
    confidence = [wave([n, 1, h, w], 0.9, 0.2).abs() for n, _, h, w in shapes]
    confidence[1] *= 0.01  # hardly a confident place
    expected = 0.0
    for s, t, w in zip(y_s, y_t, confidence):
        error, weight = (s.detach().numpy() - t.detach().numpy()) ** 2, w.numpy()
        expected += float((weight[:, 0] * error.mean(1)).sum() / max(weight.sum(), 2))
    assert FRSLoss([3, 6], [3, 6])(y_s, y_t, confidence).item() == pytest.approx(expected, rel=1e-5)


def test_a_feature_map_of_another_size_takes_the_confidence_of_the_nearest_level() -> None:
    sizes: list[tuple[int, ...]] = []

    class Seen(FRSLoss):
        def forward(self, y_s: Any, y_t: Any, confidence: Any) -> torch.Tensor:
            sizes.extend(tuple(c.shape) for c in confidence)
            assert [float(c.mean()) for c in confidence] == pytest.approx([0.1, 0.2])
            return super().forward(y_s, y_t, confidence)

    loss = FeatureLoss([4, 4], [8, 8], "frs")
    loss.feature_loss = Seen([4, 4], [8, 8])
    assert loss.needs_confidence
    y_s, y_t = ([torch.randn(2, c, size, size) for size in (16, 7)] for c in (4, 8))
    levels = [torch.full((2, 1, size, size), value) for size, value in ((12, 0.1), (6, 0.2))]
    assert loss(y_s, y_t, levels).item() > 0
    assert sizes == [(2, 1, 16, 16), (2, 1, 7, 7)]


# Pearson correlation --------------------------------------------------------------------------------------------------

SHAPES = [[2, 3, 4, 5], [2, 6, 2, 2]]


def maps(a: float, b: float) -> list[torch.Tensor]:
    """Return a feature map of each shape, which gradient can reach."""
    return [wave(shape, a, b).requires_grad_() for shape in SHAPES]


def test_pkd_is_the_correlation_of_channels() -> None:
    """Against NumPy: 1 - mean over the channels of Pearson's r over all places of the batch, summed over the levels."""
    y_s, y_t = maps(0.7, 0.1), maps(0.3, 0.4)
    expected = 0.0
    for pair in zip(y_s, y_t):
        s, t = (np.moveaxis(x.detach().numpy().astype("float64"), 1, 0).reshape(x.shape[1], -1) for x in pair)
        expected += 1 - np.mean([np.corrcoef(one, other)[0, 1] for one, other in zip(s, t)])
    value = PKDLoss([3, 6], [3, 6])(y_s, y_t)
    assert value.item() == pytest.approx(expected, rel=1e-4)
    value.backward()
    assert all(s.grad.isfinite().all() and s.grad.abs().sum() > 0 for s in y_s)


def test_pkd_does_not_see_the_size_of_channels() -> None:
    y_s, y_t = maps(0.7, 0.1), maps(0.3, 0.4)
    loss = PKDLoss([3, 6], [3, 6])
    changed = loss([5 * s + 3 for s in y_s], [0.2 * t - 1 for t in y_t])
    assert changed.item() == pytest.approx(loss(y_s, y_t).item(), rel=1e-3)
    assert loss(y_s, [2 * s + 1 for s in y_s]).item() == pytest.approx(0, abs=1e-4)


def test_pkd_is_finite_where_a_channel_is_constant() -> None:
    y_s = [torch.ones(2, 3, 4, 4, requires_grad=True)]
    value = PKDLoss([3], [3])(y_s, [wave([2, 3, 4, 4], 0.3, 0.4)])
    value.backward()
    assert value.isfinite() and y_s[0].grad.isfinite().all()


def test_pkd_in_a_training_is_half_of_mimic() -> None:
    """FeatureLoss normalizes channels by the batch, which is what PKD adds to a mean squared error."""
    losses = [FeatureLoss([3, 6], [3, 6], kind) for kind in ("pkd", "mimic")]
    losses[1].load_state_dict(losses[0].state_dict())
    y_s, y_t = maps(0.7, 0.1), maps(0.3, 0.4)
    large = [[100 * x for x in y] for y in (y_s, y_t)]  # a BatchNorm adds 0.001 to the variance, which is then nothing
    pkd, mimic = (loss(*large).item() for loss in losses)
    assert pkd == pytest.approx(mimic / 2, rel=1e-3)
    assert MimicLoss([3], [3])(y_s, y_t).item() != pytest.approx(mimic, rel=0.1)


# Relations ------------------------------------------------------------------------------------------------------------


def relations(y_s: Any, y_t: Any, confidence: Any, places: int) -> float:
    """Return the loss of relations, computed with NumPy image by image and pair by pair."""
    total = 0.0
    for s, t, w in zip(y_s, y_t, confidence):
        for one, other, sure in zip(*(x.detach().numpy().astype("float64") for x in (s, t, w))):
            flat = [x.reshape(len(x), -1).T for x in (one, other)]  # a row a place
            sure = sure.ravel()
            chosen, above, below = np.argsort(-sure)[:places], 0.0, 0.0
            for i in chosen:
                for j in chosen:
                    if i != j:
                        near = [x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j]) for x in flat]
                        above += sure[i] * sure[j] * (near[0] - near[1]) ** 2
                        below += sure[i] * sure[j]
            total += above / max(below, 1) / len(s)
    return total


@pytest.mark.parametrize("sure", [1.0, 0.05])
def test_relations_are_those_of_numpy(sure: float) -> None:
    """Of two models of other widths, on a level with more places than count and on one with fewer."""
    shapes_s, shapes_t = [[2, 3, 9, 10], [2, 5, 2, 3]], [[2, 7, 9, 10], [2, 4, 2, 3]]
    y_s = [wave(shape, 0.7, 0.1).requires_grad_() for shape in shapes_s]
    y_t = [wave(shape, 0.3, 0.4) for shape in shapes_t]
    confidence = [sure * wave([n, 1, h, w], 0.9, 0.2).abs() for n, _, h, w in shapes_s]
    loss = FeatureLoss([3, 5], [7, 4], "relation")
    value = loss(y_s, y_t, confidence)
    assert value.item() == pytest.approx(relations(y_s, y_t, confidence, 64), rel=1e-4)
    value.backward()
    assert all(s.grad.isfinite().all() and s.grad.abs().sum() > 0 for s in y_s)
    assert not loss.state_dict(), "nothing is aligned, so nothing is trained"


def test_relations_do_not_see_the_size_of_features() -> None:
    y_s, confidence = maps(0.7, 0.1), [torch.ones(2, 1, *shape[2:]) for shape in SHAPES]
    loss = RelationLoss([3, 6], [3, 6])
    assert loss(y_s, [3 * s.detach() for s in y_s], confidence).item() == pytest.approx(0, abs=1e-6)
    assert loss(y_s, maps(0.3, 0.4), confidence).item() > 0.01


def test_a_teacher_of_another_size_has_its_relations_where_the_student_is() -> None:
    y_s, y_t = [wave([2, 3, 6, 6], 0.7, 0.1)], [wave([2, 5, 6, 6], 0.3, 0.4)]
    confidence = [wave([2, 1, 6, 6], 0.9, 0.2).abs()]
    doubled = [x.repeat_interleave(2, 2).repeat_interleave(2, 3) for x in (y_t[0], confidence[0])]
    loss = FeatureLoss([3], [5], "relation")
    assert loss(y_s, doubled[:1], doubled[1:]).item() == pytest.approx(loss(y_s, y_t, confidence).item(), rel=1e-4)


def test_a_teacher_that_is_sure_of_nothing_has_no_relations_to_teach() -> None:
    y_s, none = maps(0.7, 0.1), [torch.zeros(2, 1, *shape[2:]) for shape in SHAPES]
    zeros = [torch.zeros(shape, requires_grad=True) for shape in SHAPES]
    loss = RelationLoss([3, 6], [3, 6])
    assert loss(y_s, maps(0.3, 0.4), none).item() == 0
    for s, confidence in ((y_s, none), (zeros, [x + 1 for x in none])):  # features without direction, too
        value = loss(s, maps(0.3, 0.4), confidence)
        value.backward()
        assert value.isfinite() and all(x.grad.isfinite().all() for x in s)

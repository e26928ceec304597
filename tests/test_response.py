"""The response losses, on their own: dense soft targets are what NumPy makes of them, and finite.

They run on the oldest Python and PyTorch, too, so this file keeps to what those know.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from test_losses import pyramid, wave

from patches.AddLoss import full_precision
from patches.distill_classes import classes_by_name, pair_classes, teacher_names
from patches.distill_response import RawOutputs, SoftTargets, confidences

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
    loss = soft(*map(model_of, bins))
    levels = [[x[:, :, :3], x[:, :, 3:]] for x in (s, t)]
    value = loss({"one2many": levels[0]}, {"one2many": levels[1]}, {"one2many": 1.0})
    assert value.item() == pytest.approx(expected, rel=1e-4)
    both = {"one2many": levels[0], "one2one": levels[0]}, {"one2many": levels[1], "one2one": levels[1]}
    weighted = loss(*both, {"one2many": 0.7, "one2one": 0.2})
    assert weighted.item() == pytest.approx(0.9 * expected, rel=1e-4)
    value.backward()
    assert t.grad is None, "the teacher must not learn to be imitated"
    assert s.grad.isfinite().all() and s.grad.abs().sum() > 0


def model_of(bins: int, classes: int = 3) -> Any:
    """Return what of a model the response losses look at."""
    return SimpleNamespace(model=[SimpleNamespace(reg_max=bins, nc=classes)])


def soft(student: Any, teacher: Any, names_s: Sequence[str] = "abc", names_t: Sequence[str] = "abc") -> SoftTargets:
    """Return the loss of soft targets for models whose classes have names."""
    hyp = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)
    return SoftTargets(student, teacher, hyp, classes_by_name(dict(enumerate(names_s)), dict(enumerate(names_t))))


# The classes ----------------------------------------------------------------------------------------------------------


def loss_of(s: torch.Tensor, t: torch.Tensor, names_s: Sequence[str], names_t: Sequence[str]) -> torch.Tensor:
    """Return the loss of raw outputs of which the classes have names."""
    loss = soft(model_of(16, len(names_s)), model_of(16, len(names_t)), names_s, names_t)
    return loss({"one2many": [s]}, {"one2many": [t]}, {"one2many": 1.0})


def outputs_of(s: int, t: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return raw outputs of a student and of a teacher of some numbers of classes."""
    return 2 * wave([2, 64 + s, 4, 4], 0.37, 0.0), 2 * wave([2, 64 + t, 4, 4], 0.23, 1.0)


def reordered(x: torch.Tensor, classes: list[int]) -> torch.Tensor:
    """Return raw outputs with some of their classes, in an order."""
    return torch.cat([x[:, :64], x[:, 64:][:, classes]], 1)


def test_a_teacher_whose_classes_have_another_order_gives_exactly_the_same_loss() -> None:
    s, t = outputs_of(4, 4)
    other = loss_of(s, reordered(t, [2, 0, 3, 1]), "abcd", [" C", "a", "D ", "b"])
    assert other.item() == pytest.approx(loss_of(s, t, "abcd", "abcd").item(), rel=1e-6)  # sums of another order
    assert other.item() != loss_of(s, reordered(t, [2, 0, 3, 1]), "abcd", "abcd").item()


def test_classes_that_the_teacher_has_alone_do_not_count() -> None:
    s, t = outputs_of(3, 7)
    t[:, 64:68] += 9  # it is surer of what the data does not have
    known = loss_of(s, reordered(t, [4, 5, 6]), "abc", "abc")
    assert loss_of(s, t, "abc", "vwxyabc").item() == pytest.approx(known.item(), rel=1e-6)


def test_classes_that_the_data_has_alone_are_not_taught() -> None:
    s, t = outputs_of(3, 3)
    s.requires_grad_()
    value = loss_of(s, t, "abc", "bxc")
    known = loss_of(reordered(s, [1, 2]), reordered(t, [0, 2]), "bc", "bc")
    assert value.item() == pytest.approx(known.item(), rel=1e-6)
    value.backward()
    assert [s.grad[:, 64 + i].abs().sum() > 0 for i in range(3)] == [False, True, True]


def test_without_a_common_class_boxes_alone_are_taught(caplog: pytest.LogCaptureFixture) -> None:
    s, t = outputs_of(3, 2)
    s.requires_grad_()
    value = loss_of(s, t, "abc", "xy")
    value.backward()
    assert s.grad[:, :64].abs().sum() > 0 and s.grad[:, 64:].abs().sum() == 0
    confident = loss_of(s, reordered(t, [0]), "abc", "x")
    assert value.item() != confident.item(), "all of its classes tell where its boxes are good"
    (warning,) = [text for text in caplog.messages if "(x, y)" in text]
    assert warning.startswith("logit_loss: no class of the data (a, b, c) has the name of one of the teacher (x, y)")


def paired(
    ours: Any, theirs: Any, loss: Any = SoftTargets, single: bool = False, numbered: bool = False, **args: Any
) -> Any:
    """Return how the classes of a run are paired with those of a teacher, which may be trained with single_cls."""
    run = SimpleNamespace(**{"classes": None, "single_cls": False, "distill_logit_type": "a", **args})
    model = SimpleNamespace(names=theirs, args={"single_cls": single})
    teacher = SimpleNamespace(names=teacher_names(model), numbered=numbered)
    return pair_classes(SimpleNamespace(args=run, data={"names": ours}), teacher, loss)


@pytest.mark.parametrize(
    ("ours", "theirs", "student", "teacher", "note"),
    [
        (["a", "b"], {0: "a", 1: "b"}, [0, 1], [0, 1], ""),
        (["a", "a"], ["a", "a"], [0, 1], [0, 1], ""),
        (["a", "A ", "b"], ["b", "a"], [0, 2], [1, 0], "2 of 2 classes of the teacher .* the 3 that are trained"),
        ({0: "Traffic light"}, ["car", "traffic light"], [0], [1], "1 of 2 classes .+: Traffic light$"),
        (["traffic_light"], ["traffic light"], [], [], "none of the 1 classes of the teacher shares a name"),
        ([*"abcdefg"], [*"gfedcba"], [*range(7)], [*range(7)][::-1], "7 of 7 classes .+: a, b, c, d, e, ...$"),
    ],
)
def test_classes_are_paired_by_name(ours: Any, theirs: Any, student: Any, teacher: Any, note: str) -> None:
    found = paired(ours, theirs)
    assert found[:2] == (student, teacher)
    assert bool(found.note) == bool(note) and re.match(note, found.note)


@pytest.mark.parametrize("classes", [[2, 0], 2])
def test_classes_that_a_run_leaves_out_are_not_taught(classes: Any) -> None:
    found = paired([*"abc"], [*"cba"], classes=classes)
    chosen = [0, 2] if classes == [2, 0] else [2]
    assert found[:2] == (chosen, [2 - i for i in chosen])
    assert f"share a name with the {len(chosen)} that are trained" in found.note
    assert paired([*"abc"], [*"cba"], classes=classes, numbered=True)[:2] == (chosen, chosen)


@pytest.mark.parametrize("ours", [["item"], ["a", "b"]], ids=["newer release", "older release"])
def test_a_run_with_one_class_is_not_taught_several(ours: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert paired(ours, ["a", "b"], single_cls=True)[:2] == ([], [])
    assert "single_cls: the teacher has 2 classes, so it teaches boxes alone; expected one that was" in caplog.text
    assert paired(ours, ["a", "b"], single=True, single_cls=True) == ([0], [0], "")


@pytest.mark.parametrize("numbered", [False, True])
def test_one_class_is_paired_with_one_of_which_the_name_is_lost(
    numbered: bool, caplog: pytest.LogCaptureFixture
) -> None:
    lost = paired(["person"], ["person"], single_cls=True, numbered=numbered)
    assert lost == ([0], [0], "the teacher's one class, person, is taken for the one that is trained, item")
    of_teacher = paired(["person"], ["person"], single=True, numbered=numbered)
    assert of_teacher == ([0], [0], "the teacher's one class, item, is taken for the one that is trained, person")
    assert not caplog.text
    assert paired([*"ab"], ["person"], single=True, classes=[1])[:2] == ([], []), "it may be more than one of the data"


@pytest.mark.parametrize("left_out", [{"classes": [1]}, {"classes": 0}, {"single_cls": True}])
def test_a_loss_that_compares_all_classes_says_so(left_out: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    for loss, warned in ((SoftTargets, False), (RawOutputs, True)):
        caplog.clear()
        paired(["a", "b"], ["a", "b"], loss, **left_out)
        assert ("compares all classes of the heads all the same" in caplog.text) == warned
    caplog.clear()
    paired(["a", "b"], ["a", "b"], RawOutputs)
    assert not caplog.text


# Figures --------------------------------------------------------------------------------------------------------------


def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn() -> None:
    same = [10 * wave([2, 67, 4, 4], 0.37, 0.0)]
    loss = soft(model_of(16), model_of(16))
    s = [same[0].clone().requires_grad_()]
    value = loss({"one2many": s}, {"one2many": same}, {"one2many": 1.0})
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-4)
    assert s[0].grad.abs().max() < 1e-5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_soft_targets_are_finite_in_half_precision(dtype: torch.dtype) -> None:
    s, t = ([(6e4 * x).to(dtype) for x in pyramid([[2, 67, 4, 4]], a, 0.0)] for a in (0.37, 0.23))
    s[0] = s[0].detach().requires_grad_()
    loss = soft(model_of(16), model_of(16))
    with torch.autocast("cpu", dtype=torch.bfloat16), full_precision(torch.device("cpu")):
        value = loss({"one2many": s}, {"one2many": t}, {"one2many": 1.0})
    value.backward()
    assert value.dtype == torch.float32 and value.isfinite()
    assert s[0].grad.isfinite().all()


def test_the_confidence_is_that_of_the_classes_which_the_data_has() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.5], [-3.0, 1.0, 0.0]])  # two places, three classes
    level = torch.cat([torch.full((1, 4, 1, 2), 9.0), logits.T.reshape(1, 3, 1, 2)], 1)
    for classes, expected in (([], [2.0, 1.0]), ([1, 2], [0.5, 1.0]), ([0], [2.0, -3.0])):
        (found,) = confidences(model_of(1), {"one2many": [level]}, classes)
        assert found.shape == (1, 1, 1, 2)
        assert torch.equal(found.flatten(), torch.tensor(expected).sigmoid())

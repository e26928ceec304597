"""The losses that are added to a checkout, on their own: the tutorial's figures and names, without its faults.

They run on the oldest Python and PyTorch, too, so this file keeps to what those know.
"""

from __future__ import annotations

import inspect
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import releases
import torch
from training import execute

from patches import AddLoss
from patches.AddLoss import CWDLoss, Distill_LogitLoss, FeatureLoss, MGDLoss, MimicLoss, distill_weight
from patches.distill_pairs import YOLOV8_LAYERS

pytestmark = pytest.mark.training

GOLDEN = json.loads((Path(__file__).parent / "golden/addloss.json").read_text(encoding="utf-8"))
STUDENT_SHAPES, TEACHER_SHAPES = GOLDEN["inputs"]["student_shapes"], GOLDEN["inputs"]["teacher_shapes"]
CHANNELS_S, CHANNELS_T = ([shape[1] for shape in shapes] for shapes in (STUDENT_SHAPES, TEACHER_SHAPES))
KINDS = ("cwd", "mgd", "mimic")


def wave(shape: list[int], a: float, b: float) -> torch.Tensor:
    """Return the golden figures' input: a sine over the flat index."""
    return torch.sin(a * torch.arange(math.prod(shape), dtype=torch.float64) + b).float().reshape(shape)


def pyramid(shapes: list[list[int]], a: float, b: float, step: float = 0.1) -> list[torch.Tensor]:
    """Return a wave for each level, which gradient can reach."""
    return [wave(shape, a, b + step * level).requires_grad_() for level, shape in enumerate(shapes)]


def student(shapes: list[list[int]] = STUDENT_SHAPES) -> list[torch.Tensor]:
    return pyramid(shapes, 0.37, 0.0)


def teacher() -> list[torch.Tensor]:
    return pyramid(TEACHER_SHAPES, 0.23, 1.0)


def constant(loss: MGDLoss) -> MGDLoss:
    """Give the generation convolutions the weights of the golden figures."""
    for generate in loss.generation:
        for name, parameter in generate.named_parameters():
            torch.nn.init.constant_(parameter, 0.02 if "bias" in name else 0.01)
    return loss


def feature_loss(kind: str, **options: Any) -> FeatureLoss:
    """Return a feature loss with the weights of the golden figures."""
    loss = FeatureLoss(CHANNELS_S, CHANNELS_T, kind, **options)
    for align in loss.align_module:
        align.weight.data = wave(list(align.weight.shape), 0.71, 0.3)
        torch.nn.init.constant_(align.bias, 0.01)
    if kind == "mgd":
        constant(loss.feature_loss).lambda_mgd = 0.0
    return loss


# The mathematics ------------------------------------------------------------------------------------------------------


def check_golden(case: str, loss: torch.Tensor, y_s: list[torch.Tensor]) -> None:
    """Compare a loss, and the norm of its gradient at each level of the student, with the tutorial's."""
    loss.backward()
    expected = GOLDEN["cases"][case]
    assert loss.item() == pytest.approx(expected["loss"], rel=1e-4)
    norms = [s.grad.norm().item() for s in y_s]
    assert norms == pytest.approx(expected["grad_norm_per_student_level"], rel=1e-4)


@pytest.mark.parametrize(
    ("case", "loss"),
    [
        ("mimic", MimicLoss(CHANNELS_T, CHANNELS_T)),
        ("cwd_tau1", CWDLoss(CHANNELS_T, CHANNELS_T, tau=1)),
        ("cwd_tau4", CWDLoss(CHANNELS_T, CHANNELS_T, tau=4)),
        ("mgd_no_mask", constant(MGDLoss(CHANNELS_T, CHANNELS_T, alpha_mgd=2e-5, lambda_mgd=0.0))),
        ("mgd_all_masked", constant(MGDLoss(CHANNELS_T, CHANNELS_T, alpha_mgd=2e-5, lambda_mgd=1.0))),
    ],
)
def test_a_loss_keeps_its_mathematics(case: str, loss: torch.nn.Module) -> None:
    y_s = student(TEACHER_SHAPES)
    check_golden(case, loss(y_s, teacher()), y_s)


@pytest.mark.parametrize("kind", KINDS)
def test_the_feature_loss_keeps_its_mathematics(kind: str) -> None:
    y_s = student()
    check_golden(f"feature_{kind}", feature_loss(kind)(y_s, teacher()), y_s)


def test_the_logit_loss_keeps_its_mathematics() -> None:
    shapes = [[2, 14, size, size] for size in (8, 4, 2)]
    p, t_p = pyramid(shapes, 0.31, 0.0, step=0.2), pyramid(shapes, 0.19, 0.5, step=0.2)
    check_golden("logit", Distill_LogitLoss(p, t_p, alpha=0.25)(), p)
    assert all(t.grad is None for t in t_p), "the teacher must not learn to be imitated"


def test_a_weight_falls_on_a_half_cosine() -> None:
    expected = GOLDEN["cases"]["distill_weight"]["values"]
    assert [distill_weight(i, 10) for i in range(10)] == pytest.approx(expected, rel=1e-4)


def test_masks_differ_from_step_to_step_and_leave_the_part_that_they_should() -> None:
    loss = MGDLoss([1], [1], alpha_mgd=1.0)
    loss.generation[0] = torch.nn.Identity()
    ones, zeros = [torch.ones(4, 1, 64, 64)], [torch.zeros(4, 1, 64, 64)]
    kept = [loss(ones, zeros).item() / 64**2 for _ in range(3)]
    assert kept == pytest.approx([1 - loss.lambda_mgd] * 3, abs=0.03)
    assert len(set(kept)) > 1


def published_size(scaled: bool) -> list[float]:
    """Return the masked generative loss of two levels of one error, at 800 x 1333 pixels and at 128 x 128."""
    loss = FeatureLoss([2, 2, 2], [2, 2, 2], "mgd", scaled=scaled).feature_loss
    loss.lambda_mgd, loss.generation = 0.0, torch.nn.ModuleList(torch.nn.Identity() for _ in range(3))
    sizes = [[(100, 167), (50, 84), (25, 42)], [(16, 16), (8, 8), (4, 4)]]
    maps = [[torch.ones(2, 2, h, w) for h, w in levels] for levels in sizes]
    return [loss(ones, [0 * one for one in ones]).item() for ones in maps]


def test_mgd_grows_with_the_image_as_published_and_not_when_it_is_scaled() -> None:
    large, small = published_size(scaled=False)
    assert large == pytest.approx(2e-5 * 2 * 21_950, rel=1e-4)
    assert large / small == pytest.approx(65.3, rel=1e-2)
    assert published_size(scaled=True) == pytest.approx([large, large], rel=1e-4)


# Names and defaults ---------------------------------------------------------------------------------------------------


def test_the_names_are_the_tutorials() -> None:
    for name in ("is_parallel", "de_parallel", "get_fpn_features", "get_channels"):
        assert inspect.isfunction(getattr(AddLoss, name))
    plain = torch.nn.Linear(1, 1)
    wrapped = torch.nn.DataParallel(plain)
    assert [AddLoss.is_parallel(model) for model in (plain, wrapped)] == [False, True]
    assert [AddLoss.de_parallel(model) for model in (plain, wrapped)] == [plain, plain]


def test_the_defaults_are_the_tutorials() -> None:
    defaults = {
        f"{function.__qualname__}.{name}": parameter.default
        for function in (CWDLoss.__init__, MGDLoss.__init__, Distill_LogitLoss.__init__, FeatureLoss.__init__)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not parameter.empty
    }
    assert defaults == {
        "CWDLoss.__init__.tau": 1.0,
        "MGDLoss.__init__.alpha_mgd": 2e-5,
        "MGDLoss.__init__.lambda_mgd": 0.65,
        "MGDLoss.__init__.places": None,
        "Distill_LogitLoss.__init__.alpha": 0.25,
        "FeatureLoss.__init__.distiller": "cwd",
        "FeatureLoss.__init__.scaled": False,
    }
    for function in (AddLoss.get_fpn_features, AddLoss.get_channels):
        assert list(inspect.signature(function).parameters["fpn_layers"].default) == [15, 18, 21]
    assert list(YOLOV8_LAYERS) == [2, 4, 6, 8, 12, 15, 18, 21]


def test_an_unknown_feature_loss_is_refused() -> None:
    with pytest.raises(NotImplementedError, match=r"\['cwd', 'frs', 'mgd', .+, 'relation'\], not 'cosine'"):
        FeatureLoss([1], [1], "cosine")


# A module like any other: moved, saved and optimized as a whole -------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_the_feature_loss_moves(kind: str) -> None:
    loss = FeatureLoss(CHANNELS_S, CHANNELS_T, kind).to(torch.float64)
    tensors = [*loss.parameters(), *loss.buffers()]
    assert {t.dtype for t in tensors if t.is_floating_point()} == {torch.float64}
    everywhere = [*loss.align_module, *loss.norm, *(loss.feature_loss.generation if kind == "mgd" else ())]
    assert {id(m) for part in everywhere for m in part.modules()} <= {id(m) for m in loss.modules()}


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_the_feature_loss_is_saved(kind: str) -> None:
    trained = feature_loss(kind)
    trained(student(), teacher())  # the normalization has seen something
    restored = FeatureLoss(CHANNELS_S, CHANNELS_T, kind)
    restored.load_state_dict(trained.state_dict())
    if kind == "mgd":
        restored.feature_loss.lambda_mgd = 0.0
    assert trained.norm[0].running_mean.abs().sum() > 0
    results = [loss.eval()(student(), teacher()).item() for loss in (trained, restored)]
    assert results[0] == results[1]


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_the_feature_loss_is_optimized(kind: str) -> None:
    loss = FeatureLoss(CHANNELS_S, CHANNELS_T, kind)
    assert len(list(loss.parameters())) == len(CHANNELS_T) * (6 if kind == "mgd" else 2)
    loss(student(), teacher()).backward()
    weights = {name: p for name, p in loss.named_parameters() if name.endswith("weight")}
    assert all(p.grad.abs().sum() > 0 for p in weights.values()), {n: p.grad for n, p in weights.items()}


# Precision, and feature maps that differ ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_losses_are_computed_in_float32_under_autocast(kind: str, dtype: torch.dtype) -> None:
    def halves(pair: list[torch.Tensor]) -> list[torch.Tensor]:
        return [(3e4 * t.detach()).to(dtype).requires_grad_() for t in pair]

    y_s, y_t = halves(student()), halves(teacher())
    assert dtype != torch.float16 or not y_s[0].square().sum().isfinite(), "sums of these overflow in half precision"
    loss = feature_loss(kind)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(y_s, y_t)
    value.backward()
    exact = loss([s.detach().float() for s in y_s], [t.detach().float() for t in y_t])
    assert value.dtype == torch.float32
    assert value.item() == exact.item()
    assert all(p.grad.isfinite().all() for p in loss.parameters())
    assert all(s.grad.isfinite().all() for s in y_s)


def test_the_logit_loss_is_computed_in_float32() -> None:
    p, t_p = ([300 * t.detach().half() for t in pair] for pair in (student(TEACHER_SHAPES), teacher()))
    assert not (p[0] - t_p[0]).square().sum().isfinite(), "squares of these overflow in half precision"
    value = Distill_LogitLoss(p, t_p)()
    exact = Distill_LogitLoss([t.float() for t in p], [t.float() for t in t_p])()
    assert value.dtype == torch.float32
    assert value.isfinite()
    assert value.item() == exact.item()


@pytest.mark.parametrize("kind", KINDS)
def test_a_larger_teacher_is_brought_to_the_students_size(kind: str) -> None:
    doubled = [t.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3) for t in teacher()]
    y_s = student()
    check_golden(f"feature_{kind}", feature_loss(kind)(y_s, doubled), y_s)


@pytest.mark.parametrize("kind", KINDS)
def test_a_smaller_teacher_is_brought_to_the_students_size(kind: str) -> None:
    shapes = [[n, c, h // 2, w // 2] for n, c, h, w in STUDENT_SHAPES]
    y_s, t = student(), teacher()
    halved = feature_loss(kind)(student(shapes), [torch.nn.functional.avg_pool2d(level, 2) for level in t])
    value = feature_loss(kind)(y_s, [torch.nn.functional.avg_pool2d(level, 2) for level in t])
    value.backward()
    assert value.isfinite()
    assert value.item() != halved.item(), "it is not the student that is scaled"
    assert all(s.grad.isfinite().all() and s.grad.abs().sum() > 0 for s in y_s)


@pytest.mark.parametrize("loss", [MimicLoss([4], [4]), CWDLoss([4], [4]), MGDLoss([4], [4])])
def test_shapes_that_differ_are_refused_and_named(loss: torch.nn.Module) -> None:
    with pytest.raises(ValueError, match=r"\(1, 4, 8, 8\).* and .*\(1, 4, 4, 4\)"):
        loss([torch.zeros(1, 4, 8, 8)], [torch.zeros(1, 4, 4, 4)])
    with pytest.raises(ValueError, match="agree"):
        loss([torch.zeros(1, 4, 8, 8)], [])


# Models ---------------------------------------------------------------------------------------------------------------


def test_looking_at_a_model_leaves_no_trace_in_it(tmp_path: Path) -> None:
    """Real models: a yolov8 and, of another layout, a yolov5u."""
    tree = releases.unpack("8.2.50", tmp_path / "tree")
    run = execute(
        tree,
        tmp_path / "run",
        f"""
        import sys
        sys.path.insert(0, {str(Path(AddLoss.__file__).parent.parent)!r})
        from copy import deepcopy
        import torch
        from patches.AddLoss import get_channels, get_fpn_features
        from ultralytics import YOLO

        for name in ("yolov8n", "yolov5n"):
            model = YOLO(f"{{name}}.yaml").model.train()
            model.model[3].eval()  # a layer that is frozen keeps its mode
            before, modes = deepcopy(model.state_dict()), [m.training for m in model.modules()]
            channels = get_channels(model, [2, 4, 9])
            same = all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
            report(**{{f"{{name}} channels": channels, f"{{name}} untouched": same}})
            report(**{{f"{{name}} modes": modes == [m.training for m in model.modules()]}})
            report(**{{f"{{name}} hooks": sum(len(m._forward_hooks) for m in model.modules())}})

            features = get_fpn_features(torch.rand(2, 3, 64, 64), model, [9, 2])
            features[-1].sum().backward()
            report(**{{f"{{name}} shapes": [list(f.shape) for f in features]}})
            report(**{{f"{{name}} gradient": model.model[0].conv.weight.grad.abs().sum().item() > 0}})
        """,
        python=sys.executable,  # nothing is forked on Python 3.8
    )
    for name, channels, shapes in (
        ("yolov8n", [32, 64, 256], [[2, 32, 16, 16], [2, 256, 2, 2]]),
        ("yolov5n", [32, 64, 256], [[2, 32, 16, 16], [2, 256, 2, 2]]),
    ):
        facts = {key.split(" ")[1]: value for key, value in run.facts.items() if key.startswith(name)}
        assert facts == {
            "channels": channels,
            "untouched": True,
            "modes": True,
            "hooks": 0,
            "shapes": shapes,
            "gradient": True,
        }

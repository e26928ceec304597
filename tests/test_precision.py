"""Under automatic mixed precision the models compute in half precision, and the losses of distillation do not."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from lessons import lesson

pytestmark = pytest.mark.training

# By how the trainer asks for mixed precision: of PyTorch, and of a function of ultralytics. On the CPU both leave it
# off, so here it is switched on. Features and logits are scaled up to where their squares overflow.
RELEASES = ("8.2.50", "8.3.200", "8.4.190")

PAIRS = (("cwd", "mse"), ("mgd", "soft"), ("mimic", "mse"))

CODE = """
from ultralytics.engine import trainer as engine
from ultralytics.utils import distiller

class Enough(Exception):
    pass

def half(*arguments, **options):
    return torch.autocast("cpu", dtype=torch.float16)

torch.cuda.amp.autocast = engine.autocast = half

def dtypes(inputs):
    return sorted({str(feature.dtype) for side in inputs for feature in side})

def compare(module, inputs):
    seen["compared"] = dtypes(inputs)

def enlarge(module, inputs):
    seen["dtypes"] = dtypes(inputs)
    return tuple([feature * 1e3 for feature in side] for side in inputs)

def start(trainer):
    trainer.distillloss.register_forward_pre_hook(enlarge)
    trainer.distillloss.feature_loss.register_forward_pre_hook(compare)
    for classes in trainer.model_t.model[-1].cv3:
        classes[-1].bias.data += 1e3

def look(trainer):
    losses = (trainer.featureloss, trainer.logitloss)
    seen.update(losses=[float(x) for x in losses], of=[str(x.dtype) for x in losses], total=float(trainer.loss))
    seen.update(learnt=all(bool(p.grad.isfinite().all()) for p in trainer.distillloss.parameters()))
    raise Enough

teacher = save_teacher()
for kind, logit in PAIRS:
    seen = {}
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_start", start)
    model.add_callback("on_train_batch_end", look)
    try:
        model.train(**{**SETTINGS, "nbs": 64}, model_t=teacher, logit_loss=True, distill_feat_type=kind,
                    distill_logit_type=logit, distill_recipe="tutorial")
    except Enough:
        report(**{kind: seen})
    # A backward pass for each loss, of two seconds in half precision: once is enough.
    distiller.measure_shares = lambda *_: [(20, "measured before")]
"""


@pytest.mark.parametrize("release", RELEASES)
def test_the_losses_are_computed_in_full_precision_while_the_models_are_not(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    facts = lesson(patched(release), tmp_path, digits, f"PAIRS = {PAIRS!r}\n{CODE}", warmup_epochs=0).facts
    for kind, logit in PAIRS:
        found = facts[kind]
        assert found["dtypes"] == ["torch.float16"]
        assert found["compared"] == ["torch.float32"]
        assert found["of"] == ["torch.float32"] * 2
        assert min(found["losses"]) > 0
        assert all(map(math.isfinite, [*found["losses"], found["total"]])), kind
        assert logit != "mse" or found["losses"][1] > 65504 * 0.25, "in half precision this is infinite"
        assert found["learnt"]

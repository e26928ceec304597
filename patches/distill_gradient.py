# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""How much of what the student learns comes from its teacher: told once in a run, since nothing else shows it."""

from __future__ import annotations

import logging
import math

import torch

from .distill_columns import TERMS
from .distill_models import de_parallel

LOGGER = logging.getLogger("ultralytics")

# A teacher that sends less than the one hardly teaches, and one that sends more than the other drowns the labels. The
# best students of docs/learning.md had a share of 3, the tutorial's of 0.02, and one of 10 was worse than one of 3.
LEAST, MOST = 0.03, 5.0


def check_reach(features, logits):
    """Make sure that what is compared with the teacher is trained: where layers are frozen, it may not be.

    Args:
        features (list[torch.Tensor]): The student's feature maps that are compared.
        logits (dict[str, list[torch.Tensor]]): Its raw outputs that are compared, by branch.

    Raises:
        ValueError: If none of it is: the student would learn nothing of the teacher.
    """
    trained = [x.requires_grad for x in features]
    if any(trained) or any(x.requires_grad for levels in logits.values() for x in levels):
        if trained and not any(trained):
            LOGGER.warning(
                "distill_feat_type: without effect while all layers up to those that are compared are frozen"
            )
        return
    raise ValueError(
        "model_t: nothing is taught, all layers up to those that are compared are frozen; expected a smaller freeze "
        "or other distill_layers"
    )


def measure_shares(trainer, terms, weight):
    """Return lines on what distillation sends the student, as a share of the gradient that its task sends.

    Each loss makes a backward pass of its own, which no parameter is changed by.

    Args:
        trainer (BaseTrainer): Its loss is the task's loss of one batch.
        terms (dict[str, torch.Tensor]): By name, what distillation adds to it for the student.
        weight (float): The part of its full weight that the schedule gives it at this step: little where a run ends
            before its average is trusted, and at the end of some.

    Returns:
        (list[tuple[int, str]]): What to log, with the levels; empty in a batch in which the task, or an overflow, sends
            no gradient.
    """
    scaler = getattr(trainer, "scaler", None)
    scale = scaler.get_scale() if scaler is not None and scaler.is_enabled() else 1.0  # for gradients in half precision
    losses = {"task": trainer.loss.sum(), "all": sum(terms.values()), **terms}
    try:
        norms = {name: _norm(loss * scale, de_parallel(trainer.model)) for name, loss in losses.items()}
    except (RuntimeError, TypeError) as e:  # memory that has run out, or an operation that a device does not have
        reason = str(e).partition("\n")[0]
        return [(logging.WARNING, f"Distillation: what share of the gradient it sends cannot be measured: {reason}")]
    if not norms["task"] or not all(map(math.isfinite, norms.values())):
        return []
    shares = {name: norm / norms["task"] for name, norm in norms.items()}
    parts = ", ".join(f"{TERMS[name].column} {shares[name]:.1%}" for name in terms)
    text = f"Distillation: it sends the student {shares['all']:.1%} of the gradient that the task sends ({parts})"
    if weight < 0.995:
        text += f", at {weight:.0%} of its full weight"
    lines = [(logging.INFO, text)]
    weights = " or ".join(TERMS[name].weight for name in terms)
    if shares["all"] / weight < LEAST:
        text = f"Distillation: below {LEAST:.0%} the teacher hardly teaches; try a larger {weights}"
        lines.append((logging.WARNING, text))
    if shares["all"] > MOST:
        text = f"Distillation: above {MOST:.0%} the teacher outweighs the labels; try a smaller {weights}"
        lines.append((logging.WARNING, text))
    return lines


def _norm(loss, model):
    """Return the norm of the gradient that a loss sends into the parameters of a model that are trained."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    norms = [torch.linalg.vector_norm(g.float()) for g in gradients if g is not None]  # MPS has no float64
    return float(torch.linalg.vector_norm(torch.stack(norms))) if norms else 0.0

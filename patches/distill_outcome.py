# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""What a run came to: the student's accuracy beside its teacher's, where the teacher's checkpoint knows it."""

from __future__ import annotations

import logging
import math
from pathlib import Path

LOGGER = logging.getLogger("ultralytics")

# The accuracy that belongs to a task, the most specific one first: of masks, of keypoints, of boxes.
METRICS = ("metrics/mAP50-95(M)", "metrics/mAP50-95(P)", "metrics/mAP50-95(B)")

# What an accuracy depends on beside the model: the images, and how they are looked at.
VALIDATION = ("data", "split", "imgsz", "single_cls", "classes", "conf", "iou", "max_det", "agnostic_nms")


def tell_outcome(trainer):
    """Log the accuracy of student and teacher, if the teacher was measured on the same data when it was trained.

    Nothing else is known of the teacher without work. How much of the gap the teacher has closed is not known at all
    here: that takes a run without it.

    Args:
        trainer (BaseTrainer): Its training is done, with a teacher, and its best checkpoint was validated.
    """
    try:
        outcome = _outcome(trainer)
    except Exception as e:  # whatever a checkpoint of another release or a fork holds: the training itself went well
        LOGGER.debug(f"Distillation: the teacher's accuracy is not known: {type(e).__name__}: {e}")
        return
    if outcome:
        LOGGER.info(outcome)


def _outcome(trainer):
    """Return the line to log, or None."""
    args = trainer.args
    teacher = _checkpoint(trainer)
    asked = teacher.get("train_args", {})
    if any(str(asked.get(key)) != str(getattr(args, key, None)) for key in VALIDATION):
        return None
    metric = next(key for key in METRICS if key in trainer.metrics)
    mine, its = (float(metrics[metric]) for metrics in (trainer.metrics, teacher["train_metrics"]))
    if not (math.isfinite(mine) and its > 0):  # zero is what releases write where nothing was measured
        return None
    return (
        f"Distillation: student {mine:.3f} {metric.partition('/')[2]}, teacher {its:.3f} in its own training, which "
        f"was also given data={args.data} and imgsz={args.imgsz}; the difference is {mine - its:+.3f}. What the "
        "teacher gave: distillpatch compare this run with one without model_t"
    )


def _checkpoint(trainer):
    """Return the checkpoint that the teacher was loaded from, empty if it is not what this student was taught by."""
    from ultralytics.nn.tasks import torch_safe_load

    path = Path(trainer.args.model_t)
    # One that learns is not what its file holds; nor is one whose file was replaced since.
    if trainer.distiller.teacher.kind != "offline" or path.stat().st_mtime > trainer.train_time_start:
        return {}
    return torch_safe_load(str(path))[0]

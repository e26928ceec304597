# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""Make sure that a teacher that is given to a run is used, and that the run leaves no trace on the models.

Users have trainers of their own: subclasses that replace a method, or copies of a whole trainer from before it was
patched. What such a trainer is asked for cannot be read off its code, so it is looked at what it has done.
"""

from __future__ import annotations

from contextlib import contextmanager

from .distill_columns import set_aside_results
from .distill_optimizer import check_optimizer


def expect_teacher(trainer):
    """Refuse a trainer that was given a teacher and has not claimed it, and have its first batch looked at if it has.

    Args:
        trainer (Any): Any trainer, once it has its arguments and its callbacks.

    Raises:
        TypeError: If it would train without its teacher.
    """
    given = getattr(getattr(trainer, "args", None), "model_t", None)
    if given is not None and getattr(trainer, "model_t", None) is None:
        raise _ignored(trainer, "__init__", "of ultralytics.engine.trainer.BaseTrainer")
    if given is not None and _confirm not in trainer.callbacks["on_train_batch_end"]:
        trainer.add_callback("on_train_batch_end", _confirm)


def check_setup(trainer):
    """Refuse a trainer that has a teacher and has not set up all that the training loop needs; then the run begins.

    Args:
        trainer (BaseTrainer): Its _setup_train has returned.

    Raises:
        TypeError: If a method of its own has left something out.
    """
    if trainer.distiller is None:
        raise _ignored(trainer, "_setup_train")
    check_optimizer(trainer)
    set_aside_results(trainer)


@contextmanager
def distillation(trainer):
    """Watch over a training, from before its set-up to its end, whatever ends it.

    Args:
        trainer (BaseTrainer): Its arguments are known, and its callbacks.

    Raises:
        TypeError: If it has a teacher and does not use it.
    """
    expect_teacher(trainer)
    if trainer.model_t is None:
        set_aside_results(trainer)
        yield
        return
    try:
        yield
    finally:
        if trainer.distiller is not None:
            trainer.distiller.release()
    _confirm(trainer)  # a training loop may have callbacks of its own, or none


def _confirm(trainer):
    """Raise TypeError if the training loop has not asked for the losses of distillation since the epoch began.

    A later training of the same YOLO object has the same callbacks, and perhaps no teacher, or a trainer that knows
    of none.
    """
    if getattr(trainer, "model_t", None) is not None and trainer.distill_items.batches == 0:
        raise _ignored(trainer, "_do_train")


def _ignored(trainer, method, whose="of the class that it extends"):
    return TypeError(
        f"model_t: {type(trainer).__name__} trains without its teacher, expected its {method} to call the {method} "
        f"{whose}; or train without model_t"
    )

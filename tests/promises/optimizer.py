"""The optimizer of a run with a teacher: distill_optimizer.py."""

from __future__ import annotations

from promises import Break

OPTIMIZER = "patches/distill_optimizer.py"

BREAKS = (
    Break(
        "biases of the feature loss are not decayed",
        OPTIMIZER,
        'elif "bias" in name:',
        "elif False:",
        "optimizers::8.4.30",
    ),
    Break(
        "a run without a teacher is built as ever",
        OPTIMIZER,
        "    if trainer.model_t is None:\n        return {}\n    arguments",
        "    arguments",
        "optimizers::of_its_own and 8.2.50",
    ),
    Break(
        "a build_optimizer that takes no teacher is named",
        OPTIMIZER,
        "    except TypeError as e:\n        raise TypeError(\n",
        "    except ZeroDivisionError as e:\n        raise TypeError(\n",
        "optimizers::of_its_own and 8.2.50",
    ),
)

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
        "trainers::trains_as_ever and 8.2.50",
    ),
    Break(
        "an optimizer that does not train all that distillation trains is refused",
        OPTIMIZER,
        "        if wrong:\n",
        "        if False:\n",
        "trainers::without_the_feature_loss and 8.2.50",
    ),
    Break(
        "what distillation trains is clipped, whoever has the optimizer step",
        "patches/distiller.py",
        "        self.before_steps.watch(self.trainer.optimizer)\n",
        "",
        "gradient::clipped and 8.4.190",
    ),
)

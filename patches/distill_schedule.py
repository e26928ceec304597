# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""How far a training run is, and how much its teacher counts there."""

from __future__ import annotations

import os

from .AddLoss import distill_weight

RANK = int(os.getenv("RANK", "-1"))


def warmup_steps(args, steps_per_epoch):
    """Return how many steps the learning rate takes to warm up, at most: newer releases have no minimum of 100.

    Args:
        args (SimpleNamespace): The arguments of the run.
        steps_per_epoch (int): The batches of an epoch.
    """
    return max(round(args.warmup_epochs * steps_per_epoch), 100) if args.warmup_epochs > 0 else 0


class Schedule:
    """How much the teacher of a run counts, step by step.

    Args:
        trainer (BaseTrainer): The trainer of the run. With a limit of time, its number of epochs changes while it runs.
        teacher (OfflineTeacher): The teacher.
    """

    def __init__(self, trainer, teacher):
        self.trainer, self.teacher = trainer, teacher

    def is_open(self):
        """Return whether the teacher teaches in this epoch: it may end before training does."""
        return self.trainer.epoch < self._open_epochs()

    def _open_epochs(self):
        return self.trainer.epochs - self.trainer.args.distill_close

    def step(self):
        """Return the number of this step in the run, from 0 on, and the number of all of them."""
        nb = len(self.trainer.train_loader)
        return self.trainer.epoch * nb + self.trainer.distill_items.batches, self.trainer.epochs * nb

    def is_warm(self):
        """Return whether this process reports on this step: after the warm-up, when the teacher has its full weight.

        Or at the last step with the teacher, if that comes before.
        """
        step, steps = self.step()
        nb = steps // self.trainer.epochs
        last = self._open_epochs() * nb - 1
        warm = step >= warmup_steps(self.trainer.args, nb) and self.teacher.trust(step / steps) > 0.99
        return RANK in (-1, 0) and (warm or step >= last)

    def counts(self):
        """Return how much each term counts at this step, by name."""
        step, steps = self.step()
        name = self.trainer.args.distill_schedule
        feature = logit = self.teacher.trust(step / steps)
        if name == "cosine":
            feature = logit = logit * distill_weight(step, steps)
        elif name == "late":  # the same fall, within the second half of the run
            feature = logit = logit * distill_weight(max(2 * step - steps, 0), steps)
        elif name == "epoch":  # the tutorial's: within each epoch, the feature loss alone
            nb = len(self.trainer.train_loader)
            feature *= distill_weight(step % nb, nb)
        return {"feature": feature, "online": 1, "logit": logit}

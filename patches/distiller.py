# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""Distillation within one training run: what the trainer calls at each of its steps."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
import torch.nn as nn

from .AddLoss import Distill_LogitLoss, FeatureLoss, distill_weight, full_precision
from .distill_columns import TERMS
from .distill_models import (
    Watch,
    channels,
    check_pair,
    choose_layers,
    common_branches,
    compare_names,
    de_parallel,
)
from .distill_setup import DISTILL_ARGS, read_checkpoint, replacing
from .distill_teachers import OfflineTeacher, OnlineTeacher

LOGGER = logging.getLogger("ultralytics")

# What lies beside last.pt while a run goes on: the feature loss.
STATE = "last_distill.pt"


class Distiller:
    """Distillation within one training run.

    It sets the trainer's attributes model_t and distillloss (the feature loss), and at each step featureloss,
    teacherloss and logitloss (the terms that it adds to the loss) and distill_items (their running means over the
    epoch).

    Args:
        trainer (BaseTrainer): Its model and its model_t are modules on the device of the training.

    Raises:
        ValueError: If the two models do not go together.
    """

    def __init__(self, trainer):
        self.trainer = trainer
        self.epoch = -1  # that was last begun
        self.weights = {
            name: float(getattr(trainer.args, term.weight, DISTILL_ARGS[term.weight])) for name, term in TERMS.items()
        }
        student, teacher = de_parallel(trainer.model), trainer.model_t
        check_pair(student, teacher)
        self.teacher = (OnlineTeacher if trainer.distillonline else OfflineTeacher)(trainer)
        layers_s, layers_t = choose_layers(student, teacher, trainer.distill_layers)
        channels_s, channels_t = channels("student", student, layers_s), channels("teacher", teacher, layers_t)
        branches = []
        if trainer.logit_loss:
            branches = common_branches(student, teacher)
            compare_names(teacher.names, trainer.data["names"])
        self.watch_student = Watch(layers_s, branches)
        self.watch_teacher = Watch(layers_t, branches)

        trainer.distillloss = FeatureLoss(channels_s, channels_t, trainer.distill_feat_type).to(trainer.device)
        trainer.distill_items.restart()
        self._tell_of_limits()
        if trainer.resume:
            self._resume()
        for event, function in (("on_model_save", save_distillation), ("on_train_end", finish_distillation)):
            if function not in trainer.callbacks[event]:
                trainer.add_callback(event, function)
        LOGGER.info(self._summary(layers_s, layers_t, channels_s, channels_t))

    def _tell_of_limits(self):
        """Warn of what works otherwise beside a teacher."""
        trainer = self.trainer
        if getattr(trainer.args, "compile", False):
            LOGGER.warning("'compile' is not supported with a teacher (model_t) and will be disabled.")
            trainer.args.compile = False
        if trainer.batch_size < 1:
            LOGGER.warning(
                f"batch={trainer.batch_size}: AutoBatch measures the student's steps alone. If the teacher does not "
                "fit beside them, give the size of a batch."
            )

    def _summary(self, layers_s, layers_t, channels_s, channels_t):
        trainer = self.trainer
        losses = [f"{trainer.distill_feat_type} feature loss"] + ["logit loss"] * bool(trainer.logit_loss)
        same = layers_s == layers_t
        layers = f"layers {layers_s}" if same else f"layers {layers_s} of the student and {layers_t} of the teacher"
        return (
            f"Distillation: {trainer.args.model_t} teaches {self.teacher.kind} by "
            f"{' and '.join(losses)} on {layers}, channels {channels_s} -> {channels_t}"
        )

    def wrap_ddp(self):
        """Have all ranks keep what distillation trains in step, as they do with the student."""
        trainer = self.trainer
        ids = [trainer.device.index] if trainer.device.type == "cuda" else None
        trainer.distillloss = nn.parallel.DistributedDataParallel(trainer.distillloss, device_ids=ids)
        self.teacher.wrap_ddp(ids)

    def start_epoch(self):
        """Put the teacher into its mode and begin new means; if NaN has sent the trainer back to last.pt, follow."""
        trainer = self.trainer
        if trainer.start_epoch < trainer.epoch == self.epoch:
            self._restore(trainer.wdir)
        self.teacher.start_epoch(first=self.epoch < 0)
        self.epoch = trainer.epoch
        trainer.distill_items.restart()
        trainer.distillloss.train()

    def watch(self):
        """Prepare for the student's forward pass, in which its feature maps and head outputs are caught."""
        self.watch_teacher.stop()
        self.watch_student.start(self.trainer.model)

    def loss(self, batch):
        """Return what distillation adds to the loss of one batch; one forward pass of the teacher is made.

        Args:
            batch (dict): The batch that the student has just seen.

        Returns:
            (torch.Tensor): A scalar in float32. Feature and logit loss are means over the batch, so that DDP's average
                over the ranks is what one process would get; the teacher's own loss is scaled as the student's is.
        """
        terms = {name: value * self.weights[name] for name, value in self._terms(batch).items()}
        # Without the graph, which is upstream's to let go of: also where memory has run out, for a smaller batch.
        values = {name: term.detach() if isinstance(term, torch.Tensor) else term for name, term in terms.items()}
        for name, value in values.items():
            setattr(self.trainer, TERMS[name].attribute, value)
        self.trainer.distill_items.add({TERMS[name].column: value for name, value in values.items()})
        return sum(terms.values())

    def _terms(self, batch):
        """Return the terms by name, before they are weighted."""
        trainer = self.trainer
        features_s, logits_s = self.watch_student.take()
        teacherloss, features_t, logits_t = self.teacher.ask(batch, self.watch_teacher)
        weight = distill_weight(trainer.distill_items.batches, len(trainer.train_loader))
        featureloss = trainer.distillloss(features_s, [t.detach() for t in features_t]) * weight
        logitloss = 0
        if trainer.logit_loss:
            with full_precision(trainer.device):
                logitloss = Distill_LogitLoss(logits_s, logits_t)()
        return {"feature": featureloss, "online": teacherloss, "logit": logitloss}

    def clip_gradients(self):
        """Clip the gradients of what distillation trains, as the trainer clips the student's."""
        nn.utils.clip_grad_norm_(self.trainer.distillloss.parameters(), max_norm=10.0)
        self.teacher.clip_gradients()

    def release(self):
        """Unhook both models and forget what was caught of them: a forward pass may have been interrupted."""
        self.watch_student.stop()
        self.watch_teacher.stop()

    def _resume(self):
        """Restore what was saved with the checkpoint that is resumed, which may lie in another folder than the run."""
        checkpoint = Path(self.trainer.args.model)
        saved, wanted = self._restore(checkpoint.parent), read_checkpoint(self.trainer)["epoch"]
        if saved is None:
            LOGGER.warning(
                f"{checkpoint} is resumed without {' and '.join(self._files())} beside it: what "
                "distillation trains begins anew"
            )
        elif saved != wanted:
            LOGGER.warning(
                f"{checkpoint} is of epoch {wanted + 1}, what distillation trains is resumed as it was after epoch "
                f"{saved + 1}"
            )

    def _files(self):
        """Return the names of what lies beside last.pt while a run goes on."""
        return [name for name in (STATE, self.teacher.file) if name]

    def _restore(self, folder):
        """Restore feature loss and teacher as they were when they were saved to a folder.

        Args:
            folder (Path): Where save_distillation has saved them.

        Returns:
            (int | None): The epoch at whose end that was; None if it never was.

        Raises:
            ValueError: If they are not those of this run.
        """
        if not all((folder / name).exists() for name in self._files()):
            return None
        state = torch.load(folder / STATE, map_location="cpu", weights_only=True)
        try:
            de_parallel(self.trainer.distillloss).load_state_dict(state["distillloss"])
            self.teacher.restore(folder)
        except RuntimeError as e:
            raise ValueError(f"model_t: expected the teacher that {folder} was trained with: {e}") from e
        return state["epoch"]


def save_distillation(trainer):
    """Save, beside last.pt, what a later run needs to resume the distillation; and a teacher that learns."""
    if trainer.model_t is None:
        return
    trainer.distiller.teacher.save(trainer.wdir)
    with replacing(trainer.wdir / STATE) as path:
        torch.save({"epoch": trainer.epoch, "distillloss": de_parallel(trainer.distillloss).state_dict()}, path)


def finish_distillation(trainer):
    """Remove what only a resumed run needs: upstream has just done so with the optimizer's state."""
    state = trainer.wdir / STATE
    if trainer.model_t is not None and state.exists():
        state.unlink()

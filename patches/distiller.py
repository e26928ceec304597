# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""Distillation within one training run: what the trainer calls at each of its steps."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch
import torch.nn as nn

from .AddLoss import FeatureLoss, full_precision
from .distill_classes import Classes, pair_classes
from .distill_columns import TERMS
from .distill_features import Watch, active_branches
from .distill_gradient import check_reach, measure_shares
from .distill_images import ImageStream
from .distill_models import de_parallel
from .distill_optimizer import BeforeSteps
from .distill_outcome import tell_outcome
from .distill_pairs import channels, check_pair, choose_layers, common_branches
from .distill_response import RESPONSE_LOSSES, confidences
from .distill_schedule import Schedule
from .distill_setup import read_checkpoint, replacing
from .distill_teachers import make_teacher

LOGGER = logging.getLogger("ultralytics")
RANK = int(os.getenv("RANK", "-1"))

# What is beside last.pt while a run goes on: the feature loss, and all else that only resuming needs.
STATE = "last_distill.pt"


class Distiller:
    """Distillation within one training run.

    It sets the trainer's attributes model_t and distillloss (the feature loss), and at each step featureloss,
    teacherloss and logitloss (the terms that it adds to the loss, see _scale) and distill_items (their running means
    over the epoch).

    Args:
        trainer (BaseTrainer): Its model and its model_t are modules on the device of the training.

    Raises:
        ValueError: If the two models do not go together.
    """

    def __init__(self, trainer):
        self.trainer = trainer
        self.epoch = -1  # that was last begun
        self.open = True  # whether the teacher teaches in it
        self.checked = False  # whether what is compared is trained
        self.shares = []  # lines on what share of the student's gradient it sends, once they are measured
        self.told = 0  # how many of them were logged
        self.args = args = trainer.args
        self.tutorial = args.distill_recipe == "tutorial"
        self.weights = {name: getattr(args, term.weight, 0.0) for name, term in TERMS.items()}
        student, teacher = de_parallel(trainer.model), trainer.model_t
        check_pair(student, teacher)
        self.teacher = make_teacher(trainer)
        self.schedule = Schedule(trainer, self.teacher)
        compared = self._compare_by(student, teacher)
        self.images = ImageStream(trainer) if args.distill_images is not None else None
        self.trained = list(trainer.distillloss.parameters())  # not every loss has something to train
        self.before_steps = BeforeSteps(self.clip_gradients)
        trainer.distill_items.restart()
        self._tell_of_limits()
        if trainer.resume:
            self._resume()
        for event, function in (("on_model_save", save_distillation), ("on_train_end", finish_distillation)):
            if function not in trainer.callbacks[event]:
                trainer.add_callback(event, function)
        LOGGER.info(self._summary(*compared))

    def _compare_by(self, student, teacher):
        """Set up what of the models is compared, and by which losses.

        Returns:
            (tuple[list[int]]): The layers that are compared, the student's and the teacher's, and the channels of both.
        """
        trainer, args = self.trainer, self.args
        layers_s, layers_t, branches, self.classes = [], [], [], Classes([], [], "")
        if args.distill_feat_type != "none":
            layers_s, layers_t = choose_layers(student, teacher, args.distill_layers, eight=self.tutorial)
        channels_s, channels_t = channels("student", student, layers_s), channels("teacher", teacher, layers_t)
        if args.logit_loss:
            loss = RESPONSE_LOSSES[args.distill_logit_type]
            branches = common_branches(student, teacher, loss.same)
            self.classes = pair_classes(trainer, self.teacher, loss)
            self.response = loss(student, teacher, args, self.classes)
        trainer.distillloss = FeatureLoss(channels_s, channels_t, args.distill_feat_type, scaled=not self.tutorial).to(
            trainer.device
        )
        self.needs_confidence = trainer.distillloss.needs_confidence
        self.watch_student = Watch(layers_s, branches)
        if self.needs_confidence and not branches:
            branches = active_branches(teacher)[:1]
        self.watch_teacher = Watch(layers_t, branches)
        return layers_s, layers_t, channels_s, channels_t

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
        args, losses = self.args, []
        if args.distill_feat_type != "none":
            same = layers_s == layers_t
            layers = f"layers {layers_s}" if same else f"layers {layers_s} of the student and {layers_t} of the teacher"
            losses.append(
                f"{args.distill_feat_type} feature loss (weight {args.distill_feat_weight:g}) on {layers}, "
                f"channels {channels_s} -> {channels_t}"
            )
        if args.logit_loss:
            losses.append(f"{args.distill_logit_type} response loss (weight {args.distill_logit_weight:g})")
        note = f"; {self.classes.note}" if self.classes.note else ""
        more = f", also on {self.images.count} images without labels" if self.images else ""
        return (
            f"Distillation: {args.model_t} teaches {self.teacher.kind} by {' and '.join(losses)}{more}; "
            f"recipe {args.distill_recipe}, schedule {args.distill_schedule}{note}"
        )

    def wrap_ddp(self):
        """Have all ranks keep what distillation trains in step, as they do with the student."""
        trainer = self.trainer
        ids = [trainer.device.index] if trainer.device.type == "cuda" else None
        if self.trained:
            trainer.distillloss = nn.parallel.DistributedDataParallel(trainer.distillloss, device_ids=ids)
        self.teacher.wrap_ddp(ids)

    def start_epoch(self):
        """Put the teacher into its mode and begin new means; if NaN has sent the trainer back to last.pt, follow."""
        trainer = self.trainer
        if trainer.start_epoch < trainer.epoch == self.epoch:
            self._restore(trainer.wdir)
        self.tell()
        was_open, self.open = self.open, self.schedule.is_open()
        if was_open and not self.open:
            LOGGER.info(f"Distillation: ends here, distill_close={self.args.distill_close}; the labels alone teach on")
        self.teacher.start_epoch(first=self.epoch < 0)
        self.epoch = trainer.epoch
        trainer.distill_items.restart()
        trainer.distillloss.train()

    def tell(self):
        """Log what was measured and not logged yet: between two epochs, where it does not cut a progress bar in two."""
        for level, line in self.shares[self.told :]:
            LOGGER.log(level, line)
        self.told = len(self.shares)

    def watch(self):
        """Prepare for the student's forward pass, in which its feature maps and head outputs are caught."""
        self.watch_teacher.stop()
        if self.open:
            self.watch_student.start(self.trainer.model)

    def loss(self, batch):
        """Return what distillation adds to the loss of one batch; one forward pass of the teacher is made.

        With images without labels, both models make a further forward pass, of some of them.

        The terms are set as the trainer's attributes and columns as they are weighted, before they are scaled.

        Args:
            batch (dict): The batch that the student has just seen.

        Returns:
            (torch.Tensor | int): A scalar in float32, scaled as the task loss is; 0 in the epochs without distillation.
        """
        self.before_steps.watch(self.trainer.optimizer)
        if not self.open:
            self._note(dict.fromkeys(TERMS, 0.0))
            return 0
        size, terms = self._terms(batch)
        terms = {name: value * self.weights[name] for name, value in terms.items()}
        # Without the graph, which is upstream's to let go of: also where memory has run out, for a smaller batch.
        values = {name: term.detach() if isinstance(term, torch.Tensor) else term for name, term in terms.items()}
        scale = self._scale(size)
        terms = {name: term * scale[name] for name, term in terms.items()}
        if not self.shares and self.schedule.is_warm():
            of_student = {k: v for k, v in terms.items() if k != "online" and _has_graph(v)}
            weight = max((self.schedule.counts()[k] for k in of_student), default=1)
            self.shares = measure_shares(self.trainer, of_student, weight)
        self._note(values)
        return sum(terms.values())

    def _note(self, values):
        """Set the terms of one batch, by name, as the trainer's attributes, and take them into the means."""
        for name, value in values.items():
            setattr(self.trainer, TERMS[name].attribute, value)
        self.trainer.distill_items.add({TERMS[name].column: value for name, value in values.items()})

    def _scale(self, size):
        """Return by what each term is multiplied beside its weight.

        As upstream's task losses, the terms that are means over the batch are multiplied by the size of the batch, and
        by the number of processes, over which DDP takes the mean. The tutorial does neither. The loss of a teacher that
        learns is a task loss, which is scaled already.

        Args:
            size (int): The number of images that the terms are means over, with labels or without.
        """
        if self.tutorial:
            size = 1
        elif RANK != -1:
            size *= torch.distributed.get_world_size()
        return {"feature": size, "online": 1, "logit": size}

    def _terms(self, batch):
        """Return the number of images, and the terms by name, before they are weighted and scaled."""
        counts, size = self.schedule.counts(), len(batch["img"])
        teacherloss, *caught_t = self.teacher.ask(batch, self.watch_teacher)
        caught_s = self.watch_student.take()
        if not self.checked:
            check_reach(*caught_s)
            self.checked = True
        terms = self._compare(*caught_s, *caught_t)
        if self.images:
            size, terms = self._beside(self.images.take(size), size, terms)
        terms["online"] = teacherloss
        return size, {name: terms[name] * counts[name] for name in TERMS}

    def _beside(self, images, size, terms):
        """Return the number of images, and the terms as means over those with labels and those without."""
        if not len(images):
            return size, terms
        more, total = self._compare(*self._look(images)), size + len(images)
        return total, {name: (terms[name] * size + more[name] * len(images)) / total for name in terms}

    def _look(self, images):
        """Have both models look at images without labels, and return what is caught of the student and of the teacher.

        The student is called without the wrapper of DDP, which allows one forward pass a step. The gradients of both
        passes join at the parameters, where the wrapper takes its means of them.
        """
        student = de_parallel(self.trainer.model)
        self.watch_student.start(student)
        student(images)
        return (*self.watch_student.take(), *self.teacher.look(images, self.watch_teacher))

    def _compare(self, features_s, logits_s, features_t, logits_t):
        """Return the feature and the response loss of what was caught of both models, by name."""
        confidence = confidences(self.teacher.model, logits_t, self.classes.teacher) if self.needs_confidence else ()
        feature = self.trainer.distillloss(features_s, [t.detach() for t in features_t], confidence)
        terms = {"feature": feature, "logit": 0}
        if logits_s:
            with full_precision(self.trainer.device):
                terms["logit"] = self.response(logits_s, logits_t, self._branch_weights())
        return terms

    def _branch_weights(self):
        """Return how much the task loss weighs each branch of the student's head; YOLO26 changes it by the epoch."""
        criterion = getattr(de_parallel(self.trainer.model), "criterion", None)
        return {"one2many": getattr(criterion, "o2m", 1.0), "one2one": getattr(criterion, "o2o", 1.0)}

    def clip_gradients(self):
        """Clip the gradients of what distillation trains, as the trainer clips the student's."""
        if self.trained:
            nn.utils.clip_grad_norm_(self.trained, max_norm=10.0)
        self.teacher.clip_gradients()

    def release(self):
        """Unhook both models and forget what was caught of them: a forward pass may have been interrupted."""
        self.watch_student.stop()
        self.watch_teacher.stop()
        if self.images:
            self.images.stop()
        self.before_steps.stop()

    def _resume(self):
        """Restore what was saved with the checkpoint that is resumed, which may be in another folder than the run."""
        checkpoint = Path(self.trainer.args.model)
        state, wanted = self._restore(checkpoint.parent), read_checkpoint(self.trainer)["epoch"]
        if self.images:
            self.images.labelled = state.get("images", 0)
        saved = state.get("epoch")
        if saved is None:
            LOGGER.warning(
                f"{checkpoint} is resumed without {' and '.join(self._files())} beside it: what "
                "distillation trains starts again"
            )
        elif saved != wanted:
            LOGGER.warning(
                f"{checkpoint} is of epoch {wanted + 1}, what distillation trains is resumed as it was after epoch "
                f"{saved + 1}"
            )

    def _files(self):
        """Return the names of what is beside last.pt while a run goes on."""
        return [name for name in (STATE, self.teacher.file) if name]

    def _restore(self, folder):
        """Restore feature loss and teacher as they were when they were saved to a folder.

        Args:
            folder (Path): Where save_distillation has saved them.

        Returns:
            (dict): What save_distillation has saved, the epoch at whose end that was among it; {} if it never has.

        Raises:
            ValueError: If they are not those of this run.
        """
        if not all((folder / name).exists() for name in self._files()):
            return {}
        state = torch.load(folder / STATE, map_location="cpu", weights_only=True)
        try:
            de_parallel(self.trainer.distillloss).load_state_dict(state["distillloss"])
            self.teacher.restore(folder, state.get("teacher", {}))
        except RuntimeError as e:
            raise ValueError(f"model_t: expected the teacher that {folder} was trained with: {e}") from e
        return state


def _has_graph(value):
    return isinstance(value, torch.Tensor) and value.requires_grad


def save_distillation(trainer):
    """Save, beside last.pt, what a later run needs to resume the distillation; and a teacher that learns."""
    if getattr(trainer, "model_t", None) is None:
        return
    state = {
        "epoch": trainer.epoch,
        "distillloss": de_parallel(trainer.distillloss).state_dict(),
        "teacher": trainer.distiller.teacher.save(trainer.wdir),
        "images": trainer.distiller.images.labelled if trainer.distiller.images else 0,
    }
    with replacing(trainer.wdir / STATE) as path:
        torch.save(state, path)


def finish_distillation(trainer):
    """Say what is left to say, and remove what only a resumed run needs, as upstream has done with its own."""
    if getattr(trainer, "model_t", None) is None:
        return
    trainer.distiller.tell()
    tell_outcome(trainer)
    state = trainer.wdir / STATE
    if state.exists():
        state.unlink()

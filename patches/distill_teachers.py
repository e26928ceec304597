# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""The kinds of teachers: one is frozen, one goes on learning next to the student, one is the student's own average."""

from __future__ import annotations

import inspect
import math
import os

import torch
import torch.nn as nn

from .distill_arguments import AVERAGE
from .distill_classes import teacher_names, trained_names
from .distill_features import get_features
from .distill_models import de_parallel, head, is_fused
from .distill_setup import forget_criterion, read_model, save_model

RANK = int(os.getenv("RANK", "-1"))


def make_teacher(trainer):
    """Return the teacher of a run, whose model is trainer.model_t, of the kind that its arguments ask for."""
    if trainer.args.model_t == AVERAGE:
        return AverageTeacher(trainer)
    return OnlineTeacher(trainer) if trainer.args.distillonline else OfflineTeacher(trainer)


class OfflineTeacher:
    """A teacher that is frozen.

    Args:
        trainer (BaseTrainer): Its model and its model_t are modules on the device of the training.

    Attributes:
        model (nn.Module): The teacher itself, without a wrapper of DDP, which trainer.model_t may get.
        names (dict[int, str]): Of its classes, by number.
    """

    kind = "offline"
    numbered = False  # whether its classes have the data's numbers, whatever their names are
    file = None  # what is beside last.pt while a run goes on, to resume it with

    def __init__(self, trainer):
        self.trainer, self.model = trainer, trainer.model_t
        self.names = teacher_names(self.model)
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad = self._learns(name)
        forget_criterion(self.model)

    def _learns(self, name):
        """Return whether a parameter of the teacher is trained."""
        return False

    def wrap_ddp(self, device_ids):
        """Have all ranks keep the teacher in step, if it changes."""

    def start_epoch(self, first):
        """Put the teacher into its mode.

        Args:
            first (bool): Whether this is the first epoch of this process.
        """
        self.trainer.model_t.eval()

    def ask(self, batch, watch):
        """Make the teacher's one forward pass of a batch.

        Args:
            batch (dict): The batch that the student has just seen.
            watch (Watch): What to catch of the pass.

        Returns:
            loss (torch.Tensor | int): The teacher's own loss, if it learns.
            features (list[torch.Tensor]): Its feature maps, of shape (N, C, H, W).
            logits (dict[str, list[torch.Tensor]]): Its raw outputs by branch, see Watch.take.
        """
        return (0, *self.look(batch["img"], watch))

    def look(self, images, watch):
        """Make a forward pass by which the teacher learns nothing.

        Args:
            images (torch.Tensor): Of shape (N, C, H, W), as the student sees them.
            watch (Watch): What to catch of the pass.

        Returns:
            features (list[torch.Tensor]): Feature maps of shape (N, C, H, W).
            logits (dict[str, list[torch.Tensor]]): Raw outputs by branch, see Watch.take.
        """
        with torch.no_grad():
            if not watch.branches:  # nobody asks its head
                return get_features(images, self.model, watch.layers), {}
            watch.start(self.model)
            self.model(images)
        return watch.take()

    def clip_gradients(self):
        """Clip the teacher's gradients as the trainer clips the student's, if it has any."""

    def trust(self, progress):
        """Return how much the teacher counts, from 0 to 1.

        Args:
            progress (float): The part of the run that is done.
        """
        return 1

    def save(self, folder):
        """Save what a later run needs to resume with this teacher, and return what it needs beside that, by name."""
        return {}

    def restore(self, folder, saved):
        """Restore the teacher as it was when it was saved to a folder, with what was returned then."""


class OnlineTeacher(OfflineTeacher):
    """A teacher that goes on learning next to the student, from the same labels.

    Args:
        trainer (BaseTrainer): Its model and its model_t are modules on the device of the training.

    Raises:
        ValueError: If the teacher cannot learn from the labels of the student's data.
    """

    kind = "online"
    numbered = True  # which it learns
    file = "last_teacher.pt"

    def __init__(self, trainer):
        _check_learner(de_parallel(trainer.model), trainer.model_t)
        super().__init__(trainer)

    def _learns(self, name):
        return ".dfl" not in name

    def wrap_ddp(self, device_ids):
        """Have all ranks keep the teacher in step, as they do with the student."""
        self.trainer.model_t = nn.parallel.DistributedDataParallel(
            self.model, device_ids=device_ids, find_unused_parameters=True
        )

    def start_epoch(self, first):
        """Put the teacher into its mode, and its loss into that of the epoch."""
        if first:
            self._give_criterion()
        if hasattr(self.model.criterion, "update"):
            # YOLO26 goes from the one-to-many branch to the one-to-one, epoch by epoch; a resumed run is on the way.
            self.model.criterion.updates = self.trainer.epoch - 1
            self.model.criterion.update()
        self.trainer.model_t.train()

    def _give_criterion(self):
        """Have the teacher learn by the loss of the student: with its hyperparameters, for its data."""
        student, teacher = de_parallel(self.trainer.model), self.model
        same_classes = head(student).nc == head(teacher).nc
        teacher.args = self.trainer.args
        # What newer releases make of the data, for the student alone.
        teacher.class_weights = getattr(student, "class_weights", None) if same_classes else None
        teacher.kpt_oks_sigmas = getattr(student, "kpt_oks_sigmas", None)
        if not hasattr(teacher, "end2end"):  # saved by a later release, where it is no longer the model that knows
            teacher.end2end = getattr(head(teacher), "end2end", False)
        teacher.criterion = teacher.init_criterion()

    def _tell_epoch(self):
        """Tell a loss that depends on the epoch of it, as the student's is told: by an attribute, or by an argument.

        Returns:
            (dict): What else the teacher's loss is to be called with.
        """
        student = de_parallel(self.trainer.model)
        for ours, theirs in ((student, self.model), (getattr(student, "criterion", None), self.model.criterion)):
            told = getattr(ours, "__dict__", {}).items()
            vars(theirs).update({k: v for k, v in told if "epoch" in k and isinstance(v, (int, float))})
        takes_epoch = "epoch" in inspect.signature(self.model.loss).parameters
        return {"epoch": self.trainer.epoch} if takes_epoch else {}

    def ask(self, batch, watch):
        """Make the teacher's one forward pass of a batch, by which it learns, too."""
        watch.start(self.model)
        loss = self.trainer.model_t(batch, **self._tell_epoch())[0].sum()
        if RANK != -1:
            loss = loss * torch.distributed.get_world_size()
        return (loss, *watch.take())

    def look(self, images, watch):
        """Make a forward pass by which the teacher learns nothing, nor takes statistics for its normalization."""
        self.model.eval()
        try:
            return super().look(images, watch)
        finally:
            self.model.train()

    def clip_gradients(self):
        """Clip the teacher's gradients as the trainer clips the student's."""
        nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=10.0)

    def save(self, folder):
        """Save the teacher as a checkpoint that YOLO() opens."""
        save_model(self.model, folder / self.file)
        return {}

    def restore(self, folder, saved):
        """Restore the teacher as it was when it was saved to a folder."""
        self.model.load_state_dict(read_model(str(folder / self.file)).state_dict())


class AverageTeacher(OfflineTeacher):
    """The student's own exponential moving average, which is steadier than the student is at any step.

    After t steps, an average a of a weight w becomes a + (w - a) * max(1 - DECAY, 9 / (10 + t)). It counts for little
    while the student knows little: exp(-5 * (1 - x)^2), where x goes from 0 to 1 between the warm-up's end and RISE of
    the run after it.

    Args:
        trainer (BaseTrainer): Its model is the student, and its model_t a copy of it.

    References:
        Tarvainen and Valpola, Mean teachers are better role models, https://arxiv.org/abs/1703.01780
    """

    kind = "as the student's own average"
    DECAY = 0.999
    RISE = 0.3

    def __init__(self, trainer):
        super().__init__(trainer)
        self.names = trained_names(trainer.data["names"], trainer.args)  # the student is given its own later
        self.steps = 0

    def ask(self, batch, watch):
        """Take the student's weights of this step into the average, and make its one forward pass of a batch."""
        self._follow(de_parallel(self.trainer.model))
        return super().ask(batch, watch)

    def _follow(self, student):
        self.steps += 1
        share = max(1 - self.DECAY, 9 / (10 + self.steps))
        with torch.no_grad():
            for mine, theirs in zip(self.model.state_dict().values(), student.state_dict().values()):
                if mine.is_floating_point():
                    mine.lerp_(theirs.to(mine.dtype), share)
                else:
                    mine.copy_(theirs)

    def trust(self, progress):
        """Return how much the average counts, from 0 to 1."""
        begin = self.trainer.args.warmup_epochs / self.trainer.epochs
        x = min(max((progress - begin) / self.RISE, 0), 1)
        return math.exp(-5 * (1 - x) ** 2)

    def save(self, folder):
        """Return the average and how many steps it is of; a later run resumes with them."""
        return {"average": self.model.state_dict(), "steps": self.steps}

    def restore(self, folder, saved):
        """Restore the average as it was when it was saved."""
        self.model.load_state_dict(saved["average"])
        self.steps = saved["steps"]


def _check_learner(student, teacher):
    """Raise ValueError if a teacher cannot learn next to a student, from the labels of the student's data."""
    head_s, head_t = head(student), head(teacher)
    if is_fused(teacher):
        raise ValueError(
            "distillonline: expected a teacher that can learn, not one that was fused to predict with; "
            "give the path of its weights"
        )
    if head_t.nc < head_s.nc:
        raise ValueError(
            f"distillonline: expected a teacher of at least {head_s.nc} classes, as in the data, not {head_t.nc}"
        )
    kpt_s, kpt_t = (list(getattr(head, "kpt_shape", ())) for head in (head_s, head_t))
    if kpt_s != kpt_t:
        raise ValueError(f"distillonline: expected a teacher with the keypoints of the data, {kpt_s}, not {kpt_t}")

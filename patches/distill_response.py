# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""The response losses: what the heads of student and teacher put out is compared.

A response loss is one class and one row in the table at the end. It is given, for each branch of the head and each
level, the raw outputs of the student and of the teacher: tensors of shape (N, 4 * reg_max + classes, H, W).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .AddLoss import Distill_LogitLoss
from .distill_models import head


class RawOutputs:
    """The tutorial's response loss: mean squared error of the raw outputs, see Distill_LogitLoss.

    Args:
        student (nn.Module): The student; its head puts out the same shapes as the teacher's.
        teacher (nn.Module): The teacher.
        hyp (SimpleNamespace): The run's hyperparameters; unused, the losses share one signature.
        classes (Classes): Unused.
    """

    same = ("classes", "strides", "box distribution bins")  # in which the heads have to agree
    by_number = True  # whether classes are compared by their numbers, all that the heads have
    weight = 0.3  # of the loss, unless another is given

    def __init__(self, student, teacher, hyp, classes):
        pass

    def __call__(self, outputs_s, outputs_t, weights):
        """Return the loss, summed over levels and branches; the weights of the branches do not count here."""
        flat_s, flat_t = ([x for branch in outputs.values() for x in branch] for outputs in (outputs_s, outputs_t))
        return Distill_LogitLoss(flat_s, flat_t)()


class SoftTargets:
    """Dense soft targets: the form of the task loss, with the teacher's predictions at every place as the labels.

    With s the student's class logits, p_t the teacher's probabilities, w = max over the classes of p_t and
    W = max(sum of w, N), all sums over the N images and their places:

        cls * sum BCE(s, p_t) / W  +  sum w * (box * (1 - GIoU(box_s, box_t)) + dfl * KL(sides_t || sides_s)) / W

    BCE is given without the teacher's own entropy, so that the loss is 0 where both agree; its gradient is the same. KL
    is the mean over the four sides of a box, of which each is a distribution over reg_max distances. It is left out if
    the heads have other distances (reg_max) than each other, or none (reg_max 1, as YOLO26). Boxes are compared as
    distances from their place, so a box of another place or stride never meets this one; rotated ones before rotation.
    W is at least one confident place an image: a teacher that is sure of nothing teaches little.

    Classes are those that both have; the teacher's others do not count, also not for w. If there is none, the teacher
    teaches boxes alone, where it is sure of any of its classes.

    Args:
        student (nn.Module): The student.
        teacher (nn.Module): The teacher.
        hyp (SimpleNamespace): The run's hyperparameters, of which box, cls and dfl weigh the parts as in the task loss.
        classes (Classes): The classes that both have.

    References:
        Yang et al., Bridging Cross-task Protocol Inconsistency for Distillation, https://arxiv.org/abs/2308.14286
        Zheng et al., Localization Distillation for Dense Object Detection, https://arxiv.org/abs/2102.12252
        Rezatofighi et al., Generalized Intersection over Union, https://arxiv.org/abs/1902.09630
    """

    same = ("strides",)
    by_number = False
    weight = 1.0

    def __init__(self, student, teacher, hyp, classes):
        self.shared_s = _index(classes.student, head(student).nc)
        self.shared_t = _index(classes.teacher, head(teacher).nc)
        self.bins_s, self.bins_t = head(student).reg_max, head(teacher).reg_max
        self.box, self.cls, self.dfl = (float(getattr(hyp, gain)) for gain in ("box", "cls", "dfl"))

    def __call__(self, outputs_s, outputs_t, weights):
        """Return the loss.

        Args:
            outputs_s (dict[str, list[torch.Tensor]]): The student's raw outputs by branch, a tensor a level, each of
                shape (N, 4 * reg_max + classes, H, W).
            outputs_t (dict[str, list[torch.Tensor]]): The teacher's; no gradient reaches them.
            weights (dict[str, float]): How much each branch counts.

        Returns:
            (torch.Tensor): A scalar in float32: the mean over the batch, in the sense of the task loss.
        """
        return sum(self._branch(outputs_s[name], outputs_t[name]) * weights[name] for name in outputs_s)

    def _branch(self, levels_s, levels_t):
        """Return the loss of one branch."""
        sides_s, classes_s = _split(levels_s, self.bins_s)
        sides_t, classes_t = (x.detach() for x in _split(levels_t, self.bins_t))
        classes_s, shared_t = classes_s[..., self.shared_s], classes_t[..., self.shared_t]
        p_t = shared_t.sigmoid()
        w = (p_t if p_t.shape[2] else classes_t.sigmoid()).amax(2)
        total = w.sum().clamp(min=w.shape[0])
        entropy = F.binary_cross_entropy_with_logits(shared_t, p_t, reduction="sum")
        loss = self.cls * (F.binary_cross_entropy_with_logits(classes_s, p_t, reduction="sum") - entropy)
        distances_s, distances_t = (_distances(sides) for sides in (sides_s, sides_t))
        loss = loss + self.box * (w * (1 - _giou(distances_s, distances_t))).sum()
        if self.bins_s == self.bins_t > 1:
            log_s, log_t = (sides.log_softmax(3) for sides in (sides_s, sides_t))
            divergence = F.kl_div(log_s, log_t, reduction="none", log_target=True).sum(3).mean(2)
            loss = loss + self.dfl * (w * divergence).sum()
        return loss / total


def confidences(model, outputs, classes):
    """Return how confident a model is at each place: its largest probability of a class.

    Args:
        model (nn.Module): The model.
        outputs (dict[str, list[torch.Tensor]]): Its raw outputs by branch, a tensor a level, each of shape
            (N, 4 * reg_max + classes, H, W); the first branch counts.
        classes (list[int]): Those that count; all of them if there are none.

    Returns:
        (list[torch.Tensor]): From 0 to 1, a tensor a level, each of shape (N, 1, H, W).
    """
    first = 4 * head(model).reg_max
    channels = [first + i for i in classes] or slice(first, None)
    levels = next(iter(outputs.values()))
    return [level.detach()[:, channels].float().sigmoid().amax(1, keepdim=True) for level in levels]


def _index(numbers, count):
    return slice(None) if numbers == list(range(count)) else numbers


def _split(levels, bins):
    """Return the raw outputs of all levels, in float32, one place after the other.

    Returns:
        sides (torch.Tensor): Of shape (N, places, 4, bins).
        classes (torch.Tensor): Class logits of shape (N, places, classes).
    """
    flat = torch.cat([level.float().flatten(2) for level in levels], 2).transpose(1, 2)
    sides, classes = flat[..., : 4 * bins], flat[..., 4 * bins :]
    return sides.unflatten(2, (4, bins)), classes


def _distances(sides):
    """Return the distances of the left, top, right and bottom sides from their place, in strides: (N, places, 4)."""
    if sides.shape[3] == 1:
        return sides.squeeze(3)
    return sides.softmax(3) @ torch.arange(sides.shape[3], dtype=sides.dtype, device=sides.device)


def _giou(one, other):
    """Return the generalized intersection over union, in -1 to 1, of boxes that are distances from the same places."""
    inner, outer = torch.minimum(one, other), torch.maximum(one, other)
    size = {name: (x[..., :2] + x[..., 2:]).clamp(min=0) for name, x in (("a", one), ("b", other))}
    shared = (inner[..., :2] + inner[..., 2:]).clamp(min=0).prod(2)
    union = size["a"].prod(2) + size["b"].prod(2) - shared
    hull = (outer[..., :2] + outer[..., 2:]).clamp(min=0).prod(2)
    return shared / (union + 1e-7) - (hull - union) / (hull + 1e-7)


# The response losses, by the value of distill_logit_type. A new one is a class above and a row here.
RESPONSE_LOSSES = {"mse": RawOutputs, "soft": SoftTargets}

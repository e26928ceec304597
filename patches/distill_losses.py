# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""The feature losses that the tutorial does not have; the tutorial's are in AddLoss.py, with the table of all."""

from __future__ import annotations

import torch
import torch.nn as nn
import torch.nn.functional as F


class FeatureMapLoss(nn.Module):
    """A loss between the feature maps of a student and those of a teacher.

    Attributes:
        weight (float): Of the loss, unless another is given; docs/learning.md says of which losses it was measured.
        needs_confidence (bool): Whether it has to know how confident the teacher is.
        aligns (bool): Whether it compares channels, so that a student has to have the teacher's.
        SCALED (tuple): Arguments by which a loss that grows with the image, as published, does not.

    Args:
        channels_s (list[int]): Channels of the student's feature maps; unused, the losses share one signature.
        channels_t (list[int]): Channels of the teacher's feature maps; unused.
    """

    weight = 0.0
    needs_confidence = False
    aligns = True
    SCALED = ()

    def __init__(self, channels_s, channels_t):
        super().__init__()


class FRSLoss(FeatureMapLoss):
    """Feature richness score: plain imitation, where the teacher sees something.

    Each place counts by the teacher's confidence there, w, its largest probability of a class:
    sum(w * mean over the channels of (s - t)^2) / max(sum(w), N), summed over the levels, N being the number of images.
    So the many places that show nothing, of which a small student has no room to imitate the details, count for little,
    and a teacher that is sure of nothing teaches little.

    Args:
        channels_s (list[int]): Channels of the student's feature maps; unused, the losses share one signature.
        channels_t (list[int]): Channels of the teacher's feature maps; unused.

    References:
        Du et al., Distilling Object Detectors with Feature Richness, https://arxiv.org/abs/2111.00674
    """

    weight = 10.0
    needs_confidence = True

    def forward(self, y_s, y_t, confidence):
        """Return the loss.

        Args:
            y_s (list[torch.Tensor]): The student's feature maps, each of shape (N, C, H, W).
            y_t (list[torch.Tensor]): The teacher's feature maps, of the same shapes.
            confidence (list[torch.Tensor]): The teacher's confidences, from 0 to 1, each of shape (N, 1, H, W).

        Returns:
            (torch.Tensor): A scalar.
        """
        loss = 0
        for (s, t), w in zip(level_pairs(y_s, y_t), confidence):
            error = (s - t).pow(2).mean(1, keepdim=True)
            loss = loss + (w * error).sum() / w.sum().clamp(min=len(w))  # at least a confident place an image
        return loss


class PKDLoss(FeatureMapLoss):
    """Pearson correlation: each channel should rise and fall where the teacher's does, whatever its size.

    With r, the Pearson correlation of the student's channel with the teacher's over the N * H * W places of the batch:
    1 - mean of r over the channels, summed over the levels. That is half the mean squared error of channels that are
    scaled to mean 0 and variance 1. FeatureLoss has scaled them so while it trains, and then this is half of MimicLoss.

    Args:
        channels_s (list[int]): Channels of the student's feature maps; unused, the losses share one signature.
        channels_t (list[int]): Channels of the teacher's feature maps; unused.

    References:
        Cao et al., PKD: General Distillation Framework via Pearson Correlation, https://arxiv.org/abs/2207.02039
    """

    weight = 1.0  # twice that of the plain loss, of which this is half

    def forward(self, y_s, y_t, confidence=None):
        """Return the loss.

        Args:
            y_s (list[torch.Tensor]): The student's feature maps, each of shape (N, C, H, W).
            y_t (list[torch.Tensor]): The teacher's feature maps, of the same shapes.
            confidence (list[torch.Tensor]): Unused, the losses share one signature.

        Returns:
            (torch.Tensor): A scalar, from 0 to 2 for each level.
        """
        return sum(F.mse_loss(_standard(s), _standard(t)) / 2 for s, t in level_pairs(y_s, y_t))


def _standard(x):
    """Return a feature map with each channel scaled to mean 0 and variance 1 over the batch: (N, C, H, W)."""
    x = x - x.mean((0, 2, 3), keepdim=True)
    return x / (x.pow(2).mean((0, 2, 3), keepdim=True) + 1e-6).sqrt()


class RelationLoss(FeatureMapLoss):
    """Relations between places: what looks alike to the teacher should look alike to the student.

    In each image and level, the PLACES places count at which the teacher is most confident, w being its confidence.
    With cos(i, j), the cosine similarity of the features at two of them:

        sum over i != j of w_i w_j (cos_s(i, j) - cos_t(i, j))^2 / max(sum over i != j of w_i w_j, 1)

    as a mean over the images, summed over the levels. No features meet those of another model, so nothing is needed to
    align them, and any widths go together. A teacher that is sure of nothing teaches little.

    Args:
        channels_s (list[int]): Channels of the student's feature maps; unused, the losses share one signature.
        channels_t (list[int]): Channels of the teacher's feature maps; unused.

    References:
        Dai et al., General Instance Distillation for Object Detection, https://arxiv.org/abs/2103.02340
        Park et al., Relational Knowledge Distillation, https://arxiv.org/abs/1904.05068
    """

    PLACES = 64
    weight = 10.0  # sends a third of the task's gradient in the first steps on the digits; its gain is not measured
    needs_confidence = True
    aligns = False

    def forward(self, y_s, y_t, confidence):
        """Return the loss.

        Args:
            y_s (list[torch.Tensor]): The student's feature maps, each of shape (N, C_s, H, W).
            y_t (list[torch.Tensor]): The teacher's feature maps, each of shape (N, C_t, H, W).
            confidence (list[torch.Tensor]): The teacher's confidences, from 0 to 1, each of shape (N, 1, H, W).

        Returns:
            (torch.Tensor): A scalar.
        """
        loss = 0
        for s, t, w in zip(y_s, y_t, confidence):
            w, places = w.flatten(1).topk(min(self.PLACES, w[0].numel()))
            pairs = w.unsqueeze(1) * w.unsqueeze(2)
            pairs = pairs - torch.diag_embed(pairs.diagonal(dim1=1, dim2=2))  # a place has no relation to itself
            error = (_similarities(s, places) - _similarities(t, places)).pow(2)
            loss = loss + ((pairs * error).sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)).mean()
        return loss


def _similarities(x, places):
    """Return the cosine similarities of the features at some places of each image.

    Args:
        x (torch.Tensor): A feature map of shape (N, C, H, W).
        places (torch.Tensor): Places by number, of shape (N, K).

    Returns:
        (torch.Tensor): Of shape (N, K, K).
    """
    at = x.flatten(2).gather(2, places.unsqueeze(1).expand(-1, x.shape[1], -1))
    at = F.normalize(at, dim=1, eps=1e-6)
    return at.transpose(1, 2) @ at


def level_pairs(y_s, y_t):
    """Return the pairs of the student's and the teacher's tensors, which must be of the same shapes."""
    shapes_s, shapes_t = [tuple(s.shape) for s in y_s], [tuple(t.shape) for t in y_t]
    if shapes_s != shapes_t:
        raise ValueError(f"expected the student's and the teacher's shapes to agree, not {shapes_s} and {shapes_t}")
    return list(zip(y_s, y_t))

# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""The feature losses that the tutorial does not have; the tutorial's are in AddLoss.py, with the table of all."""

from __future__ import annotations

import torch.nn as nn
import torch.nn.functional as F


class FRSLoss(nn.Module):
    """Feature richness score: plain imitation, where the teacher sees something.

    Each place counts by the teacher's confidence there, w, its largest probability of a class:
    sum(w * mean over the channels of (s - t)^2) / sum(w), summed over the levels. So the many places that show nothing,
    of which a small student has no room to imitate the details, count for little.

    Args:
        channels_s (list[int]): Channels of the student's feature maps; unused, the losses share one signature.
        channels_t (list[int]): Channels of the teacher's feature maps; unused.

    References:
        Du et al., Distilling Object Detectors with Feature Richness, https://arxiv.org/abs/2111.00674
    """

    weight = 10.0
    needs_confidence = True

    def __init__(self, channels_s, channels_t):
        super().__init__()

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


class PKDLoss(nn.Module):
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

    weight = 1.0  # twice that of the plain loss

    def __init__(self, channels_s, channels_t):
        super().__init__()

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


def level_pairs(y_s, y_t):
    """Return the pairs of the student's and the teacher's tensors, which must be of the same shapes."""
    shapes_s, shapes_t = [tuple(s.shape) for s in y_s], [tuple(t.shape) for t in y_t]
    if shapes_s != shapes_t:
        raise ValueError(f"expected the student's and the teacher's shapes to agree, not {shapes_s} and {shapes_t}")
    return list(zip(y_s, y_t))

# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""The losses of knowledge distillation: a small YOLO (the student) is trained by a large one (the teacher).

    YOLO("yolov8n.yaml").train(data="data.yaml", model_t="teacher.pt")
    yolo train model=yolov8n.yaml data=data.yaml model_t=teacher.pt logit_loss=True

The student learns its task as ever, and in addition from up to three losses:

    dfeaLoss    its feature maps resemble the teacher's (FeatureLoss, by one of FEATURE_LOSSES)
    dlogitLoss  its head predicts what the teacher's does (one of RESPONSE_LOSSES; Distill_LogitLoss is the tutorial's)
    dlineLoss   with an online teacher, which learns next to the student: the teacher's own task loss

This file is the tutorial's losses; those of later papers are in distill_losses.py and distill_response.py. A run uses
them in distiller.py; its arguments are in distill_arguments.py, and its teacher, which distill_setup.py finds, is in
distill_teachers.py. What a model has is read in distill_models.py, its forward pass is watched in distill_features.py,
and distill_pairs.py checks whether two go together. The columns of results are in distill_columns.py.
All of it needs Python 3.8, PyTorch 1.13, and what Ultralytics needs itself. What it needs of Ultralytics is imported
where it is used.
"""

from __future__ import annotations

import math
from contextlib import nullcontext

import torch
import torch.nn as nn
import torch.nn.functional as F

# Names of the tutorial's AddLoss.py, which is imported by that name.
from .distill_features import get_channels, get_fpn_features  # noqa: F401
from .distill_losses import FeatureMapLoss, FRSLoss, PKDLoss, RelationLoss, level_pairs
from .distill_models import de_parallel, is_parallel  # noqa: F401


class MimicLoss(FeatureMapLoss):
    """Mean squared error between feature maps, summed over the levels.

    Args:
        channels_s (list[int]): Channels of the student's feature maps; unused, the losses share one signature.
        channels_t (list[int]): Channels of the teacher's feature maps; unused.

    References:
        Romero et al., FitNets: Hints for Thin Deep Nets, https://arxiv.org/abs/1412.6550
    """

    weight = 0.5

    def forward(self, y_s, y_t, confidence=None):
        """Return the loss.

        Args:
            y_s (list[torch.Tensor]): The student's feature maps, each of shape (N, C, H, W).
            y_t (list[torch.Tensor]): The teacher's feature maps, of the same shapes.
            confidence (list[torch.Tensor]): Unused, the losses share one signature.

        Returns:
            (torch.Tensor): A scalar.
        """
        return sum(F.mse_loss(s, t) for s, t in level_pairs(y_s, y_t))


class CWDLoss(FeatureMapLoss):
    """Channel-wise distillation: where in the image does each channel look?

    Each channel becomes a distribution over the H * W places, and the loss is the Kullback-Leibler divergence of the
    student's distribution from the teacher's, KL(t || s) * tau^2 / (N * C), summed over the levels.

    Args:
        channels_s (list[int]): Channels of the student's feature maps; unused, the losses share one signature.
        channels_t (list[int]): Channels of the teacher's feature maps; unused.
        tau (float): Temperature; the higher, the more the weaker places count.

    References:
        Shu et al., Channel-wise Knowledge Distillation for Dense Prediction, https://arxiv.org/abs/2011.13256
    """

    weight = 0.3

    def __init__(self, channels_s, channels_t, tau=1.0):
        super().__init__(channels_s, channels_t)
        self.tau = tau

    def forward(self, y_s, y_t, confidence=None):
        """Return the loss.

        Args:
            y_s (list[torch.Tensor]): The student's feature maps, each of shape (N, C, H, W).
            y_t (list[torch.Tensor]): The teacher's feature maps, of the same shapes.
            confidence (list[torch.Tensor]): Unused, the losses share one signature.

        Returns:
            (torch.Tensor): A scalar.
        """
        loss = 0
        for s, t in level_pairs(y_s, y_t):
            n, c = s.shape[:2]
            log_s = F.log_softmax(s.flatten(2) / self.tau, dim=2)
            log_t = F.log_softmax(t.flatten(2) / self.tau, dim=2)
            divergence = F.kl_div(log_s, log_t, reduction="sum", log_target=True)
            loss = loss + divergence * self.tau**2 / (n * c)
        return loss


class MGDLoss(FeatureMapLoss):
    """Masked generative distillation: from a masked feature map, generate the teacher's.

    At each step a random part of the places of the student's feature map is set to zero, and two convolutions have to
    restore the teacher's feature map from what is left: sum((generate(mask * s) - t)^2) / N, times alpha_mgd.

    As published, the sum grows with the image: alpha_mgd is meant for 800 x 1333 pixels, and at 128 x 128 the loss is
    65 times smaller. With places, it is what it would be on a map of so many places, whatever the image is.

    Args:
        channels_s (list[int]): Channels of the student's feature maps; unused, the losses share one signature.
        channels_t (list[int]): Channels of the teacher's feature maps.
        alpha_mgd (float): Weight of the loss, which is a sum over all places and channels.
        lambda_mgd (float): Part of the places that are masked.
        places (int | None): The number of places of all levels together that the sum is scaled to; None: as published.

    References:
        Yang et al., Masked Generative Distillation, https://arxiv.org/abs/2205.01529
    """

    weight = 0.1

    # Of levels with the strides 8, 16 and 32 at 800 x 1333: a weight of 1 is then the published one at any size.
    SCALED = (("places", 100 * 167 + 50 * 84 + 25 * 42),)

    def __init__(self, channels_s, channels_t, alpha_mgd=0.00002, lambda_mgd=0.65, places=None):
        super().__init__(channels_s, channels_t)
        self.alpha_mgd = alpha_mgd
        self.lambda_mgd = lambda_mgd
        self.places = places
        self.generation = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(c, c, 3, padding=1))
            for c in channels_t
        )

    def forward(self, y_s, y_t, confidence=None):
        """Return the loss.

        Args:
            y_s (list[torch.Tensor]): The student's feature maps, each of shape (N, C, H, W).
            y_t (list[torch.Tensor]): The teacher's feature maps, of the same shapes.
            confidence (list[torch.Tensor]): Unused, the losses share one signature.

        Returns:
            (torch.Tensor): A scalar.
        """
        losses = (self.get_dis_loss(s, t, level) for level, (s, t) in enumerate(level_pairs(y_s, y_t)))
        scale = self.places / sum(t.shape[2] * t.shape[3] for t in y_t) if self.places else 1
        return sum(losses) * self.alpha_mgd * scale

    def get_dis_loss(self, preds_S, preds_T, idx):
        """Return the squared error of one level, summed over channels and places: a mean over the batch.

        Args:
            preds_S (torch.Tensor): The student's feature map of shape (N, C, H, W).
            preds_T (torch.Tensor): The teacher's feature map of the same shape.
            idx (int): The level.

        Returns:
            (torch.Tensor): A scalar.
        """
        n, _, h, w = preds_T.shape
        kept = torch.rand((n, 1, h, w), device=preds_S.device) <= 1 - self.lambda_mgd
        return F.mse_loss(self.generation[idx](preds_S * kept), preds_T, reduction="sum") / n


class Distill_LogitLoss:
    """Mean squared error between the raw outputs of two heads, summed over the levels.

    Args:
        p (list[torch.Tensor]): The student's raw outputs, one tensor a level, each of shape (N, channels, H, W).
        t_p (list[torch.Tensor]): The teacher's, of the same shapes; no gradient reaches them.
        alpha (float): Weight of the loss.

    References:
        Ba and Caruana, Do Deep Nets Really Need to be Deep?, https://arxiv.org/abs/1312.6184
    """

    def __init__(self, p, t_p, alpha=0.25):
        self.p = p
        self.t_p = t_p
        self.alpha = alpha

    def __call__(self):
        """Return the loss, a scalar."""
        return sum(F.mse_loss(p.float(), t_p.detach().float()) for p, t_p in level_pairs(self.p, self.t_p)) * self.alpha


class NoLoss(FeatureMapLoss):
    """No feature loss: no layers are compared."""


# The feature losses, by the value of distill_feat_type. A new one is a class above and a row here.
FEATURE_LOSSES = {
    "cwd": CWDLoss,
    "frs": FRSLoss,
    "mgd": MGDLoss,
    "mimic": MimicLoss,
    "none": NoLoss,
    "pkd": PKDLoss,
    "relation": RelationLoss,
}


class FeatureLoss(nn.Module):
    """Compare feature maps of a student with those of a teacher that may be wider.

    A 1 x 1 convolution gives the student's feature map the teacher's channels, both are normalized (without learned
    scale, so that neither model can shrink the loss by shrinking its features), and one of the losses compares them. A
    loss that compares no channels takes feature maps as they are.
    Everything is computed in float32: sums over a whole feature map overflow half precision.

    Args:
        channels_s (list[int]): Channels of the student's feature maps.
        channels_t (list[int]): Channels of the teacher's feature maps.
        distiller (str): A key of FEATURE_LOSSES.
        scaled (bool): Whether a loss that grows with the image, as published, is scaled so that it does not.

    Raises:
        NotImplementedError: If the distiller is none of these.
    """

    def __init__(self, channels_s, channels_t, distiller="cwd", scaled=False):
        super().__init__()
        if distiller not in FEATURE_LOSSES:
            raise NotImplementedError(f"expected a feature loss out of {sorted(FEATURE_LOSSES)}, not {distiller!r}")
        loss = FEATURE_LOSSES[distiller]
        pairs = list(zip(channels_s, channels_t)) if loss.aligns else []
        self.align_module = nn.ModuleList(nn.Conv2d(s, t, kernel_size=1) for s, t in pairs)
        self.norm = nn.ModuleList(nn.BatchNorm2d(t, affine=False) for _, t in pairs)
        self.feature_loss = loss(channels_s, channels_t, **dict(loss.SCALED if scaled else ()))

    @property
    def needs_confidence(self):
        """Return whether the loss has to know how confident the teacher is."""
        return self.feature_loss.needs_confidence

    def forward(self, y_s, y_t, confidence=()):
        """Return the loss.

        Args:
            y_s (list[torch.Tensor]): The student's feature maps, each of shape (N, C_s, H, W).
            y_t (list[torch.Tensor]): The teacher's feature maps, each of shape (N, C_t, H', W'); where the size differs
                it is the teacher's that is scaled, since no gradient has to pass there.
            confidence (list[torch.Tensor]): The teacher's confidences by level of its head, each of shape
                (N, 1, H", W"), if the loss needs them. A feature map takes those of the level that is nearest in size.

        Returns:
            (torch.Tensor | int): A scalar; 0 if there are no feature maps to compare.
        """
        if not y_s:
            return 0
        with full_precision(y_s[0].device):
            y_s, y_t = [s.float() for s in y_s], [_scaled(t.float(), s) for s, t in zip(y_s, y_t)]
            if self.norm:
                y_s = [norm(align(s)) for align, norm, s in zip(self.align_module, self.norm, y_s)]
                y_t = [norm(t) for norm, t in zip(self.norm, y_t)]
            return self.feature_loss(y_s, y_t, [_fitted(confidence, s) for s in y_s if confidence])


def _fitted(maps, like):
    """Return the one of some maps that is nearest in size to another, scaled to that size."""
    return _scaled(min(maps, key=lambda x: abs(math.log(x.shape[-1] / like.shape[-1]))), like)


def _scaled(x, like):
    """Return a map in the size of another."""
    if x.shape[2:] == like.shape[2:]:
        return x
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


def distill_weight(i, nb):
    """Return a weight that falls from 1 to 0.1 on a half cosine, at step i of nb.

    The teacher leads while training is young; towards its end the student is left to its own task.
    """
    return 1 - 0.9 * (1 - math.cos(math.pi * i / nb)) / 2


def full_precision(device):
    """Return a context in which autocast is off; MPS has no autocast on older PyTorch, and AMP is off there."""
    return nullcontext() if device.type == "mps" else torch.autocast(device.type, enabled=False)

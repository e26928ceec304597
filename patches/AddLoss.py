# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""Knowledge distillation: train a small YOLO (the student) under the guidance of a large one (the teacher).

    YOLO("yolov8n.yaml").train(data="data.yaml", model_t="teacher.pt")
    yolo train model=yolov8n.yaml data=data.yaml model_t=teacher.pt logit_loss=True

The student learns its task as ever, and in addition from up to three losses:

    dfeaLoss    its feature maps resemble the teacher's (FeatureLoss: channel-wise, masked generative or plain)
    dlogitLoss  the raw outputs of its head resemble the teacher's (Distill_LogitLoss)
    dlineLoss   with an online teacher, which goes on learning next to the student: the teacher's own task loss

The file is in three parts: the losses, how a model is watched while it works, and what the command line and the trainer
call. It asks for nothing but PyTorch 1.13 and Python 3.8; what it needs of Ultralytics is imported where it is used.
"""

from __future__ import annotations

import inspect
import logging
import math
import os
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from datetime import datetime
from pathlib import Path

import torch
import torch.nn as nn
import torch.nn.functional as F

LOGGER = logging.getLogger("ultralytics")
RANK = int(os.getenv("RANK", "-1"))

# The columns of the progress bar and of results.csv, in this order.
DISTILL_LOSSES = ("dfeaLoss", "dlineLoss", "dlogitLoss")

# The train arguments of distillation, and their defaults.
DISTILL_ARGS = {
    "model_t": None,  # the teacher: a YOLO object, its .model, or the path of its weights
    "distill_feat_type": "cwd",  # feature loss: "cwd", "mgd" or "mimic"
    "distillonline": False,  # the teacher goes on learning next to the student
    "logit_loss": False,  # the student's head imitates the teacher's
    "distill_layers": None,  # layers to compare: one list for both models or [student's, teacher's]; None: by layout
    "distill_feat_weight": 1.0,  # weights of the three losses
    "distill_online_weight": 1.0,
    "distill_logit_weight": 1.0,
}

# What lies beside last.pt while a run goes on: the feature loss, and a teacher that learns online.
STATE, TEACHER = "last_distill.pt", "last_teacher.pt"

# The layers compared by default on the YOLOv8 layout: backbone stages and neck outputs.
YOLOV8_LAYERS = (2, 4, 6, 8, 12, 15, 18, 21)

TASKS = ("detect", "segment", "pose", "obb")


# The losses -----------------------------------------------------------------------------------------------------------


class MimicLoss(nn.Module):
    """Mean squared error between feature maps, summed over the levels.

    Args:
        channels_s (list[int]): Channels of the student's feature maps; unused, the losses share one signature.
        channels_t (list[int]): Channels of the teacher's feature maps; unused.

    References:
        Romero et al., FitNets: Hints for Thin Deep Nets, https://arxiv.org/abs/1412.6550
    """

    def __init__(self, channels_s, channels_t):
        super().__init__()

    def forward(self, y_s, y_t):
        """Return the loss.

        Args:
            y_s (list[torch.Tensor]): The student's feature maps, each of shape (N, C, H, W).
            y_t (list[torch.Tensor]): The teacher's feature maps, of the same shapes.

        Returns:
            (torch.Tensor): A scalar.
        """
        return sum(F.mse_loss(s, t) for s, t in _levels(y_s, y_t))


class CWDLoss(nn.Module):
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

    def __init__(self, channels_s, channels_t, tau=1.0):
        super().__init__()
        self.tau = tau

    def forward(self, y_s, y_t):
        """Return the loss.

        Args:
            y_s (list[torch.Tensor]): The student's feature maps, each of shape (N, C, H, W).
            y_t (list[torch.Tensor]): The teacher's feature maps, of the same shapes.

        Returns:
            (torch.Tensor): A scalar.
        """
        loss = 0
        for s, t in _levels(y_s, y_t):
            n, c = s.shape[:2]
            log_s = F.log_softmax(s.flatten(2) / self.tau, dim=2)
            log_t = F.log_softmax(t.flatten(2) / self.tau, dim=2)
            divergence = F.kl_div(log_s, log_t, reduction="sum", log_target=True)
            loss = loss + divergence * self.tau**2 / (n * c)
        return loss


class MGDLoss(nn.Module):
    """Masked generative distillation: from a masked feature map, generate the teacher's.

    At each step a random part of the places of the student's feature map is set to zero, and two convolutions have to
    restore the teacher's feature map from what is left: sum((generate(mask * s) - t)^2) / N, times alpha_mgd.

    Args:
        channels_s (list[int]): Channels of the student's feature maps; unused, the losses share one signature.
        channels_t (list[int]): Channels of the teacher's feature maps.
        alpha_mgd (float): Weight of the loss, which is a sum over all places and channels.
        lambda_mgd (float): Part of the places that are masked.

    References:
        Yang et al., Masked Generative Distillation, https://arxiv.org/abs/2205.01529
    """

    def __init__(self, channels_s, channels_t, alpha_mgd=0.00002, lambda_mgd=0.65):
        super().__init__()
        self.alpha_mgd = alpha_mgd
        self.lambda_mgd = lambda_mgd
        self.generation = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(c, c, 3, padding=1))
            for c in channels_t
        )

    def forward(self, y_s, y_t):
        """Return the loss.

        Args:
            y_s (list[torch.Tensor]): The student's feature maps, each of shape (N, C, H, W).
            y_t (list[torch.Tensor]): The teacher's feature maps, of the same shapes.

        Returns:
            (torch.Tensor): A scalar.
        """
        losses = (self.get_dis_loss(s, t, level) for level, (s, t) in enumerate(_levels(y_s, y_t)))
        return sum(losses) * self.alpha_mgd

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
        return sum(F.mse_loss(p.float(), t_p.detach().float()) for p, t_p in _levels(self.p, self.t_p)) * self.alpha


class FeatureLoss(nn.Module):
    """Compare feature maps of a student with those of a teacher that may be wider.

    A 1 x 1 convolution gives the student's feature map the teacher's channels, both are normalized (without learned
    scale, so that neither model can shrink the loss by shrinking its features), and one of three losses compares them.
    Everything is computed in float32: sums over a whole feature map overflow half precision.

    Args:
        channels_s (list[int]): Channels of the student's feature maps.
        channels_t (list[int]): Channels of the teacher's feature maps.
        distiller (str): "cwd", "mgd" or "mimic".

    Raises:
        NotImplementedError: If the distiller is none of these.
    """

    LOSSES = {"cwd": CWDLoss, "mgd": MGDLoss, "mimic": MimicLoss}  # noqa: RUF012

    def __init__(self, channels_s, channels_t, distiller="cwd"):
        super().__init__()
        if distiller not in self.LOSSES:
            raise NotImplementedError(f"expected a feature loss out of {sorted(self.LOSSES)}, not {distiller!r}")
        self.align_module = nn.ModuleList(nn.Conv2d(s, t, kernel_size=1) for s, t in zip(channels_s, channels_t))
        self.norm = nn.ModuleList(nn.BatchNorm2d(t, affine=False) for t in channels_t)
        self.feature_loss = self.LOSSES[distiller](channels_s, channels_t)

    def forward(self, y_s, y_t):
        """Return the loss.

        Args:
            y_s (list[torch.Tensor]): The student's feature maps, each of shape (N, C_s, H, W).
            y_t (list[torch.Tensor]): The teacher's feature maps, each of shape (N, C_t, H', W'); where the size differs
                it is the teacher's that is scaled, since no gradient has to pass there.

        Returns:
            (torch.Tensor): A scalar.
        """
        stu_feats, tea_feats = [], []
        with _full_precision(y_s[0].device):
            for align, norm, s, t in zip(self.align_module, self.norm, y_s, y_t):
                t = t.float()
                if t.shape[2:] != s.shape[2:]:
                    t = F.interpolate(t, size=s.shape[2:], mode="bilinear", align_corners=False)
                stu_feats.append(norm(align(s.float())))
                tea_feats.append(norm(t))
            return self.feature_loss(stu_feats, tea_feats)


def distill_weight(i, nb):
    """Return the weight of the feature loss at batch i of nb: from 1 to 0.1 on a half cosine within each epoch.

    The features lead while an epoch is young; towards its end the student is left to its own task.
    """
    return 1 - 0.9 * (1 - math.cos(math.pi * i / nb)) / 2


def _levels(y_s, y_t):
    """Return the pairs of the student's and the teacher's tensors, which must be of the same shapes."""
    shapes_s, shapes_t = [tuple(s.shape) for s in y_s], [tuple(t.shape) for t in y_t]
    if shapes_s != shapes_t:
        raise ValueError(f"expected the student's and the teacher's shapes to agree, not {shapes_s} and {shapes_t}")
    return list(zip(y_s, y_t))


def _full_precision(device):
    """Return a context in which autocast is off; MPS has no autocast on older PyTorch, and AMP is off there."""
    return nullcontext() if device.type == "mps" else torch.autocast(device.type, enabled=False)


# Watching a model ---------------------------------------------------------------------------------------------------


def is_parallel(model):
    """Return whether a model is wrapped in DataParallel or DistributedDataParallel."""
    return isinstance(model, (nn.parallel.DataParallel, nn.parallel.DistributedDataParallel))


def de_parallel(model):
    """Return a model without its DataParallel or DistributedDataParallel wrapper."""
    return model.module if is_parallel(model) else model


def get_fpn_features(x, model, fpn_layers=(15, 18, 21)):
    """Return the feature maps that some layers of a model make of a batch; the layers behind them do no work.

    Args:
        x (torch.Tensor): Images of shape (N, C, H, W).
        model (nn.Module): A YOLO model.
        fpn_layers (list[int]): Layer numbers.

    Returns:
        (list[torch.Tensor]): A feature map a layer, in the order of the layers in the model.
    """
    model = de_parallel(model)
    outputs, features = [], []
    for m in model.model[:-1][: max(fpn_layers) + 1]:  # never the head
        if m.f != -1:  # not from the previous layer
            x = outputs[m.f] if isinstance(m.f, int) else [x if j == -1 else outputs[j] for j in m.f]
        x = m(x)
        outputs.append(x if m.i in model.save else None)
        if m.i in fpn_layers:
            features.append(x)
    return features


def _get_features(x, model, layers):
    """Return the feature maps of layers in the order that is given, where a layer may stand more than once."""
    outputs = dict(zip(sorted(set(layers)), get_fpn_features(x, model, layers)))
    return [outputs[i] for i in layers]


def get_channels(model, fpn_layers=(15, 18, 21)):
    """Return the channels of the feature maps of some layers, in the order of the layers in the model.

    Args:
        model (nn.Module): A YOLO model; neither its statistics nor its mode are changed.
        fpn_layers (list[int]): Layer numbers.

    Returns:
        (list[int]): The channels.
    """
    with _at_rest(model) as blank:
        return [feature.shape[1] for feature in get_fpn_features(blank, model, fpn_layers)]


@contextmanager
def _at_rest(model):
    """Give a small blank image to try a model with, which leaves no trace in it."""
    parameter = next(model.parameters())
    modes = {m: m.training for m in model.modules()}
    model.eval()
    with torch.no_grad():
        yield torch.zeros(1, _input_channels(model), 64, 64, device=parameter.device, dtype=parameter.dtype)
    for m, training in modes.items():
        m.training = training


def _input_channels(model):
    return next(m.in_channels for m in model.modules() if isinstance(m, nn.Conv2d))


def _head(model):
    return de_parallel(model).model[-1]


def _branches(head):
    """Return the two lists of convolutions (boxes, classes) of each branch of a detection head.

    YOLOv10 and YOLO26 have a second branch, one-to-one, beside the usual one-to-many. Heads that compare with the
    embeddings of a text (YOLO-World, YOLOE) put out no classes, so they have none.
    """
    names = {"one2many": ("cv2", "cv3"), "one2one": ("one2one_cv2", "one2one_cv3")}
    found = {key: [getattr(head, name, None) for name in pair] for key, pair in names.items()}
    return {key: pair for key, pair in found.items() if None not in pair and _outputs(pair[1]) == head.nc}


def _outputs(convolutions):
    return [m for m in convolutions.modules() if isinstance(m, nn.Conv2d)][-1].out_channels


def _active_branches(model):
    """Return the branches of its head that a model goes through: with end2end=False, some releases leave one out."""
    model, active = de_parallel(model), []
    handles = [
        boxes[0].register_forward_hook(lambda *_, branch=branch: active.append(branch))
        for branch, (boxes, _) in _branches(_head(model)).items()
    ]
    with _at_rest(model) as blank:
        _head(model).training = True  # which spares it to make boxes of its outputs
        model(blank)
    for handle in handles:
        handle.remove()
    return active


class Watch:
    """Catch feature maps and raw head outputs of a model in passing, during one forward pass.

    The hooks exist for that pass alone, so nothing is left on a model that is copied or pickled later.

    Args:
        layers (list[int]): Layers whose feature maps to catch.
        branches (list[str]): Branches of the head whose outputs to catch, see _branches; empty for none.
    """

    def __init__(self, layers, branches=()):
        self.layers, self.branches = layers, branches
        self._features, self._logits = [], []
        self._caught, self._handles = {}, []

    def start(self, model):
        """Hook a YOLO model, whose modules may have been exchanged since last time; drop what is left from then."""
        self.stop()
        wrapped, model = model, de_parallel(model)
        head = _branches(_head(model))
        self._features = [model.model[i] for i in self.layers]
        self._logits = [pair for branch in self.branches for pair in zip(*head[branch])]
        watched = {*self._features, *(m for pair in self._logits for m in pair)}
        self._handles = [module.register_forward_hook(self._catch) for module in watched]
        if self._logits and wrapped is not model:
            self._handles.append(model.register_forward_hook(self._tie))

    def _tie(self, model, inputs, output):
        """Let the loss that a model puts out depend on what was caught of its head, though by nothing.

        DDP looks in the output for the parameters that the backward pass will reach, and takes no gradient for the
        others. Those of the boxes may be among them where no image of a batch has an object (in 8.4.0 to 8.4.153, say),
        and the logit loss reaches them all the same.
        """
        if isinstance(output, tuple) and isinstance(output[0], torch.Tensor) and output[0].requires_grad:
            nothing = sum(self._caught[module][..., :0].sum() for pair in self._logits for module in pair)
            return (output[0] + nothing, *output[1:])
        return output  # predictions, of which the loss is computed outside the model

    def _catch(self, module, inputs, output):
        self._caught[module] = output

    def stop(self):
        """Unhook the model and forget what was caught."""
        for handle in self._handles:
            handle.remove()
        self._caught, self._handles = {}, []

    def take(self):
        """Return what was caught, and forget it.

        Returns:
            features (list[torch.Tensor]): Feature maps of shape (N, C, H, W), in the order of the layers.
            logits (list[torch.Tensor]): Raw outputs of shape (N, 4 * reg_max + classes, H, W), a tensor a level and
                branch.
        """
        caught = self._caught
        features = [caught[m] for m in self._features]
        logits = [torch.cat([caught[boxes], caught[classes]], 1) for boxes, classes in self._logits]
        self.stop()
        return features, logits


# What the command line and the trainer call --------------------------------------------------------------------------


def complete_argument(argument):
    """Return an argument of the command line with its value: a bare "logit_loss" means "logit_loss=True".

    Args:
        argument (str): As typed; what is no argument of distillation, or has a value, is returned as it is.

    Returns:
        (str): The argument, which upstream goes on to read.

    Raises:
        SyntaxError: If an argument of distillation needs a value and has none.
    """
    if argument not in DISTILL_ARGS:
        return argument
    if not isinstance(DISTILL_ARGS[argument], bool):
        raise SyntaxError(f"'{argument}': expected a value, {argument}=...")
    return f"{argument}=True"


def given_teacher(args):
    """Return the teacher that a run is given, as an argument to be taken over; none if it is given none.

    A run that is resumed takes its arguments from the checkpoint. Its teacher may have moved since then.

    Args:
        args (SimpleNamespace): The arguments of the run, before those of the checkpoint are read.

    Returns:
        (dict): The argument by name.
    """
    teacher = getattr(args, "model_t", None)
    return {} if teacher is None else {"model_t": teacher}


def claim_teacher(trainer):
    """Return the teacher of a run, checked as far as it can be, and leave only its path among the run's arguments.

    Called before the arguments are written down: what is written is a path that another process can load (a worker, or
    a later run that resumes this one), never the text of a model. A teacher that no file holds is saved beside the run.

    Args:
        trainer (BaseTrainer): Its args and its save_dir are known.

    Returns:
        (nn.Module | str | None): The teacher or its path; None for a run without distillation.

    Raises:
        ValueError: If an argument has no sense.
        TypeError: If the teacher is no YOLO model.
        FileNotFoundError: If there is no such file.
    """
    args = trainer.args
    if trainer.resume:
        vars(args).update(_resumed_args(trainer))
    if hasattr(args, "distill_layers"):
        args.distill_layers = _as_lists(args.distill_layers)
    given = {k: v for k, v in vars(args).items() if k in DISTILL_ARGS and v != DISTILL_ARGS[k]}
    source = given.get("model_t")
    if source is None:
        if given:
            LOGGER.warning(f"{', '.join(sorted(given))}: without effect, no teacher is given (model_t=...)")
        return None
    _check_args(args)
    if trainer.resume:
        args.resume = args.model  # releases up to 8.1 do not tell their workers that the run is resumed
    model = _as_model(source)
    if model is None:
        args.model_t = str(_find_weights(source, trainer.resume))
        return args.model_t
    args.model_t = _path_of(model) or _save_beside(model, trainer.save_dir)
    return model


def load_teacher(teacher):
    """Return the teacher as a model of the run's own.

    Args:
        teacher (nn.Module | str): What claim_teacher has returned.

    Returns:
        (nn.Module): The model in float32; a copy of a model, since training must not change the caller's.

    Raises:
        ValueError: If the file holds no YOLO model.
    """
    if isinstance(teacher, nn.Module):
        return deepcopy(teacher).float()
    from ultralytics import YOLO

    try:
        return YOLO(teacher).model.float()
    except Exception as e:
        raise ValueError(f"model_t={teacher} does not hold a YOLO model: {e}") from e


def optimizer_arguments(trainer):
    """Return what build_optimizer has to be told of distillation.

    Args:
        trainer (BaseTrainer): Its distillation is set up.

    Returns:
        (dict): Arguments by name; none without a teacher, so that a build_optimizer that does not know them, in a
            trainer of the user's own, is called as ever.

    Raises:
        TypeError: If there is a teacher and such a build_optimizer.
    """
    if trainer.model_t is None:
        return {}
    arguments = {key: getattr(trainer, key) for key in ("model_t", "distillloss", "distillonline")}
    try:
        inspect.signature(trainer.build_optimizer).bind_partial(**arguments)
    except TypeError as e:
        raise TypeError(
            f"model_t: expected {type(trainer).__name__}.build_optimizer to take {', '.join(arguments)}; "
            "let it take **kwargs, and hand them on to super().build_optimizer"
        ) from e
    return arguments


def group_distillation_parameters(g, model_t, distillloss, distillonline, use_muon=False):
    """Add what distillation trains to the optimizer's groups, by the rules that hold for the student.

    Args:
        g (list[list | dict]): Upstream's groups: weights with decay, weights of normalization layers, biases, and,
            where dicts of names are used, weights for Muon.
        model_t (nn.Module | None): The teacher, trained only if distillonline.
        distillloss (nn.Module | None): The feature loss.
        distillonline (bool): Whether the teacher is trained.
        use_muon (bool): Whether matrices and convolutions go to the Muon group.
    """
    norms = tuple(v for k, v in vars(nn).items() if "Norm" in k)
    trained = {"distillloss": distillloss, "model_t": model_t if distillonline else None}
    for root_name, root in trained.items():
        for module_name, module in de_parallel(root).named_modules() if root is not None else ():
            for name, parameter in module.named_parameters(recurse=False):
                if use_muon and parameter.ndim in (2, 4):
                    group = g[3]
                elif "bias" in name:
                    group = g[2]
                else:
                    group = g[1] if isinstance(module, norms) else g[0]
                if isinstance(group, dict):
                    group[".".join(filter(None, (root_name, module_name, name)))] = parameter
                else:
                    group.append(parameter)


class DistillItems(dict):
    """Running means over the epoch of the losses of distillation, by column; empty without a teacher."""

    def labeled(self, prefix):
        """Return them as results.csv and loggers name them; {} for "val", distillation has losses in training only."""
        return {f"train/{k}": round(float(v), 5) for k, v in self.items()} if prefix == "train" else {}


def add_distill_curves(fig, ax, curves, save_dir):
    """Make room for the losses of distillation among the curves that upstream plots from results.csv.

    Args:
        fig (matplotlib.figure.Figure): Upstream's figure.
        ax (np.ndarray): Its axes.
        curves (list[str] | list[int]): The columns that upstream plots, by name or, in older releases, by number.
        save_dir (Path): The folder of results.csv.

    Returns:
        (tuple): Figure, axes and curves; those given if the results have no losses of distillation.
    """
    results = next((file.read_text() for file in Path(save_dir).glob("results*.csv")), "")  # upstream misses them later
    columns = [column.strip() for column in results.split("\n", 1)[0].split(",")]
    ours = [f"train/{key}" for key in DISTILL_LOSSES if f"train/{key}" in columns]
    if not ours:
        return fig, ax, curves
    import matplotlib.pyplot as plt

    if isinstance(curves[0], int):  # upstream counts the columns as they are without ours
        first = columns.index(ours[0])
        curves = [j if j < first else j + len(ours) for j in curves]
        ours = [columns.index(column) for column in ours]
    curves = [*curves, *ours]
    plt.close(fig)
    fig, ax = plt.subplots(2, (len(curves) + 1) // 2, figsize=(len(curves) + 2, 6), tight_layout=True)
    ax.flat[-1].set_visible(len(curves) % 2 == 0)
    return fig, ax, curves


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
        student = de_parallel(trainer.model)
        self.teacher = trainer.model_t
        self.online = trainer.distillonline
        self.epoch = -1  # that was last begun
        self.batches = 0  # seen in it
        args = {key: getattr(trainer.args, key, default) for key, default in DISTILL_ARGS.items()}
        self.weights = [float(args[f"distill_{kind}_weight"]) for kind in ("feat", "online", "logit")]
        _check_pair(student, self.teacher)
        if self.online:
            _check_learner(student, self.teacher)
        layers_s, layers_t = _choose_layers(student, self.teacher, trainer.distill_layers)
        channels_s, channels_t = (
            _channels("student", student, layers_s),
            _channels("teacher", self.teacher, layers_t),
        )
        branches = []
        if trainer.logit_loss:
            branches = _common_branches(student, self.teacher)
            _compare_names(self.teacher.names, trainer.data["names"])
        self.watch_student = Watch(layers_s, branches)
        self.watch_teacher = Watch(layers_t, branches)

        self._prepare_teacher()
        trainer.distillloss = FeatureLoss(channels_s, channels_t, trainer.distill_feat_type).to(trainer.device)
        trainer.distill_items.update(dict.fromkeys(DISTILL_LOSSES, 0.0))
        if getattr(trainer.args, "compile", False):
            LOGGER.warning("'compile' is not supported with a teacher (model_t) and will be disabled.")
            trainer.args.compile = False
        if trainer.batch_size < 1:
            LOGGER.warning(
                f"batch={trainer.batch_size}: AutoBatch measures the student's steps alone. If the teacher does not "
                "fit beside them, give the size of a batch."
            )
        if trainer.resume:
            self._resume()
        for event, function in (("on_model_save", save_distillation), ("on_train_end", finish_distillation)):
            if function not in trainer.callbacks[event]:
                trainer.add_callback(event, function)
        LOGGER.info(self._summary(layers_s, layers_t, channels_s, channels_t))

    def _prepare_teacher(self):
        """Freeze the teacher, or let it learn; by which loss is known when training begins."""
        for name, parameter in self.teacher.named_parameters():
            parameter.requires_grad = self.online and ".dfl" not in name
        _forget_criterion(self.teacher)

    def _give_criterion(self):
        """Have an online teacher learn by the loss of the student: with its hyperparameters, for its data."""
        student, teacher = de_parallel(self.trainer.model), self.teacher
        same_classes = _head(student).nc == _head(teacher).nc
        teacher.args = self.trainer.args
        # What newer releases make of the data, for the student alone.
        teacher.class_weights = getattr(student, "class_weights", None) if same_classes else None
        teacher.kpt_oks_sigmas = getattr(student, "kpt_oks_sigmas", None)
        teacher.criterion = teacher.init_criterion()

    def _summary(self, layers_s, layers_t, channels_s, channels_t):
        trainer = self.trainer
        losses = [f"{trainer.distill_feat_type} feature loss"] + ["logit loss"] * bool(trainer.logit_loss)
        same = layers_s == layers_t
        layers = f"layers {layers_s}" if same else f"layers {layers_s} of the student and {layers_t} of the teacher"
        return (
            f"Distillation: {trainer.args.model_t} teaches {'online' if self.online else 'offline'} by "
            f"{' and '.join(losses)} on {layers}, channels {channels_s} -> {channels_t}"
        )

    def wrap_ddp(self):
        """Have all ranks keep what distillation trains in step, as they do with the student."""
        trainer = self.trainer
        ids = [trainer.device.index] if trainer.device.type == "cuda" else None
        trainer.distillloss = nn.parallel.DistributedDataParallel(trainer.distillloss, device_ids=ids)
        if self.online:
            trainer.model_t = nn.parallel.DistributedDataParallel(
                self.teacher, device_ids=ids, find_unused_parameters=True
            )

    def start_epoch(self):
        """Put the teacher into its mode and begin new means; if NaN has sent the trainer back to last.pt, follow."""
        trainer = self.trainer
        if trainer.start_epoch < trainer.epoch == self.epoch:
            self._restore(trainer.wdir)
        if self.online and self.epoch < 0:
            self._give_criterion()
        self.epoch, self.batches = trainer.epoch, 0
        trainer.distill_items.update(dict.fromkeys(DISTILL_LOSSES, 0.0))
        if self.online and hasattr(self.teacher.criterion, "update"):
            # YOLO26 goes from the one-to-many branch to the one-to-one, epoch by epoch; a resumed run is on the way.
            self.teacher.criterion.updates = trainer.epoch - 1
            self.teacher.criterion.update()
        trainer.model_t.train(self.online)
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
        trainer, i = self.trainer, self.batches
        self.batches += 1
        features_s, logits_s = self.watch_student.take()
        teacherloss, features_t, logits_t = self._ask_teacher(batch)
        weight = distill_weight(i, len(trainer.train_loader)) * self.weights[0]
        featureloss = trainer.distillloss(features_s, [t.detach() for t in features_t]) * weight
        logitloss = 0
        if trainer.logit_loss:
            with _full_precision(trainer.device):
                logitloss = Distill_LogitLoss(logits_s, logits_t)() * self.weights[2]
        terms = (featureloss, teacherloss, logitloss)
        # Without the graph, which is upstream's to let go of: also where memory has run out, for a smaller batch.
        values = [term.detach() if isinstance(term, torch.Tensor) else term for term in terms]
        trainer.featureloss, trainer.teacherloss, trainer.logitloss = values
        for key, value in zip(DISTILL_LOSSES, values):
            trainer.distill_items[key] = (trainer.distill_items[key] * i + value) / (i + 1)
        return sum(terms)

    def _ask_teacher(self, batch):
        """Make the teacher's one forward pass of a batch.

        Returns:
            loss (torch.Tensor | int): Its own loss, if it learns online.
            features (list[torch.Tensor]): Its feature maps, of shape (N, C, H, W).
            logits (list[torch.Tensor]): Its raw outputs, for the logit loss.
        """
        teacher, loss = self.trainer.model_t, 0
        if not self.online and not self.trainer.logit_loss:  # nobody asks its head
            with torch.no_grad():
                return loss, _get_features(batch["img"], teacher, self.watch_teacher.layers), []
        self.watch_teacher.start(self.teacher)
        if self.online:
            loss = teacher(batch)[0].sum() * self.weights[1]
            if RANK != -1:
                loss = loss * torch.distributed.get_world_size()
        else:
            with torch.no_grad():
                teacher(batch["img"])
        return (loss, *self.watch_teacher.take())

    def clip_gradients(self):
        """Clip the gradients of what distillation trains, as the trainer clips the student's."""
        for module in (self.trainer.distillloss, self.teacher if self.online else None):
            if module is not None:
                nn.utils.clip_grad_norm_(module.parameters(), max_norm=10.0)

    def _resume(self):
        """Restore what was saved with the checkpoint that is resumed, which may lie in another folder than the run."""
        checkpoint = Path(self.trainer.args.model)
        saved, wanted = self._restore(checkpoint.parent), _read_checkpoint(self.trainer)["epoch"]
        if saved is None:
            LOGGER.warning(
                f"{checkpoint} is resumed without {STATE} beside it{f' and {TEACHER}' if self.online else ''}: what "
                "distillation trains begins anew"
            )
        elif saved != wanted:
            LOGGER.warning(
                f"{checkpoint} is of epoch {wanted + 1}, what distillation trains is resumed as it was after epoch "
                f"{saved + 1}"
            )

    def _restore(self, folder):
        """Restore feature loss and online teacher as they were when they were saved to a folder.

        Args:
            folder (Path): Where save_distillation has saved them.

        Returns:
            (int | None): The epoch at whose end that was; None if it never was.

        Raises:
            ValueError: If they are not those of this run.
        """
        files = [folder / STATE, folder / TEACHER][: 1 + self.online]
        if not all(file.exists() for file in files):
            return None
        state = torch.load(files[0], map_location="cpu", weights_only=True)
        try:
            de_parallel(self.trainer.distillloss).load_state_dict(state["distillloss"])
            if self.online:
                self.teacher.load_state_dict(load_teacher(str(files[1])).state_dict())
        except RuntimeError as e:
            raise ValueError(f"model_t: expected the teacher that {folder} was trained with: {e}") from e
        return state["epoch"]


def save_distillation(trainer):
    """Save, beside last.pt, what a later run needs to resume the distillation; and an online teacher."""
    if trainer.model_t is None:
        return
    if trainer.distillonline:
        _save_model(de_parallel(trainer.model_t), trainer.wdir / TEACHER)
    with _replacing(trainer.wdir / STATE) as path:
        torch.save({"epoch": trainer.epoch, "distillloss": de_parallel(trainer.distillloss).state_dict()}, path)


def finish_distillation(trainer):
    """Remove what only a resumed run needs: upstream has just done so with the optimizer's state."""
    state = trainer.wdir / STATE
    if trainer.model_t is not None and state.exists():
        state.unlink()


def _resumed_args(trainer):
    """Return the arguments of distillation of the run that is resumed, with the teacher that is given now, if one is.

    Releases drop from a checkpoint's arguments what they do not know.
    """
    saved = {k: v for k, v in _read_checkpoint(trainer).get("train_args", {}).items() if k in DISTILL_ARGS}
    given = given_teacher(trainer.args)
    if given and saved.get("model_t") is None:
        raise ValueError(f"model_t: {trainer.args.model} was trained without a teacher and cannot be resumed with one")
    return {**saved, **given}


def _read_checkpoint(trainer):
    """Return the checkpoint that a run resumes, as upstream has saved it."""
    from ultralytics.nn.tasks import torch_safe_load

    return torch_safe_load(trainer.args.model)[0]


@contextmanager
def _replacing(path):
    """Give a temporary path to write to, and put it in the place of ``path`` when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    yield temporary
    os.replace(temporary, path)


def _save_model(model, path):
    """Save a model as a checkpoint that YOLO() opens, in full precision."""
    from ultralytics import __version__

    model = deepcopy(model).eval()
    _forget_criterion(model)
    args = getattr(model, "args", {})  # a model that was built by hand has none in old releases
    args = args if isinstance(args, dict) else vars(args)
    model.args = args = {key: value for key, value in args.items() if key not in DISTILL_ARGS}
    checkpoint = {"epoch": -1, "best_fitness": None, "model": model, "ema": None, "updates": None, "optimizer": None}
    checkpoint.update(train_args=args, date=datetime.now().isoformat(), version=__version__)
    with _replacing(path) as temporary:
        torch.save(checkpoint, temporary)


def _forget_criterion(model):
    """Have a model make its task loss anew when it needs one: old releases look whether there is the attribute."""
    if hasattr(model, "criterion"):
        del model.criterion


def _as_model(source):
    """Return the model in a YOLO object, or a model itself; None for a path.

    Raises:
        TypeError: If it is none of these.
    """
    if isinstance(source, (str, Path)):
        return None
    from ultralytics.nn.tasks import BaseModel

    model = source if isinstance(source, BaseModel) else getattr(source, "model", None)
    if not isinstance(model, BaseModel):
        raise TypeError(f"model_t: expected a YOLO object, its .model, or a path, not {type(source).__name__}")
    return model


def _path_of(model):
    """Return the path that a model was loaded from, if that file still holds these very weights."""
    path = getattr(model, "pt_path", None)
    if path is None or not Path(path).is_file():
        return None
    saved, mine = load_teacher(str(path)).state_dict(), model.state_dict()
    same = saved.keys() == mine.keys() and all(torch.equal(saved[k], mine[k].cpu().to(saved[k].dtype)) for k in saved)
    return str(Path(path).resolve()) if same else None


def _save_beside(model, save_dir):
    """Save a teacher that no file holds next to the run's folder, which upstream may remove for its workers."""
    path = Path(save_dir).with_name(f"{Path(save_dir).name}_teacher.pt").resolve()
    if RANK in (-1, 0):  # old releases run the user's script in every worker
        _save_model(model, path)
    return str(path)


def _find_weights(path, resume):
    """Return the path of a teacher's weights; those of an official model are downloaded.

    Here, because several processes that each load the teacher would all download it into the same file.
    """
    from ultralytics.utils import downloads

    if "\n" in str(path):
        raise ValueError(
            "model_t: expected a path, not the text of a model; give the path where other processes train, as with "
            "several data sets or when tuning"
        )
    if str(path).endswith((".yaml", ".yml")):
        raise ValueError(f"model_t={path}: expected trained weights, a description of a model knows nothing to teach")
    if Path(path).is_file():
        return Path(path).resolve()
    official = getattr(downloads, "GITHUB_ASSETS_NAMES", ()) or downloads.GITHUB_ASSET_NAMES  # new name, old name
    if str(path) in official:
        try:
            return Path(downloads.attempt_download_asset(str(path))).resolve(strict=True)
        except Exception as e:  # of many kinds, by release
            raise FileNotFoundError(f"model_t={path}: there is no such file, nor could it be downloaded: {e}") from e
    raise FileNotFoundError(
        f"model_t={path}: there is no such file; give the place where it is now"
        f"{'' if resume else ', or model_t=None to train without a teacher'}"
    )


def _check_args(args):
    """Raise ValueError for an argument of distillation that has no sense."""
    value = {key: getattr(args, key, default) for key, default in DISTILL_ARGS.items()}
    if getattr(args, "task", "detect") not in TASKS:
        raise ValueError(f"model_t: distillation is for the tasks {', '.join(TASKS)}, not for {args.task}")
    if getattr(args, "distill_model", None) is not None:
        raise ValueError("model_t and distill_model are two ways to distill, expected one of them")
    if value["distill_feat_type"] not in FeatureLoss.LOSSES:
        kinds = ", ".join(sorted(FeatureLoss.LOSSES))
        raise ValueError(f"distill_feat_type={value['distill_feat_type']!r}: expected one of {kinds}")
    for key in ("distillonline", "logit_loss"):
        if not isinstance(value[key], bool):
            raise ValueError(f"{key}={value[key]!r}: expected True or False")
    for key in ("distill_feat_weight", "distill_online_weight", "distill_logit_weight"):
        if isinstance(value[key], bool) or not isinstance(value[key], (int, float)) or not 0 <= value[key] < math.inf:
            raise ValueError(f"{key}={value[key]!r}: expected a number that is not negative")
    _layer_lists(value["distill_layers"])


def _as_lists(layers):
    """Return distill_layers with NumPy's arrays and numbers as Python's, which can be written to args.yaml."""
    if hasattr(layers, "tolist"):
        return layers.tolist()
    return [_as_lists(part) for part in layers] if isinstance(layers, (list, tuple)) else layers


def _layer_lists(layers):
    """Return distill_layers as a list for the student and one for the teacher; None if it is not given."""
    if layers is None:
        return None
    is_list = isinstance(layers, (list, tuple))
    is_pair = is_list and len(layers) == 2 and all(isinstance(part, (list, tuple)) for part in layers)
    lists = layers if is_pair else [layers, layers] if is_list else [[], []]
    numbers = all(isinstance(i, int) and not isinstance(i, bool) for part in lists for i in part)
    if not numbers or not lists[0] or len(lists[0]) != len(lists[1]):
        raise ValueError(
            f"distill_layers={layers!r}: expected a list of layer numbers for both models, or a pair of lists of one "
            "length: the student's layers and the teacher's"
        )
    return [list(part) for part in lists]


def _check_pair(student, teacher):
    """Raise ValueError if one of the models cannot be distilled, or not by the other."""
    from ultralytics.nn.modules import Detect

    for role, model in (("model", student), ("model_t", teacher)):
        if not isinstance(_head(model), Detect) or not _branches(_head(model)):
            raise ValueError(f"{role}: a model with the head {type(_head(model)).__name__} cannot be distilled")
    for what, fact in (("task", _task), ("number of image channels", _input_channels)):
        if fact(student) != fact(teacher):
            raise ValueError(f"model_t: expected the student's {what}, {fact(student)}, not {fact(teacher)}")


def _common_branches(student, teacher):
    """Return the branches whose outputs the logit loss compares.

    Raises:
        ValueError: If the outputs of the two heads are not of the same shapes, or of no branch in common.
    """
    head_s, head_t = _head(student), _head(teacher)
    shape = {
        "classes": lambda head: head.nc,
        "strides": lambda head: [int(stride) for stride in head.stride],
        "box distribution bins": lambda head: head.reg_max,
    }
    for what, fact in shape.items():
        if fact(head_s) != fact(head_t):
            raise ValueError(
                f"logit_loss: expected a teacher with the student's {fact(head_s)} {what}, not {fact(head_t)}; "
                "train without logit_loss, or with a teacher that has them"
            )
    active = _active_branches(teacher)
    common = [branch for branch in _active_branches(student) if branch in active]
    if not common:
        kinds = " and ".join(type(head).__name__ for head in (head_s, head_t))
        raise ValueError(f"logit_loss: the heads {kinds} have no branch in common")
    return common


def _compare_names(theirs, ours):
    """Warn if classes of the teacher are called otherwise than those of the data, both by number or in a list."""
    theirs, ours = (dict(enumerate(names)) if isinstance(names, (list, tuple)) else names for names in (theirs, ours))
    others = [i for i, name in ours.items() if theirs.get(i) != name]
    if others:
        LOGGER.warning(
            f"logit_loss: class {others[0]} is {ours[others[0]]!r} in the data and {theirs.get(others[0])!r} to the "
            "teacher. The two should have the same classes in the same order."
        )


def _check_learner(student, teacher):
    """Raise ValueError if a teacher cannot learn next to a student, from the labels of the student's data."""
    head_s, head_t = _head(student), _head(teacher)
    if not any(isinstance(module, nn.BatchNorm2d) for module in teacher.modules()):
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


def _task(model):
    """Return the task of a model by its head: the class that the head is, or comes from."""
    kinds = {"Segment": "segment", "Pose": "pose", "OBB": "obb"}
    return next((kinds[c.__name__] for c in type(_head(model)).__mro__ if c.__name__ in kinds), "detect")


def _choose_layers(student, teacher, layers):
    """Return the layers to compare of the student and of the teacher.

    Raises:
        ValueError: If distill_layers has no sense, or if it is not given and the models have no natural pairs.
    """
    if layers is not None:
        return _layer_lists(layers)
    if _has_yolov8_layout(student) and _has_yolov8_layout(teacher):
        return [list(YOLOV8_LAYERS), list(YOLOV8_LAYERS)]
    pair = [_feeding_layers(student), _feeding_layers(teacher)]
    if len(pair[0]) != len(pair[1]):
        raise ValueError(
            f"distill_layers: {len(pair[0])} layers feed the student's head and {len(pair[1])} the teacher's; "
            "name the pairs, distill_layers=[[student's], [teacher's]]"
        )
    return pair


def _has_yolov8_layout(model):
    return set(_feeding_layers(model)) <= set(YOLOV8_LAYERS) and max(YOLOV8_LAYERS) < _head(model).i


def _feeding_layers(model):
    """Return the numbers of the layers that feed the head; descriptions may count them from the head, as -1."""
    return [f % _head(model).i for f in _head(model).f]


def _channels(role, model, layers):
    """Return the channels of the feature maps of layers, in their order.

    Raises:
        ValueError: If a layer does not exist or puts out no feature map.
    """
    last = _head(model).i - 1
    for i in layers:
        if not 0 <= i <= last:
            raise ValueError(f"distill_layers: the {role} has no layer {i} before its head, expected 0 to {last}")
    with _at_rest(model) as blank:
        outputs = _get_features(blank, model, layers)
    for i, output in zip(layers, outputs):
        if not isinstance(output, torch.Tensor) or output.ndim != 4:
            raise ValueError(f"distill_layers: layer {i} of the {role} puts out no feature map")
    return [output.shape[1] for output in outputs]

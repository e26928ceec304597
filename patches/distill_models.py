# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""What a YOLO model is: its layers, its head, the branches of the head, and the images that it takes."""

from __future__ import annotations

from contextlib import contextmanager

import torch
import torch.nn as nn

# The size of the image, in pixels, that models are tried with: that at which upstream measures their strides.
_TRIAL_SIZE = 256


def is_parallel(model):
    """Return whether a model is wrapped in DataParallel or DistributedDataParallel."""
    return isinstance(model, (nn.parallel.DataParallel, nn.parallel.DistributedDataParallel))


def de_parallel(model):
    """Return a model without its DataParallel or DistributedDataParallel wrapper."""
    return model.module if is_parallel(model) else model


def layers_of(model):
    """Return the layers of a YOLO model by number: a backbone that puts out its stages counts as several."""
    return {layer.i: layer for layer in de_parallel(model).model}


def head(model):
    """Return the head of a YOLO model, its last layer."""
    return de_parallel(model).model[-1]


def branches(head):
    """Return the two lists of convolutions (boxes, classes) of each branch of a detection head.

    YOLOv10 and YOLO26 have a second branch, one-to-one, beside the usual one-to-many. Heads that compare with the
    embeddings of a text (YOLO-World, YOLOE) put out no classes, so they have none.
    """
    names = {"one2many": ("cv2", "cv3"), "one2one": ("one2one_cv2", "one2one_cv3")}
    found = {key: [getattr(head, name, None) for name in pair] for key, pair in names.items()}
    return {
        key: (boxes, classes)
        for key, (boxes, classes) in found.items()
        if isinstance(boxes, nn.ModuleList) and isinstance(classes, nn.ModuleList) and _outputs(classes) == head.nc
    }


def puts_out_classes(head):
    """Return whether a head puts out scores of classes, by convolutions of each level or by some that levels share."""
    shared = getattr(head, "cv3", None)
    return bool(branches(head)) or (isinstance(shared, nn.Module) and _outputs(shared) == head.nc)


def _outputs(convolutions):
    return [m for m in convolutions.modules() if isinstance(m, nn.Conv2d)][-1].out_channels


def is_fused(model):
    """Return whether a model was fused, as older releases do to predict: it cannot learn, and may lack a branch."""
    return not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def task_of(model):
    """Return the task of a model by its head: the class that the head is, or comes from."""
    kinds = {"Segment": "segment", "Pose": "pose", "OBB": "obb"}
    return next((kinds[c.__name__] for c in type(head(model)).__mro__ if c.__name__ in kinds), "detect")


def arguments_of(model):
    """Return the arguments that a model was trained with, by name; one that was built by hand may have none."""
    args = getattr(model, "args", {})
    return args if isinstance(args, dict) else vars(args)


def input_channels(model):
    """Return how many channels the images of a model have: a first layer may rearrange them."""
    config = getattr(model, "yaml", None)
    known = [config[key] for key in ("channels", "ch") if isinstance(config, dict) and config.get(key)]
    if known:
        return known[0]
    return next(m.in_channels for m in model.modules() if isinstance(m, nn.Conv2d))


@contextmanager
def at_rest(model):
    """Give a small blank image to try a model with, which leaves no trace in it."""
    parameter = next(model.parameters())
    modes = {m: m.training for m in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            size = (1, input_channels(model), _TRIAL_SIZE, _TRIAL_SIZE)
            yield torch.zeros(size, device=parameter.device, dtype=parameter.dtype)
    finally:
        for m, training in modes.items():
            m.training = training

# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""Look at YOLO models and watch them at work: their layers, channels and heads, and whether two go together."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import torch
import torch.nn as nn

LOGGER = logging.getLogger("ultralytics")

# The layers compared by default on the YOLOv8 layout: backbone stages and neck outputs.
YOLOV8_LAYERS = (2, 4, 6, 8, 12, 15, 18, 21)

# The size of the image, in pixels, that models are tried with: that at which upstream measures their strides.
_TRIAL_SIZE = 256


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


def get_features(x, model, layers):
    """Return the feature maps that layers make in the model's own forward pass, which ends with the last of them.

    Args:
        x (torch.Tensor): Images of shape (N, C, H, W).
        model (nn.Module): A YOLO model, which may have a forward pass of its own.
        layers (list[int]): Layer numbers; a layer may be there more than once.

    Returns:
        (list[torch.Tensor | None]): What each layer puts out, in the order given; None from one that is not run.
    """
    if not layers:
        return []
    watch = Watch(layers)
    watch.start(model, alone=True)
    try:
        model(x)
    except AllCaught:
        pass
    finally:
        outputs = watch.outputs()
        watch.stop()
    return outputs


def get_channels(model, fpn_layers=(15, 18, 21)):
    """Return the channels of the feature maps of some layers, in the order of the layers in the model.

    Args:
        model (nn.Module): A YOLO model; neither its statistics nor its mode are changed.
        fpn_layers (list[int]): Layer numbers.

    Returns:
        (list[int]): The channels.
    """
    with at_rest(model) as blank:
        return [feature.shape[1] for feature in get_features(blank, model, sorted(set(fpn_layers)))]


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


def input_channels(model):
    """Return how many channels the images of a model have: a first layer may rearrange them."""
    config = getattr(model, "yaml", None)
    known = [config[key] for key in ("channels", "ch") if isinstance(config, dict) and config.get(key)]
    if known:
        return known[0]
    return next(m.in_channels for m in model.modules() if isinstance(m, nn.Conv2d))


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


def _puts_out_classes(head):
    """Return whether a head puts out scores of classes, by convolutions of each level or by some that levels share."""
    shared = getattr(head, "cv3", None)
    return bool(branches(head)) or (isinstance(shared, nn.Module) and _outputs(shared) == head.nc)


def _outputs(convolutions):
    return [m for m in convolutions.modules() if isinstance(m, nn.Conv2d)][-1].out_channels


def active_branches(model):
    """Return the branches of its head that a model goes through: with end2end=False, some releases leave one out."""
    model, active = de_parallel(model), []
    handles = [
        boxes[0].register_forward_hook(lambda *_, branch=branch: active.append(branch))
        for branch, (boxes, _) in branches(head(model)).items()
    ]
    try:
        with at_rest(model) as blank:
            head(model).training = True  # which spares it to make boxes of its outputs
            model(blank)
    finally:
        for handle in handles:
            handle.remove()
    return active


class AllCaught(Exception):
    """A forward pass has put out all that it was made for."""


class Watch:
    """Catch feature maps and raw head outputs of a model in passing, during one forward pass.

    The hooks exist for that pass alone, so nothing is left on a model that is copied or pickled later.

    Args:
        layers (list[int]): Layers whose feature maps to catch.
        branches (list[str]): Branches of the head whose outputs to catch, see branches; empty for none.
    """

    def __init__(self, layers, branches=()):
        self.layers, self.branches = layers, branches
        self._features, self._logits = [], {}
        self._caught, self._handles, self._alone = {}, [], False

    def start(self, model, alone=False):
        """Hook a YOLO model, whose modules may have been exchanged since last time; drop what is left from then.

        Args:
            model (nn.Module): The model, which may be wrapped.
            alone (bool): Whether the forward pass is for what is caught alone: it ends in AllCaught.
        """
        self.stop()
        self._alone = alone
        wrapped, model = model, de_parallel(model)
        found = branches(head(model))
        numbered = layers_of(model)
        self._features = [numbered[i] for i in self.layers]
        self._logits = {branch: list(zip(*found[branch])) for branch in self.branches}
        self._watched = {*self._features, *self._heads()}
        self._handles = [module.register_forward_hook(self._catch) for module in self._watched]
        if self._logits and wrapped is not model:
            self._handles.append(model.register_forward_hook(self._tie))

    def _heads(self):
        """Return the modules of the head that are watched."""
        return [module for pairs in self._logits.values() for pair in pairs for module in pair]

    def _tie(self, model, inputs, output):
        """Let the loss that a model puts out depend on what was caught of its head, though by nothing.

        DDP looks in the output for the parameters that the backward pass will reach, and takes no gradient for the
        others. Those of the boxes may be among them where no image of a batch has an object (in 8.4.0 to 8.4.153, say),
        and the logit loss reaches them all the same.
        """
        if isinstance(output, tuple) and isinstance(output[0], torch.Tensor) and output[0].requires_grad:
            nothing = sum(self._caught[module][..., :0].sum() for module in self._heads())
            return (output[0] + nothing, *output[1:])
        return output  # predictions, of which the loss is computed outside the model

    def _catch(self, module, inputs, output):
        self._caught[module] = output
        if self._alone and len(self._caught) == len(self._watched):
            raise AllCaught

    def outputs(self):
        """Return what the layers have put out so far, None for one that was not run."""
        return [self._caught.get(module) for module in self._features]

    def stop(self):
        """Unhook the model and forget what was caught."""
        for handle in self._handles:
            handle.remove()
        self._caught, self._handles = {}, []

    def take(self):
        """Return what was caught, and forget it.

        Returns:
            features (list[torch.Tensor]): Feature maps of shape (N, C, H, W), in the order of the layers.
            logits (dict[str, list[torch.Tensor]]): By branch, raw outputs of shape (N, 4 * reg_max + classes, H, W), a
                tensor a level.
        """
        caught = self._caught
        features = [caught[m] for m in self._features]
        logits = {
            branch: [torch.cat([caught[boxes], caught[classes]], 1) for boxes, classes in pairs]
            for branch, pairs in self._logits.items()
        }
        self.stop()
        return features, logits


def check_pair(student, teacher):
    """Raise ValueError if one of the models cannot be distilled, or not by the other."""
    from ultralytics.nn.modules import Detect

    for role, model in (("model", student), ("model_t", teacher)):
        if not isinstance(head(model), Detect) or not _puts_out_classes(head(model)):
            raise ValueError(f"{role}: a model with the head {type(head(model)).__name__} cannot be distilled")
    for what, fact in (("task", _task), ("number of image channels", input_channels)):
        if fact(student) != fact(teacher):
            raise ValueError(f"model_t: expected the student's {what}, {fact(student)}, not {fact(teacher)}")


def common_branches(student, teacher, same):
    """Return the branches whose outputs the response loss compares.

    Args:
        student (nn.Module): The student.
        teacher (nn.Module): The teacher.
        same (tuple[str]): In what the heads have to agree.

    Raises:
        ValueError: If they do not, or have no branch in common.
    """
    head_s, head_t = head(student), head(teacher)
    facts = {
        "classes": lambda head: head.nc,
        "strides": lambda head: [int(stride) for stride in head.stride],
        "box distribution bins": lambda head: head.reg_max,
    }
    for what in same:
        fact_s, fact_t = (facts[what](head) for head in (head_s, head_t))
        if fact_s != fact_t:
            raise ValueError(
                f"logit_loss: expected a teacher with the student's {fact_s} {what}, not {fact_t}; train with a "
                "teacher that has them, or with logit_loss=False and a feature loss, distill_feat_type=cwd for example"
            )
    active = active_branches(teacher)
    common = [branch for branch in active_branches(student) if branch in active]
    if not common:
        kinds = " and ".join(type(head).__name__ for head in (head_s, head_t))
        raise ValueError(f"logit_loss: the heads {kinds} have no branch in common")
    return common


def compare_names(theirs, ours):
    """Warn if classes of the teacher are called otherwise than those of the data, both by number or in a list."""
    theirs, ours = (dict(enumerate(names)) if isinstance(names, (list, tuple)) else names for names in (theirs, ours))
    others = [i for i, name in ours.items() if theirs.get(i) != name]
    if others:
        LOGGER.warning(
            f"logit_loss: class {others[0]} is {ours[others[0]]!r} in the data and {theirs.get(others[0])!r} to the "
            "teacher. The two should have the same classes in the same order."
        )


def _task(model):
    """Return the task of a model by its head: the class that the head is, or comes from."""
    kinds = {"Segment": "segment", "Pose": "pose", "OBB": "obb"}
    return next((kinds[c.__name__] for c in type(head(model)).__mro__ if c.__name__ in kinds), "detect")


def layer_lists(layers):
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


def choose_layers(student, teacher, layers, eight):
    """Return the layers to compare of the student and of the teacher.

    Args:
        student (nn.Module): The student.
        teacher (nn.Module): The teacher.
        layers (list | None): As the user has named them; None for those that feed the heads.
        eight (bool): Whether they are the tutorial's eight, if they are not named and both models have them.

    Raises:
        ValueError: If distill_layers has no sense, or if it is not given and the models have no natural pairs.
    """
    if layers is not None:
        return layer_lists(layers)
    if eight and _has_yolov8_layout(student) and _has_yolov8_layout(teacher):
        return [list(YOLOV8_LAYERS), list(YOLOV8_LAYERS)]
    pair = [_feeding_layers(student), _feeding_layers(teacher)]
    if len(pair[0]) != len(pair[1]):
        raise ValueError(
            f"distill_layers: {len(pair[0])} layers feed the student's head and {len(pair[1])} the teacher's; "
            "name the pairs, distill_layers=[[student's], [teacher's]]"
        )
    return pair


def _has_yolov8_layout(model):
    before_head = {i for i in layers_of(model) if i < head(model).i}
    return set(_feeding_layers(model)) <= set(YOLOV8_LAYERS) <= before_head


def _feeding_layers(model):
    """Return the numbers of the layers that feed the head; descriptions may count them from the head, as -1."""
    return [f % head(model).i for f in head(model).f]


def channels(role, model, layers):
    """Return the channels of the feature maps of layers, in their order.

    Raises:
        ValueError: If a layer does not exist or puts out no feature map.
    """
    last, numbered = head(model).i - 1, layers_of(model)
    for i in layers:
        if i > last or i not in numbered:
            raise ValueError(f"distill_layers: the {role} has no layer {i} before its head, expected 0 to {last}")
    with at_rest(model) as blank:
        outputs = get_features(blank, model, layers)
    for i, output in zip(layers, outputs):
        if not isinstance(output, torch.Tensor) or output.ndim != 4:
            raise ValueError(f"distill_layers: layer {i} of the {role} puts out no feature map")
    return [output.shape[1] for output in outputs]

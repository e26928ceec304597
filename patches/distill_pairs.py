# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""Whether a student and a teacher go together, and what of them is compared."""

from __future__ import annotations

import logging

import torch

from .distill_features import active_branches, get_features
from .distill_models import at_rest, head, input_channels, is_fused, layers_of, puts_out_classes, task_of

LOGGER = logging.getLogger("ultralytics")

# The layers compared by the tutorial on the YOLOv8 layout: backbone stages and neck outputs.
YOLOV8_LAYERS = (2, 4, 6, 8, 12, 15, 18, 21)


def check_pair(student, teacher):
    """Raise ValueError if one of the models cannot be distilled, or not by the other."""
    from ultralytics.nn.modules import Detect

    for role, model in (("model", student), ("model_t", teacher)):
        if not isinstance(head(model), Detect) or not puts_out_classes(head(model)):
            raise ValueError(f"{role}: a model with the head {type(head(model)).__name__} cannot be distilled")
    for what, fact in (("task", task_of), ("number of image channels", input_channels)):
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
    soft, features = "distill_logit_type=soft", "logit_loss=False and a feature loss, distill_feat_type=cwd for example"
    facts = {
        "classes": (lambda head: head.nc, soft),
        "strides": (lambda head: [int(stride) for stride in head.stride], features),
        "box distribution bins": (lambda head: head.reg_max, soft),
    }
    for what in same:
        fact, instead = facts[what]
        fact_s, fact_t = fact(head_s), fact(head_t)
        if fact_s != fact_t:
            raise ValueError(
                f"logit_loss: expected a teacher with the student's {fact_s} {what}, not {fact_t}; train with a "
                f"teacher that has them, or with {instead}"
            )
    theirs, ours = active_branches(teacher), active_branches(student)
    common = [branch for branch in ours if branch in theirs]
    if len(common) < len(ours) and common:
        lost = ": it was fused to predict with; give the path of its weights" if is_fused(teacher) else ""
        missing = " and ".join(branch for branch in ours if branch not in theirs)
        LOGGER.warning(f"logit_loss: the student's branch {missing} is not taught, the teacher has none{lost}")
    if not common:
        kinds = " and ".join(type(head).__name__ for head in (head_s, head_t))
        raise ValueError(f"logit_loss: the heads {kinds} have no branch in common")
    return common


def choose_layers(student, teacher, layers, eight):
    """Return the layers to compare of the student and of the teacher.

    Args:
        student (nn.Module): The student.
        teacher (nn.Module): The teacher.
        layers (list | None): As the user has named them; None for those that feed the heads.
        eight (bool): Whether they are the tutorial's eight, if they are not named and both models have them.

    Raises:
        ValueError: If distill_layers is invalid, or if it is not given and the models have no natural pairs.
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


def _has_yolov8_layout(model):
    before_head = {i for i in layers_of(model) if i < head(model).i}
    return set(_feeding_layers(model)) <= set(YOLOV8_LAYERS) <= before_head


def _feeding_layers(model):
    """Return the numbers of the layers that feed the head; descriptions may count them from the head, as -1."""
    return [f % head(model).i for f in head(model).f]

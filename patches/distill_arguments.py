# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""The train arguments of distillation: what the user gives is used, and what is not given comes from a recipe."""

from __future__ import annotations

import sys

from .AddLoss import FEATURE_LOSSES
from .distill_pairs import layer_lists
from .distill_response import RESPONSE_LOSSES

# The recipes. "default" is measured in docs/learning.md. Its losses are scaled as the
# task loss is, by the batch. "tutorial" is the tutorial's, in which they are not, so their share falls with the batch.
RECIPES = {
    "default": {
        "distillonline": False,  # the teacher goes on learning next to the student
        "distill_feat_type": "frs",  # feature loss, out of FEATURE_LOSSES
        "logit_loss": True,  # the student's head imitates the teacher's
        "distill_logit_type": "soft",  # how, out of RESPONSE_LOSSES
        "distill_schedule": "constant",  # how the weights change, out of SCHEDULES
        "distill_close": 0,  # epochs at the end without distillation, as close_mosaic is epochs without mosaic
        "distill_feat_weight": None,  # weights of the three losses; None is that of the loss, its attribute `weight`
        "distill_online_weight": 1.0,
        "distill_logit_weight": None,
        "distill_layers": None,  # layers to compare: one list for both models, or [student's, teacher's]
        "distill_images": None,  # images without labels to learn from as well: a folder, a list of paths, or both
        "distill_images_ratio": 1.0,  # how many of them come for each image with labels
    },
    "tutorial": {
        "distillonline": False,
        "distill_feat_type": "cwd",
        "logit_loss": False,
        "distill_logit_type": "mse",
        "distill_schedule": "epoch",
        "distill_close": 0,
        "distill_feat_weight": 1.0,
        "distill_online_weight": 1.0,
        "distill_logit_weight": 1.0,
        "distill_layers": None,
        "distill_images": None,
        "distill_images_ratio": 1.0,
    },
}

# All train arguments of distillation. model_t is the teacher: a YOLO object, its .model, or the path of its weights; or
# AVERAGE, for the student's own.
DISTILL_ARGS = ("model_t", "distill_recipe", *RECIPES["default"])
AVERAGE = "ema"

# What the default recipe has otherwise for that average, which is hardly better than the student: to imitate it as
# closely as a real teacher costs accuracy, see docs/learning.md.
OF_AVERAGE = {"distill_feat_type": "none", "distill_logit_weight": 0.3}

SWITCHES = ("distillonline", "logit_loss")
SCHEDULES = ("constant", "cosine", "epoch", "late")
CHOICES = {
    "distill_recipe": RECIPES,
    "distill_feat_type": FEATURE_LOSSES,
    "distill_logit_type": RESPONSE_LOSSES,
    "distill_schedule": SCHEDULES,
}
TASKS = ("detect", "segment", "pose", "obb")

# What an argument needs, without which it would be without effect: as words, and whether all the arguments have it.
FEATURE_LOSS = ("a feature loss, distill_feat_type=cwd for example", lambda value: value["distill_feat_type"] != "none")
LOGIT_LOSS = ("logit_loss=True", lambda value: value["logit_loss"])
NEEDED = {
    "distill_layers": FEATURE_LOSS,
    "distill_feat_weight": FEATURE_LOSS,
    "distill_logit_type": LOGIT_LOSS,
    "distill_logit_weight": LOGIT_LOSS,
    "distill_online_weight": ("distillonline=True", lambda value: value["distillonline"]),
    "distill_images_ratio": ("images, distill_images=...", lambda value: value["distill_images"] is not None),
}


def complete_argument(argument):
    """Return an argument of the command line with its value: a bare "logit_loss" means "logit_loss=True".

    Args:
        argument (str): As typed; what is no argument of distillation, or has a value, is returned as it is.

    Returns:
        (str): The argument, which upstream goes on to read.

    Raises:
        SyntaxError: If an argument of distillation needs a value and has none, or "none", by which upstream means that
            it is not given.
    """
    key, _, value = argument.partition("=")
    if key in CHOICES and value.lower() == "none" and "none" not in CHOICES[key]:
        _check_choice(key, value, SyntaxError)
    if argument not in DISTILL_ARGS:
        return argument
    if argument not in SWITCHES:
        raise SyntaxError(f"'{argument}': expected a value, {argument}=...")
    return f"{argument}=True"


def default_argument(args, name):
    """Return what an argument of distillation is that a run was not given, which depends on the recipe.

    Args:
        args (SimpleNamespace): The arguments of the run.
        name (str): One of DISTILL_ARGS.
    """
    given = given_arguments(args)
    if given.get("distill_recipe") not in RECIPES:
        given["distill_recipe"] = "default"
    return _weighted({"model_t": None, **_recipe(given), **given})[name]


def _recipe(given):
    """Return the recipe for the arguments that a run was given."""
    recipe = given.get("distill_recipe", "default")
    of_teacher = OF_AVERAGE if recipe == "default" and given.get("model_t") == AVERAGE else {}
    return {"distill_recipe": recipe, **RECIPES[recipe], **of_teacher}


def _weighted(value):
    """Return arguments with the weights that depend on the losses: feature losses differ in size by thousands."""
    weights = {}
    for kind, table in (("feat", FEATURE_LOSSES), ("logit", RESPONSE_LOSSES)):
        name, key = value[f"distill_{kind}_type"], f"distill_{kind}_weight"
        if value[key] is None and isinstance(name, str) and name in table:
            weights[key] = table[name].weight
    return {**value, **weights}


def refuse_outside_training(arguments):
    """Refuse arguments of distillation that are given to something else than a training, where they have no effect.

    Args:
        arguments (dict): As given; the mode is that of a training unless it is among them.

    Raises:
        ValueError: If there are such arguments.
    """
    mode = arguments.get("mode") or "train"
    given = [key for key in DISTILL_ARGS if arguments.get(key) is not None]
    if mode != "train" and given:
        raise ValueError(
            f"{', '.join(given)}: expected in a training only, not in mode={mode}; leave out what is given"
        )


def given_arguments(args):
    """Return the arguments of distillation that a run was given, by name.

    None means that an argument is not given, but for distill_feat_type: on the command line "none" becomes None.
    """
    given = {key: vars(args)[key] for key in DISTILL_ARGS if key in vars(args)}
    if given.get("distill_feat_type", "") in (None, False):
        given["distill_feat_type"] = "none"
    return {key: value for key, value in given.items() if value is not None}


def complete_arguments(args):
    """Set all arguments of distillation that count in a run: as given, or else as the recipe has them.

    What is set is written to args.yaml and to checkpoints, so a worker process or a resumed run has the same.

    Args:
        args (SimpleNamespace): The arguments of a run with a teacher.

    Raises:
        ValueError: If an argument is invalid, or would have no effect.
    """
    given = given_arguments(args)
    if "distill_layers" in given:
        given["distill_layers"] = _as_lists(given["distill_layers"])
    _check_choice("distill_recipe", given.get("distill_recipe", "default"))
    value = {**_recipe(given), **given}
    _check_choice("distill_feat_type", value["distill_feat_type"])
    _check_choice("distill_logit_type", value["distill_logit_type"])
    value = _weighted(value)
    _check(args, value)
    idle = {key: needed for key, (needed, is_there) in NEEDED.items() if not is_there(value)}
    for key in given:
        if key in idle:
            raise ValueError(f"{key}: without effect, it needs {idle[key]}")
    if value["distillonline"] and given.get("model_t") == AVERAGE:
        raise ValueError(f"distillonline: expected a teacher that learns, not the student's average, model_t={AVERAGE}")
    if not value["logit_loss"] and value["distill_feat_type"] == "none":
        raise ValueError("logit_loss=False and no feature loss: nothing is taught; expected one of them")
    for key in DISTILL_ARGS:
        if key in value and key not in idle:
            setattr(args, key, value[key])


def _check(args, value):
    """Raise ValueError for an argument that is invalid."""
    if getattr(args, "task", "detect") not in TASKS:
        raise ValueError(f"model_t: distillation is for the tasks {', '.join(TASKS)}, not for {args.task}")
    if getattr(args, "distill_model", None) is not None:
        raise ValueError("model_t and distill_model are two ways to distill, expected one of them")
    _check_choice("distill_schedule", value["distill_schedule"])
    for key in SWITCHES:
        if not isinstance(value[key], bool):
            raise ValueError(f"{key}={value[key]!r}: expected True or False")
    for key in ("distill_feat_weight", "distill_online_weight", "distill_logit_weight"):
        if not _is_number(value[key], (int, float)):
            raise ValueError(f"{key}={value[key]!r}: expected a number that is not negative")
    if not _is_number(value["distill_images_ratio"], (int, float)) or not value["distill_images_ratio"]:
        raise ValueError(f"distill_images_ratio={value['distill_images_ratio']!r}: expected a number above 0")
    if not _is_number(value["distill_close"], int):
        raise ValueError(f"distill_close={value['distill_close']!r}: expected a number of epochs")
    if value["distill_close"] and getattr(args, "time", None):
        raise ValueError("distill_close: expected epochs=..., with time=... nobody knows which epochs will be the last")
    if value["distill_close"] >= args.epochs:
        raise ValueError(
            f"distill_close={value['distill_close']}: expected less than epochs={args.epochs}, or nothing is taught"
        )
    layer_lists(value["distill_layers"])


def _check_choice(key, value, error=ValueError):
    if not isinstance(value, str) or value not in CHOICES[key]:
        raise error(f"{key}={value!r}: expected one of {', '.join(sorted(CHOICES[key]))}")


def _is_number(value, kinds):
    return isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value <= sys.float_info.max


def _as_lists(layers):
    """Return distill_layers with NumPy's arrays and numbers as Python's, which can be written to args.yaml."""
    if hasattr(layers, "tolist"):
        return layers.tolist()
    return [_as_lists(part) for part in layers] if isinstance(layers, (list, tuple)) else layers

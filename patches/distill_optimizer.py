# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""What the optimizer has to know of distillation: the feature loss, and a teacher that learns online."""

from __future__ import annotations

import inspect

import torch.nn as nn

from .distill_models import de_parallel


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

# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""What the optimizer has to know of distillation: the feature loss, and a teacher that learns online."""

from __future__ import annotations

import functools
import inspect
from collections import Counter

import torch.nn as nn

from .distill_models import de_parallel


def optimizer_arguments(trainer):
    """Return what build_optimizer has to be told of distillation.

    Args:
        trainer (BaseTrainer): Its distillation is set up.

    Returns:
        (dict): Arguments by name; none without a teacher, or for a build_optimizer of the user's own that does not take
            them: it may know what distillation trains from the trainer, see check_optimizer.
    """
    if trainer.model_t is None:
        return {}
    arguments = {key: getattr(trainer, key) for key in ("model_t", "distillloss", "distillonline")}
    try:
        inspect.signature(trainer.build_optimizer).bind_partial(**arguments)
    except TypeError:
        return {}
    return arguments


def check_optimizer(trainer):
    """Refuse an optimizer that does not train all that distillation trains, each parameter in one group.

    Args:
        trainer (BaseTrainer): Its optimizer is built.

    Raises:
        TypeError: If a parameter is in no group, or in several.
    """
    grouped = Counter(id(parameter) for group in trainer.optimizer.param_groups for parameter in group["params"])
    trained = {
        "the feature loss": trainer.distillloss,
        "the teacher": trainer.model_t if trainer.distillonline else None,
    }
    for name, module in trained.items():
        parameters = [p for p in module.parameters() if p.requires_grad] if module is not None else []
        wrong = [p for p in parameters if grouped[id(p)] != 1]
        if wrong:
            raise TypeError(
                f"model_t: expected {type(trainer).__name__}.build_optimizer to put each parameter of {name} into one "
                f"group, {len(wrong)} of {len(parameters)} are in none or in several; let it take **kwargs, and hand "
                "them on to super().build_optimizer"
            )


class BeforeSteps:
    """Do something right before an optimizer steps, whoever has it step: a trainer's own optimizer_step, say.

    Args:
        action (Callable): Called without arguments; gradients are unscaled by then.
    """

    def __init__(self, action):
        self._action, self._optimizer, self._stop = action, None, None

    def watch(self, optimizer):
        """Do it before the steps of this optimizer, and of none before: a trainer may build its optimizer again.

        Args:
            optimizer (torch.optim.Optimizer): The one that is in use.
        """
        if optimizer is self._optimizer:
            return
        self.stop()
        self._optimizer = optimizer
        if hasattr(optimizer, "register_step_pre_hook"):
            self._stop = optimizer.register_step_pre_hook(lambda *_: self._action()).remove
            return
        step = optimizer.step  # PyTorch 1.13 has no such hooks

        @functools.wraps(step)
        def preceded(*args, **kwargs):
            self._action()
            return step(*args, **kwargs)

        optimizer.step = preceded
        self._stop = functools.partial(setattr, optimizer, "step", step)

    def stop(self):
        """Leave the optimizer as it was."""
        if self._stop is not None:
            self._stop()
        self._optimizer = self._stop = None


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

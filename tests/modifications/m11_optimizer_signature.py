"""build_optimizer takes what distillation trains."""

from __future__ import annotations

import ast

from edits import Edit, Fate, renamed, sub
from promises import Break
from spelling import Place, Spelling
from statements import TRAINER, Patched, Sabotage, fail, text_of


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    function = checkout.trainer("build_optimizer").node
    assert isinstance(function, ast.FunctionDef)
    args = function.args
    names = [argument.arg for argument in (*args.args, *args.kwonlyargs)]
    defaults = ["" if default is None else text_of(default) for default in (*args.defaults, *args.kw_defaults)]
    if names[-3:] != ["model_t", "distillloss", "distillonline"] or defaults[-3:] != ["None", "None", "False"]:
        fail(f"expected model_t=None, distillloss=None, distillonline=False last, found {text_of(args)}")
    return f"({', '.join(names[:-3])})"


SABOTAGE = {
    "a parameter has another default": Sabotage(TRAINER, r"distillonline=False,\n", "distillonline=True,\n"),
}

_SIGNATURE = Place(TRAINER, r"def build_optimizer\(self, model(?P<here>),")
_SIGNATURE_MIDDLE = Place(TRAINER, r"def build_optimizer\(self, model, name=['\"]auto['\"](?P<here>),")
_SIGNATURE_END = Place(TRAINER, r"def build_optimizer\([^)]*(?P<here>)\)")

BY_HAND = {
    "the tutorial's": Spelling(_SIGNATURE, ", model_t, distillloss, distillonline=False"),
    "defaults": Spelling(_SIGNATURE, ", model_t=None, distillloss=None, distillonline=False"),
    "type hints": Spelling(_SIGNATURE, ", model_t: nn.Module = None"),
    "in the middle": Spelling(_SIGNATURE_MIDDLE, ", model_t=None, distillloss=None, distillonline=False"),
    "at the end": Spelling(_SIGNATURE_END, ", model_t=None, distillloss=None, distillonline=False"),
    "by keyword": Spelling(_SIGNATURE_END, ", *, model_t, gain=1"),
    "only the loss": Spelling(_SIGNATURE, ", distillloss"),
    "only the loss, at the end": Spelling(_SIGNATURE_END, ", distillloss=None"),
    "only the switch": Spelling(_SIGNATURE, ", distillonline"),
    "only the switch, at the end": Spelling(_SIGNATURE_END, ", distillonline=False"),
}

_LAST_PARAMETER = r"(def build_optimizer\([^)]*iterations=1e5)\)"

EDITS = {
    "build_optimizer renamed": renamed(TRAINER, "build_optimizer"),
    "a parameter": Edit(sub(TRAINER, _LAST_PARAMETER, r"\1, gain=0.1)"), Fate.PATCHED),
    "a parameter by keyword": Edit(sub(TRAINER, _LAST_PARAMETER, r"\1, *, gain=0.1)"), Fate.PATCHED),
    "any parameters by keyword": Edit(sub(TRAINER, _LAST_PARAMETER, r"\1, **gains)"), Fate.PATCHED),
    "any parameters": Edit(sub(TRAINER, _LAST_PARAMETER, r"\1, *gains, **more)"), Fate.EITHER),
}

PATCH = "patches/11-optimizer-signature.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "an offline teacher is the default",
        PATCH,
        "+     distillonline=False,\n",
        "+     distillonline=True,\n",
        "modifications::lands and m11",
    ),
)

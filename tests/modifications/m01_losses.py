"""The losses and the logic of distillation are new modules."""

from __future__ import annotations

import ast

from edits import Edit, Fate
from promises import Break
from spelling import Place, Spelling
from statements import ADDLOSS, Patched, Sabotage, fail

_PUBLIC = {
    "is_parallel",
    "de_parallel",
    "MimicLoss",
    "CWDLoss",
    "MGDLoss",
    "Distill_LogitLoss",
    "get_fpn_features",
    "get_channels",
    "FeatureLoss",
}


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    body = checkout.trees[ADDLOSS].body
    defined = {node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    defined |= {alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}
    if missing := _PUBLIC - defined:
        fail(f"AddLoss.py lacks {', '.join(sorted(missing))}")
    return ""


SABOTAGE = {
    "the module is another one": Sabotage(ADDLOSS, r"class MGDLoss", "class MgdLoss"),
}


BY_HAND = {"the tutorial's": Spelling(Place(ADDLOSS, r"\A(?P<here>)"), "class FeatureLoss:\n    pass\n")}


EDITS = {
    "a module of that name": Edit(lambda files: {**files, ADDLOSS: b"class FeatureLoss:\n    pass\n"}, Fate.REFUSED),
}

PATCH = "patches/01-losses.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "every added module is in the checkout",
        PATCH,
        "+++ ultralytics/utils/distill_columns.py  distill_columns.py\n",
        "",
        "modifications::lands and m01",
    ),
)

"""What distillation trains joins the optimizer's groups."""

from __future__ import annotations

import ast

from edits import Edit, Fate, sub
from promises import Break
from spelling import Place, Spelling
from statements import TRAINER, Patched, Sabotage, fail, in_order, text_of


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    build = checkout.trainer("build_optimizer")
    group = build.one(r"group_distillation_parameters\(")
    grouped = build.one(r"for .* in (\w+\.)*(unwrap_model\()?model\)?\.named_modules\(\)")
    muon = build.all(r"use_muon = ")
    expected = ["g", "model_t", "distillloss", "distillonline", *(["use_muon"] if muon else [])]
    if not isinstance(group.statement, ast.Expr) or not isinstance(group.statement.value, ast.Call):
        fail("expected a call")
    given = [text_of(argument) for argument in group.statement.value.args]
    if given != expected:
        fail(f"expected group_distillation_parameters({', '.join(expected)}), found {given}")
    if group.around or group.block[group.index - 1] is not grouped.statement:
        fail(f"expected it directly after the loop over the student's modules, not after {group.beside(-1)!r}")
    if not [spot for spot in build.all(r"g = ") if spot.line < grouped.line and not spot.around]:
        fail("expected the groups, g, to be there before they are filled")
    made = [spot.line for spot in build.all(r"(optimizer|optim_args) = |g = ") if spot.line > grouped.line]
    in_order(("the groups", group.line), ("the optimizer", min(made, default=0)))
    return f"{grouped.text} ... {group.beside(1)}"


SABOTAGE = {
    "the groups are missed when there is no Muon": Sabotage(
        TRAINER, r"    ( +)(group_distillation_parameters\([^\n]*)\n", r"    \1if use_muon:\n\1        \2\n"
    ),
    "the Muon group is forgotten": Sabotage(TRAINER, r"(distillonline), use_muon\)", r"\1)"),
}

_GROUPS = Place(
    TRAINER, r"^(?P<here>)(?P<indent> +)for \w+, \w+ in (?:unwrap_model\(model\)|model)\.named_modules\(\):\n"
)

BY_HAND = {
    "the tutorial's teacher": Spelling(
        _GROUPS,
        """
        if model_t is not None and distillonline:
            for v in model_t.modules():
                if isinstance(v, bn):  # weight (no decay)
                    g[1].append(v.weight)
        """,
    ),
    "the tutorial's feature loss": Spelling(
        _GROUPS,
        """
        if model_t is not None and distillloss is not None:
            for k, v in distillloss.named_modules():
                if isinstance(v, bn) or 'bn' in k:  # weight (no decay)
                    g[1].append(v.weight)
        """,
    ),
    "the teacher without a condition": Spelling(_GROUPS, "g[0].extend(model_t.parameters())"),
    "the loss without a condition": Spelling(_GROUPS, "for v in distillloss.modules():\n    g[0].append(v.weight)"),
    "parameters": Spelling(_GROUPS, "for p in distillloss.parameters(): g[0].append(p)"),
    "the trainer's teacher": Spelling(_GROUPS, "g[0].extend(self.model_t.parameters())"),
    "the trainer's loss": Spelling(_GROUPS, "g[0].extend(self.distillloss.parameters())"),
    "another function's": Spelling(_GROUPS, "if model_t is not None:\n    group(g, model_t)"),
}


EDITS = {
    "the loop over modules in a function": Edit(
        sub(TRAINER, r"in (unwrap_model\(model\)|model)\.named_modules\(\)", "in modules_of(model)"), Fate.REFUSED, 12
    ),
    "other groups": Edit(sub(TRAINER, r"\bg\b(?!<)", "groups"), Fate.REFUSED),
    "an optimizer_step of the owner": Edit(
        sub(TRAINER, r"^( +)(self\.scaler\.step\(.*)$", r"\1if self.accumulate:\n\1    \2"), Fate.PATCHED
    ),
    "logging above the loop over the modules": Edit(
        sub(TRAINER, r"^( +)(for .* in .*named_modules\(\):)$", r"\1LOGGER.info('mine')\n\1\2"), Fate.PATCHED
    ),
}

PATCH = "patches/12-optimizer-groups.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "the feature loss is stepped by the optimizer",
        PATCH,
        "model_t, distillloss, distillonline, use_muon)",
        "model_t, None, distillonline, use_muon)",
        "gradient::feature_loss_alone and 8.4.190",
    ),
)

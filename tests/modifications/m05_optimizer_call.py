"""The optimizer is built with what distillation trains."""

from __future__ import annotations

import ast

from edits import Edit, Fate, on_statements, removed, sub
from promises import Break
from spelling import Place, Spelling
from statements import TRAINER, Patched, Sabotage, fail, text_of


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    trainer = checkout.scope(TRAINER, "BaseTrainer")
    calls = trainer.calls("self.build_optimizer")
    if not calls:
        fail("expected self.build_optimizer to be called")
    call = calls[-1]  # of several, which are in a row, the last is used
    if not (given := call.keywords) or text_of(given[-1]) != "**optimizer_arguments(self)":
        fail(f"expected build_optimizer(..., **optimizer_arguments(self)), found {text_of(call)}")
    methods = [node for node in ast.iter_child_nodes(trainer.node) if isinstance(node, ast.FunctionDef)]
    within = next(node.name for node in methods if call in ast.walk(node))
    if any(other not in ast.walk(next(node for node in methods if node.name == within)) for other in calls):
        fail("expected self.build_optimizer to be called in one method")
    if within not in ("_setup_train", "_build_train_pipeline"):
        fail(f"expected the call in _setup_train or _build_train_pipeline, not in {within}")
    return f"{within}: {', '.join(text_of(item) for item in (*call.args, *given[:-1]))}"


SABOTAGE = {
    "the optimizer is not told of the feature loss": Sabotage(
        TRAINER, r"\*\*optimizer_arguments\(self\)", "model_t=self.model_t"
    ),
}

_CALL = Place(TRAINER, r"self\.build_optimizer\(\s*(?P<here>model=self\.model,)")

BY_HAND = {
    "the tutorial's": Spelling(
        _CALL,
        "model=self.model, model_t=self.model_t, distillloss=self.distillloss, distillonline=self.distillonline,",
    ),
    "by position": Spelling(_CALL, "self.model, self.model_t,"),
    "only the teacher": Spelling(_CALL, "model=self.model, model_t=teacher,"),
    "only the loss": Spelling(_CALL, "model=self.model, distillloss=self.distillloss,"),
    "only the loss, by position": Spelling(_CALL, "self.model, None, self.distillloss,"),
    "only the switch": Spelling(_CALL, "model=self.model, distillonline=True,"),
    "only the switch, by position": Spelling(_CALL, "self.model, None, None, self.distillonline,"),
}

_LAST_ARGUMENT = r"(iterations=iterations)(,?\s*\))"

EDITS = {
    "no optimizer": removed(TRAINER, r"self\.optimizer = self\.build_optimizer"),
    "an argument of the optimizer": Edit(
        sub(TRAINER, r"(self\.build_optimizer\(\s*model=self\.model),", r"\1, gain=self.gain,"), Fate.PATCHED
    ),
    "a last argument of the optimizer": Edit(sub(TRAINER, _LAST_ARGUMENT, r"\1, more=self.more\2"), Fate.PATCHED),
    "arguments in a dict": Edit(sub(TRAINER, _LAST_ARGUMENT, r"\1, **self.gains\2"), Fate.PATCHED),
    "the optimizer is built twice": Edit(
        on_statements(TRAINER, r"self\.optimizer = self\.build_optimizer\(", lambda _, lines: [*lines, "\n", *lines]),
        Fate.PATCHED,
    ),
}

PATCH = "patches/05-optimizer-call.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "the optimizer is built with all that distillation trains",
        PATCH,
        "+     **optimizer_arguments(self),\n",
        "+     model_t=self.model_t,\n",
        "modifications::lands and m05",
    ),
)

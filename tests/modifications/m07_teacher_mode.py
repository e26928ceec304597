"""Each epoch starts with the teacher in its mode."""

from __future__ import annotations

import ast

from edits import Edit, Fate, removed, sub
from promises import Break
from spelling import Place, Spelling
from statements import GUARDED, TRAINER, Patched, Sabotage, fail, in_order


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    train = checkout.trainer("_do_train")
    start = train.one(r"self\.distiller\.start_epoch\(\)")
    guard = start.guarded()
    if guard.beside(1) not in ("self.model.train()", "self._model_train()"):
        fail(f"expected start_epoch directly before the student's train(), not before {guard.beside(1)!r}")
    loops = [spot for spot in guard.around if isinstance(spot.statement, (ast.For, ast.While))]
    batches = train.one(r"for \w+, batch in ")
    if len(loops) != 1 or loops[0] not in batches.around or guard.around != (loops[0],):
        fail("expected start_epoch in the loop over the epochs, outside of that over the batches")
    in_order(("start_epoch", start.line), ("the batches", batches.line))
    return f"{loops[0].text} ... {guard.beside(1)}"


SABOTAGE = {
    "an epoch starts after the student": Sabotage(TRAINER, rf"({GUARDED}[^\n]*start_epoch\(\)\n)([^\n]*\n)", r"\2\1"),
}

_EPOCH = Place(TRAINER, r"^(?P<here>)(?P<indent>            )self\.(?:model\.train|_model_train)\(\)\n")
_MODEL_TRAIN = Place(TRAINER, r"def _model_train\(self.*\n(?:.*\n)*?(?P<here>)(?P<indent> +)self\.model\.train\(\)\n")

BY_HAND = {
    "the tutorial's": Spelling(_EPOCH, "if self.model_t is not None:\n    self.model_t.eval()"),
    "train(False)": Spelling(_EPOCH, "self.model_t.train(False)"),
    "train(mode=False)": Spelling(_EPOCH, "self.model_t.train(mode=False)"),
    "an if on one line": Spelling(_EPOCH, "if self.model_t: self.model_t.eval()"),
    "where the student is": Spelling(_MODEL_TRAIN, "if self.model_t is not None:\n    self.model_t.eval()"),
}


EDITS = {
    "no train mode": removed(TRAINER, r"self\.(model\.|_model_)train\(\)"),
    "a train mode of one's own": Edit(
        sub(
            TRAINER,
            r"^( +)(self\.run_callbacks\(['\"]on_train_(batch|epoch)_end['\"]\))$",
            r"\1self.model.train()\n\1\2",
        ),
        Fate.EITHER,
    ),
    "the student in train mode in a branch": Edit(
        sub(TRAINER, r"^( +)(self\.model\.train\(\)|self\._model_train\(\))$", r"\1if epoch % 2:\n\1    \2"),
        Fate.EITHER,
    ),
}

PATCH = "patches/07-teacher-mode.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "the teacher is put into its mode in each epoch",
        PATCH,
        "+     self.distiller.start_epoch()\n",
        "+     self.distiller\n",
        "modifications::lands and m07",
    ),
)

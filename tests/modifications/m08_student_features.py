"""Features and outputs come from the student's one pass."""

from __future__ import annotations

from edits import Edit, Fate, removed, sub
from promises import Break
from spelling import Place, Spelling
from statements import GUARDED, TRAINER, Patched, Sabotage, Scope, Spot, fail, in_order


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    train = checkout.trainer("_do_train")
    _, watch, _ = forward(train)
    if watch.beside(-1) != "batch = self.preprocess_batch(batch)":
        fail(f"expected watch() directly after preprocess_batch, not after {watch.beside(-1)!r}")
    forwards = [node.lineno for name in ("self.model", "self.model.predict") for node in train.calls(name)]
    for line in forwards or [0]:
        in_order(("watch()", watch.line), ("the student's forward pass", line))
    return f"{watch.beside(-1)} ... {watch.beside(1)}"


def forward(train: Scope) -> tuple[Spot, Spot, Spot]:
    """Return the autocast block of the batch loop, the watch() in it, and the loss that is added in it."""
    watch = train.one(r"self\.distiller\.watch\(\)").guarded()
    loss = train.one(r"self\.loss = self\.loss \+ self\.distiller\.loss\(batch\)$").guarded()
    autocast = watch.within(r"with .*autocast\(")
    if autocast is None or watch.around[-1] is not autocast or loss.around != watch.around:
        fail("expected watch() and the loss in the same block, directly under 'with autocast(...):'")
    if watch.within(r"for \w+, batch in ") is None:
        fail("expected the losses in the loop over the batches")
    return autocast, watch, loss


SABOTAGE = {
    "the student is watched after its forward pass": Sabotage(
        TRAINER, rf"(?s)({GUARDED}[^\n]*watch\(\)\n)(.*?self\.loss = loss\.sum\(\)\n)", r"\2\1"
    ),
}

_FORWARD = Place(TRAINER, r"^(?P<here>)(?P<indent> +)self\.tloss = (?!None)")

BY_HAND = {
    "the tutorial's": Spelling(
        _FORWARD,
        """
        pred_s= self.model(batch['img'])
        stu_features = get_fpn_features(batch['img'], self.model,fpn_layers=self.distill_layers)
        """,
    ),
    "only the outputs": Spelling(_FORWARD, 'pred_s = self.model(batch["img"])'),
    "only the features": Spelling(_FORWARD, "stu_features = self.features(batch)"),
    "another name": Spelling(_FORWARD, 'feats = get_fpn_features(batch["img"], self.model)'),
    "by keyword": Spelling(_FORWARD, 'feats = get_fpn_features(model=self.model, x=batch["img"])'),
    "of the model itself": Spelling(_FORWARD, 'feats = get_fpn_features(batch["img"], de_parallel(self.model))'),
    "outputs in a tuple": Spelling(_FORWARD, 'pred_s, rest = self.model(batch["img"]), None'),
    "features in a tuple": Spelling(_FORWARD, "(first, stu_features) = self.features(batch)"),
}


EDITS = {
    "no preprocess_batch": removed(TRAINER, r"batch = self\.preprocess_batch\("),
    "the batch is prepared in a branch": Edit(
        sub(
            TRAINER,
            r"^( +)(batch = self\.preprocess_batch\(batch\))$",
            r"\1if not self.args.rect:\n\1    \2\n\1else:\n\1    batch = self.prepare(batch)",
        ),
        Fate.EITHER,
    ),
    # As a fork's loop does that is written for one kind of model.
    "the forward pass by its own name": Edit(
        sub(
            TRAINER,
            r"^( +)((?:self\.)?loss, self\.loss_items) = self\.model\(batch\)$",
            r"\1preds = self.model.predict(batch['img'])\n\1\2 = self.model.loss(batch, preds)",
        ),
        Fate.PATCHED,
    ),
}

PATCH = "patches/08-student-features.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "the student is watched in its own forward pass",
        PATCH,
        "+         self.distiller.watch()\n",
        "+         self.distiller.watch\n",
        "modifications::lands and m08",
    ),
)

"""(second)  The losses of distillation join the student's."""

from __future__ import annotations

import re

from edits import Edit, Fate, both, on_statements, removed, sub, wrapped
from promises import Break
from spelling import Place, Spelling
from statements import GUARDED, TRAINER, Patched, Sabotage, Spot, fail, in_order

from modifications.m08_student_features import forward


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    train = checkout.trainer("_do_train")
    autocast, watch, loss = forward(train)
    inner = [spot for spot in train.spots if autocast in spot.around]
    means = [spot.line for spot in inner if spot.text.startswith("self.tloss = ")]
    sums = [
        spot for spot in inner if re.match(r"self\.loss( = |, | \*= | \+= )", spot.text) and loss not in spot.around
    ]
    scaled = [spot.line for spot in sums if spot.text.startswith("self.loss *= ")]
    for line in (*means, *(spot.line for spot in sums if not _adds(spot)), *scaled):
        in_order(("the student's own loss and mean", line), ("the losses of distillation", loss.line))
    if not means or not scaled or not sums:
        fail("expected the student's loss, its mean and its scaling in the autocast block")
    backward = train.one(r"self\.scaler\.scale\(self\.loss\)\.backward\(\)")
    in_order(("the losses of distillation", loss.line), ("backward", backward.line))
    if autocast in backward.around:
        fail("expected backward() outside of autocast")
    between = [spot.text for spot in inner if watch.line + 1 < spot.line < loss.line]
    return f"{autocast.text} {'; '.join(between)}"


def _adds(spot: Spot) -> bool:
    """Return whether a statement only adds to the loss, so that it may come after ours as well."""
    return bool(re.match(r"self\.loss (\+= |= self\.loss \+ )", spot.text))


SABOTAGE = {
    "the losses are part of the student's mean": Sabotage(
        TRAINER, rf"(?s)( +self\.tloss = \(\n.*?)({GUARDED}[^\n]*distiller\.loss[^\n]*\n)", r"\2\1"
    ),
    "the losses come after backward": Sabotage(
        TRAINER,
        rf"(?s){GUARDED} +(self\.loss = self\.loss \+ self\.distiller[^\n]*)\n(.*?\n)( +)(self\.scaler\.scale[^\n]*\n)",
        r"\2\3\4\3if self.model_t is not None:\n\3    \1\n",
    ),
    "the losses are scaled by the number of GPUs": Sabotage(
        TRAINER,
        r"(\n +)    (self\.loss = self\.loss \+ self\.distiller\.loss\(batch\))",
        r"\1    \2\1self.loss *= self.world_size",
    ),
    "the losses are overwritten": Sabotage(
        TRAINER,
        r"(\n +)    (self\.loss = self\.loss \+ self\.distiller\.loss\(batch\))",
        r"\1    \2\1self.loss = loss.sum()",
    ),
}

_BACKWARD = Place(TRAINER, r"^(?P<here>)(?P<indent> +)# Backward\n")

BY_HAND = {
    "the tutorial's": Spelling(
        _BACKWARD,
        """
        if self.model_t is not None:
            distill_weight = ((1 - math.cos(i * math.pi / len(self.train_loader))) / 2) * (0.1 - 1) + 1
            with torch.no_grad():
                pred_t_offline = self.model_t(batch['img'])
                tea_features = get_fpn_features(batch['img'], self.model_t,
                                                fpn_layers=self.distill_layers)  # forward
                self.featureloss = self.distillloss(stu_features, tea_features) * distill_weight
                self.loss += self.featureloss
            if self.distillonline:
                self.model_t.train()
                self.teacherloss, _ = self.model_t(batch, self.model_t(batch['img']))
                self.loss += self.teacherloss
            if self.logit_loss:
                self.logitloss = Distill_LogitLoss(pred_s, pred_t_offline)()
                self.loss += self.logitloss
        """,
    ),
    "only the logit part": Spelling(
        _BACKWARD,
        """
        if self.logit_loss:
            distill_logit = Distill_LogitLoss(pred_s, pred_t_offline)
            self.logitloss = distill_logit()
            self.loss += self.logitloss
        """,
    ),
    "only the online part": Spelling(
        _BACKWARD,
        """
        if self.distillonline:
            self.model_t.train()
            pred_t_online = self.model_t(batch['img'])
            self.teacherloss, _ = self.model_t(batch, pred_t_online)
            self.loss += self.teacherloss
        """,
    ),
    "only the features": Spelling(_BACKWARD, "tea_features = get_fpn_features(batch['img'], self.model_t)"),
    "the features by keyword": Spelling(_BACKWARD, "t = get_fpn_features(x=batch['img'], model=self.model_t)"),
    "the features of the teacher itself": Spelling(_BACKWARD, "t = get_fpn_features(x, de_parallel(self.model_t))"),
    "only the teacher's outputs": Spelling(_BACKWARD, "pred_t = self.model_t(batch['img'])"),
    "only the outputs' loss": Spelling(_BACKWARD, "extra = Distill_LogitLoss(outputs, pred_t)()"),
    "only the sum": Spelling(_BACKWARD, "self.loss += self.featureloss"),
    "only the sum, written out": Spelling(_BACKWARD, "self.loss = self.loss + self.logitloss"),
    "the loss by keyword": Spelling(_BACKWARD, "self.loss += self.distillloss(y_s=s, y_t=t)"),
}


EDITS = {
    "no mean": removed(TRAINER, r"self\.tloss = (?!None)"),
    "the mean without a gradient": Edit(
        wrapped(TRAINER, r"self\.tloss = (?!None)", "with torch.no_grad():"), Fate.REFUSED, 9
    ),
    "the batch without a gradient": Edit(
        wrapped(TRAINER, r"batch = self\.preprocess_batch", "with torch.no_grad():"), Fate.REFUSED, 9
    ),
    "the mean in a branch": Edit(wrapped(TRAINER, r"self\.tloss = (?!None)", "if self.args.plots:"), Fate.REFUSED),
    "a term of the loss": Edit(
        sub(
            TRAINER,
            r"^( +)(self\.loss = loss\.sum\(\)|self\.loss, self\.loss_items = self\.model\(batch\))$",
            r"\1\2\n\1self.loss = self.loss + 0.1 * self.penalty(batch)",
        ),
        Fate.PATCHED,
    ),
    "a term of the loss before backward": Edit(
        sub(TRAINER, r"^( +)(# Backward)$", r"\1self.loss += 0.1 * self.penalty(batch)\n\n\1\2"), Fate.PATCHED
    ),
    "a weighted sum of losses": Edit(
        sub(TRAINER, r"^( +)(# Backward)$", r"\1self.loss = 0.7 * self.loss + 0.3 * self.penalty(batch)\n\n\1\2"),
        Fate.PATCHED,
    ),
    "a distillation of one's own": Edit(
        both(
            sub(TRAINER, r"^( +)(self\.plot_idx = .*)$", r"\1\2\n\1self.teacher = self.args.teacher"),
            sub(TRAINER, r"^( +)(self\.ema = .*)$", r"\1\2\n\1self.compare = FeatureLoss(get_channels(self.model))"),
            on_statements(
                TRAINER,
                r"self\.tloss = (?!None)",
                lambda indent, lines: [
                    f"{indent}with torch.no_grad():\n",
                    f"{indent}    theirs = self.teacher(batch['img'])\n",
                    f"{indent}self.loss += self.compare(self.model(batch['img']), theirs)\n",
                    *lines,
                ],
            ),
        ),
        Fate.PATCHED,
    ),
}

PATCH = "patches/09-distillation-losses.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "the losses of distillation are in the loss that is minimized",
        PATCH,
        "+         self.loss = self.loss + self.distiller.loss(batch)\n",
        "+         self.distiller.loss(batch)\n",
        "modifications::lands and m09",
    ),
)

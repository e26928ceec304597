"""The row of the progress bar shows the three losses."""

from __future__ import annotations

import ast
import re
from types import SimpleNamespace

from edits import Edit, Fate, both, removed, sub
from promises import Break
from spelling import Place, Spelling
from statements import DETECT, TRAINER, Patched, Sabotage, fail, text_of

COLUMNS = {"dfeaLoss": 1.0, "dlineLoss": 2.0, "dlogitLoss": 3.0}


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    train = checkout.trainer("_do_train")
    calls = train.calls("pbar.set_description")
    if len(calls) != 1:
        fail(f"expected one row, found {len(calls)}")
    row = calls[0].args[0]
    check_format(row, "self.distill_items.values()")
    return re.sub(r", \*self\.distill_items\.values\(\)| \+ len\(self\.distill_items\)", "", text_of(row))


def check_format(row: ast.expr, ours: str) -> None:
    """Require a %-format to have as many places as values, without a teacher and with one, ours after the losses."""
    if not isinstance(row, ast.BinOp) or not isinstance(row.op, ast.Mod) or not isinstance(row.right, ast.Tuple):
        fail(f"expected a format of a tuple, found {text_of(row)}")
    values = row.right.elts
    starred = [i for i, value in enumerate(values) if isinstance(value, ast.Starred)]
    if len(starred) != 2 or starred[1] != starred[0] + 1 or text_of(values[starred[1]]) != f"*{ours}":
        fail(f"expected *{ours} directly after the losses, found {text_of(row.right)}")
    for items in ({}, COLUMNS):
        names = {node.id: 3 for node in ast.walk(row.left) if isinstance(node, ast.Name)}
        trainer = SimpleNamespace(loss_names=("a", "b", "c"), tloss=(1, 2, 3), distill_items=items)
        template = eval(compile(ast.Expression(row.left), "row", "eval"), {**names, "len": len, "self": trainer})
        places, given = template.count("%"), len(values) - 2 + 3 + len(items)
        if places != given:
            fail(f"the row has {places} places for {given} values")


SABOTAGE = {
    "the row has a place too few": Sabotage(TRAINER, r" \+ len\(self\.distill_items\)", ""),
    "the row has its values in the wrong order": Sabotage(
        TRAINER, r"( +\*self\.tloss\.values\(\),[^\n]*\n)( +\*self\.distill_items[^\n]*\n)", r"\2\1"
    ),
}

_ROW = Place(
    TRAINER, r"pbar\.set_description\([^*]*\*[^*]*\*[^*]*\*(?:losses|\(self\.tloss.*\)|self\.tloss.*),(?P<here>)"
)
_ROW_PLACES = Place(TRAINER, r"['\"]%11\.4g['\"] \* \((?P<here>2) \+")

BY_HAND = {
    "the tutorial's": Spelling(_ROW, " self.featureloss, self.teacherloss, self.logitloss,"),
    **{
        f"only {loss}": Spelling(_ROW, f" {loss},")
        for name in ("self.featureloss", "self.teacherloss", "self.logitloss")
        for loss in (name, f"float({name})", f"{name}.item()")
    },
    "a loss if there is a teacher": Spelling(_ROW, " self.featureloss if self.model_t else 0,"),
    "losses in a list": Spelling(_ROW, " *[self.teacherloss, self.logitloss],"),
    "losses in a list if there is a teacher": Spelling(_ROW, " *([self.featureloss] if self.model_t else []),"),
    "only the places": Spelling(_ROW_PLACES, "5"),
}


EDITS = {
    "no row": removed(TRAINER, r"pbar\.set_description\("),
    "another figure in the row": Edit(
        both(
            sub(TRAINER, r"(['\"]%11\.4g['\"] \* \()2 \+", r"\g<1>3 +"),
            sub(TRAINER, r"(batch\[['\"]img['\"]\]\.shape\[-1\])(,?(?:  #.*)?\s*\))", r"0.5, \1\2"),
        ),
        Fate.PATCHED,
    ),
    "the learning rate in the row, before the losses": Edit(
        both(
            sub(TRAINER, r"(['\"]%11s['\"] \* )2 \+", r"\g<1>3 +"),
            sub(TRAINER, r"(set_description\([^*]*\*[^*]*\*[^*]*)(\*(?:losses|\(?self\.tloss))", r"\1self.lr, \2"),
            sub(DETECT, r"\(4( \+ len\(self\.loss_names\))", r"(5\1"),
            sub(DETECT, r"(['\"]GPU_mem['\"],)", r"\1 'lr',"),
        ),
        Fate.PATCHED,
    ),
}

PATCH = "patches/10-progress-row.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "places that are left are recognised: modification 10",
        PATCH,
        "  ($TEXTS + $NUMBERS * (5 + $LOSSES))",
        "  ($TEXTS + $NUMBERS * (6 + $LOSSES))",
        "modifications::sign_of_what and 10",
    ),
    Break(
        "the row has a value for each place",
        PATCH,
        "+         *self.distill_items.values(),\n",
        "+         *self.distill_items,\n",
        "modifications::lands and m10",
    ),
)

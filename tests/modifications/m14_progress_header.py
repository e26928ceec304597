"""The three losses have headings, columns and curves."""

from __future__ import annotations

import ast
from types import SimpleNamespace
from typing import Any

from edits import Edit, Fate, on_statements, removed, renamed, sub
from promises import Break
from spelling import Place, Spelling
from statements import DETECT, PLOTTING, TRAINER, Patched, Sabotage, fail, function_of, in_order

from modifications.m10_progress_row import COLUMNS, check_format


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    header = checkout.scope(DETECT, "DetectionTrainer.progress_string")
    row = header.one("return ").statement
    assert isinstance(row, ast.Return) and row.value
    check_format(row.value, "self.distill_items")
    return f"{_labels(checkout)}; {_curves(checkout)}"


class _Items(dict[str, float]):
    """Stands in for what AddLoss.py gives the trainer."""

    def labeled(self, prefix: str) -> dict[str, float]:
        return {f"{prefix}/{key}": value for key, value in self.items()}


def _labels(checkout: Patched) -> str:
    """Ask a trainer for its labels: the losses of distillation follow upstream's, and their names stay apart."""
    detect = checkout.scope(DETECT, "DetectionTrainer")
    own = any(isinstance(node, ast.FunctionDef) and node.name == "label_loss_items" for node in detect.node.body)
    scope = checkout.scope(DETECT, "DetectionTrainer.label_loss_items") if own else checkout.trainer("label_loss_items")
    label = function_of(scope)
    trainer = SimpleNamespace(loss_names=["box", "cls"], distill_items=_Items(COLUMNS))
    losses: Any = [1.0, 2.0] if own else {"box": 1.0, "cls": 2.0}
    expected = {"train/box": 1.0, "train/cls": 2.0, **trainer.distill_items.labeled("train")}
    labeled = label(trainer, losses, prefix="train")
    if list(labeled.items()) != list(expected.items()) or label(trainer, prefix="val") != ["val/box", "val/cls"]:
        fail(f"expected {scope.name} to give {expected}, not {labeled}")
    return f"{scope.name}: {scope.spots[-1].text if not own else 'dict(zip(...))'}"


def _curves(checkout: Patched) -> str:
    plot = checkout.scope(PLOTTING, "plot_results")
    curves = plot.one(r"fig, ax, (\w+) = add_distill_curves\(fig, ax, \1, save_dir\)$")
    name = curves.text.split(" = ")[0].rpartition(" ")[2]
    checkout.imports(PLOTTING, "add_distill_curves", "curves_in")
    if curves.beside(1) != "ax = ax.ravel()":
        fail(f"expected it directly before the axes become a list, not before {curves.beside(1)!r}")
    made = [spot.line for spot in plot.all(r"fig, ax = plt\.subplots\(")]
    used = plot.one(rf"for \w+, \w+ in curves_in\({name}, data\.columns\)")
    in_order(("the figure", max(made, default=0)), ("the curves", curves.line), ("the drawing", used.line))
    return f"plot_results: {name}"


SABOTAGE = {
    "the header has a heading too many": Sabotage(DETECT, r"len\(self\.distill_items\)", "0"),
    "the labels are lost": Sabotage(TRAINER, r"return \{\*\*labeled, [^\n]*", "return labeled"),
    "the curves come after the axes": Sabotage(
        PLOTTING, r"( +fig, ax, columns = add_distill_curves[^\n]*\n)([^\n]*\n)", r"\2\1"
    ),
}

_HEADER_PLACES = Place(DETECT, r"(?P<here>\(['\"]\\n['\"] \+ ['\"]%11s['\"] \*\s*\(4) \+ len\(self\.loss_names\)")
_HEADER = Place(DETECT, r"['\"]GPU_mem['\"],\s*\*self\.loss_names,(?P<here>)")

BY_HAND = {
    "the tutorial's": Spelling(_HEADER, " 'dfeaLoss', 'dlineLoss', 'dlogitLoss',"),
    "a list": Spelling(_HEADER, ' *["dfeaLoss", "dlineLoss", "dlogitLoss"],'),
    "only the features' loss": Spelling(_HEADER, ' *("dfeaLoss",),'),
    "only the teacher's loss": Spelling(_HEADER, ' "dlineLoss",'),
    "only the logit loss": Spelling(_HEADER, ' "dlogitLoss",'),
    "only the places": Spelling(_HEADER_PLACES, '("\\n" + "%11s" * (7'),
}


EDITS = {
    "progress_string renamed": renamed(DETECT, "progress_string"),
    "plot_results renamed": renamed(PLOTTING, "plot_results"),
    "no axes": removed(PLOTTING, r"ax = ax\.ravel\(\)"),
    "another column in the header": Edit(
        sub(
            DETECT, r"\(4( \+ len\(self\.loss_names\))(?s:(.*?))\*self\.loss_names,", r"(5\1\2*self.loss_names, 'mine',"
        ),
        Fate.PATCHED,
    ),
    "a statement between the columns and the figure": Edit(
        on_statements(PLOTTING, r"columns = \(", lambda indent, lines: [*lines, f"{indent}columns = columns[:20]\n"]),
        Fate.PATCHED,
    ),
}

PATCH = "patches/14-progress-header.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "places that are left are recognised: modification 14",
        PATCH,
        "  ($START + $TEXTS * (7 + len(self.loss_names)))",
        "  ($START + $TEXTS * (8 + len(self.loss_names)))",
        "modifications::sign_of_what and 14",
    ),
    Break(
        "the header has a heading for each figure",
        PATCH,
        "+     *self.distill_items,\n",
        "",
        "display::stands_under and 8.2.50",
    ),
)

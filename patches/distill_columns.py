# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""The columns of distillation: in the progress bar, in results.csv and in its curves."""

from __future__ import annotations

import logging
import os
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

LOGGER = logging.getLogger("ultralytics")
RANK = int(os.getenv("RANK", "-1"))


class Term(NamedTuple):
    """What one term of the loss of distillation is called: its column, its weight, and its value at the trainer."""

    column: str
    weight: str
    attribute: str


# The terms, in the order of their columns in the progress bar and in results.csv.
TERMS = {
    "feature": Term("dfeaLoss", "distill_feat_weight", "featureloss"),
    "online": Term("dlineLoss", "distill_online_weight", "teacherloss"),
    "logit": Term("dlogitLoss", "distill_logit_weight", "logitloss"),
}
COLUMNS = tuple(term.column for term in TERMS.values())
_CURVES = tuple(f"train/{column}" for column in COLUMNS)


class DistillItems(dict):
    """Running means over the epoch of the losses of distillation, by column; empty without a teacher."""

    batches = 0  # that the means are of

    def restart(self):
        """Begin new means, all of them zero."""
        self.batches = 0
        self.update(dict.fromkeys(COLUMNS, 0.0))

    def add(self, values):
        """Take the losses of one more batch into the means.

        Args:
            values (dict[str, torch.Tensor | float]): By column.
        """
        for column, value in values.items():
            self[column] = (self[column] * self.batches + value) / (self.batches + 1)
        self.batches += 1

    def labeled(self, prefix):
        """Return them as results.csv and loggers name them; {} for "val", distillation has losses in training only."""
        return {f"train/{k}": round(float(v), 5) for k, v in self.items()} if prefix == "train" else {}


def set_aside_results(trainer):
    """Rename the results.csv of an earlier run in the same folder, if it has other columns than this run will have.

    Releases up to 8.3 add their rows to it, and then cannot read it: a row has more fields than the header.

    Args:
        trainer (BaseTrainer): Its run begins, in this process, with a teacher or without.
    """
    taught, file = trainer.model_t is not None, Path(trainer.save_dir) / "results.csv"
    if RANK not in (-1, 0) or trainer.resume or not file.is_file():
        return
    if (_CURVES[0].encode() in file.read_bytes().partition(b"\n")[0]) == taught:
        return
    numbers = chain(("",), count(2))  # in a name of which upstream draws no curves
    aside = next(name for n in numbers if not (name := file.with_name(f"earlier_results{n}.csv")).exists())
    file.replace(aside)
    LOGGER.warning(f"{file} is of a run {'without' if taught else 'with'} a teacher, it is now {aside.name}")


def add_distill_curves(fig, ax, curves, save_dir):
    """Make room for the losses of distillation among the curves that upstream plots from results.csv.

    Args:
        fig (matplotlib.figure.Figure): Upstream's figure.
        ax (np.ndarray): Its axes.
        curves (list[str] | list[int]): The columns that upstream plots, by name or, in older releases, by number.
        save_dir (Path): The folder of results.csv.

    Returns:
        (tuple): Figure, axes and curves, ours last and by name; those given if no file has losses of distillation.
    """
    files = Path(save_dir).glob("results*.csv")
    columns = {column.strip() for file in files for column in file.read_text().split("\n", 1)[0].split(",")}
    ours = [column for column in _CURVES if column in columns]
    if not ours:
        return fig, ax, curves
    import matplotlib.pyplot as plt

    curves = [*curves, *ours]
    plt.close(fig)
    fig, ax = plt.subplots(2, (len(curves) + 1) // 2, figsize=(len(curves) + 2, 6), tight_layout=True)
    ax.flat[-1].set_visible(len(curves) % 2 == 0)
    return fig, ax, curves


def curves_in(curves, columns):
    """Yield the curves that one file of results has, each with the number of its axes.

    Args:
        curves (list[str] | list[int | str]): What add_distill_curves has returned. Older releases count the columns, as
            they are without those of distillation.
        columns (Iterable[str]): The columns of the file.

    Yields:
        (tuple[int, str | int]): The number of the axes, and the column as upstream asks for it, by name or by number.
    """
    columns = [column.strip() for column in columns]
    ours = [column for column in _CURVES if column in columns]
    first = columns.index(ours[0]) if ours else len(columns)
    counted = isinstance(curves[0], int)
    for axes, curve in enumerate(curves):
        if isinstance(curve, int):
            yield axes, curve if curve < first else curve + len(ours)
        elif curve in ours or curve not in _CURVES:
            yield axes, columns.index(curve) if counted else curve

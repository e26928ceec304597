"""Distillation with a real release: one process, many short trainings, and what they leave behind."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

from training import QUICK, Run, execute

# The columns of the progress bar and of results.csv that distillation adds.
LOSSES = ("dfeaLoss", "dlineLoss", "dlogitLoss")
COLUMNS = tuple(f"train/{loss}" for loss in LOSSES)


class Table(NamedTuple):
    """What results.csv holds."""

    columns: list[str]
    rows: list[list[float]]

    def column(self, name: str) -> list[float]:
        """Return the values of a column, one per epoch."""
        return [row[self.columns.index(name)] for row in self.rows]


def results(run: Run, name: str) -> Table:
    """Return the results.csv of one of the trainings of a run."""
    header, *rows = (run.folder / name / "results.csv").read_text(encoding="utf-8").splitlines()
    return Table([column.strip() for column in header.split(",")], [[*map(float, row.split(","))] for row in rows])


def said(run: Run) -> dict[str, str]:
    """Return what was logged in each training of a run, by the name that its script has printed after TRAINING."""
    parts = run.log.split("TRAINING ")[1:]
    return {part.partition("\n")[0].strip(): part for part in parts}


def lesson(
    tree: Path,
    folder: Path,
    data: Path,
    code: str,
    variables: dict[str, str] | None = None,
    python: Path | None = None,
    limit: float = 300,
    **settings: Any,
) -> Run:
    """Run code with a release and the names of `isolated/classroom.py`; all its trainings have these settings.

    It runs in a fork of this Python, unless it is to run with another one.
    """
    common = json.dumps({**QUICK, "data": str(data), "project": str(folder), **settings})
    code = "import torch\nfrom ultralytics import YOLO\nfrom classroom import *\n\n" + textwrap.dedent(code)
    return execute(tree, folder, code, common, variables=variables, python=python, limit=limit)


def yolo(tree: Path, folder: Path, *arguments: str, fails: bool = False) -> Run:
    """Run `yolo train` with a release, as its console script does."""
    return execute(
        tree, folder, "from ultralytics.cfg import entrypoint\n\nentrypoint()", "train", *arguments, fails=fails
    )

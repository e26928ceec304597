"""With no teacher a patched release is the pristine one: the same numbers bit for bit, the same output."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lessons import results
from training import Run, execute, train

# What everybody relies on who has no teacher is shown on two releases, not on one.
pytestmark = pytest.mark.training(core=("8.0.150", "8.4.190"))

RELEASES = ("8.0.150", "8.2.50", "8.3.150", "8.3.200", "8.4.0", "8.4.190")

# A row of the progress bar, up to where the bar begins.
ROW = re.compile(r"^(?:\x1b\[K)?(\s*(\d+/\d+) [^:]*):", flags=re.MULTILINE)


def numbers(run: Run) -> list[list[float]]:
    """Return the results, without the column of seconds that later releases have."""
    table = results(run, "run")
    kept = [i for i, column in enumerate(table.columns) if column != "time"]
    return [[row[i] for i in kept] for row in table.rows]


def progress(run: Run) -> list[str]:
    """Return what the progress bar says of losses: the headings, and the last state of each epoch's row."""
    text = run.log.replace("\r", "\n")
    headings = [line for line in text.splitlines() if "GPU_mem" in line]
    rows = {epoch: row for row, epoch in ROW.findall(text)}
    return [*headings, *rows.values()]


@pytest.mark.parametrize("version", RELEASES)
def test_a_run_without_a_teacher_is_the_pristine_releases(
    version: str, checkout: Callable[[str], Path], patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    trees = {"pristine": checkout(version), "patched": patched(version)}
    options = {"model": "yolov8n.yaml", "data": digits, "epochs": 2, "nbs": 8}
    runs = {name: train(tree, tmp_path / name, **options) for name, tree in trees.items()}
    pristine, ours = runs["pristine"], runs["patched"]

    assert numbers(ours) == numbers(pristine)
    assert results(ours, "run").columns == results(pristine, "run").columns
    assert progress(ours) == progress(pristine)
    assert "box_loss" in progress(ours)[0]
    assert [line.split()[0] for line in progress(ours)[-2:]] == ["1/2", "2/2"]

    compare = """
    import sys, torch
    one, other = (torch.load(path, weights_only=False)["model"].state_dict() for path in sys.argv[1:])
    report(same=list(one) == list(other) and all(torch.equal(v, other[k]) for k, v in one.items()))
    """
    weights = [str(run.weights) for run in (pristine, ours)]
    assert execute(trees["pristine"], tmp_path / "compare", compare, *weights).facts == {"same": True}

"""A checkout whose hand-made edits were replaced trains, with a teacher and without, and goes back to what it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from test_hand_edits import hand_patched_files
from training import train

from distillpatch.cli import main

pytestmark = pytest.mark.training


@pytest.mark.parametrize("release", ["8.0.237", "8.2.50", "8.4.190"])
def test_it_trains_with_a_teacher_and_without(
    release: str, checkout: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    tree = checkout(release)
    before = {path: content for path, content in hand_patched_files(release).items() if content is not None}
    for path, content in before.items():
        (tree / path).write_bytes(content)
    command = CliRunner()
    assert command.invoke(main, ["apply", str(tree), "--replace-hand-edits"]).exit_code == 0
    alone = train(tree, tmp_path / "alone", "yolov8n.yaml", digits)
    assert "train/dfeaLoss" not in alone.results[0]
    teacher = str(alone.weights)
    taught = train(
        tree, tmp_path / "taught", "yolov8n.yaml", digits, model_t=teacher, distill_recipe="tutorial", logit_loss=True
    )
    assert taught.results[0]["train/dfeaLoss"] > 0 and taught.results[0]["train/dlogitLoss"] > 0
    assert command.invoke(main, ["revert", str(tree)]).exit_code == 0
    assert {path: (tree / path).read_bytes() for path in before} == before

"""`make gpu` on a CPU, in miniature: whatever a GPU will be asked can be asked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from gpu import GPU
from gpu_page import write_page
from learning_arms import DEFAULT

pytestmark = pytest.mark.training

SCRIPT = Path(__file__).resolve().parent.parent / "tools/gpu.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_every_part_measures_and_is_on_the_page(tmp_path: Path) -> None:
    page = tmp_path / "gpu.md"
    done = run("both", str(page), "--device", "cpu", "--stage", str(tmp_path / "stage"))
    assert done.returncode == 0, done.stderr[-2000:]
    text = page.read_text()
    losses = re.findall(r"(?m)^\| (.+) \| finite \|$", text)
    assert {"default", "tutorial", "cwd", "mgd", "mimic", "mse logits", "soft logits", "online"} <= set(losses)
    assert "not finite" not in text
    steps = re.findall(r"(?m)^\| yolov8n to yolov8n \| (.+?) \| [\d.]+ ms \|", text)
    assert steps == ["plain", "default", "tutorial", "upstream's distill_model", "floor"]
    assert re.findall(r"(?m)^\| yolov8n \| (.+?) \| [\d.]+ ms \|", text) == ["as it is", "channels_last"]


def test_the_page_compares_students_by_seed_and_says_what_was_not_as_planned(tmp_path: Path) -> None:
    maps = {("alone", 0): 0.6, ("alone", 1): 0.5, (DEFAULT, 0): 0.7, (DEFAULT, 1): 0.54}
    students = [{"arm": arm, "seed": seed, "map": value, "steps": 4000} for (arm, seed), value in maps.items()]
    ways = {"cwd": (True, 50, True), "pkd": (False, 50, True), "mgd": (True, 7, True), "mimic": (True, 50, False)}
    finite = [
        {"loss": loss, "release": "8.4.190", "finite": ends, "steps": steps, "amp": amp}
        for loss, (ends, steps, amp) in ways.items()
    ]
    page = tmp_path / "gpu.md"
    write_page(page, {"finite": finite, "cost": [], "layouts": [], "learn": students}, "a GPU", GPU._asdict(), 60)
    lines = page.read_text().splitlines()
    assert "| alone | 4,000 | 0.600 | 0.500 | - |" in lines
    assert f"| {DEFAULT} | 4,000 | 0.700 | 0.540 | +0.070 |" in lines
    assert {
        "| cwd | finite |",
        "| pkd | **not finite** |",
        "| mgd | **7 steps** |",
        "| mimic | **AMP was off** |",
    } <= set(lines)


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    done = run("measure", str(tmp_path / "gpu.md"))
    assert done.returncode == 1
    assert "no CUDA device" in done.stderr
    assert not (tmp_path / "gpu.md").exists()

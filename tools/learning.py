"""Measure what a student learns alone, from upstream's own distillation, and from each of ours: `make learning`.

One teacher, one student of half its width, a few epochs of digits. Each way of training starts from several seeds, and
all students are examined on the same images, more than any of them was trained on. It takes half an hour on two cores.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from demo import HALVE, ONE_THREAD, RELEASE, SHORT, SIZE, TEACHER, TEACHER_EPOCHS, console
from digits import make_digits
from releases import unpack
from rich.progress import track
from rich.table import Table
from training import execute

STAGE = Path(__file__).resolve().parent.parent / "build" / "learning"

TRAINING_IMAGES, EXAMINED_IMAGES = 320, 400
EPOCHS = 10
SEEDS = (0, 1, 2)

CODE = """
from ultralytics import YOLO
student = YOLO({model!r})
student.train(**{arguments!r})
examined = YOLO({weights!r}).val(data={examination!r}, imgsz={size}, device="cpu", workers=0, plots=False)
report(map=float(examined.box.map))
"""


def ways(teacher: str) -> dict[str, dict[str, Any]]:
    """Return the arguments of each way of training a student."""
    ours = {"model_t": teacher}
    logits = {**ours, "logit_loss": True}
    return {
        "alone": {},
        "upstream's distill_model": {"distill_model": teacher},
        "cwd": ours,
        "mgd": {**ours, "distill_feat_type": "mgd"},
        "mimic": {**ours, "distill_feat_type": "mimic"},
        "cwd, weight 10": {**ours, "distill_feat_weight": 10.0},
        "cwd and logits": logits,
        "cwd and logits, weight 5": {**logits, "distill_logit_weight": 5.0},
        "cwd and logits, weight 20": {**logits, "distill_logit_weight": 20.0},
    }


def main(parts: list[str]) -> None:
    """Train by each way, or by those that have one of some texts in their name, and print a table."""
    STAGE.mkdir(parents=True, exist_ok=True)
    tree = unpack(RELEASE, STAGE / "checkout")
    shell = [sys.executable, "-m", "distillpatch", "apply", "--ultralytics-path", str(tree)]
    if os.spawnv(os.P_WAIT, sys.executable, shell):
        raise SystemExit("learning: the release could not be patched")
    data = str(make_digits(STAGE / "digits", round(TRAINING_IMAGES / 0.8), SIZE))
    examination = str(make_digits(STAGE / "examination", EXAMINED_IMAGES * 5, SIZE, seed=1))
    execute(tree, STAGE / "half", HALVE)
    student = str(STAGE / "half/yolov8n-half.yaml")

    def train(name: str, model: str, **options: Any) -> float:
        folder = STAGE / "runs" / name.replace(", ", "-").replace(" ", "-").replace("'", "")
        arguments = {**SHORT, "data": data, "project": str(folder), **options}
        weights = str(folder / "run/weights/last.pt")
        code = CODE.format(model=model, arguments=arguments, weights=weights, examination=examination, size=SIZE)
        return float(execute(tree, folder, code, limit=1800, variables=ONE_THREAD).facts["map"])

    teacher = train("teacher", TEACHER, epochs=TEACHER_EPOCHS)
    chosen = ways(str(STAGE / "runs/teacher/run/weights/last.pt"))
    chosen = {name: way for name, way in chosen.items() if not parts or any(part in name for part in parts)}
    jobs = [(name, seed) for seed in SEEDS for name in chosen]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(
            lambda job: train(f"{job[0]} {job[1]}", student, epochs=EPOCHS, seed=job[1], **chosen[job[0]]), jobs
        )
        accuracies = dict(zip(jobs, track(found, total=len(jobs), console=console), strict=True))

    table = Table("", "mAP50-95", "spread", *(f"seed {seed}" for seed in SEEDS), title=f"the teacher: {teacher:.3f}")
    for name in chosen:
        values = [accuracies[name, seed] for seed in SEEDS]
        table.add_row(name, f"{mean(values):.3f}", f"{stdev(values):.3f}", *(f"{value:.3f}" for value in values))
    console.print(table)


if __name__ == "__main__":
    main(sys.argv[1:])

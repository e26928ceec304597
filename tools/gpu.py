"""Measure on a GPU: `make gpu`. Under 8 minutes; nothing is downloaded while it measures.

    python tools/gpu.py prepare              # here: build/gpu gets patched releases, images, a teacher and a start
    python tools/gpu.py measure [PAGE]       # there: any machine with CUDA, PyTorch and what ultralytics imports
    python tools/gpu.py                      # both

Only build/gpu and tools/ are needed to measure, so they can be carried to a machine without a network. The page,
docs/gpu.md by default, answers: is every loss finite under AMP, what does a step cost in seconds and memory, does it
pay to give the teacher another memory layout or to compile it, and what does a student learn in a longer lesson.
`--device cpu` goes the same way in miniature: it shows that the script works, and measures nothing of interest.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from gpu_page import write_page
from training import QUICK, isolated_variables

# Before each fact in what gpu_run.py prints.
MARK = "::measured:: "

CLONE = Path(__file__).resolve().parent.parent
STAGE = CLONE / "build/gpu"
PAGE = CLONE / "docs/gpu.md"
RELEASES = ("8.2.50", "8.3.200", "8.4.190")


class Size(NamedTuple):
    """How much is measured."""

    device: str
    releases: tuple[str, ...]
    steps: int  # of each loss under AMP, and of each kind of step
    image: int
    batch: int
    pairs: tuple[tuple[str, str], ...]  # (teacher, student), of which steps are timed
    lesson: int  # steps of a student's lesson
    seeds: tuple[int, ...]
    seconds: float  # for the lessons: they all end by then


GPU = Size("0", RELEASES, 50, 640, 32, (("s", "n"), ("l", "n")), 25_600, (0, 1, 2), 200)
CPU = Size("cpu", RELEASES[-1:], 5, 64, 2, (("n", "n"),), 0, (), 0)

KINDS = {
    "default": {"model_t": "teacher.pt"},
    "tutorial": {"model_t": "teacher.pt", "distill_recipe": "tutorial"},
    "upstream's distill_model": {"distill_model": "teacher.pt"},
}


def prepare(size: Size, stage: Path) -> None:
    """Put all that is needed to measure into one folder."""
    from digits import make_digits  # needs scikit-learn, which a machine with a GPU need not have
    from releases import unpack

    shutil.rmtree(stage, ignore_errors=True)
    for release in size.releases:
        tree = unpack(release, stage / release)
        apply = [sys.executable, "-m", "distillpatch", "apply", "--ultralytics-path", str(tree)]
        subprocess.run(apply, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    make_digits(stage / "digits", images=round(size.steps * size.batch / 0.8), size=min(size.image, 128))
    if size.lesson:
        _prepare_lesson(stage / "lesson")


def _prepare_lesson(folder: Path) -> None:
    """Copy the teacher, the start and the images of `make learning`."""
    import learning_stage
    from learning_arms import LESSONS

    folder.mkdir(parents=True)
    shutil.copy(learning_stage.teacher("digits", LESSONS["few"].teacher_epochs), folder / "teacher.pt")
    shutil.copy(learning_stage.start("digits"), folder / "start.pt")
    data = learning_stage.data("digits")
    for kind in ("images", "labels"):
        for part in ("few", "exam", "glance"):
            shutil.copytree(data / kind / part, folder / kind / part)
    names = "names: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']\n"
    (folder / "few.yaml").write_text(f"train: images/few\nval: images/glance\n{names}", encoding="utf-8")
    (folder / "exam.yaml").write_text(f"train: images/exam\nval: images/exam\n{names}", encoding="utf-8")


def measure(size: Size, stage: Path) -> dict[str, list[dict[str, Any]]]:
    """Measure every part, and return what was found by part."""
    amp = size.device != "cpu"
    steps = {**QUICK, "device": size.device, "amp": amp, "data": str(stage / "digits/data.yaml"), "val": False}
    small = {**steps, "imgsz": min(size.image, 128), "batch": size.batch, "project": str(stage / "runs")}
    large = {**small, "imgsz": size.image, "cache": "ram"}
    newest = size.releases[-1]
    found: dict[str, list[dict[str, Any]]] = {"finite": [], "cost": [], "layouts": [], "learn": []}
    for release in size.releases:
        for fact in _call(stage, release, "finite", settings=small, teacher=f"yolov8{size.pairs[0][0]}.yaml"):
            found["finite"].append({"release": release, **fact})
    for teacher, student in size.pairs:
        models = {"teacher": f"yolov8{teacher}.yaml", "student": f"yolov8{student}.yaml"}
        found["cost"] += _call(stage, newest, "cost", settings=large, kinds=KINDS, **models)
    found["layouts"] = _call(stage, newest, "layouts", settings=large, teacher=models["teacher"], compiled=amp)
    if size.lesson:
        found["learn"] = _learn(size, stage, newest)
    return found


def _learn(size: Size, stage: Path, release: str) -> list[dict[str, Any]]:
    """Train all students beside each other, for as long as there is: one of 96 px leaves most of a GPU idle."""
    folder = stage / "lesson"
    epochs = size.lesson * 16 // 128
    # "time" is in hours, and takes the place of the epochs: the schedule is fitted to what can be done by then.
    common = {**QUICK, "imgsz": 96, "batch": 16, "nbs": 16, "optimizer": "AdamW", "lr0": 0.003, "cos_lr": True}
    common.update(epochs=epochs, time=size.seconds / 3600, device=size.device, amp=True, cache="ram", val=False)
    common.update(mosaic=0.0, translate=0.1, scale=0.3, fliplr=0.0, warmup_epochs=0.5, data=str(folder / "few.yaml"))
    jobs = []
    for seed in size.seeds:
        for name, arguments in {"alone": {}, "default": {"model_t": str(folder / "teacher.pt")}}.items():
            settings = {**common, "seed": seed, "name": f"{name}-{seed}", "project": str(stage / "runs/learn")}
            options = {"settings": settings, "start": str(folder / "start.pt"), "exam": str(folder / "exam.yaml")}
            jobs.append({**options, "arguments": arguments})
    with ThreadPoolExecutor(len(jobs)) as pool:
        parts = pool.map(lambda job: _call(stage, release, "learn", **job), jobs)
        return [fact for part in parts for fact in part]


def _call(stage: Path, release: str, part: str, **options: Any) -> list[dict[str, Any]]:
    """Run a part in a process that imports a release, and return what it measured."""
    folder = stage / "work" / f"{part}-{release}-{time.monotonic_ns()}"
    folder.mkdir(parents=True)
    environment = isolated_variables(stage / release, folder / "config")
    if options["settings"]["device"] != "cpu":
        environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // 8))
    command = [sys.executable, str(Path(__file__).with_name("gpu_run.py")), part, json.dumps(options)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"gpu: {part} failed with {release}:\n{(done.stdout + done.stderr)[-3000:]}")
    lines = (line.partition(MARK)[2] for line in done.stdout.splitlines())
    return [json.loads(line) for line in lines if line]


def machine(device: str) -> str:
    """Return what the figures were measured on."""
    import torch

    name = platform.processor() or platform.machine() if device == "cpu" else torch.cuda.get_device_name(int(device))
    return f"{name}, {os.cpu_count()} cores, PyTorch {torch.__version__}, {datetime.now(timezone.utc):%Y-%m-%d}"


def main(arguments: list[str]) -> None:
    """Prepare, measure, or both."""
    parser = ArgumentParser(prog="gpu", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", nargs="?", choices=["prepare", "measure", "both"], default="both")
    parser.add_argument("page", nargs="?", type=Path, default=PAGE)
    parser.add_argument("--device", choices=["gpu", "cpu"], default="gpu")
    parser.add_argument("--stage", type=Path, default=STAGE)
    chosen = parser.parse_args(arguments)
    size = CPU if chosen.device == "cpu" else GPU
    if size is GPU and chosen.what != "prepare":
        import torch

        if not torch.cuda.is_available():
            raise SystemExit(
                "gpu: PyTorch finds no CUDA device here; run it on a machine with one, or with --device cpu"
            )
    if chosen.what != "measure":
        prepare(size, chosen.stage)
    if chosen.what != "prepare":
        started = time.monotonic()
        found = measure(size, chosen.stage)
        write_page(chosen.page, found, machine(size.device), size._asdict(), time.monotonic() - started)


if __name__ == "__main__":
    main(sys.argv[1:])

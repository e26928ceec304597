"""Measure on a GPU: `make gpu`. Under 8 minutes; nothing is downloaded while it measures.

    python tools/gpu.py prepare              # here: build/gpu gets patched releases, images, a teacher and a start
    python tools/gpu.py measure [PAGE]       # there: any machine with CUDA, PyTorch and what ultralytics imports
    python tools/gpu.py                      # both

Only build/gpu, tools/ and what `make learning` has in the cache folder are needed to measure, so they can be carried to
a machine without a network. The page, docs/gpu.md by default, answers: is every loss finite under AMP, what does a step
cost in seconds and memory, does it pay to give the teacher another memory layout or to compile it, and what do students
learn in a few minutes. All that was measured is kept in build/gpu/facts.json, also if a part fails, which ends with 1.
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
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from gpu_page import Facts, write_page
from learning_arms import DEFAULT
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
    epochs: int  # in which these are made
    image: int
    batch: int
    pairs: tuple[tuple[str, str], ...]  # (teacher, student), of which steps are timed
    seeds: tuple[int, ...]  # of the students
    minutes: float  # for which each student learns
    workers: int  # that load images for the steps that are timed


GPU = Size("0", RELEASES, 50, 10, 640, 32, (("s", "n"), ("l", "n")), (0, 1, 2), 3.3, 8)
CPU = Size("cpu", RELEASES[-1:], 5, 1, 64, 2, (("n", "n"),), (), 0, 0)

KINDS = {
    "default": {"model_t": "teacher.pt"},
    "tutorial": {"model_t": "teacher.pt", "distill_recipe": "tutorial"},
    "upstream's distill_model": {"distill_model": "teacher.pt"},
}

STUDENTS = ("alone", DEFAULT)


def prepare(size: Size, stage: Path) -> None:
    """Put all that is needed to measure into one folder."""
    from digits import VALIDATION, make_digits  # needs scikit-learn, which a machine with a GPU need not have
    from releases import unpack

    shutil.rmtree(stage, ignore_errors=True)
    for release in size.releases:
        tree = unpack(release, stage / release)
        apply = [sys.executable, "-m", "distillpatch", "apply", "--ultralytics-path", str(tree)]
        subprocess.run(apply, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    images = size.steps // size.epochs * size.batch
    make_digits(stage / "digits", images=round(images / (1 - VALIDATION)), size=min(size.image, 128))
    if size.seeds:
        _prepare_lesson()


def _prepare_lesson() -> None:
    """Make what students need, in the cache folder: a teacher, a start, both releases, images."""
    import learning_stage
    from learning_arms import LESSONS

    learning_stage.teacher("digits", LESSONS["few"].teacher_epochs)
    learning_stage.start("digits")
    learning_stage.patched_tree(learning_stage.code())


def measure(size: Size, stage: Path) -> Found:
    """Measure every part: what is timed alone, and then, beside each other, what is not."""
    found = Found(stage)
    amp = size.device != "cpu"
    steps = {**QUICK, "device": size.device, "amp": amp, "data": str(stage / "digits/data.yaml"), "val": False}
    steps["epochs"] = size.epochs
    small = {**steps, "imgsz": min(size.image, 128), "batch": size.batch, "project": str(stage / "runs")}
    # Steps are timed without loading their images, which would only take time.
    large = {**small, "imgsz": size.image, "cache": "ram", "mosaic": 0.0, "workers": size.workers}
    newest = size.releases[-1]
    for teacher, student in size.pairs:
        models = {"teacher": f"yolov8{teacher}.yaml", "student": f"yolov8{student}.yaml"}
        found.add("cost", newest, settings=large, kinds=KINDS, **models)
    found.add("layouts", newest, settings=large, teacher=models["teacher"], compiled=amp)
    finite = partial(found.add, "finite", settings=small, teacher="yolov8n.yaml")
    calls = [partial(finite, release) for release in size.releases]
    if size.seeds:
        calls.append(partial(found.learn, size))
    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(call) for call in calls]:
            done.result()
    return found


class Found:
    """What was measured, by part, and what could not be."""

    def __init__(self, stage: Path) -> None:
        """Begin with nothing."""
        self.stage = stage
        self.facts: dict[str, Facts] = {"finite": [], "cost": [], "layouts": [], "learn": []}
        self.failures: list[str] = []

    def add(self, part: str, release: str, **options: Any) -> None:
        """Measure a part in a process that imports a release; what it found before it failed counts."""
        folder = self.stage / "work" / f"{part}-{release}-{time.monotonic_ns()}"
        folder.mkdir(parents=True)
        environment = isolated_variables(self.stage / release, folder / "config")
        if options["settings"]["device"] != "cpu":
            environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // 8))
        done = _run("gpu_run.py", part, json.dumps(options), cwd=folder, env=environment)
        lines = (line.partition(MARK)[2] for line in done.stdout.splitlines())
        facts = [{"release": release, **json.loads(line)} for line in lines if line]
        self._keep(part, f"{part} with {release}", facts, done)

    def learn(self, size: Size) -> None:
        """Teach all students at once, by the runs of `make learning`: one of 96 px leaves most of a GPU idle."""
        rows = self.stage / "rows.jsonl"
        rows.unlink(missing_ok=True)
        options = {"--device": [size.device], "--rows": [str(rows)], "--minutes": [size.minutes], "--arm": STUDENTS}
        options |= {"--seed": size.seeds, "--processes": [len(size.seeds) * len(STUDENTS)]}
        arguments = [str(part) for name, values in options.items() for value in values for part in (name, value)]
        done = _run("learning.py", "run", *arguments)
        facts = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
        self._keep("learn", "the students", facts, done)

    def _keep(self, part: str, called: str, facts: Facts, done: subprocess.CompletedProcess[str]) -> None:
        self.facts[part] += facts
        if done.returncode:
            self.failures.append(called)
            print(f"gpu: failed: {called}\n{(done.stdout + done.stderr)[-3000:]}", file=sys.stderr)
        (self.stage / "facts.json").write_text(json.dumps(self.facts, indent=1), encoding="utf-8")


def _run(script: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


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
        write_page(chosen.page, found.facts, machine(size.device), size._asdict(), time.monotonic() - started)
        if found.failures:
            raise SystemExit(f"gpu: failed, and not on the page: {', '.join(found.failures)}; see above")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Measure what students learn alone and from a teacher: `make learning`, see docs/learning/protocol.md.

    python tools/learning.py run [--data NAME] [--regime NAME] [--arm NAME] [--seed N] ...   # repeat an option for more
    python tools/learning.py page      # write docs/learning.md from the rows
    python tools/learning.py check     # the default against alone, shorter: `make learning-check`

A run that is done is a row in docs/learning/rows.jsonl, and is not run again; stop the command whenever you like. It
runs one process a core; a second command beside it takes other runs. With `--device 0` students learn on a GPU under
AMP, each a process of its own; these rows lie in docs/learning/gpu.jsonl, since two machines are not to be compared.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from statistics import mean
from typing import Any

import learning_rows
import learning_stage as stage
import yaml
from demo import ONE_THREAD, console
from filelock import FileLock, Timeout
from learning_arms import (
    ARMS,
    CHECK,
    DEFAULT,
    FIRST_GENERATION,
    FIRST_MASTER,
    FIRST_TEACHER,
    FIRST_TUNING_SEED,
    IMAGES,
    MASTER,
    PATCHED,
    REGIMES,
    TEACHER,
    Job,
    plan,
)
from learning_data import SIZE
from learning_report import interval, write_page
from learning_variants import VARIANTS
from training import execute

# The curve of mAP over steps has this many points; one seed in `CURVES` has one.
POINTS = 4
CURVES = (0, 1)

EXAMINE = """
import torch
from ultralytics import YOLO, __version__

def examine(weights):
    box = YOLO(weights).val(data={exam!r}, imgsz={size}, device={device!r}, workers=0, plots=False, batch=16).box
    return [round(float(box.map), 5), round(float(box.map50), 5)]

report(versions={{"ultralytics": __version__, "torch": torch.__version__}})
if {device!r} != "cpu":
    report(gpu=torch.cuda.get_device_name())
"""

MASTER_CODE = """
final = examine({weights!r})
report(map=final[0], map50=final[1], curve=[], cpu=0, wall=0, steps=0)
"""

CODE = """
import time

import torch
from ultralytics.engine import trainer as upstream

def now():
    return time.process_time(), time.perf_counter()

def begin(trainer):
    begun[:] = now()

def count(trainer):
    cpu, wall = (end - start for end, start in zip(now(), begun))
    counted.update(cpu=cpu, wall=wall, steps=(trainer.epoch + 1) * len(trainer.train_loader))

# On a GPU, upstream downloads weights to look whether AMP is sound there.
upstream.check_amp = lambda _: True
{variant}
begun, counted = [], {{}}
student = YOLO({start!r})
if {nudged!r}:
    with torch.no_grad():
        for parameter in student.model.parameters():
            parameter.mul_(1 + 1e-6 * torch.randn(parameter.shape))
student.add_callback("on_train_start", begin)
student.add_callback("on_train_epoch_end", count)
student.train(**{arguments!r})

final = examine({weights!r} + "/last.pt")
curve = [examine({weights!r} + "/epoch%d.pt" % epoch)[0] for epoch in {points!r}]
report(map=final[0], map50=final[1], curve=curve + final[:1] if curve else [], **counted)
"""


class Bench:
    """What one command works with: the patches of this clone, a device, and a place for its runs."""

    def __init__(self, rows: Path, device: str = "cpu", minutes: float = 0) -> None:
        """Look at the patches; they may change while the command works, and the patched tree does not.

        With some minutes, a run takes that long, and makes as many steps as it can.
        """
        self.rows = rows
        self.device = device
        # One image of 96 px takes a GPU no longer than it takes to load it.
        self.settings = {} if device == "cpu" else {"device": device, "amp": True, "workers": 1}
        self.settings |= {"time": minutes / 60} if minutes else {}
        self.code = stage.code()
        self.trees = {True: stage.patched_tree(self.code), False: stage.pristine_tree()}

    def run(self, job: Job) -> None:
        """Make a run and write its row, unless it is done or another process is at it."""
        claim = stage.HOME / "claims" / f"{job.slug}.lock"
        claim.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(claim, timeout=0):
                if not learning_rows.done(job, learning_rows.read(self.rows)):
                    row = self._train(job)
                    learning_rows.add(row, self.rows)
                    console.print(f"{datetime.now():%H:%M} {job.data} {job.regime} {job.arm} {job.seed}: {row['map']}")
        except Timeout:
            pass

    def _train(self, job: Job) -> dict[str, Any]:
        """Make a run, and return its row."""
        data, folder = stage.data(job.data), stage.HOME / "runs" / job.slug
        shutil.rmtree(folder, ignore_errors=True)
        exam = str(data / f"{job.exam.replace('/', '-')}.yaml")
        script = EXAMINE.format(exam=exam, size=SIZE, device=self.device)
        if job.arm in (MASTER, FIRST_MASTER):
            which = stage.teacher if job.arm == MASTER else stage.first_teacher
            script += MASTER_CODE.format(weights=str(which(job.data, job.lesson.teacher_epochs)))
        else:
            script += self._lesson(job, data, folder)
        patched = job.arm in PATCHED
        run = execute(self.trees[patched], folder, script, python=sys.executable, limit=7200, variables=ONE_THREAD)
        row = self._row(job, run.facts, _settings(folder / "run/args.yaml") if patched else {})
        shutil.rmtree(folder / "run/weights", ignore_errors=True)
        return row

    def _lesson(self, job: Job, data: Path, folder: Path) -> str:
        """Return the code that trains a student."""
        pace = job.lesson.epochs // POINTS
        paths = {
            TEACHER: lambda: stage.teacher(job.data, job.lesson.teacher_epochs),
            FIRST_TEACHER: lambda: stage.first_teacher(job.data, job.lesson.teacher_epochs),
            FIRST_GENERATION: lambda: self._first_generation(job, data),
            IMAGES: lambda: data / "images" / ("tuning/many" if job.tuning else "many"),
        }
        arguments = {
            **_settings_of_a_student(job, data),
            **self.settings,
            "project": str(folder),
            "save_period": pace,
            **{
                name: str(paths[value]()) if isinstance(value, str) and value in paths else value
                for name, value in ARMS[job.arm].items()
            },
        }
        return CODE.format(
            start=str(stage.start(job.data)),
            nudged=job.arm == "alone again",
            arguments=arguments,
            variant=VARIANTS.get(job.arm, ""),
            weights=str(folder / "run/weights"),
            points=[pace * point for point in range(1, POINTS)] if job.seed in CURVES and not self.settings else [],
        )

    def _first_generation(self, job: Job, data: Path) -> Path:
        """Return the weights of the student that learned alone in the place of this one."""
        arguments = _settings_of_a_student(job, data)
        return stage.model(job.data, job._replace(arm="alone").slug, str(stage.start(job.data)), **arguments)

    def _row(self, job: Job, facts: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
        patched, steps = job.arm in PATCHED, facts["steps"] or job.lesson.steps
        return {
            **job._asdict(),
            "tuning": job.tuning,
            "map": facts["map"],
            "map50": facts["map50"],
            "curve": facts["curve"],
            "steps": steps,
            "cpu_seconds_per_step": round(facts["cpu"] / steps, 4),
            "seconds_per_step": round(facts["wall"] / steps, 4),
            "arguments": ARMS.get(job.arm, {}),
            "settings": settings,
            "patches": self.code.digest if patched else None,
            "commit": self.code.commit,
            "versions": {**facts["versions"], "python": platform.python_version()},
            "machine": machine(facts.get("gpu")),
            "date": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M}",
        }


def _settings_of_a_student(job: Job, data: Path) -> dict[str, Any]:
    """Return the arguments that all arms of a job share."""
    return {
        **stage.SETTINGS,
        **(stage.AUGMENTATION if job.lesson.augmented else {}),
        "data": str(data / f"{job.part.replace('/', '-')}.yaml"),
        "epochs": job.lesson.epochs,
        "seed": job.seed,
        # The start was trained without classes, and upstream goes on with that unless it is told otherwise.
        "single_cls": False,
    }


def _settings(path: Path) -> dict[str, Any]:
    """Return the settings of distillation that a run used, defaults included, but for paths."""
    arguments = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = {key: arguments[key] for key in arguments if key.startswith(("distill", "logit_loss"))}
    return {key: value for key, value in found.items() if key not in ("distill_model", "distill_images")}


def machine(gpu: str | None = None) -> str:
    """Return the GPU, or else the processor, and the number of cores that this machine gives."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{gpu or (names[0] if names else platform.machine())}, {os.cpu_count()} cores"


def main(arguments: list[str]) -> None:
    """Run what is asked for and not done, then write the page."""
    parser = ArgumentParser(prog="learning", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", nargs="?", choices=["run", "page", "check"], default="run")
    parser.add_argument("--data", action="append", help="data set; digits by default")
    parser.add_argument("--regime", action="append", choices=list(REGIMES))
    parser.add_argument("--arm", action="append", choices=list(ARMS))
    parser.add_argument("--seed", action="append", type=int)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu", help="what students learn on: cpu, or a GPU, 0 for example")
    parser.add_argument("--minutes", type=float, default=0, help="how long a run takes, instead of its steps")
    parser.add_argument("--rows", type=Path, help="file of the rows, of which no page is written")
    chosen = parser.parse_args(arguments)
    if chosen.what == "check":
        check(chosen.processes)
        return
    if chosen.what == "run":
        names = chosen.data or ["digits"]
        jobs = list(plan(names, chosen.regime or ["few"], chosen.arm or list(ARMS), chosen.seed or [0, 1, 2]))
        if chosen.rows or chosen.device != "cpu":
            rows = chosen.rows or learning_rows.ROWS.with_name("gpu.jsonl")
            run_all(jobs, Bench(rows, chosen.device, chosen.minutes), chosen.processes)
            return
        if chosen.minutes:
            parser.error("--minutes needs --rows or a --device: all runs of docs/learning.md have the same steps")
        masters = [Job(name, "all", MASTER, seed) for name in names for seed in (0, FIRST_TUNING_SEED)]
        run_all(masters + jobs, Bench(learning_rows.ROWS), chosen.processes)
    write_page(learning_rows.read())


def run_all(jobs: list[Job], bench: Bench, processes: int) -> None:
    """Make the runs that are not done, some at a time."""
    with ThreadPoolExecutor(processes) as pool:
        for future in [pool.submit(bench.run, job) for job in jobs]:
            future.result()


def check(processes: int) -> None:
    """Compare the default with alone, from fresh short runs, and exit with 1 if the default is worse for sure."""
    rows = stage.CLONE / "build/learning-check.jsonl"
    rows.unlink(missing_ok=True)
    run_all(list(plan(["digits"], [CHECK], ["alone", DEFAULT], [0, 1, 2, 3])), Bench(rows), processes)
    maps = {(row["arm"], row["seed"]): row["map"] for row in learning_rows.read(rows)}
    gains = [value - maps["alone", seed] for (arm, seed), value in maps.items() if arm == DEFAULT]
    gain, margin = mean(gains), interval(gains)
    console.print(f"{DEFAULT} over alone: {gain:+.3f} ± {margin:.3f} mAP50-95, {len(gains)} seeds")
    if gain + margin < 0:
        raise SystemExit("learning: students learn less with the default distillation than alone")


if __name__ == "__main__":
    main(sys.argv[1:])

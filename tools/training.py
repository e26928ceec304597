"""Real training with a given release, in a process of its own.

    run = train(tree, folder, model="yolov8n.yaml", data=data, epochs=1)      # plain training
    run = execute(tree, folder, "from ultralytics import YOLO; ...")          # anything, with that release imported

The process imports ultralytics from the tree, knows no other configuration than its own, and cannot reach the network.
The code calls `report(name=value, ...)` for each answer, and `run.facts` holds them all. It runs in a fork of a process
that has PyTorch imported, which saves five seconds, see `fork_server.py`, or in the interpreter that `python` names.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from fork_server import ISOLATED, Forked, fork

if TYPE_CHECKING:
    from collections.abc import Callable

    # What starts a script, with its arguments, in a folder, with these variables, and has it print to a file.
    Start = Callable[[list[str], Path, dict[str, str], IO[bytes]], subprocess.Popen[bytes] | Forked]

# What makes a training short. `workers=0`, because starting one takes longer than loading a few images; `plots=False`,
# because drawing takes longer than training; `deterministic=False`, because it imports PyTorch's compiler, which takes
# 3 seconds: on the CPU the seed alone makes a training repeatable.
QUICK: dict[str, Any] = {
    "epochs": 1,
    "imgsz": 64,
    "batch": 8,
    "device": "cpu",
    "workers": 0,
    "amp": False,
    "plots": False,
    "seed": 0,
    "deterministic": False,
    "name": "run",
    "exist_ok": True,
}

# Before what `report` prints, so that it is found among what ultralytics prints.
MARK = "::report:: "

PRELUDE = f"""\
import json

def report(**facts):
    print({MARK!r} + json.dumps(facts), flush=True)

"""


class Run(NamedTuple):
    """What a process left: all that it printed, what it reported, and the folder that it ran in."""

    log: str
    facts: dict[str, Any]
    folder: Path

    @property
    def results(self) -> list[dict[str, float]]:
        """Return the rows of `results.csv`, one per epoch."""
        header, *rows = (self.folder / "run/results.csv").read_text(encoding="utf-8").splitlines()
        names = [name.strip() for name in header.split(",")]
        return [dict(zip(names, map(float, row.split(",")), strict=True)) for row in rows]

    @property
    def weights(self) -> Path:
        """Return where the last checkpoint lies."""
        return self.folder / "run/weights/last.pt"


class TrainingError(AssertionError):
    """A process that failed, or that took too long, with the end of what it printed."""


def train(tree: Path, folder: Path, model: str, data: Path, limit: float = 600, **arguments: Any) -> Run:
    """Train a model with the release in `tree`; the results lie under `folder/run`.

    Arguments are those of `YOLO.train`, written into the code that runs, so they are plain values.
    """
    chosen = {**QUICK, "data": str(data), "project": str(folder), **arguments}
    code = f"from ultralytics import YOLO\n\nYOLO({model!r}).train(**{chosen!r})\n"
    return execute(tree, folder, code, limit=limit)


def execute(
    tree: Path,
    folder: Path,
    code: str,
    *arguments: str,
    python: Path | str | None = None,
    limit: float = 600,
    variables: dict[str, str] | None = None,
    fails: bool = False,
) -> Run:
    """Run code with the release in `tree` first on the path, in `folder`, which is created.

    With `fails`, the process has to exit with an error, and it is an error if it does not. Without a `python`, it is a
    fork of this one that has PyTorch imported.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "script.py"
    script.write_text(PRELUDE + textwrap.dedent(code), encoding="utf-8")
    environment = {**isolated_variables(tree, folder / "config"), **(variables or {})}
    start = functools.partial(_start, python) if python else fork
    log = _run(start, [str(script), *arguments], folder, environment, limit, fails)
    facts: dict[str, Any] = {}
    for line in log.splitlines():
        # A progress bar may have left its own text before the mark.
        _, mark, report = line.partition(MARK)
        if mark:
            facts.update(json.loads(report))
    return Run(log, facts, folder)


def isolated_variables(tree: Path, config: Path) -> dict[str, str]:
    """Return the environment in which the release in `tree` is imported, alone and offline."""
    _give_font(config)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "YOLO_"))}
    # Test workers share the processor: each training gets its part of it.
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join([str(tree.resolve()), str(ISOLATED)]),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "YOLO_CONFIG_DIR": str(config.resolve()),
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        # Releases before 8.3 load their own checkpoints without saying that they hold more than weights.
        "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1",
    }


def _give_font(config: Path) -> None:
    """Put a font where ultralytics would download one to, in old releases even if nothing is plotted."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec is not None and spec.origin is not None, "matplotlib is not installed"
    font = Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    for folder in (config, config / "Ultralytics"):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(font, folder / "Arial.ttf")


def _start(
    python: Path | str, command: list[str], folder: Path, variables: dict[str, str], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start an interpreter in a session of its own, so that the workers of a multi-process training end with it."""
    command = [str(python), *command]
    return subprocess.Popen(
        command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )


def _run(start: Start, command: list[str], folder: Path, variables: dict[str, str], limit: float, fails: bool) -> str:
    """Run a process to its end and return what it printed, which is kept in `folder/log.txt`, too."""
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = start(command, folder, variables, output)
        try:
            code = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            raise TrainingError(f"not done after {limit} s\n{_tail(log)}") from None
        finally:
            _end(process)
    if (code != 0) != fails:
        raise TrainingError(f"exit code {code}, {'expected a failure' if fails else 'expected 0'}\n{_tail(log)}")
    return log.read_text(encoding="utf-8", errors="replace")


def _end(process: subprocess.Popen[bytes] | Forked) -> None:
    """End a process, and those that it started, if they have not ended."""
    if process.poll() is None:
        os.killpg(process.pid, 9)
        process.wait(timeout=60)


def _tail(log: Path, lines: int = 40) -> str:
    """Return the end of a log, where the reason is."""
    text = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n")
    return "\n".join(text.splitlines()[-lines:])

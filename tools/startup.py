"""Measure what a command takes to start, and `diff` beside what it cannot do without.

    python tools/startup.py [ROUNDS]     # medians of 15 interleaved runs, in seconds of processor time

All commands take turns, so that a machine that is slow or busy is so for all of them. The figures are in docs/cost.md.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import releases

from distillpatch.patch_sets import built_in

RELEASE = "8.4.190"

# What `diff` cannot do without: its imports, and a look of LibCST's parser at the files that it edits.
FLOOR = """
import gc, sys
gc.disable()
import libcst
from distillpatch import cli, commands
from distillpatch.report import diff, results
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        libcst.parse_module(file.read())
"""


def processor_time(command: Sequence[str], root: Path, *, check: bool = True) -> float:
    """Return the seconds of processor time that a command takes in a folder; it has to succeed if `check` says so."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DISTILLPATCH")}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, cwd=root, env=environment, check=check, **quiet)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main(rounds: int = 15) -> None:
    """Print the median of each command."""
    python = [sys.executable]
    distillpatch = [*python, "-m", "distillpatch"]
    with tempfile.TemporaryDirectory() as folder:
        root = releases.unpack(RELEASE, Path(folder))
        edited = [path for path in built_in().edited_files if (root / path).exists()]
        commands = {
            "python": [*python, "-c", ""],
            "import click": [*python, "-c", "import click"],
            "--version": [*distillpatch, "--version"],
            "--help": [*distillpatch, "--help"],
            "status": [*distillpatch, "status"],
            "diff": [*distillpatch, "diff"],
            "floor of diff": [*python, "-c", FLOOR, *edited],
        }
        taken = [{name: processor_time(command, root) for name, command in commands.items()} for _ in range(rounds)]
    medians = {name: median(row[name] for row in taken) for name in commands}
    for name, value in medians.items():
        print(f"{name:14} {value:6.3f} s, least {min(row[name] for row in taken):6.3f} s")
    print(f"diff / floor   {medians['diff'] / medians['floor of diff']:6.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

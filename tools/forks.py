"""Checkouts that people have changed: what distillpatch does with each of them, in one table.

    make forks DIR=~/forks                  # every checkout below a folder
    python tools/forks.py ~/forks --full    # with the whole message of each refusal

Each checkout is copied, and the copy goes through what `make matrix` does with a release: it is patched, compiled,
examined for where each modification landed, patched again (nothing happens), compared with its diff, and reverted to
the byte. The checkouts themselves are only read. A failure here is a promise that was broken; a refusal is none.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import matrix
from rich.console import Console
from rich.table import Table
from rich.text import Text

from distillpatch.errors import DistillpatchError

PACKAGE = "ultralytics"
_READ = {".py", ".yaml", ".toml", ".cfg"}


class Verdict(Enum):
    """What became of a checkout."""

    PATCHED = "patched"
    MISPLACED = "patched, misplaced"
    REFUSED = "refused"
    BROKEN = "broken"


_STYLES = {Verdict.PATCHED: "green", Verdict.MISPLACED: "yellow", Verdict.REFUSED: "cyan", Verdict.BROKEN: "red"}


@dataclass(frozen=True)
class Result:
    """What became of one checkout.

    Attributes:
        name: Its folder, relative to the one that was searched.
        release: The version that it states, "" if there is no telling.
        verdict: What became of it.
        reason: Where it was misplaced, why it was refused, or what broke.
        told: The classes that distillpatch says will not distill, and the lines that it says it leaves.
    """

    name: str
    release: str
    verdict: Verdict
    reason: str = ""
    told: tuple[str, ...] = ()


def checkouts(folder: Path) -> Iterator[Path]:
    """Yield the folders below ``folder`` that hold a package with a trainer, whatever its name."""
    for trainer in sorted(folder.rglob("engine/trainer.py")):
        package = trainer.parent.parent
        if (package / "__init__.py").is_file() and not (package.parent / "__init__.py").is_file():
            yield package.parent


def examine(folder: Path, root: Path) -> Result:
    """Take a copy of one checkout through everything.

    Args:
        folder: The folder that was searched.
        root: The checkout in it.
    """
    name = str(root.relative_to(folder))
    with tempfile.TemporaryDirectory(prefix="forks-") as scratch:
        trees = [_copy(root, Path(scratch) / kind) for kind in ("tree", "copy")]
        release = ""
        told: tuple[str, ...] = ()
        try:
            situation = matrix.situation(trees[0])
            release = situation.checkout.release
            (plan,) = situation.stack.plans
            told = tuple(str(each) for each in (*plan.own_versions, *plan.notes))
            found = matrix.round_trip(*trees)
        except matrix.Broken as error:
            return Result(name, release, Verdict.BROKEN, str(error))
        except DistillpatchError as error:
            return Result(name, release, Verdict.REFUSED, str(error).replace(scratch, ""))
        except Exception as error:  # whatever it is, it must not hide the other checkouts
            return Result(name, release, Verdict.BROKEN, f"{type(error).__name__}: {error}")
    verdict = Verdict.MISPLACED if found.failures else Verdict.PATCHED
    return Result(name, release, verdict, "\n".join(found.failures), told)


def _copy(root: Path, into: Path) -> Path:
    """Copy what distillpatch could read of a checkout."""
    for package in root.iterdir():
        if (package / "engine" / "trainer.py").is_file():
            shutil.copytree(package, into / package.name, ignore=_unread)
    return into


def _unread(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_file() and Path(name).suffix not in _READ]


def shortened(reason: str) -> str:
    """Return the modifications that a message names, and what it says of them, in a line or two."""
    numbers = dict.fromkeys(re.findall(r"modification (\d+)", reason))
    first = reason.split("\n", 1)[0]
    named = f" [{', '.join(numbers)}]" if len(numbers) > 1 else ""
    return f"{first if len(first) < 160 else first[:157] + '...'}{named}"


def table(results: Sequence[Result], *, full: bool) -> Table:
    """Return the table of verdicts.

    Args:
        results: The results.
        full: Whether to show whole messages.
    """
    made = Table("checkout", "release", "verdict", "why, and what the user is told")
    for result in results:
        verdict = Text(result.verdict.value, style=_STYLES[result.verdict])
        reason = result.reason if full else shortened(result.reason)
        told = [line.partition(f"{PACKAGE}/")[2] for line in result.told]
        made.add_row(result.name, result.release, verdict, Text("\n".join([*filter(None, [reason]), *told])))
    return made


def main(arguments: list[str]) -> int:
    """Examine the checkouts below a folder, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description="Show what distillpatch does with checkouts that people have changed.")
    parser.add_argument("folder", type=Path, help="where the checkouts are, at any depth")
    parser.add_argument("--full", action="store_true", help="show whole messages")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes, one a processor by default")
    options = parser.parse_args(arguments)
    folder = options.folder.resolve()
    roots = list(checkouts(folder))
    if not roots:
        print(f"forks: found no checkout below {folder}: expected a package with engine/trainer.py", file=sys.stderr)
        return 1
    with multiprocessing.Pool(options.workers) as pool:
        results = pool.map(functools.partial(examine, folder), roots, chunksize=1)
    console = Console(width=None if sys.stdout.isatty() else 220)
    console.print(table(results, full=options.full))
    counts = Counter(result.verdict.value for result in results)
    counts["with something to tell"] = sum(bool(result.told) for result in results)
    console.print(f"{len(results)} checkouts: {', '.join(f'{n} {verdict}' for verdict, n in counts.most_common())}")
    return 1 if any(result.verdict is Verdict.BROKEN for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

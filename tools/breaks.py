"""Break each promise once and see a test fail: `make breaks`, or `python tools/breaks.py PART-OF-A-NAME...`.

A test that passes whatever the program does shows nothing. Each break is one change that is made in a copy of the
project, and the test that is named beside it has to fail there. The breaks are in `tests/promises`, with one module for
each part of the program, and in `tests/modifications`, with the rest that is known of a modification.
"""

from __future__ import annotations

import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import modifications
import promises
from promises import Break
from rich.console import Console
from rich.markup import escape
from rich.progress import track

PROJECT = Path(__file__).resolve().parent.parent
COPIED = ("distillpatch", "patches", "tests", "tools", "docs", "pyproject.toml", "README.md", "LICENSE", "Makefile")

# How pytest exits if some of the tests failed, if none did, and if there were none; any other code says that the file
# of the tests is not there.
SOME_FAILED, NONE_FAILED, NONE_RAN = 1, 0, 5

# A break that the tests of `make test` notice is known sooner than by those that only `make thorough` has.
SOONER, ALL = ["-m", "not slow"], []

# Breaks that are tried at a time. Trainings share the processor by the number of pytest's workers, which this is here:
# more threads than cores would spend most of their time on waiting for each other.
AT_A_TIME = os.cpu_count() or 1


def breaks() -> list[Break]:
    """Return all breaks: of the parts of the program, and of the modifications."""
    parts = [import_module(f"promises.{module.name}") for module in pkgutil.iter_modules(promises.__path__)]
    return [change for module in (*parts, *modifications.ALL.values()) for change in module.BREAKS]


def outcome(change: Break) -> str:
    """Make a change in a copy of the project and run the test; return what failed, or "" if nothing did."""
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "project"
        for name in COPIED:
            source = PROJECT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                copy.mkdir(exist_ok=True)
                shutil.copy(source, copy / name)
        broken = copy / change.file
        broken.write_text(broken.read_text(encoding="utf-8").replace(change.old, change.new), encoding="utf-8")
        for some in (SOONER, ALL):
            exit_code, failed = _run(change.test, copy, some)
            if exit_code == SOME_FAILED:
                return failed
            if exit_code not in (NONE_FAILED, NONE_RAN):
                break  # a test that did not run has noticed nothing
    return ""


def _run(test: str, copy: Path, some: list[str]) -> tuple[int, str]:
    """Run a test in a copy of the project; return how pytest exits, and what failed."""
    module, _, chosen = test.partition("::")
    options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={copy.parent}/tests", *some]
    command = [sys.executable, "-m", "pytest", *options, f"tests/test_{module}.py", *(["-k", chosen] if chosen else [])]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTEST_XDIST_WORKER_COUNT": str(AT_A_TIME)}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    return done.returncode, ", ".join(re.findall(r"^(?:FAILED|ERROR) tests/test_(\S+)", done.stdout, re.MULTILINE))


def main(parts: list[str]) -> None:
    """Make each break, or those whose promise has one of some texts in it, and fail if a test does not notice."""
    chosen = [change for change in breaks() if not parts or any(part in change.promise for part in parts)]
    stale = [change for change in chosen if change.old not in (PROJECT / change.file).read_text(encoding="utf-8")]
    if stale:
        raise SystemExit("\n".join(f"{each.promise}: {each.file} has no {each.old!r} any more" for each in stale))
    console, unnoticed = Console(), 0
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for change, failed in zip(chosen, track(pool.map(outcome, chosen), total=len(chosen)), strict=True):
            unnoticed += not failed
            verdict = "noticed" if failed else "[red]NOT NOTICED[/]"
            console.print(f"{verdict}  {change.promise}  [dim]{escape(failed)}[/]")
    console.print(f"{len(chosen) - unnoticed} of {len(chosen)} broken promises were noticed")
    sys.exit(unnoticed > 0)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Break each promise once and see a test fail: `make breaks`, or `python tools/breaks.py PART-OF-A-NAME...`.

A test that passes whatever the program does shows nothing. Each break is one change that is made in a copy of the
project, and the test that is named beside it has to fail there, and to pass once the change is undone: a test that
fails anyway shows nothing either. The breaks are in `tests/promises`, with one module for each part of the program,
and in `tests/modifications`, with the rest that is known of a modification.
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

NOTICED, UNNOTICED, ANYWAY = "noticed", "[red]NOT NOTICED[/]", "[red]FAILS WITHOUT THE BREAK AS WELL[/]"

# A break that the tests of `make test` notice is known sooner than by those that only `make thorough` has.
SOONER, ALL = ["-m", "not slow"], []

# Breaks that are tried at a time. Trainings share the processor by the number of pytest's workers, which this is here:
# more threads than cores would spend most of their time on waiting for each other.
AT_A_TIME = os.cpu_count() or 1


def breaks() -> list[Break]:
    """Return all breaks: of the parts of the program, and of the modifications."""
    parts = [import_module(f"promises.{module.name}") for module in pkgutil.iter_modules(promises.__path__)]
    return [change for module in (*parts, *modifications.ALL.values()) for change in module.BREAKS]


def outcome(change: Break) -> tuple[str, str]:
    """Make a change in a copy of the project, run the test, and run what failed once more without the change.

    Args:
        change: The change, and the test that has to notice it.

    Returns:
        One of the verdicts, and what failed.
    """
    with tempfile.TemporaryDirectory() as temporary:
        copy = _copied(Path(temporary) / "project")
        broken = copy / change.file
        sound = broken.read_text(encoding="utf-8")
        broken.write_text(sound.replace(change.old, change.new), encoding="utf-8")
        failed = _noticing(change.test, copy)
        if not failed:
            return UNNOTICED, ""
        broken.write_text(sound, encoding="utf-8")
        exit_code, _ = _run(copy, [f"tests/{failed}"])
    return (NOTICED if exit_code == NONE_FAILED else ANYWAY), failed


def _copied(copy: Path) -> Path:
    """Copy the project as far as its tests need it, and return the copy."""
    copy.mkdir()
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    return copy


def _noticing(test: str, copy: Path) -> str:
    """Return the first test that fails among those named, or "" if none does."""
    module, _, chosen = test.partition("::")
    for some in (SOONER, ALL):
        exit_code, failed = _run(copy, [*some, f"tests/test_{module}.py", *(["-k", chosen] if chosen else [])])
        if exit_code == SOME_FAILED:
            return failed
        if exit_code not in (NONE_FAILED, NONE_RAN):
            break  # a test that did not run has noticed nothing
    return ""


def _run(copy: Path, tests: list[str]) -> tuple[int, str]:
    """Run tests in a copy of the project until one fails; return how pytest exits, and which it was."""
    options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={copy.parent}/tests"]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTEST_XDIST_WORKER_COUNT": str(AT_A_TIME)}
    command = [sys.executable, "-m", "pytest", *options, *tests]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    failed = re.search(r"^(?:FAILED|ERROR) tests/(.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    return done.returncode, failed[1] if failed else ""


def main(parts: list[str]) -> None:
    """Make each break, or those whose promise has one of some texts in it, and fail if a test does not notice."""
    chosen = [change for change in breaks() if not parts or any(part in change.promise for part in parts)]
    stale = [change for change in chosen if change.old not in (PROJECT / change.file).read_text(encoding="utf-8")]
    if stale:
        raise SystemExit("\n".join(f"{each.promise}: {each.file} has no {each.old!r} any more" for each in stale))
    console, noticed = Console(), 0
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        outcomes = track(pool.map(outcome, chosen), total=len(chosen))
        for change, (verdict, failed) in zip(chosen, outcomes, strict=True):
            noticed += verdict == NOTICED
            console.print(f"{verdict}  {change.promise}  [dim]{escape(failed)}[/]")
    console.print(f"{noticed} of {len(chosen)} broken promises were noticed")
    sys.exit(noticed < len(chosen))


if __name__ == "__main__":
    main(sys.argv[1:])

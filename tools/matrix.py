"""Every release: patched for real, checked for where each modification landed, and taken back.

    make matrix                                # all releases on the package index
    make matrix RELEASES="8.4.190 8.4.191"     # some of them
    make matrix RELEASES="all --docs docs/releases.md"

For each release a fresh tree is unpacked, as far as distillpatch reads or writes it. The modifications are applied,
every touched file is compiled and examined (see `landings.py`), they are applied again (nothing happens), the example
patch set of the documentation is planned on top of them, the diff is applied to a second tree by git (which then equals
the first), and the revert gives every byte and every mode back.

Releases that have the same code around every edit are of one shape. The table names each shape with its releases, and
says what is new in it.
"""

from __future__ import annotations

import argparse
import functools
import gc
import hashlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import landings
from releases import ReleaseError, all_releases, version_key, wheel
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from trees import Tree, everything

from distillpatch.commands import Situation, Standing, examine, reach
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import make_plan, paths
from distillpatch.engine.refusal import require
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.places import current
from distillpatch.patch_sets import built_in, load
from distillpatch.report.diff import unified_diff
from distillpatch.tree.checkout import locate
from distillpatch.wanted import as_it_is, with_set, without_set

EXAMPLE = Path(__file__).resolve().parent.parent / "docs/example-patches/print-lr"

# Anything but the modes that new files get, so that a revert has to care.
_MODES = (0o640, 0o755, 0o604)


@dataclass(frozen=True)
class Shape:
    """What tells one shape of releases from another: for each modification, the code that it hangs on."""

    neighbours: tuple[tuple[int, str], ...]

    def news(self, previous: Shape | None) -> list[tuple[int, str]]:
        """Return what differs from another shape, by modification."""
        known = previous.neighbours if previous else ()
        return [pair for pair in self.neighbours if pair not in known]


@dataclass(frozen=True)
class Result:
    """What became of one release.

    Attributes:
        release: The release.
        files: A digest of the files that distillpatch edits, as released.
        shape: Its shape, None if it could not be patched.
        failures: What went wrong.
        seconds: What it took.
    """

    release: str
    files: str
    shape: Shape | None
    failures: tuple[str, ...]
    seconds: float


_PAGE = """\
# Supported releases

{summary}: {span}.
Checked on {date} by `make matrix RELEASES="all --docs {path}"`, which writes this page.

For every release, the modifications are applied to a fresh copy, each touched file is compiled, every one of the
fifteen modifications is checked for where it landed ([tests/modifications](../tests/modifications)), a second apply
has nothing to do, the diff gives the same bytes as the apply, the example patch set of the documentation fits on top,
and the revert gives every byte and mode back.

Releases are of one *shape* if the code around every edit is the same. In the table, *files* counts the different sets
of edited files among them, and the last column says which modification sees new code, compared with the shape above.

| releases | count | files | new in this shape |
| --- | ---: | ---: | --- |"""


class Broken(AssertionError):
    """A promise that does not hold for a release."""


@functools.cache
def patch_set() -> PatchSet:
    """Return the patch set, read once a process."""
    return built_in()


@functools.cache
def example() -> PatchSet:
    """Return the patch set that the documentation applies on top of it."""
    return load(EXAMPLE)


def check(release: str) -> Result:
    """Take one release through everything."""
    start = time.perf_counter()
    shape: Shape | None = None
    failures: tuple[str, ...]
    with tempfile.TemporaryDirectory(prefix=f"matrix-{release}-") as folder:
        tree = unpack_part(release, Path(folder) / "tree")
        edited = [tree / path for path in patch_set().edited_files if (tree / path).exists()]
        files = hashlib.sha256(b"\0".join(file.read_bytes() for file in edited)).hexdigest()
        try:
            found = round_trip(tree, unpack_part(release, Path(folder) / "copy"))
            shape, failures = Shape(tuple(found.neighbours.items())), found.failures
        except (Broken, DistillpatchError) as error:
            failures = (str(error),)
        except Exception as error:  # one release that fails in its own way must not hide the others
            failures = (f"{type(error).__name__}: {error}",)
    return Result(release, files, shape, failures, time.perf_counter() - start)


def unpack_part(release: str, into: Path) -> Path:
    """Unpack what distillpatch reads or writes of a release, with modes that are not the usual ones."""
    wanted = {*paths(patch_set()), "ultralytics/__init__.py", "ultralytics/utils/__init__.py"}
    with zipfile.ZipFile(wheel(release)) as archive:
        for number, name in enumerate(sorted(archive.namelist())):
            if name in wanted or name.endswith(".dist-info/RECORD"):
                (into / archive.extract(name, into)).chmod(_MODES[number % len(_MODES)])
    return into


def round_trip(tree: Path, copy: Path) -> landings.Landings:
    """Apply, look, apply again, compare with the diff, and revert.

    Args:
        tree: A checkout.
        copy: Another one, equal to it; it ends up patched.

    Raises:
        Broken: If a promise does not hold.
        DistillpatchError: If the checkout cannot be patched.
    """
    before = everything(tree)
    pristine = situation(tree)
    diff = unified_diff(pristine.difference())
    reach(pristine.checkout, with_set(patch_set()))
    patched = everything(tree)
    found = landings.examine(package_files(tree))
    changed = {path for path in patched if patched[path] != before.get(path) and ".distillpatch" not in path}
    allowed = {path for path in changed if path in paths(patch_set()) or path.endswith(".dist-info/RECORD")}
    _require(changed == allowed, f"other files changed: {', '.join(sorted(changed - allowed))}")
    _require(situation(tree).standing is Standing.PATCHED, f"it is {situation(tree).standing.value}")
    _require(situation(tree).is_reached, "apply would have something to do again")
    _require(unified_diff(situation(tree).difference()) == diff, "the diff is another one before and after")
    texts = {path: current(tree / "ultralytics", path) for path in paths(example())}
    require(make_plan(example(), texts, "the patched release"))
    _git_apply(copy, diff)
    _require(package_files(copy) == package_files(tree), "the diff gives other files than apply")
    reach(pristine.checkout, without_set(None))
    _require(everything(tree) == before, f"revert leaves a difference: {_differences(before, everything(tree))}")
    return found


def situation(tree: Path) -> Situation:
    """Return what a checkout is, read again from the disk."""
    return examine(locate(tree, tree, ()), as_it_is)


def package_files(tree: Path) -> dict[str, bytes]:
    """Return the files of the package that the patch set is about, as they are."""
    return {path: (tree / path).read_bytes() for path in paths(patch_set()) if (tree / path).exists()}


def _git_apply(tree: Path, diff: bytes) -> None:
    """Apply a diff as a user would."""
    command = ["git", "apply", "--whitespace=nowarn", "-"]
    done = subprocess.run(command, cwd=tree, input=diff, capture_output=True)
    _require(done.returncode == 0, f"git cannot apply the diff: {done.stderr.decode(errors='replace')}")


def _differences(before: Tree, after: Tree) -> str:
    return ", ".join(path for path in sorted({*before, *after}) if before.get(path) != after.get(path))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Broken(otherwise)


# Many releases --------------------------------------------------------------------------------------------------------


def check_all(releases: Sequence[str], console: Console, workers: int) -> list[Result]:
    """Check releases in parallel, under a progress bar; return the results in the order of the releases."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    results = []
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        fetching = progress.add_task("fetching", total=len(releases))
        for release in releases:  # one at a time, whatever is not in the cache
            wheel(release)
            progress.advance(fetching)
        checking = progress.add_task("checking", total=len(releases))
        with multiprocessing.Pool(workers, initializer=gc.disable, maxtasksperchild=50) as pool:
            for result in pool.imap_unordered(check, releases):
                results.append(result)
                progress.advance(checking)
                if result.failures:
                    progress.print(f"[red]{result.release} fails[/], see below", highlight=False)
    return sorted(results, key=lambda result: version_key(result.release))


def by_shape(results: Iterable[Result]) -> dict[Shape, list[Result]]:
    """Return the results of each shape, in the order in which the shapes came up."""
    shapes: dict[Shape, list[Result]] = {}
    for result in results:
        if result.shape:
            shapes.setdefault(result.shape, []).append(result)
    return shapes


def spans(some: Iterable[str], of: Sequence[str]) -> str:
    """Return releases as spans of what follows each other: ``8.0.136 to 8.0.140, 8.0.142``."""
    numbers = sorted(of.index(release) for release in some)
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    return ", ".join(
        of[first] if first == last else f"{of[first]} to {of[last]}" for first, last in zip(starts, ends, strict=True)
    )


def rows(results: Sequence[Result]) -> Iterator[tuple[str, int, int, list[tuple[int, str]]]]:
    """Yield a row a shape: its releases, how many, how many different sets of files, and what is new in it."""
    order = [result.release for result in results]
    previous = None
    for shape, members in by_shape(results).items():
        files = {result.files for result in members}
        yield spans((result.release for result in members), order), len(members), len(files), shape.news(previous)
        previous = shape


def table(results: Sequence[Result]) -> Table:
    """Return the shapes as a table for the terminal."""
    result = Table("releases", "count", "files", "new in this shape: modification, and the code around it")
    for number, (releases, count, files, news) in enumerate(rows(results)):
        what = "\n".join(f"{n:>2}  {_shortened(code)}" for n, code in news if code) if number else "the first shape"
        result.add_row(releases, str(count), str(files), what)
    return result


def _shortened(code: str, to: int = 90) -> str:
    return code if len(code) <= to else f"{code[: to - 3]}..."


def summary(results: Sequence[Result]) -> str:
    """Return the result in one sentence."""
    good = sum(not result.failures for result in results)
    files = len({result.files for result in results})
    return f"{good} of {len(results)} releases pass; {files} different sets of files in {len(by_shape(results))} shapes"


def write_docs(path: Path, results: Sequence[Result], titles: Mapping[int, str]) -> None:
    """Write what the run has found as a page of the documentation."""
    span = f"{results[0].release} to {results[-1].release}"
    lines = [_PAGE.format(summary=summary(results), span=span, date=date.today().isoformat(), path=path)]
    for number, (releases, count, files, news) in enumerate(rows(results)):
        what = "<br>".join(f"{n}: {_cell(code)}" for n, code in news if code) if number else "the first shape"
        lines.append(f"| {releases} | {count} | {files} | {what} |")
    lines += ["", "The modifications by number:", ""]
    lines += [f"{number}. {title}" for number, title in titles.items()]
    if failing := [result for result in results if result.failures]:
        lines += ["", "## Failures", ""]
        lines += [f"- {result.release}: {failure}" for result in failing for failure in result.failures]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cell(code: str) -> str:
    return f"`{_shortened(code, 160)}`".replace("|", "\\|")


def titles() -> dict[int, str]:
    """Return the title of each modification."""
    return {modification.number: modification.title for modification in patch_set().modifications}


def main(arguments: list[str]) -> int:
    """Check the releases that are named, print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(description="Check that distillpatch works with ultralytics releases.")
    parser.add_argument("releases", nargs="*", default=["all"], help="versions, or 'all'")
    parser.add_argument("--docs", type=Path, help="write the result to this page")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes, one a processor by default")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        releases = all_releases() if "all" in options.releases else sorted(set(options.releases), key=version_key)
        start = time.perf_counter()
        results = check_all(releases, console, options.workers)
    except ReleaseError as error:
        console.print(f"[red]{error}")
        return 1
    console.print(table(results))
    console.print(f"{summary(results)}; {time.perf_counter() - start:.0f} s", highlight=False)
    failing = [result for result in results if result.failures]
    for result in failing:
        console.print(f"[red]{result.release}[/] " + "\n  ".join(result.failures), highlight=False)
    if options.docs:
        write_docs(options.docs, results, titles())
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

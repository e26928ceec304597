"""Measure how the cost of a plan and of a merge grows with the size of the file.

    python tools/cost.py                 # the curves, and whole commands on the largest files, in seconds of CPU time

Each shape is code that real modifications once took the square or the cube of its size for, or might. The curves are
written down in docs/cost.md.
"""

from __future__ import annotations

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import releases
from startup import processor_time

from distillpatch.engine.plan import make_plan, paths
from distillpatch.engine.source import LONGEST_SOURCE
from distillpatch.ledger.state import AppliedFile
from distillpatch.ledger.undo import merge
from distillpatch.patch_sets import built_in

RELEASE = "8.4.190"
TRAINER = "ultralytics/engine/trainer.py"


def trainer(insert: Mapping[str, str], change: Mapping[str, str] | None = None) -> bytes:
    """Return the trainer of a release with blocks inserted, indented as they are, above the lines of some texts."""
    lines = (releases.read(RELEASE, [TRAINER])[TRAINER] or b"").decode().splitlines()
    made = []
    for line in lines:
        for above, block in insert.items():
            if above in line:
                made += [f"{line[: len(line) - len(line.lstrip())]}{text}" for text in block.splitlines()]
        for old, new in (change or {}).items():
            line = line.replace(old, new)
        made.append(line)
    return "\n".join(made).encode()


def three_gaps(n: int) -> bytes:
    """A loop whose header no longer matches, with what comes before it many times (section 2.11)."""
    block = "g = 1\n" * n + "use_muon = 1\n" * n
    return trainer({"for module_name, module in": block}, {"for module_name, module in": "for module_name, modules in"})


def two_gaps(n: int) -> bytes:
    """What two gaps are between, many times in one block (section 2.8)."""
    block = "batch = self.preprocess_batch(batch)\nself.tloss = 1\n" * n
    return trainer({"batch = self.preprocess_batch(batch)": block})


def bound_holes(n: int) -> bytes:
    """Many statements that fill a hole differently, before others that use it."""
    return trainer({"for module_name, module in": "".join(f"g = {i}\nfor a, b in c{i}:\n    pass\n" for i in range(n))})


def padding(n: int) -> bytes:
    """Ordinary statements in a scope that is looked into."""
    return trainer({'self.run_callbacks("on_train_start")': "self.padding = some.call(1, 2, key='value')\n" * n})


def lines_nearby(n: int) -> bytes:
    """A scope in which nothing fits, with many lines that are like what is looked for."""
    block = "".join(f"self.models_{i} = self.model.to(self.devices)\n" for i in range(n))
    anchor = "self.model = self.model.to("
    return trainer({anchor: block}, {anchor: "self.model = self.model.cuda("})


SHAPES: Mapping[str, Callable[[int], bytes]] = {
    "three gaps": three_gaps,
    "two gaps": two_gaps,
    "bound holes": bound_holes,
    "padding": padding,
    "lines nearby": lines_nearby,
}


def seconds(function: Callable[[], object]) -> float:
    """Return the CPU time that a call takes."""
    started = time.process_time()
    function()
    return time.process_time() - started


def plan_seconds(content: bytes) -> float:
    """Return how long a plan takes in which the trainer has this content."""
    files = {**releases.read(RELEASE, paths(built_in())), TRAINER: content}
    return seconds(lambda: make_plan(built_in(), files, RELEASE))


def merge_seconds(n: int) -> float:
    """Return how long a revert's merge takes of a file of equal lines, edited by both sides."""
    line = b"        x = x\n"
    original = line * n
    patched = b"ours\n" + line * n + b"ours\n"
    now = b"ours\n" + line * (n // 2) + b"theirs\n" + line * (n - n // 2) + b"ours\n"
    return seconds(lambda: merge(AppliedFile(TRAINER, original, patched, 0o644, None), now))


def plan_curve(shape: Callable[[int], bytes]) -> Iterator[tuple[int, float]]:
    """Yield sizes in bytes and seconds, each for twice the number of the one before, up to the largest file."""
    n = 1000
    while len(content := shape(n)) <= LONGEST_SOURCE:
        yield len(content), plan_seconds(content)
        n *= 2


def merge_curve() -> Iterator[tuple[int, float]]:
    """Yield sizes in bytes and seconds, each for twice the number of the one before, up to the largest file."""
    n = 1000
    while 14 * n <= LONGEST_SOURCE:
        yield 14 * n, merge_seconds(n)
        n *= 2


def command_seconds(shape: Callable[[int], bytes]) -> Iterator[tuple[str, float]]:
    """Yield commands and their seconds, in order, on a release whose trainer is nearly as large as a file may be."""
    small, large = len(shape(1000)), len(shape(2000))
    content = shape(1000 + (LONGEST_SOURCE - small) * 990 // (large - small))
    with tempfile.TemporaryDirectory() as folder:
        tree = releases.unpack(RELEASE, Path(folder))
        (tree / TRAINER).write_bytes(content)
        for name in ("status", "diff", "apply", "status", "revert"):
            command = [sys.executable, "-m", "distillpatch", name, str(tree)]
            yield name, processor_time(command, tree, check=False)


def main() -> None:
    """Print the curves and the commands."""
    gc.disable()  # as the command does
    for name, shape in SHAPES.items():
        print(name, flush=True)
        for size, taken in plan_curve(shape):
            print(f"  {size / 1024:8.0f} KB {taken:8.2f} s", flush=True)
    print("merge of equal lines")
    for size, taken in merge_curve():
        print(f"  {size / 1024:8.0f} KB {taken:8.2f} s", flush=True)
    for name, shape in SHAPES.items():
        print(f"commands on {LONGEST_SOURCE / 1024:.0f} KB of {name}", flush=True)
        for command, taken in command_seconds(shape):
            print(f"  {command:8} {taken:8.2f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())

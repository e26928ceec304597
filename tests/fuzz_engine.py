"""Broken input for the engine: files of real releases after something has happened to them.

Whatever the file, the engine gives a whole plan whose files parse, or one of its own errors; it never crashes, hangs or
plans a part. Run as a script it goes on for as many inputs as it is told:

    python tests/fuzz_engine.py 10000 [SEED]
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import multiprocessing
import random
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from edits import EDITED, RELEASES, files_of

from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import PlanError, make_plan
from distillpatch.engine.refusal import require
from distillpatch.errors import DistillpatchError
from distillpatch.patch_sets import built_in

# A file of a release takes half a second on a slow day.
LIMIT = 20.0


class Fault(AssertionError):
    """The engine did what it must never do."""


@functools.cache
def part_of_patch_set(path: str) -> PatchSet:
    """Return the patch set without what it does to other files than one: they are planned for each other nowhere."""
    modifications = []
    for modification in built_in().modifications:
        hunks = [
            dataclasses.replace(hunk, alternatives=tuple(a for a in hunk.alternatives if a.path == path))
            for hunk in modification.hunks
        ]
        modifications.append(
            dataclasses.replace(
                modification,
                hunks=tuple(hunk for hunk in hunks if hunk.alternatives),
                new_files=(),
                signs=tuple(sign for sign in modification.signs if sign.path == path),
            )
        )
    return dataclasses.replace(built_in(), modifications=tuple(modifications))


def examine(path: str, content: bytes) -> str:
    """Plan for one file, and say what came of it: "patched" or "refused".

    Raises:
        Fault: If anything else came of it.
    """
    start = time.process_time()
    try:
        plan = make_plan(part_of_patch_set(path), {path: content}, "fuzzed")
        if plan.changes:
            _require_whole(require(plan).changes[0].after)
        else:
            _require_refused(plan)
    except DistillpatchError as error:
        if not str(error).strip():
            raise Fault(f"{path}: an error without a message") from error
        plan = None
    except Fault:
        raise
    except BaseException as error:
        raise Fault(f"{path}: {type(error).__name__}: {error}") from error
    if time.process_time() - start > LIMIT:
        raise Fault(f"{path}: took {time.process_time() - start:.0f} s")
    return "patched" if plan and plan.changes else "refused"


def examine_apart(path: str, content: bytes) -> str:
    """Examine a file in another process, since what exhausts the stack ends the process."""
    try:
        return _other_process().submit(examine, path, content).result()
    except BrokenProcessPool as error:
        _other_process.cache_clear()
        raise Fault(f"{path}: the process died") from error


@functools.cache
def _other_process() -> ProcessPoolExecutor:
    # Not forked: this process may have threads.
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def _require_whole(after: bytes | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of strings that should be raw
        try:
            ast.parse(after or b"")
        except (SyntaxError, ValueError) as error:
            raise Fault(f"the patched file does not parse: {error}") from error


def _require_refused(plan: object) -> None:
    try:
        require(plan)  # type: ignore[arg-type]
    except PlanError:
        return
    raise Fault("a plan that changes nothing and says nothing")


# What happens to a file -----------------------------------------------------------------------------------------------

Mutation = Callable[[random.Random, bytes], bytes]


def _flip(dice: random.Random, content: bytes) -> bytes:
    at = dice.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << dice.randrange(8)]) + content[at + 1 :]


def _drop_byte(dice: random.Random, content: bytes) -> bytes:
    at = dice.randrange(len(content))
    return content[:at] + content[at + 1 :]


def _truncate(dice: random.Random, content: bytes) -> bytes:
    return content[: dice.randrange(len(content))]


def _insert(*pieces: bytes) -> Mutation:
    def mutate(dice: random.Random, content: bytes) -> bytes:
        at = dice.randrange(len(content))
        return content[:at] + dice.choice(pieces) + content[at:]

    return mutate


def _on_lines(change: Callable[[random.Random, list[bytes]], None]) -> Mutation:
    def mutate(dice: random.Random, content: bytes) -> bytes:
        lines = content.splitlines(keepends=True)
        change(dice, lines)
        return b"".join(lines)

    return mutate


def _delete_line(dice: random.Random, lines: list[bytes]) -> None:
    del lines[dice.randrange(len(lines))]


def _duplicate_line(dice: random.Random, lines: list[bytes]) -> None:
    at = dice.randrange(len(lines))
    lines.insert(dice.randrange(len(lines)) if dice.random() < 0.3 else at, lines[at])


def _swap_lines(dice: random.Random, lines: list[bytes]) -> None:
    if len(lines) < 2:  # which earlier mutations have left
        return
    at = dice.randrange(len(lines) - 1)
    other = at + 1 if dice.random() < 0.6 else dice.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]


def _move_block(dice: random.Random, lines: list[bytes]) -> None:
    at, size = dice.randrange(len(lines)), dice.randrange(1, 30)
    block = lines[at : at + size]
    del lines[at : at + size]
    to = dice.randrange(len(lines) + 1)
    lines[to:to] = block


def _indent_line(dice: random.Random, lines: list[bytes]) -> None:
    at = dice.randrange(len(lines))
    lines[at] = dice.choice([b" ", b"    ", b"\t"]) + lines[at]


def _other_line_end(dice: random.Random, lines: list[bytes]) -> None:
    at = dice.randrange(len(lines))
    lines[at] = lines[at].rstrip(b"\r\n") + dice.choice([b"\r", b"\r\n", b"", b"\x0c\n", b"\\\n"])


MUTATIONS: tuple[Mutation, ...] = (
    _flip,
    _drop_byte,
    _truncate,
    _insert(b"\0", b"\xff", b"\xc3\xa9", b"\xe2\x80\xa8", b"\x0c", b"\r", b"\x1a", b"\xef\xbb\xbf"),
    _insert(b"(", b")", b"'", b'"""', b"#", b"\\", b";", b",", b":=", b"...", b"$X", b"*", b"lambda: "),
    _on_lines(_delete_line),
    _on_lines(_duplicate_line),
    _on_lines(_swap_lines),
    _on_lines(_move_block),
    _on_lines(_indent_line),
    _on_lines(_other_line_end),
)


def mutated(seed: int) -> tuple[str, bytes]:
    """Return a file that something has happened to, up to four times: always the same for a seed."""
    dice = random.Random(seed)
    path = dice.choice(EDITED)
    content = files_of(dice.choice(RELEASES))[path]
    for _ in range(dice.choice([1, 1, 1, 2, 2, 3, 4])):
        content = dice.choice(MUTATIONS)(dice, content) or b"\n"
    return path, content


def _into_init(statement: bytes) -> Callable[[bytes], bytes]:
    """Return what puts a statement into the function that is looked into first."""
    anchor = b"        self.plot_idx = [0, 1, 2]\n"
    return lambda trainer: trainer.replace(anchor, b"        " + statement + b"\n" + anchor)


_DEPTH = 1_000_000
_BRANCHES = b"".join(b" " * i + b"if x:\n" for i in range(8, 3000)) + b" " * 3000 + b"pass\n"

# What the compiler lists side by side and LibCST nests: from what its recursion stands to what it does not.
_SIDE_BY_SIDE = {
    f"{count} {name}": _into_init(b"x = (" + before + piece * count + after + b")")
    for count in (80, 300, 450, 500)
    for name, before, piece, after in (
        ("alternatives", b"", b"a or ", b"a"),
        ("pieces of a text", b"", b"'a' ", b""),
        ("loops in a list", b"[a ", b"for a in b ", b"]"),
    )
}

MONSTERS: Mapping[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "a null byte": lambda trainer: trainer + b"\0",
    "null bytes": lambda _: b"\0" * 100_000,
    "utf-16": lambda trainer: trainer.decode().encode("utf-16"),
    "an encoding that there is not": lambda trainer: b"# -*- coding: klingon -*-\n" + trainer,
    "an encoding that is no text": lambda trainer: b"# -*- coding: rot13 -*-\n" + trainer,
    "an encoding of its own": lambda trainer: b"# -*- coding: utf-7 -*-\n" + trainer,
    "latin-1 without saying so": lambda trainer: trainer + "# é\n".encode("latin-1"),
    "two encodings": lambda trainer: b"\xef\xbb\xbf# -*- coding: latin-1 -*-\n" + trainer,
    "brackets": _into_init(b"x = " + b"(" * _DEPTH + b")" * _DEPTH),
    "some brackets": _into_init(b"x = " + b"[" * 150 + b"]" * 150),
    "open brackets": _into_init(b"x = " + b"{" * _DEPTH),
    "signs": _into_init(b"x = " + b"-" * _DEPTH + b"1"),
    "a sum": _into_init(b"x = " + b"+".join([b"1"] * 20_000)),
    "a small sum": _into_init(b"x = " + b"+".join([b"1"] * 1_000)),
    "attributes": _into_init(b"x = self" + b".a" * 100_000),
    "calls": _into_init(b"x = f" + b"()" * 50_000),
    "choices": _into_init(b"x = " + b"1 if a else " * 20_000 + b"2"),
    "lambdas": _into_init(b"x = " + b"lambda: " * 20_000 + b"2"),
    "comparisons": _into_init(b"x = " + b" < ".join([b"1"] * 10_000)),
    "alternatives": _into_init(b"x = " + b" or ".join([b"a"] * 600)),
    "many alternatives": _into_init(b"x = " + b" or ".join([b"a"] * 100_000)),
    "alternatives in alternatives": _into_init(b"x = " + b"a and (b or " * 60 + b"c" + b")" * 60),
    "a long module": _into_init(b"from " + b".".join([b"a"] * 3_000) + b" import b"),
    "a module of many parts": _into_init(b"import " + b".".join([b"a"] * 100_000)),
    "a module on many lines": _into_init(b"import " + b". \\\n".join([b"a"] * 50_000)),
    "pieces of a text": _into_init(b"x = (" + b"'a' " * 3_000 + b")"),
    "many pieces of a text": _into_init(b"x = (" + b"'a' f'{b}' " * 20_000 + b")"),
    "a loop of loops": _into_init(b"x = [a " + b"for a in b " * 3_000 + b"]"),
    "branches": lambda trainer: trainer + b"def f():\n" + _BRANCHES,
    "else if": _into_init(
        b"if a:\n            pass\n" + b"        elif b:\n            pass\n" * 5_000 + b"        pass"
    ),
    "a long line": _into_init(b"x = '" + b"y" * 2_000_000 + b"'"),
    "a long list": _into_init(b"x = [" + b"1, " * 10_000 + b"]"),
    "a long comment": _into_init(b"x = 1  #" + b"#" * 2_000_000),
    "many lines": lambda trainer: trainer + b"x = 1\n" * 20_000,
    "too much": lambda trainer: trainer + b"#" * 9_000_000,
    "a huge number": _into_init(b"x = " + b"9" * 100_000),
    "continued lines": _into_init(b"x = \\\n" * 10_000 + b"1"),
    **_SIDE_BY_SIDE,
}


def main(count: int, seed: int) -> None:
    """Examine so many inputs, and say what came of them."""
    came: dict[str, int] = {}
    for number in range(seed, seed + count):
        try:
            outcome = examine(*mutated(number))
        except Fault as fault:
            raise SystemExit(f"seed {number}: {fault}") from fault
        came[outcome] = came.get(outcome, 0) + 1
    print(", ".join(f"{times} {outcome}" for outcome, times in sorted(came.items())))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)

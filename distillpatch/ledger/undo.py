"""Work out how to undo what was applied, while keeping what the user has changed since. Writes nothing.

A file that nobody touched since `apply` gets its original back. In any other, a three-way merge removes what was
applied and keeps theirs: what was written is the base, and the original and the file as it is now are the two sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from merge3 import Merge3

from distillpatch.alignment import LineMatcher
from distillpatch.change import FileChange
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.places import current, free_name
from distillpatch.ledger.state import AppliedFile, State, refuse_newer
from distillpatch.ledger.survey import Condition, survey


class Edited(Enum):
    """What to do with a file in which the user's edits and ours overlap."""

    REFUSE = "refuse"
    KEEP = "leave it as it is and revert the rest"
    SET_ASIDE = "restore the original and keep the edited file beside it"


@dataclass(frozen=True)
class Overlap:
    """Where edits overlap: a file, and its lines as they are numbered now, first and last."""

    path: str
    lines: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        spans = (f"{first}" if first == last else f"{first}-{last}" for first, last in self.lines)
        lines = "line" if len(self.lines) == 1 and self.lines[0][0] == self.lines[0][1] else "lines"
        return f"{self.path}, {lines} {', '.join(spans)}"


class OverlapError(DistillpatchError):
    """The user edited the very lines that distillpatch had written.

    Attributes:
        overlaps: Where.
    """

    def __init__(self, overlaps: Sequence[Overlap]) -> None:
        self.overlaps = tuple(overlaps)
        places = "".join(f"\n  {overlap}" for overlap in overlaps)
        super().__init__(
            f"Edited since distillpatch patched them, at the very lines that it had written:{places}\n"
            "Nothing was changed. Either undo these edits, or run `distillpatch revert` with\n"
            "  --keep-edited       to leave these files as they are, with distillpatch's lines, and revert the rest\n"
            "  --restore-original  to restore their originals, and keep the edited files beside them as *.edited"
        )


@dataclass(frozen=True)
class Undo:
    """How to undo what was applied.

    Attributes:
        changes: The files from what is in the tree to what shall be there.
        texts: Every file of the state as it is without our changes, None for no file: what an upgrade plans from.
        merged: The files whose edits are kept while our changes go.
        left: The edited files that are left as they are.
        overwritten: The files that were replaced, by another release or by hand, left as they are.
        set_aside: The edited files whose originals are restored, and the paths at which the edited ones are kept.
    """

    changes: tuple[FileChange, ...]
    texts: Mapping[str, bytes | None]
    merged: tuple[str, ...]
    left: tuple[str, ...]
    overwritten: tuple[str, ...]
    set_aside: Mapping[str, str]

    def followed_by(self, plan: Sequence[FileChange]) -> tuple[FileChange, ...]:
        """Return the changes that lead from the tree as it is to one patched again: the upgrade of a patched tree.

        Args:
            plan: A plan that was made from `texts`, and from the tree for all other files.
        """
        patched = {change.path: change.after for change in plan}
        now = {change.path: change.before for change in plan} | {change.path: change.before for change in self.changes}
        after = {change.path: change.after for change in self.changes} | patched
        like = {change.path: change.like for change in plan}
        return tuple(
            FileChange(path, now[path], after[path], like.get(path)) for path in now if now[path] != after[path]
        )


def plan_undo(package_dir: Path, state: State, release: str, edited: Edited = Edited.REFUSE) -> Undo:
    """Work out how to undo what was applied.

    Args:
        package_dir: The package, absolute.
        state: What was applied.
        release: The ultralytics release that is in the tree now.
        edited: What to do with files in which the user's edits and ours overlap.

    Returns:
        The changes, for `transaction.commit` with no state, and what to tell the user about them.

    Raises:
        NewerStateError: A newer distillpatch has patched the tree.
        OverlapError: Edits overlap, and `edited` is to refuse.
        DistillpatchError: A file cannot be read.
    """
    refuse_newer(state.version)
    replaced = release != state.release
    conditions = survey(package_dir, state, release)
    now = {file.path: current(package_dir, file.path) for file in state.files}
    texts: dict[str, bytes | None] = {}
    overlaps: list[Overlap] = []
    for file in state.files:
        outcome = _without_ours(file, now[file.path], conditions[file.path], replaced)
        if isinstance(outcome, Overlap):
            overlaps.append(outcome)
            texts[file.path] = file.original if edited is Edited.SET_ASIDE else now[file.path]
        else:
            texts[file.path] = outcome
    if overlaps and edited is Edited.REFUSE:
        raise OverlapError(overlaps)
    kept = {overlap.path for overlap in overlaps}
    aside = {path: _free_path(package_dir, path) for path in kept} if edited is Edited.SET_ASIDE else {}
    changes = [FileChange(path, now[path], text) for path, text in texts.items() if text != now[path]]
    changes += [FileChange(name, None, now[path], like=path) for path, name in aside.items()]
    of = partial(_with_condition, conditions)
    return Undo(
        changes=tuple(changes),
        texts=texts,
        merged=tuple(path for path in of(Condition.EDITED) if path not in kept),
        left=tuple(path for path in of(Condition.EDITED) if path in kept and path not in aside),
        overwritten=of(Condition.OVERWRITTEN),
        set_aside=aside,
    )


def _without_ours(file: AppliedFile, now: bytes | None, condition: Condition, replaced: bool) -> bytes | Overlap | None:
    if condition is Condition.INTACT or (condition is Condition.MISSING and not replaced):
        return file.original
    if condition is Condition.EDITED and now is not None:
        return merge(file, now)
    return now


def _with_condition(conditions: Mapping[str, Condition], wanted: Condition) -> tuple[str, ...]:
    return tuple(path for path, condition in conditions.items() if condition is wanted)


def _free_path(package_dir: Path, path: str) -> str:
    return free_name(package_dir.parent / path).relative_to(package_dir.parent).as_posix()


def merge(file: AppliedFile, now: bytes) -> bytes | Overlap:
    """Take our change out of a file that was edited since, line by line and to the byte.

    Args:
        file: What we did to the file.
        now: Its content now.

    Returns:
        The content with the user's edits alone, or where they overlap with ours.
    """
    lines = now.splitlines(keepends=True)
    if file.original is None or file.patched is None:
        return Overlap(file.path, ((1, max(len(lines), 1)),))
    base, other = file.patched.splitlines(keepends=True), file.original.splitlines(keepends=True)
    matcher: Any = LineMatcher  # merge3's types ask for plain tuples, which difflib's matches are more than
    merged: list[bytes] = []
    overlapping: list[tuple[int, int]] = []
    for region in Merge3(base, lines, other, sequence_matcher=matcher).merge_regions():
        if region[0] == "conflict":
            overlapping.append((region[3] + 1, max(region[4], region[3] + 1)))
        else:
            merged += {"unchanged": base, "a": lines, "same": lines, "b": other}[region[0]][region[1] : region[2]]
    return Overlap(file.path, tuple(overlapping)) if overlapping else b"".join(merged)

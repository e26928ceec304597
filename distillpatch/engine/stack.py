"""Several patch sets, one after the other: each is planned on what those before it left."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from distillpatch.alignment import matching_blocks
from distillpatch.change import FileChange
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import Outcome, Place, Plan, PlanError, make_plan, paths
from distillpatch.engine.refusal import require
from distillpatch.engine.replacement import without_hand_edits
from distillpatch.errors import DistillpatchError

Read = Callable[[str], bytes | None]
"""Returns the text of a file before the first patch set, None for a file that does not exist."""


@dataclass(frozen=True)
class Stack:
    """Patch sets in order, and the plan of each.

    Attributes:
        patch_sets: The patch sets.
        plans: Their plans. Places are line numbers of the files that the last patch set leaves.
        release: The release that they are planned for, by name and number, for messages.
        read: Returns a file's text before the first patch set.
    """

    patch_sets: tuple[PatchSet, ...]
    plans: tuple[Plan, ...]
    release: str
    read: Read

    @cached_property
    def changes(self) -> tuple[FileChange, ...]:
        """The files before the first patch set and after the last."""
        changes: dict[str, FileChange] = {}
        for change in (change for plan in self.plans for change in plan.changes):
            first = changes.get(change.path, change)
            changes[change.path] = replace(first, after=change.after)
        return tuple(change for change in changes.values() if change.before != change.after)

    def require(self) -> Stack:
        """Return the stack.

        Raises:
            PlanError: If a patch set does not fit; it names the patch sets before it.
        """
        for number, (patch_set, plan) in enumerate(zip(self.patch_sets, self.plans, strict=True)):
            try:
                require(plan)
            except PlanError as error:
                if number == 0:
                    raise
                raise PlanError(f"{self._misfit(number, patch_set)}\n{error}") from error
        return self

    def _misfit(self, number: int, patch_set: PatchSet) -> str:
        earlier = ", ".join(other.name for other in self.patch_sets[:number])
        alone = plan_in_order((patch_set,), self.read, self.release).plans[0]
        fits_alone = not alone.by_hand and not any(outcome.rejections for outcome in alone.outcomes)
        why = f" It fits without {earlier}: both change the same code." if fits_alone else ""
        return f"The patch set {patch_set.name} does not fit after {earlier}.{why}"


def plan_in_order(
    patch_sets: Sequence[PatchSet],
    read: Read,
    release: str,
    package: Mapping[str, bytes] | None = None,
    *,
    replace_hand_edits: Callable[[], bool] = lambda: False,
) -> Stack:
    """Plan patch sets one after the other.

    Args:
        patch_sets: The patch sets, in order.
        read: Returns a file's text before the first of them.
        release: The release that the files are from, by name and number, for messages.
        package: The modules of the package, to look in them for classes with their own version of a patched method.
        replace_hand_edits: Returns whether edits made by hand are taken out first, where that is possible; asked only
            where there are some.

    Raises:
        SourceError: If a file is not Python.
        PlanError: If a patch set would leave a file broken.
    """
    texts: dict[str, bytes | None] = {}
    plans: list[Plan] = []
    left: list[dict[str, bytes | None]] = []
    for patch_set in patch_sets:
        files = {path: texts[path] if path in texts else read(path) for path in paths(patch_set)}
        try:
            plan = make_plan(patch_set, files, release, package)
            if plan.by_hand:
                plan = without_hand_edits(plan, patch_set, files, package, replace_them=replace_hand_edits())
        except DistillpatchError as error:
            if not plans:
                raise
            raise PlanError(f"The patch set {patch_set.name}: {error}") from error
        changed = {change.path: change.after for change in plan.changes}
        texts |= files | changed
        plans.append(plan)
        left.append(files | changed)
    moved = tuple(_with_final_lines(plan, after, texts) for plan, after in zip(plans, left, strict=True))
    return Stack(tuple(patch_sets), moved, release, read)


def _with_final_lines(plan: Plan, after: dict[str, bytes | None], final: dict[str, bytes | None]) -> Plan:
    """Return a plan whose places are line numbers of the final files."""
    lines: dict[str, dict[int, int]] = {}
    for path, text in after.items():
        if text != final[path]:
            lines[path] = _line_numbers(text or b"", final[path] or b"")
    if not lines:
        return plan

    def moved(place: Place) -> Place:
        return replace(place, line=lines.get(place.path, {}).get(place.line, place.line))

    def outcome(old: Outcome) -> Outcome:
        return replace(old, places=tuple(map(moved, old.places)))

    return replace(plan, outcomes=tuple(map(outcome, plan.outcomes)))


def _line_numbers(before: bytes, after: bytes) -> dict[int, int]:
    """Return the new number of each line that is in both texts, from 1."""
    blocks = matching_blocks(before.splitlines(), after.splitlines())
    return {old + offset + 1: new + offset + 1 for old, new, length in blocks for offset in range(length)}

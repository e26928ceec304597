"""Where modifications are in the files as they are on disk, which may be patched, and edited since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from distillpatch.alignment import LineMatcher
from distillpatch.commands import Situation
from distillpatch.engine.plan import Outcome, Place, Plan
from distillpatch.ledger.places import current

Places = dict[tuple[str, int], list[Place]]
"""Where each modification is, in the files' order, by the name of its patch set and its number."""


def places_on_disk(situation: Situation) -> Places:
    """Return where each modification is on disk, or would go; nothing of what was edited away since, or has no plan."""
    state = situation.state if situation.is_reached else None
    left: dict[str, bytes | None] = {}  # by the patch sets before
    places: Places = {}
    for patch_set, plan in zip(situation.wanted, situation.plans, strict=False):
        planned = state.patched if state else lambda path: left.get(path, situation.text(path))
        moved = _mover(situation, planned)
        for outcome in plan.outcomes:
            places[patch_set.name, outcome.modification.number] = _moved(outcome, moved, patched=state is not None)
        left.update({change.path: change.after for change in plan.changes})
    return places


def edited_away(situation: Situation, places: Places) -> set[tuple[str, int]]:
    """Return the modifications that have lost one of their places on disk since they were applied.

    Args:
        situation: The checkout.
        places: Where each modification is on disk.
    """
    if situation.state is None or not situation.is_reached:
        return set()
    return {
        (patch_set.name, outcome.modification.number)
        for patch_set, plan in zip(situation.wanted, situation.plans, strict=False)
        for outcome in plan.outcomes
        if len(places[patch_set.name, outcome.modification.number]) < len({*outcome.places})
    }


def plans_on_disk(situation: Situation) -> tuple[Plan, ...]:
    """Return the plans of a checkout, with what they note of the user's own code where it is on disk now."""
    return tuple(_noted_on_disk(situation, plan) for plan in situation.plans)


def _noted_on_disk(situation: Situation, plan: Plan) -> Plan:
    planned = {change.path: change.before for change in plan.changes}
    if plan.removal is not None and not plan.by_hand:
        planned |= plan.removal.files
    moved = _mover(situation, planned.get)

    def line(path: str, number: int) -> int:
        matcher = moved(path)
        return _line(matcher, number) if matcher else number

    notes = [replace(n, place=Place(n.place.path, line(n.place.path, n.place.line))) for n in plan.notes]
    versions = [replace(version, line=line(version.path, version.line)) for version in plan.own_versions]
    return replace(plan, notes=tuple(notes), own_versions=tuple(versions))


Mover = Callable[[str], LineMatcher | None]


def _mover(situation: Situation, planned: Callable[[str], bytes | None]) -> Mover:
    """Return a function that tells how the lines of a file that a plan counts became those on disk."""

    @cache
    def moved(path: str) -> LineMatcher | None:
        disk = current(situation.checkout.package, path)
        before = planned(path)
        return None if disk is None else LineMatcher(None, _lines(before or disk), _lines(disk))

    return moved


def _moved(outcome: Outcome, moved: Mover, *, patched: bool) -> list[Place]:
    found = ((place, moved(place.path)) for place in (outcome.places if patched else outcome.origins))
    added = {Place(new_file.path, 1) for new_file in outcome.modification.new_files}
    there = ((place, matcher) for place, matcher in found if matcher and (not patched or _is_left(matcher, place.line)))
    return sorted(added | {Place(place.path, _line(matcher, place.line)) for place, matcher in there})


def _is_left(matcher: LineMatcher, line: int) -> bool:
    """Return whether a line of the first text is in the second as well."""
    return any(tag == "equal" and first < line <= last for tag, first, last, _, _ in matcher.get_opcodes())


def _line(matcher: LineMatcher, line: int) -> int:
    """Return which line of the second text a line of the first is, or the next one that is left; from 1."""
    for _, first, last, new_first, new_last in matcher.get_opcodes():
        if line - 1 < last:
            return min(new_first + max(0, line - 1 - first), max(new_first, new_last - 1)) + 1
    return line  # beyond the end of the text, which no plan counts


def _lines(content: bytes) -> list[bytes]:
    return content.splitlines()

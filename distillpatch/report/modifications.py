"""One modification, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from distillpatch.engine.hand_edits import Extent
from distillpatch.engine.modification import Modification
from distillpatch.engine.notation import KINDS
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import Attempt, Outcome, Place, Plan
from distillpatch.engine.refusal import explain
from distillpatch.report.diff import diff_page, unified_diff
from distillpatch.report.page import Block, Line, Span

# The sections of a patch file about those who make the modification by hand.
_OF_HAND_EDITS = ("!!!", "<<<")


def section(modification: Modification) -> str:
    """Return a section of the tutorial, short enough for a column."""
    return modification.section.replace(" (second)", " b")


def outcome_report(outcome: Outcome, places: Sequence[Place]) -> dict[str, Any]:
    """Return what became of a modification, for programs: all that people read of it."""
    return {
        "number": outcome.modification.number,
        "section": outcome.modification.section,
        "title": outcome.modification.title,
        "fits": not outcome.rejections,
        "places": [{"path": place.path, "line": place.line} for place in places],
        "misfits": [_attempt_report(attempt) for rejection in outcome.rejections for attempt in rejection.tried],
    }


def modification_page(
    patch_set: PatchSet, plan: Plan, by_hand: Sequence[Extent], *, highlighted: bool
) -> Iterator[Block]:
    """Yield a modification: what it is for, its patch, and what its plan changes, or why it changes nothing.

    Args:
        patch_set: The patch set that it is of.
        plan: Its plan, of it alone.
        by_hand: Where it was made by hand.
        highlighted: Whether to highlight the Python of the diff.
    """
    (outcome,) = plan.outcomes
    modification = outcome.modification
    yield Line(Span(f"{modification.number}. {modification.title}", "bold"))
    yield f"Section {modification.section} of the patch set {patch_set.name}. The patch:"
    yield ""
    _, _, rest = patch_text(patch_set, modification).partition("\n")  # without the title, which is above
    for line in rest.strip("\n").splitlines():
        is_head = line.startswith(KINDS)
        style = "bold" if is_head else {"+": "green", "-": "red", "#": "dim"}.get(line[:1], "")
        yield Line(Span(f"    {line}".rstrip(), style))
    yield ""
    if by_hand:
        yield from (f"by hand: {extent}" for extent in by_hand)
        return
    if outcome.rejections:
        yield Line(Span(explain(outcome, plan.release), ""))
        return
    yield f"In {plan.release}:"
    yield ""
    yield from diff_page(plan.changes, highlighted=highlighted)


def modification_report(patch_set: PatchSet, plan: Plan, by_hand: Sequence[Extent]) -> dict[str, Any]:
    """Return the same for programs."""
    (outcome,) = plan.outcomes
    return {
        **outcome_report(outcome, outcome.origins),
        "patch": patch_text(patch_set, outcome.modification),
        "diff": unified_diff(plan.changes).decode("utf-8", "replace"),
        "made_by_hand": [{"path": extent.path, "lines": list(extent.lines)} for extent in by_hand],
    }


def patch_text(patch_set: PatchSet, modification: Modification) -> str:
    """Return the patch file of a modification, without what is about those who make it by hand."""
    name = next(name for name in patch_set.files if name.startswith(f"{modification.number:02}-"))
    lines = patch_set.files[name].decode().splitlines()
    shown: list[str] = []
    hidden = False
    for line in lines:
        if line.startswith(KINDS):
            hidden = line.startswith(_OF_HAND_EDITS)
            while hidden and shown and shown[-1].startswith("#"):  # a comment on what is hidden
                shown.pop()
        if not hidden:
            shown.append(line)
    return "\n".join(shown).rstrip() + "\n"


def _attempt_report(attempt: Attempt) -> dict[str, Any]:
    return {
        "path": attempt.alternative.path,
        "scope": attempt.alternative.scope,
        "pattern": attempt.alternative.sought,
        "reason": attempt.reason,
        "nearest": list(attempt.nearest),
        "origin": attempt.alternative.origin,
    }

"""Why a plan cannot be carried out, in words: what was expected, where, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from distillpatch.engine.hand_edits import Extent, Removal
from distillpatch.engine.plan import MISSING, Outcome, Plan, PlanError, found_by_hand

# What does not fit is explained in full so often; of the others there is the number.
_EXPLAINED = 3


def require(plan: Plan) -> Plan:
    """Return the plan.

    Raises:
        PlanError: If a modification has been made by hand; if a class uses its own version of a patched method; if a
            modification does not fit, with all that is needed to add an alternative for it.
    """
    if plan.by_hand:
        found = "\n".join(line for extent in found_by_hand(plan) for line in _shown(extent, plan.removal))
        raise PlanError(
            "this checkout has these modifications already: they were made by hand, or it was patched and "
            "distillpatch's state and modules were deleted, or it has something of its own by the same name:\n"
            f"{found}\n"
            f"Nothing was written, since nothing may be applied twice. {_way_on(plan)}"
        )
    if used := [version for version in plan.own_versions if version.used_by]:
        found = "\n".join(f"  {version}, used by {version.used_by}" for version in used)
        raise PlanError(
            "this checkout does not use the code that would be patched, but its own version of it:\n"
            f"{found}\nNothing was written, since what is added would not be used there. Let these methods call the "
            "inherited ones (super), or remove them."
        )
    rejected = [outcome for outcome in plan.outcomes if outcome.rejections]
    if rejected:
        explained = "\n\n".join(_explained(rejected, plan.release))
        raise PlanError(
            f"{explained}\n\nNothing was written: the modifications are applied together or not at all.\n"
            "If this checkout was edited there, restore the release's version of this code; if its release is newer "
            "than this distillpatch, upgrade distillpatch; if the patch is your own, correct it."
        )
    return plan


def _explained(rejected: Sequence[Outcome], release: str) -> Iterator[str]:
    """Yield what a reader needs of modifications that do not fit: a missing file once, and the first few in full."""
    missing: dict[str, list[str]] = {}
    others = []
    for outcome in rejected:
        tried = [attempt for rejection in outcome.rejections for attempt in rejection.tried]
        absent = dict.fromkeys(attempt.alternative.path for attempt in tried if attempt.reason == MISSING)
        for path in absent:
            missing.setdefault(path, []).append(str(outcome.modification.number))
        if any(attempt.reason != MISSING for attempt in tried):
            others.append(outcome)
    for path, numbers in missing.items():
        needed = (
            f"modification {numbers[0]} changes" if len(numbers) == 1 else f"modifications {', '.join(numbers)} change"
        )
        yield f"{path} does not exist: expected the release's file, which {needed}. Restore it."
    yield from (explain(outcome, release) for outcome in others[:_EXPLAINED])
    if rest := ", ".join(str(outcome.modification.number) for outcome in others[_EXPLAINED:]):
        yield f"More that do not fit: {rest}. To see why: distillpatch status --verbose"


def _way_on(plan: Plan) -> str:
    """Return what to do about edits made by hand."""
    by_installing = f"for example by installing {plan.release} again."
    if plan.removal is None:
        return f"Undo these edits first, {by_installing}"
    if plan.removal.obstacles:
        reasons = "\n".join(f"  {obstacle}" for obstacle in plan.removal.obstacles)
        return f"--replace-hand-edits cannot take them out:\n{reasons}\nUndo these edits first, {by_installing}"
    return "To take these edits out and apply: distillpatch apply --replace-hand-edits (revert restores them)."


def explain(outcome: Outcome, release: str) -> str:
    """Return what is known of a modification that does not fit: file, scope, pattern, release and the nearest code."""
    lines = [f"{outcome.modification} does not fit {release}"]
    tried = [attempt for rejection in outcome.rejections for attempt in rejection.tried]
    for path in dict.fromkeys(attempt.alternative.path for attempt in tried if attempt.reason == MISSING):
        lines += [f"  {path} does not exist: expected the release's file. Restore it.", ""]
    for attempt in tried:
        if attempt.reason != MISSING:
            alternative = attempt.alternative
            facts = {
                "file": [alternative.path],
                "scope": [alternative.scope],
                "pattern": alternative.sought.split("\n"),
                "result": [attempt.reason],
                "nearest": attempt.nearest or ["nothing like it"],
                "from": [alternative.origin],
            }
            for name, texts in facts.items():
                lines += [f"  {'' if i else f'{name}:':9}{text}" for i, text in enumerate(texts)]
            lines.append("")
    return "\n".join(lines).rstrip()


def _shown(extent: Extent, removal: Removal | None) -> list[str]:
    """Return where a modification was made by hand and, where it took the place of code, that code."""
    return [f"  {extent}", *(f"    without it: {code}" for code in (removal.replaced(extent) if removal else ()))]

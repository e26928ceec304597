"""A plan for files that somebody has edited by hand: it is made for the files without these edits.

Nobody knows what the files were before, so what is left is looked at: no sign of an edit is left, every hunk fits
exactly once, and no name is read that only the removed code bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from distillpatch.change import FileChange
from distillpatch.engine.hand_edits import Obstacle, Removal, take_out
from distillpatch.engine.names import idle_names, lost_names
from distillpatch.engine.other_ways import why_left
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import Files, Plan, found_by_hand, make_plan


def without_hand_edits(
    plan: Plan, patch_set: PatchSet, files: Files, package: Mapping[str, bytes] | None, *, replace_them: bool
) -> Plan:
    """Plan for files without the edits that were found in them.

    Args:
        plan: The plan that found them.
        patch_set: What it is a plan of.
        files: The files that it is for.
        package: The modules of the package.
        replace_them: Whether to plan without them. If not, it is only found out whether that is possible.

    Returns:
        A plan without them, whose changes lead from the files as they are; or the same plan, with what is in the way.
    """
    removal = take_out(patch_set, files, package or {})
    if removal.obstacles:
        return _knowing(removal, plan)
    clean = make_plan(patch_set, removal.files, plan.release, package)
    changes = [replace(change, before=files[change.path]) for change in clean.changes]
    if changes:
        changes += [FileChange(e.kept, None, removal.files[e.kept], like=e.path) for e in removal.edits if e.kept]
    clean = replace(clean, changes=tuple(changes), removal=removal)
    obstacles = tuple(sorted({*_left(clean, removal)}, key=str))
    if obstacles:
        return _knowing(replace(removal, obstacles=obstacles), plan)
    if replace_them:
        return clean
    known = _knowing(removal, plan)
    return known if clean.changes else replace(known, removal=None)


def _knowing(removal: Removal, plan: Plan) -> Plan:
    """Return a plan that knows of edits made by hand: its notes are of the user's own code, and none is of an edit."""
    known = replace(plan, removal=removal)
    made = {(extent.path, line) for extent in found_by_hand(known) for line in extent.lines}
    return replace(known, notes=tuple(note for note in plan.notes if (note.place.path, note.place.line) not in made))


def _left(clean: Plan, removal: Removal) -> Iterator[Obstacle]:
    """Yield what was left of the edits in a plan without them, with line numbers of the files as they are."""
    for modification, place in clean.by_hand:
        line = removal.original_line(place.path, place.line)
        draft = removal.drafts.get(place.path)
        yield Obstacle(place.path, line, why_left(modification, draft.original if draft else None, line))
    for outcome in clean.outcomes:
        for rejection in outcome.rejections:
            attempt = rejection.foremost
            path, scope = attempt.alternative.path, attempt.alternative.scope
            reason = f"{outcome.modification} does not fit {scope} without these edits: {attempt.reason}"
            yield Obstacle(path, removal.first_line(path, scope), reason)
    for path, draft in removal.drafts.items():
        # What is added may set them again, to something else: that is not what such code was written for.
        for name, line in lost_names(draft.original.text, draft.source.text).items():
            reason = f"{name} is read here, and only code that would be removed sets it"
            yield Obstacle(path, removal.original_line(path, line), reason)
        for name, line in idle_names(draft.original.text, draft.source.text).items():
            reason = f"{name} is set here, and only code that would be removed reads it: remove this as well"
            yield Obstacle(path, removal.original_line(path, line), reason)

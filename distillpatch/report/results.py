"""What apply and revert did, in a few lines, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from distillpatch.commands import Reached, Situation, Standing
from distillpatch.disk_lines import plans_on_disk
from distillpatch.engine.hand_edits import extents
from distillpatch.ledger.survey import Condition
from distillpatch.ledger.undo import Undo
from distillpatch.report.diff import files, in_reading_order, stat_lines
from distillpatch.report.page import Block, Line, Span
from distillpatch.report.status import Context, steps_lines, train_step
from distillpatch.tree.checkout import NEWEST_TESTED, Checkout, is_newer_than_tested
from distillpatch.tree.environment import PYTHON_PATH, Place

# What to do about a file that revert leaves, one that apply has added and one that it has changed.
_LEFT_ADDED = "you edited it, and distillpatch had added it; move it away before the next apply"
_LEFT_EDITED = "it still contains distillpatch's lines; the other files were reverted, so remove these by hand"


def applied_page(reached: Reached, context: Context) -> Iterator[Block]:
    """Yield what apply did, and what to do next."""
    situation = reached.situation
    assert reached.run is not None
    made = situation.in_package(reached.run.changes)
    before = {each.name: each.digest for each in situation.state.patch_sets} if situation.state else {}
    new = [each for each in situation.wanted if before.get(each.name) != each.digest] or [*situation.wanted]
    is_all = len(new) == len(situation.wanted)
    plans = zip(situation.wanted, reached.plans, strict=True)
    count = sum(len(plan.outcomes) for patch_set, plan in plans if patch_set in new)
    changes = in_reading_order(situation.stack.changes if is_all else made)
    done, to = ("Applied", "to") if made else ("Adopted", "found in")
    what = f"{count} modification{'s' * (count != 1)}"
    yield Line(Span(done, "bold green"), f" {what} {to} {files(len(changes))} in {situation.checkout.package}:")
    yield from stat_lines(changes)
    for patch_set in new:
        if before.get(patch_set.name, patch_set.digest) != patch_set.digest:
            yield f"They replace those of the patch set {patch_set.name} that were applied before."
    undo_one = {} if is_all else {"To undo it": context.command("revert", "--patches", new[-1].name)}
    undo_all = {"To undo" if is_all else "To undo all": context.command("revert")}
    yield from steps_lines({**train_step(situation), **undo_one, **undo_all})


def reverted_page(reached: Reached, undo: Undo) -> Iterator[Block]:
    """Yield what revert did with each file that is not simply as it was before."""
    situation = reached.situation
    assert reached.run is not None and situation.state is not None
    changes = [
        change for change in situation.in_package(reached.run.changes) if change.path not in undo.set_aside.values()
    ]
    removed = sum(change.after is None for change in changes)
    restored = len(changes) - removed
    done = [f"Restored {files(restored)}"] * bool(restored) + [f"removed {files(removed)}"] * bool(removed)
    first, _, rest = " and ".join(done or ["restored 0 files"]).partition(" ")
    yield Line(Span(first.capitalize(), "bold green"), f" {rest} in {situation.checkout.package}.")
    for path in undo.merged:
        yield f"  {path}: distillpatch's changes are removed, yours are kept"
    for path in undo.left:
        yield f"  {path}: left as it is, {_LEFT_ADDED if situation.state.original(path) is None else _LEFT_EDITED}"
    for path, kept in undo.set_aside.items():
        yield f"  {path}: restored; the edited file is now {kept}"
    for path in undo.overwritten:
        yield f"  {path}: left as it is, {Condition.OVERWRITTEN.value}"
    if situation.wanted:
        yield f"Still applied: {', '.join(patch_set.name for patch_set in situation.wanted)}."


def checkout_notes(checkout: Checkout) -> Iterator[str]:
    """Yield which checkout a command works on, and what to know of its release."""
    yield f"ultralytics {checkout.release} at {checkout.package} ({checkout.found})"
    if is_newer_than_tested(checkout.release):
        yield f"Note: {checkout.release} is newer than {NEWEST_TESTED}, the newest release that this was tested with."
    if not checkout.release[:1].isdecimal():
        yield f"Note: {checkout.release} is not the number of a release, so this was not tested with it."


def waiting_note(checkout: Checkout, holder: str) -> str:
    """Return why nothing happens for a while."""
    return f"Waiting for another distillpatch that is at work on {checkout.package}: {holder}."


def applied_notes(reached: Reached) -> Iterator[str]:
    """Yield what to know after apply."""
    removals = [plan.removal for plan in reached.plans if plan.removal]
    if removals:
        yield "Note: these edits were made by hand, and were taken out (revert restores them):"
        yield from (f"  {extent}" for removal in removals for extent in extents(removal.edits))
        yield "Note: it is not proven that the release's own code is left there: distillpatch diff shows it."
    kept = [edit for removal in removals for edit in removal.edits if edit.kept]
    yield from (f"Note: your {edit.path} is now {edit.kept}, and distillpatch's has its name." for edit in kept)
    reports = [edit.report for removal in removals for edit in removal.edits if edit.report]
    if reports:
        yield f"Note: to train as these edits did, pass to train(): {', '.join(reports)}"
    plans = plans_on_disk(reached.situation)
    versions = [version for plan in plans for version in plan.own_versions]
    if versions:
        yield "Note: these classes have their own version of a patched method, so training with them does not distill:"
        yield from (f"  {version}" for version in versions)
    notes = [note for plan in plans for note in plan.notes]
    if notes:
        yield "Note: this code of your own adds to the loss as well, and is left as it is:"
        yield from (f"  {note}" for note in notes)
    if reached.unsaved:
        yield f"Note: {', '.join(reached.unsaved)} had changes that are not committed to git; they were kept."


def nothing_to_revert(situation: Situation) -> str:
    """Return why revert had nothing to do."""
    return "no distillpatch state was found" if situation.unrecorded_files else Standing.NOT_PATCHED.value


def unrecorded_notes(situation: Situation) -> Iterator[str]:
    """Yield what to do when revert has nothing to go by, and yet somebody has patched the tree."""
    found = situation.unrecorded_files
    if found:
        which = f"{found[0]} exists" if len(found) == 1 else f"{found[0]} and {len(found) - 1} more such modules exist"
        yield (
            f"Note: {which}, although no distillpatch state was found: this checkout was "
            f"{Standing.UNRECORDED.value}. `distillpatch status` lists the edits. To undo them, restore the files from "
            f"git, or install ultralytics {situation.checkout.release} again."
        )


def import_note(checkout: Checkout, imported: Place | None) -> str:
    """Return whether Python would import this ultralytics elsewhere: else multi-GPU workers do not distill."""
    if imported and imported.package.samefile(checkout.package):
        return f"Python imports this ultralytics, from {imported.name}."
    what = f"another ultralytics, {imported.package}, from {imported.name}" if imported else "no ultralytics"
    return (
        f"Warning: Python imports {what}. Training started in another folder, as the workers of multi-GPU training "
        f"are, will not distill.\nTo make Python import this one: {_remedy(checkout, imported)}"
    )


def _remedy(checkout: Checkout, imported: Place | None) -> str:
    is_project = any((checkout.root / name).is_file() for name in ("pyproject.toml", "setup.py"))
    overruled = imported is not None and imported.name == PYTHON_PATH  # which comes before what is installed
    root = shlex.quote(str(checkout.root))
    return f"pip install -e {root}" if is_project and not overruled else f"put {root} first on PYTHONPATH"

"""JSON documents about what commands did; docs/json.md describes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from distillpatch.change import FileChange
from distillpatch.commands import Reached
from distillpatch.report.diff import in_reading_order, unified_diff
from distillpatch.report.status import Context
from distillpatch.tree.checkout import Checkout


def diff_report(checkout: Checkout, changes: Iterable[FileChange]) -> dict[str, Any]:
    """Return a diff for programs."""
    changes = [change for change in in_reading_order(changes) if change.before != change.after]
    return {
        "path": str(checkout.package),
        "release": checkout.release,
        "files": [change.path for change in changes],
        "diff": unified_diff(changes).decode("utf-8", "replace"),
    }


def applied_report(reached: Reached, context: Context) -> dict[str, Any]:
    """Return what apply did, for programs."""
    situation = reached.situation
    changed = reached.run is not None
    return {
        "path": str(situation.checkout.package),
        "release": situation.checkout.release,
        "changed": changed,
        "modifications": sum(len(plan.outcomes) for plan in reached.plans),
        "files": [change.path for change in in_reading_order(situation.stack.changes)] if changed else [],
        "uncommitted": list(reached.unsaved),
        "undo": context.command("revert"),
    }


def reverted_report(reached: Reached) -> dict[str, Any]:
    """Return what revert did, for programs."""
    situation, run = reached.situation, reached.run
    undo = run.undo if run else None
    return {
        "path": str(situation.checkout.package),
        "release": situation.checkout.release,
        "changed": undo is not None,
        "files": [change.path for change in situation.in_package(run.changes)] if run else [],
        "merged": list(undo.merged) if undo else [],
        "left": [*undo.left, *undo.overwritten] if undo else [],
        "set_aside": dict(undo.set_aside) if undo else {},
        "still_applied": [patch_set.name for patch_set in situation.wanted],
        "unrecorded": list(situation.unrecorded_files),
    }

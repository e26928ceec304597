"""A checkout that holds to the byte what apply makes of it, though no state says so: `diff | git apply` made it, say.

What it was before is what git has committed, if the plan for that leads to exactly the files on disk.
"""

from __future__ import annotations

from datetime import datetime, timezone

from distillpatch import __version__
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import make_plan, paths
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.places import current
from distillpatch.ledger.state import AppliedFile, AppliedSet, State
from distillpatch.tree.checkout import Checkout
from distillpatch.tree.files import exists
from distillpatch.tree.git import committed


def adopted(checkout: Checkout, patch_set: PatchSet) -> State | None:
    """Return the state that apply would have left, if the files are to the byte what it makes; None if they are not.

    Args:
        checkout: A checkout without a state.
        patch_set: What was applied to it, perhaps.

    Raises:
        DistillpatchError: If a file cannot be used.
        OSError: If a file cannot be read.
    """
    added = patch_set.new_files
    if not all(exists(checkout.root / new_file.path) for new_file in added):
        return None
    now = {path: current(checkout.package, path) for path in paths(patch_set)}
    if any(now[new_file.path] != new_file.content for new_file in added):
        return None
    before: dict[str, bytes | None] = dict.fromkeys(now)
    before |= _as_on_disk(committed(checkout.root, patch_set.edited_files), now)
    try:
        changes = make_plan(patch_set, before, checkout.release_name).changes
    except DistillpatchError:
        return None
    if not changes or any(change.after != now[change.path] for change in changes):
        return None
    return State(
        version=__version__,
        patch_sets=(AppliedSet(patch_set.name, patch_set.title, patch_set.digest, patch_set.files),),
        release=checkout.release,
        applied_at=_time_of(checkout, added[0].path),
        files=tuple(
            AppliedFile(change.path, change.before, change.after, _mode(checkout, change.path, change.before), None)
            for change in changes
        ),
    )


def _as_on_disk(texts: dict[str, bytes], now: dict[str, bytes | None]) -> dict[str, bytes]:
    """Return texts with the line endings that git gave them when it wrote them to the disk."""
    return {
        path: text.replace(b"\n", b"\r\n") if b"\r\n" in (now[path] or b"") and b"\r\n" not in text else text
        for path, text in texts.items()
    }


def _mode(checkout: Checkout, path: str, before: bytes | None) -> int | None:
    return None if before is None else (checkout.root / path).stat().st_mode & 0o777


def _time_of(checkout: Checkout, path: str) -> str:
    return datetime.fromtimestamp((checkout.root / path).stat().st_mtime, timezone.utc).isoformat(timespec="seconds")

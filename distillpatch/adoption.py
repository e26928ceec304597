"""A checkout that was patched, though no state says so: `diff | git apply` made it, say, or it is a clone of one.

What it was before is what git has: in the last commit, if apply makes of that what is on disk, to the byte; or before
the last commit that brought the modules, if that holds, to the byte, what apply makes of the commit before it. Such a
checkout may have been edited since.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone

from distillpatch import __version__
from distillpatch.change import FileChange
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import make_plan
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.places import STATE_DIR
from distillpatch.ledger.state import AppliedFile, AppliedSet, State
from distillpatch.tree.checkout import Checkout
from distillpatch.tree.environment import version_in
from distillpatch.tree.files import exists
from distillpatch.tree.git import commit_that_brought, committed, obstacle
from distillpatch.tree.package import MARK

Texts = Mapping[str, bytes | None]


def is_ours(patch_set: PatchSet, now: Texts) -> bool:
    """Return whether distillpatch, of whatever version, has patched these files: it names modules as nobody else does.

    Args:
        patch_set: The patch set that it has applied, perhaps.
        now: The content of ``paths(patch_set)``.
    """
    return bool(_added(now) or _importing(patch_set, now))


def _added(now: Texts) -> list[str]:
    """Return the modules that begin as ours do."""
    return sorted(path for path, content in now.items() if (content or b"").startswith(MARK))


def _importing(patch_set: PatchSet, now: Texts) -> list[str]:
    """Return the files that import a module of ours."""
    by_hand = {made.path for modification in patch_set.modifications for made in modification.hand_made_files}
    ours = {new_file.path for new_file in patch_set.new_files} - by_hand
    names = (re.escape(path.removesuffix(".py").replace("/", ".")).encode() for path in ours)
    imported = re.compile(rb"^[ \t]*from (?:" + b"|".join(names) + rb") import ", re.MULTILINE)
    return [path for path in patch_set.edited_files if imported.search(now[path] or b"")]


def what_to_do(checkout: Checkout, patch_set: PatchSet, now: Texts) -> str:
    """Return what to know, and to do, about a checkout that distillpatch has patched and that has no state."""
    state, added = f"{checkout.package.name}/{STATE_DIR}", _added(now)
    more = f" and {len(added) - 1} more" if len(added) > 1 else ""
    modules = f"the modules that begin with {MARK.decode()!r} ({added[0]}{more})" if added else ""
    left = ", ".join(_importing(patch_set, now))
    hint = obstacle(checkout.root)
    ways = [
        f"{hint}, since git may know what there was before" if hint else "",
        f"copy {state} from where the checkout was patched",
        "restore the files from git (which has your own edits only if you committed them)"
        + (f" and delete {modules}" if modules else ""),
        f"remove distillpatch's lines from {left} by hand{f' and delete {modules}' if modules else ''}" if left else "",
        f"install {checkout.release_name} again",
    ]
    return (
        f"this checkout was patched by distillpatch, but its state, the folder {state}, is not here: it was deleted, "
        "by `revert --keep-edited` for example, or did not come along with a copy or a clone. Nothing was written.\n"
        "Do one of these first:" + "".join(f"\n- {way}" for way in ways if way)
    )


def adopted(checkout: Checkout, patch_set: PatchSet, now: Texts) -> State | None:
    """Return the state that apply would have left, if git knows what there was before; None if it does not.

    Args:
        checkout: A checkout without a state.
        patch_set: What was applied to it, perhaps.
        now: The content of ``paths(patch_set)``.

    Raises:
        DistillpatchError: If a file cannot be used.
        OSError: If a file cannot be read.
    """
    for release, past, after in _pasts(checkout, patch_set, now):
        if changes := _changes(checkout, patch_set, past, after):
            return _state(checkout, patch_set, now, release, changes)
    return None


def _state(checkout: Checkout, patch_set: PatchSet, now: Texts, release: str, changes: tuple[FileChange, ...]) -> State:
    return State(
        version=__version__,
        patch_sets=(AppliedSet(patch_set.name, patch_set.title, patch_set.digest, patch_set.files),),
        release=release,
        applied_at=_time_of(checkout, now),
        files=tuple(
            AppliedFile(change.path, change.before, change.after, _mode(checkout, change), None) for change in changes
        ),
    )


def _pasts(checkout: Checkout, patch_set: PatchSet, now: Texts) -> Iterator[tuple[str, str, Texts]]:
    """Yield a release, the commit before the patch set was applied to it, perhaps, and the files after that.

    These are on disk, or in the last commit that brought the modules: what an earlier one brought was taken out again,
    and is another story. The release of that commit may not be the one that is on disk.
    """
    yield checkout.release, "HEAD", now
    commit = commit_that_brought(checkout.root, [new_file.path for new_file in patch_set.new_files])
    if commit is not None:
        stated = f"{checkout.package.name}/__init__.py"
        release = version_in(committed(checkout.root, [stated], commit).get(stated, b""))
        if release is not None:
            yield release, f"{commit}^", _at(checkout, commit, now)


def _changes(checkout: Checkout, patch_set: PatchSet, past: str, after: Texts) -> tuple[FileChange, ...]:
    """Return the changes of a patch set, if they lead from a commit to files, of which modules may be gone again."""
    if any(after[new_file.path] not in (new_file.content, None) for new_file in patch_set.new_files):
        return ()  # of another version, and a plan takes its time
    try:
        changes = make_plan(patch_set, _at(checkout, past, after), checkout.release_name).changes
    except DistillpatchError:
        return ()
    led = all(after[change.path] == change.after or change.before is after[change.path] is None for change in changes)
    return changes if led else ()


def _at(checkout: Checkout, revision: str, like: Texts) -> Texts:
    """Return files as a commit has them, with the line endings that git gave these when it wrote them to the disk."""
    texts = {
        path: text.replace(b"\n", b"\r\n") if b"\r\n" in (like[path] or b"") and b"\r\n" not in text else text
        for path, text in committed(checkout.root, like, revision).items()
    }
    return {**dict.fromkeys(like), **texts}


def _mode(checkout: Checkout, change: FileChange) -> int | None:
    place = checkout.root / change.path
    return None if change.before is None or not exists(place) else place.stat().st_mode & 0o777


def _time_of(checkout: Checkout, now: Texts) -> str:
    """Return when the youngest of the files was written."""
    written = max((checkout.root / path).stat().st_mtime for path, content in now.items() if content is not None)
    return datetime.fromtimestamp(written, timezone.utc).isoformat(timespec="seconds")

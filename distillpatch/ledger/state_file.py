"""The state in a package is read, and the one to keep after a run is described. Nothing is written."""

from __future__ import annotations

import shlex
import zlib
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from distillpatch import __version__
from distillpatch.change import FileChange
from distillpatch.ledger.places import (
    MAX_FILE,
    ORIGINALS,
    STATE_DIR,
    STATE_FILE,
    StateError,
    current,
    holds_files,
    locate,
    state_dir,
)
from distillpatch.ledger.state import AppliedFile, AppliedSet, State
from distillpatch.ledger.state_json import parse_state, to_json
from distillpatch.tree.files import NotRegularError, is_link, link_text, read_regular


def describe(
    package_dir: Path,
    plan: Sequence[FileChange],
    *,
    release: str,
    patch_sets: Sequence[AppliedSet],
    previous: State | None = None,
) -> State:
    """Describe a plan that is about to be committed, as the state to keep.

    Args:
        package_dir: The package, absolute.
        plan: The files from the text that the plan was made from to the patched one.
        release: The ultralytics release in the tree.
        patch_sets: The patch sets of the plan, in order.
        previous: The state that is in the tree, when other patch sets are applied already.

    Returns:
        The state, dated now.

    Raises:
        StateError: The state could not be read again: the tree holds something that no release does.
        DistillpatchError: A file cannot be used.
        OSError: A file cannot be read.
    """
    state = State(
        version=__version__,
        patch_sets=tuple(patch_sets),
        release=release,
        applied_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        files=tuple(_describe_file(package_dir, change, previous) for change in plan),
    )
    try:
        text = to_json(state)
        if len(text) > MAX_FILE:
            raise ValueError("it is larger than any release's")
        parse_state(text, package_dir.name)
    except (ValueError, zlib.error) as error:
        raise StateError(f"The state of {package_dir} after this run could not be read again: {error}.") from error
    return state


def _describe_file(package_dir: Path, change: FileChange, previous: State | None) -> AppliedFile:
    mode = link = None
    known = previous.file(change.path) if previous else None
    if known is not None and current(package_dir, change.path) != change.before:
        # The file in the tree is an earlier run's: the facts of the original are in its state.
        mode = known.mode
        link = known.link if known.original == change.before else None
    elif change.before is not None:
        place = locate(package_dir, change.path)
        mode = place.stat().st_mode & 0o777
        link = link_text(place) if is_link(place) else None
    return AppliedFile(change.path, change.before, change.after, mode, link)


def read_state(package_dir: Path) -> State | None:
    """Read what was applied to a package.

    Args:
        package_dir: The package, absolute.

    Returns:
        The state, or None if nothing was applied.

    Raises:
        NewerStateError: It was written in a format that this distillpatch does not know.
        StateError: It was truncated, tampered with, or lost.
        OSError: It cannot be read.
    """
    file = state_dir(package_dir) / STATE_FILE
    try:
        return parse_state(read_regular(file, MAX_FILE), package_dir.name)
    except (FileNotFoundError, NotADirectoryError):
        _refuse_lost_state(package_dir)
        return None
    except (NotRegularError, ValueError, RecursionError, zlib.error) as error:
        raise StateError(
            f"{file} was damaged or changed by something else ({error}), so distillpatch cannot tell what it changed, "
            f"and it changes nothing. To undo it by hand, {way_back(package_dir)}."
        ) from error


def _refuse_lost_state(package_dir: Path) -> None:
    folder = package_dir / STATE_DIR
    if holds_files(folder / ORIGINALS):
        raise StateError(
            f"{folder / STATE_FILE} is missing, though {folder / ORIGINALS} still holds the originals of what was "
            "patched. distillpatch cannot tell what it changed, and it changes nothing. Restore the file, or "
            f"{way_back(package_dir)}."
        )


def way_back(package_dir: Path) -> str:
    """Return what to do by hand where nobody can know what was changed: the originals hold the user's own edits."""
    folder = package_dir / STATE_DIR
    originals = folder / ORIGINALS
    if holds_files(originals):
        command = shlex.join(["cp", "-R", f"{originals}/.", str(package_dir.parent)])
        return f"copy the originals to where they were ({command}), delete the files that were added, then {folder}"
    return f"restore the release's own files (pip install --force-reinstall, or git checkout), then delete {folder}"

"""What a run does to each place, worked out and checked before the first write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from distillpatch.change import FileChange
from distillpatch.ledger.journal import Entry
from distillpatch.ledger.lock import TransactionError
from distillpatch.ledger.places import STATE_DIR, current, kept_original, locate, own_files, sha256
from distillpatch.ledger.recovery import fingerprint
from distillpatch.ledger.state import State, refuse_newer
from distillpatch.ledger.state_file import read_state
from distillpatch.ledger.state_json import to_json
from distillpatch.tree.files import exists, follow, is_folder, is_link, leads_to_folder, names_in

_SPARE_ROOM = 2**20  # for the folders and the journal, beside the files themselves


@dataclass(frozen=True)
class New:
    """What is to be at a place: these bytes, by preference as `same_as`, or else the symbolic link `link`."""

    data: bytes
    mode: int | None = None
    same_as: Path | None = None
    link: str | None = None


Step = tuple[Entry, New | None]
"""A place, with its fingerprints before and after, and what is to be there; None for nothing."""


def work_out(package_dir: Path, changes: Sequence[FileChange], state: State | None) -> list[Step]:
    """Return all that a run does, in order: the user's files, the old state, the new one."""
    previous = read_state(package_dir)
    if previous:
        refuse_newer(previous.version)
    wanted: dict[str, New | None] = {}
    for change in changes:
        wanted[change.path] = _new_content(package_dir, change, previous)
        if change.after is None:
            wanted.update(dict.fromkeys(_bytecode(package_dir, change.path)))
    # The originals go before the state that tells of them, which came first: a reader between the two misses nothing.
    wanted.update(dict.fromkeys(reversed([*_own_paths(package_dir.name, previous)])))
    wanted.update(_new_state(package_dir, state))
    steps = []
    for path, new in wanted.items():
        entry = Entry(path, fingerprint(locate(package_dir, path)), _fingerprint_of(new))
        if entry.before != entry.after:
            steps.append((entry, new))
    return steps


def _new_content(package_dir: Path, change: FileChange, previous: State | None) -> New | None:
    if change.after is None:
        return None
    known = previous.file(change.path) if previous else None
    if known and known.original == change.after:
        kept = locate(package_dir, kept_original(package_dir.name, change.path))
        return New(change.after, known.mode, same_as=_holding(kept, change.after), link=known.link)
    place = locate(package_dir, change.like if change.like and change.before is None else change.path)
    return New(change.after, None if (status := follow(place)) is None else status.st_mode & 0o777)


def _own_paths(package: str, state: State | None) -> Iterator[str]:
    return own_files(package, [file.path for file in state.files] if state else ())


def _new_state(package_dir: Path, state: State | None) -> Iterator[tuple[str, New | None]]:
    if state is None:
        return
    ignore, own, *originals = _own_paths(package_dir.name, state)
    yield ignore, New(b"*\n")
    yield own, New(to_json(state))
    for kept, file in zip(originals, state.files, strict=True):
        if file.original is not None and file.link is None:
            same = _holding(locate(package_dir, file.path), file.original)
            yield kept, New(file.original, file.mode, same_as=same)


def _holding(place: Path, content: bytes) -> Path | None:
    """Return the place of a regular file if it holds just this content."""
    return place if fingerprint(place) == sha256(content) else None


def _bytecode(package_dir: Path, path: str) -> list[str]:
    """Return the compiled forms of a module, which would outlive it."""
    module = package_dir.parent / path
    cache = module.parent / "__pycache__"
    if module.suffix != ".py" or not is_folder(cache):
        return []
    compiled = (name for name in names_in(cache) if name.startswith(f"{module.stem}.") and name.endswith(".pyc"))
    return [(cache / name).relative_to(package_dir.parent).as_posix() for name in compiled]


def _fingerprint_of(new: New | None) -> str | None:
    if new is None:
        return None
    return f"link:{new.link}" if new.link is not None else sha256(new.data)


def check(package_dir: Path, changes: Sequence[FileChange], steps: Sequence[Step]) -> None:
    """Make sure that a run can succeed, as far as that is known before the first write.

    Raises:
        TransactionError: A file is not what the plan was made from, or cannot be written.
        OSError: Something cannot be looked at.
    """
    for change in changes:
        check_unchanged(package_dir, change)
    for entry, _ in steps:
        if not entry.path.startswith(f"{package_dir.name}/{STATE_DIR}/"):
            _check_writable(locate(package_dir, entry.path))
    needed = sum(len(new.data) for _, new in steps if new) + _SPARE_ROOM
    if shutil.disk_usage(package_dir).free < needed:
        raise TransactionError(
            f"The disk that holds {package_dir} has less than {needed:,} bytes left. Nothing was changed; "
            "make room, and run the command again."
        )


def check_unchanged(package_dir: Path, change: FileChange) -> None:
    """Make sure that a file is what the plan was made from."""
    now = current(package_dir, change.path)
    if now != change.before:
        happened = "vanished" if now is None else "appeared" if change.before is None else "was changed"
        raise TransactionError(
            f"{package_dir.parent / change.path} {happened} while this run was being planned. "
            "No file was changed; run the command again."
        )


def _check_writable(place: Path) -> None:
    if not leads_to_folder(place.parent):
        raise TransactionError(
            f"The folder {place.parent} does not exist. Nothing was changed; make it, and run the command again."
        )
    for needed, how in ((place.parent, os.W_OK | os.X_OK), (place, os.W_OK)):
        if exists(needed) and not is_link(needed) and not os.access(needed, how):
            raise TransactionError(
                f"No permission to write {needed}. Nothing was changed; give it to yourself (chmod u+w), or run "
                "distillpatch as somebody who has it."
            )

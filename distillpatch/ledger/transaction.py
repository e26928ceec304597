"""A run is a transaction with a journal; all that it writes, it writes through `disk`.

While a run is on, `.distillpatch/run/` holds

    before/N        what was at the N-th place: the same inode, so that undoing gives back the very file
    after/N         what is to be there, written out in full
    journal.json    the places, and what is there before and after

Everything in it is on the disk before the journal gets its name. From then on each file is swapped by one rename, which
never writes through a hard or symbolic link, and renaming the journal to `done` completes the run. A run that finds a
journal undoes what the journal's writer began; one that finds no journal only has to tidy up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from distillpatch.change import FileChange
from distillpatch.errors import DistillpatchError, InterruptedRun
from distillpatch.ledger.disk import copy_or_link, flush_folder, make_folder, rename, symlink, unlink, write
from distillpatch.ledger.journal import Entry, Journal, to_json
from distillpatch.ledger.lock import TransactionError, Waiting, acquire, in_silence, unlock
from distillpatch.ledger.places import AFTER, BEFORE, DONE, JOURNAL, RUN, STATE_DIR, locate
from distillpatch.ledger.recovery import COMPLETED, Settled, collect, is_tidy, reason, recover_run, settle
from distillpatch.ledger.state import State
from distillpatch.ledger.steps import New, Step, check, check_unchanged, work_out
from distillpatch.tree.files import exists, is_folder


@dataclass(frozen=True)
class Held:
    """A package that this process alone may change for now.

    Attributes:
        package_dir: The package, absolute.
        release: The release that is in the tree.
        recovered: What was done about an earlier run that was interrupted, as a sentence to print, or None.
    """

    package_dir: Path
    release: str
    recovered: str | None


def recover(package_dir: Path, release: str, wait: float = 10.0, waiting: Waiting = in_silence) -> str | None:
    """Bring a package to what it was before, or after, a run that was interrupted; every command begins with this.

    Args:
        package_dir: The package, absolute.
        release: The release that is in the tree now.
        wait: For how many seconds to wait for another process that is at work.
        waiting: Called with that process as soon as it is waited for.

    Returns:
        What was done, as a sentence to print, or None if there was nothing to do.

    Raises:
        BusyError: Another process is still at work.
        DistillpatchError: What was left cannot be read, or not be undone.
    """
    if is_tidy(package_dir):
        return None
    with lock(package_dir, release, wait, waiting) as held:
        return held.recovered


@contextmanager
def lock(package_dir: Path, release: str, wait: float = 10.0, waiting: Waiting = in_silence) -> Iterator[Held]:
    """Keep other processes from changing a package, after recovering from a run that was interrupted.

    Args:
        package_dir: The package, absolute.
        release: The release that is in the tree now.
        wait: For how many seconds to wait for another process that is at work.
        waiting: Called with that process as soon as it is waited for.

    Yields:
        The package, ready for `commit`.

    Raises:
        BusyError: Another process is still at work; it is named.
        DistillpatchError: The package cannot be written to, or an interrupted run cannot be undone.
    """
    try:
        descriptor = acquire(package_dir, wait, waiting)
    except OSError as error:
        raise TransactionError(f"{reason(error)}. {_unchanged(package_dir)}") from error
    try:
        yield Held(package_dir, release, recover_run(package_dir, release))
    finally:
        unlock(package_dir, descriptor)


def commit(held: Held, changes: Sequence[FileChange], state: State | None) -> None:
    """Make all changes of a plan, or none.

    Args:
        held: The package, from `lock`.
        changes: The files from what is in the tree now to what shall be there.
        state: What is applied afterwards, or None if nothing is: then every trace of distillpatch goes.

    Raises:
        NewerStateError: A newer distillpatch has patched the tree; nothing was written.
        TransactionError: A file is not what the plan was made from, or cannot be written: every file is as before,
            unless the message says otherwise.
    """
    package_dir = held.package_dir
    try:
        steps = work_out(package_dir, changes, state)
        check(package_dir, changes, steps)
    except OSError as error:
        raise TransactionError(f"{reason(error)}. Nothing was changed.") from error
    try:
        _stage(held, steps)
        _swap(package_dir, changes, [entry for entry, _ in steps])
    except BaseException as error:
        _end(error, _undo(held, error))
        raise
    # The run is complete. What fails from here on is left to the next command.
    try:
        with suppress(OSError):
            flush_folder(package_dir / STATE_DIR / RUN)
            collect(package_dir)
    except KeyboardInterrupt as error:
        _end(error, Settled(COMPLETED))


def _stage(held: Held, steps: Sequence[Step]) -> None:
    """Put what is there and what shall be there side by side, and write the journal once all of it is safe."""
    package_dir = held.package_dir
    run = package_dir / STATE_DIR / RUN
    for folder in (run, run / BEFORE, run / AFTER):
        make_folder(folder)
    for number, (entry, new) in enumerate(steps):
        place = locate(package_dir, entry.path)
        if entry.before is not None:
            copy_or_link(place, run / BEFORE / str(number))
        if new is not None:
            _put(new, run / AFTER / str(number), like=place if exists(place) else package_dir)
            _make_folders(place.parent)
    for folder in (run / BEFORE, run / AFTER):
        flush_folder(folder)
    journal = Journal(held.release, tuple(entry for entry, _ in steps))
    write(run / f"{JOURNAL}.new", to_json(journal), like=package_dir)
    rename(run / f"{JOURNAL}.new", run / JOURNAL)
    for folder in (run, run.parent, package_dir):
        flush_folder(folder)


def _put(new: New, place: Path, like: Path) -> None:
    if new.link is not None:
        symlink(new.link, place)
    elif new.same_as is not None:
        copy_or_link(new.same_as, place)
    else:
        write(place, new.data, like, new.mode)


def _make_folders(folder: Path) -> None:
    """Make the folders in which originals are kept; those of the package itself exist."""
    if not is_folder(folder):
        _make_folders(folder.parent)
        make_folder(folder)
        flush_folder(folder.parent)


def _swap(package_dir: Path, changes: Sequence[FileChange], entries: Sequence[Entry]) -> None:
    run = package_dir / STATE_DIR / RUN
    planned = {change.path: change for change in changes}
    places = [locate(package_dir, entry.path) for entry in entries]
    for number, (entry, place) in enumerate(zip(entries, places, strict=True)):
        if entry.path in planned:
            check_unchanged(package_dir, planned[entry.path])
        if entry.after is None:
            unlink(place)
        else:
            rename(run / AFTER / str(number), place)
    for folder in sorted({place.parent for place in places}):
        flush_folder(folder)
    rename(run / JOURNAL, run / DONE)


def _unchanged(package_dir: Path) -> str:
    """Say what the tree is when a run could not even begin."""
    try:
        interrupted = exists(package_dir / STATE_DIR / RUN)
    except OSError:
        return "Nothing was changed by this run."
    if interrupted:
        return "An earlier run of distillpatch was interrupted. It can only be undone once this is solved."
    return "Nothing was changed."


def _undo(held: Held, error: BaseException) -> Settled:
    """Undo what a run has begun.

    Raises:
        TransactionError: That failed too, so nothing is known of the tree but that the next run tries again.
    """
    try:
        return settle(held.package_dir, held.release)
    except OSError as second:
        first = f"{reason(error)}. " if isinstance(error, OSError) else f"{error}. " if str(error) else ""
        raise TransactionError(
            f"{first}Rolling back failed too: {reason(second)}. Some files may be changed and others not. Nothing that "
            "is needed was removed: once the disk can be read and written again, any command undoes the run."
        ) from error


def _end(error: BaseException, settled: Settled) -> None:
    """Raise the error that says what the tree is after a run that failed, unless its own error says enough.

    Args:
        error: Why the run ended.
        settled: What became of it.
    """
    is_complete = settled.outcome == COMPLETED
    if isinstance(error, KeyboardInterrupt):
        tree = "All changes had been made, and are in place" if is_complete else "Every file was restored"
        raise InterruptedRun(f"Interrupted. {tree}.{settled.remarks}") from error
    if isinstance(error, OSError):
        tree = "All changes are in place nevertheless" if is_complete else "Every file is as it was before"
        raise TransactionError(f"{reason(error)}. {tree}.{settled.remarks}") from error
    if isinstance(error, DistillpatchError) and settled.remarks:
        raise TransactionError(f"{error}{settled.remarks}") from error

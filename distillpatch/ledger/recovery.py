"""What an interrupted run has left is undone, or removed if the run was complete."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from pathlib import Path

from distillpatch.ledger.disk import flush_folder, remove_folder, rename, unlink
from distillpatch.ledger.journal import Entry, Journal, damaged, read_journal
from distillpatch.ledger.lock import LOCK, TransactionError
from distillpatch.ledger.places import (
    AFTER,
    BEFORE,
    DONE,
    JOURNAL,
    MAX_FILE,
    RUN,
    STATE_DIR,
    free_name,
    locate,
    sha256,
    state_dir,
)
from distillpatch.tree.files import (
    NotRegularError,
    exists,
    is_folder,
    is_link,
    leads_to_folder,
    link_text,
    names_in,
    read_regular,
    walk,
)

UNDONE = "was interrupted: its changes have been undone."
COMPLETED = "was interrupted after its last change: all of its changes are in place."
TIDIED = "was interrupted: all of its changes are in place, or none is."


@dataclass(frozen=True)
class Settled:
    """What became of a run.

    Attributes:
        outcome: As a sentence without its subject.
        remarks: What there is to say of single files.
        leftover: Why what the run left in its own folder is still there; None if it was removed.
    """

    outcome: str
    remarks: str = ""
    leftover: OSError | None = None


def is_tidy(package_dir: Path) -> bool:
    """Return whether no folder of distillpatch's exists, or one in which no process is at work, or was as it died."""
    try:
        names = set(names_in(state_dir(package_dir)))
    except FileNotFoundError:
        return True
    return bool(names) and names.isdisjoint({RUN, LOCK})


def recover_run(package_dir: Path, release: str) -> str | None:
    """Settle a run that was interrupted; return what was done, as a sentence to print, or None if there was none."""
    try:
        if not exists(state_dir(package_dir) / RUN):
            return None
        settled = settle(package_dir, release)
    except OSError as error:
        raise TransactionError(
            f"An interrupted run of distillpatch on {package_dir} cannot be undone yet. {reason(error)}. Nothing that "
            "it needs was removed: solve this, and run any distillpatch command again."
        ) from error
    report = f"An earlier run of distillpatch on {package_dir} {settled.outcome}{settled.remarks}"
    if settled.leftover is not None:
        raise TransactionError(
            f"{report} What that run left in its own folder cannot be removed yet. {reason(settled.leftover)}. "
            "Solve this, and run any distillpatch command again."
        ) from settled.leftover
    return report


def settle(package_dir: Path, release: str) -> Settled:
    """Undo what a run has begun, unless it was complete, and remove what it has left.

    Raises:
        DistillpatchError: The journal cannot be relied on.
        OSError: A change cannot be undone, or nobody can know whether there was one; all that is needed to try again
            is still there.
    """
    settled = _settle_changes(package_dir, release)
    try:
        collect(package_dir)
    except OSError as error:
        return replace(settled, leftover=error)
    return settled


def _settle_changes(package_dir: Path, release: str) -> Settled:
    run = package_dir / STATE_DIR / RUN
    if exists(run / JOURNAL):
        return Settled(UNDONE, _roll_back(package_dir, release))
    if exists(run / DONE):
        read_journal(run / DONE, package_dir.name)  # which refuses what a newer distillpatch has left
        flush_folder(run)  # or else a power cut may bring the journal back, without what it needs
        return Settled(COMPLETED)
    return Settled(TIDIED)


def _roll_back(package_dir: Path, release: str) -> str:
    """Give every place what the journal says that it held; return what there is to say of single files.

    A file that is neither what the run found nor what it put there was changed by somebody else since. It is moved
    aside, unless it came with another release: then it stays, and a place whose folder is gone went with the old one.

    May be interrupted and repeated: `after/N` is gone once a place was changed, and `before/N` once it was restored.
    """
    run = package_dir / STATE_DIR / RUN
    journal = _journal(package_dir)
    newcomer = f"{package_dir.name} {release}" if release != journal.release else None
    places = [locate(package_dir, entry.path) for entry in journal.entries]
    remarks = [
        _restore(place, entry, run / BEFORE / str(number), run / AFTER / str(number), newcomer)
        for number, (place, entry) in enumerate(zip(places, journal.entries, strict=True))
    ]
    # The folders as well in which an earlier recovery that was cut short has restored everything.
    for folder in sorted({place.parent for place in places if leads_to_folder(place.parent)}):
        flush_folder(folder)
    unlink(run / JOURNAL)
    flush_folder(run)
    return "".join(remarks)


def _restore(place: Path, entry: Entry, before: Path, after: Path, newcomer: str | None) -> str:
    """Give a place what it held, if the run had come to it; return what there is to say of it."""
    now = fingerprint(place)
    # Where a file was to go there is no `after/N` to tell by: what is neither kind of content may be ours or not.
    changed = now != entry.before if entry.after is None else not exists(after)
    gone = entry.before is not None and not exists(before)
    if not changed or now == entry.before:
        return ""
    if gone:  # restored, and edited since; or else somebody has removed it
        return f" {place} is as that run left it: what it held before is gone." if now == entry.after else ""
    if now != entry.after and newcomer:
        return f" {place} is left as it is: {newcomer} brought it." if now is not None else ""
    if not leads_to_folder(place.parent):
        raise FileNotFoundError(errno.ENOENT, "the folder does not exist any more, make it", str(place.parent))
    remark = ""
    if now not in (None, entry.after):
        kept = free_name(place)
        rename(place, kept)
        remark = f" {place} had been changed meanwhile; that version is now {kept}."
    if entry.before is not None:
        if fingerprint(before) != entry.before:
            remark += f" {place} is restored from what was kept of it, which something else has changed."
        rename(before, place)
    elif now == entry.after:
        unlink(place)
    return remark


def _journal(package_dir: Path) -> Journal:
    """Read the journal of a run whose folders are real ones, for what it says is about to be done."""
    run = package_dir / STATE_DIR / RUN
    for folder in (run, run / BEFORE, run / AFTER):
        if not is_folder(folder):
            raise damaged(run / JOURNAL, f"{folder} is not a folder")
    journal = read_journal(run / JOURNAL, package_dir.name)
    listed = {
        BEFORE: {str(number) for number, entry in enumerate(journal.entries) if entry.before is not None},
        AFTER: {str(number) for number, entry in enumerate(journal.entries) if entry.after is not None},
    }
    for name, numbers in listed.items():
        unknown = sorted(set(names_in(run / name)) - numbers)
        if unknown:  # it would go with the folder, and may be all that is left of a file
            raise damaged(run / JOURNAL, f"it does not list {run / name / unknown[0]}")
    return journal


def collect(package_dir: Path) -> None:
    """Remove what a run has left: empty folders, then its own folder, which tells that there was a run.

    All else that has to go is in the journal: what no journal lists is not distillpatch's to remove.

    Raises:
        OSError: A folder cannot be read, or something cannot be removed.
    """
    folder = package_dir / STATE_DIR
    run = folder / RUN
    left = list(walk(folder))
    for place, is_real_folder in left:
        if not place.is_relative_to(run) and is_real_folder and not names_in(place):
            remove_folder(place)
    flush_folder(folder)
    for place, is_real_folder in left:
        if place.is_relative_to(run):
            (remove_folder if is_real_folder else unlink)(place)


def fingerprint(place: Path) -> str | None:
    """Return what is at a place, without following a symbolic link there; None for nothing.

    Raises:
        OSError: It cannot be found out.
    """
    try:
        return f"link:{link_text(place)}" if is_link(place) else sha256(read_regular(place, MAX_FILE))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except NotRegularError:
        return "other"


def reason(error: OSError) -> str:
    """Return what failed, and where."""
    what = f"{error.strerror or error}"
    return f"Could not read or write {error.filename}: {what}" if error.filename else f"Could not write: {what}"

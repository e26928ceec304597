"""The one module that writes to the user's tree: a run is a transaction with a journal.

While a run is on, `.distillpatch/run/` holds

    before/N        what lies at the N-th place: the same inode, so that undoing gives back the very file
    after/N         what is to lie there, written out in full
    journal.json    the places, and what lies there before and after

Everything in it is on the disk before the journal gets its name. From then on each file is swapped by one rename, which
never writes through a hard or symbolic link, and renaming the journal to `done` completes the run. A run that finds a
journal undoes what the journal's writer began; one that finds no journal only has to tidy up.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from distillpatch.change import FileChange
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.journal import Entry, Journal, damaged, read_journal
from distillpatch.ledger.journal import to_json as journal_to_json
from distillpatch.ledger.state import (
    MAX_FILE,
    STATE_DIR,
    State,
    current,
    free_name,
    kept_original,
    link_text,
    locate,
    own_files,
    read_state,
    refuse_newer,
    sha256,
    state_dir,
)
from distillpatch.ledger.state import to_json as state_to_json
from distillpatch.tree.files import NotOrdinaryError, read_ordinary

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_RUN = "run"
_BEFORE = "before"
_AFTER = "after"
_JOURNAL = "journal.json"
_DONE = "done"
_LOCK = "lock"

_MAX_HOLDER = 500
_SPARE_ROOM = 2**20  # for the folders and the journal, beside the files themselves

UNDONE = "was interrupted: its changes have been undone."
COMPLETED = "was interrupted after its last change: all of its changes are in place, and what it left has been removed."
TIDIED = "was interrupted before its first change or after its last: what it left has been removed."


class TransactionError(DistillpatchError):
    """A run was refused or failed; the tree is as it was before, unless the message says otherwise."""


class BusyError(TransactionError):
    """Another process is working on the package."""


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


@dataclass(frozen=True)
class _New:
    """What is to lie at a place: these bytes, by preference as `same_as`, or else the symbolic link `link`."""

    data: bytes
    mode: int | None = None
    same_as: Path | None = None
    link: str | None = None


def recover(package_dir: Path, release: str, wait: float = 10.0) -> str | None:
    """Bring a package to what it was before, or after, a run that was interrupted; every command begins with this.

    Args:
        package_dir: The package, absolute.
        release: The release that is in the tree now.
        wait: For how many seconds to wait for another process that is at work.

    Returns:
        What was done, as a sentence to print, or None if there was nothing to do.

    Raises:
        BusyError: Another process is still at work.
        DistillpatchError: What was left cannot be read, or not be undone.
    """
    if _is_tidy(package_dir):
        return None
    with lock(package_dir, release, wait) as held:
        return held.recovered


@contextmanager
def lock(package_dir: Path, release: str, wait: float = 10.0) -> Iterator[Held]:
    """Keep other processes from changing a package, after recovering from a run that was interrupted.

    Args:
        package_dir: The package, absolute.
        release: The release that is in the tree now.
        wait: For how many seconds to wait for another process that is at work.

    Yields:
        The package, ready for `commit`.

    Raises:
        BusyError: Another process is still at work; it is named.
        DistillpatchError: The package cannot be written to, or an interrupted run cannot be undone.
    """
    try:
        descriptor = _acquire(package_dir, wait)
    except OSError as error:
        raise TransactionError(f"{_reason(error)}. {_unchanged(package_dir)}") from error
    try:
        yield Held(package_dir, release, _recover(package_dir, release))
    finally:
        _release(package_dir, descriptor)


def commit(held: Held, changes: Sequence[FileChange], state: State | None) -> None:
    """Make all changes of a plan, or none.

    Args:
        held: The package, from `lock`.
        changes: The files from what lies in the tree now to what shall lie there.
        state: What is applied afterwards, or None if nothing is: then every trace of distillpatch goes.

    Raises:
        NewerStateError: A newer distillpatch has patched the tree; nothing was written.
        TransactionError: A file is not what the plan was made from, or cannot be written: every file is as before,
            unless the message says otherwise.
    """
    package_dir = held.package_dir
    steps = _steps(package_dir, changes, state)
    _check(package_dir, changes, steps)
    try:
        _stage(held, steps)
        _swap(package_dir, changes, [entry for entry, _ in steps])
    except BaseException as error:
        remarks = _undo(held)
        if isinstance(error, OSError):
            raise TransactionError(f"{_reason(error)}. Every file is as it was before.{remarks}") from error
        if isinstance(error, DistillpatchError) and remarks:
            raise TransactionError(f"{error}{remarks}") from error
        raise
    # The run is complete. What fails from here on is left to the next command.
    with suppress(OSError):
        _sync(package_dir / STATE_DIR / _RUN)
        _collect(package_dir)


# What a run does, worked out before it starts.


def _steps(package_dir: Path, changes: Sequence[FileChange], state: State | None) -> list[tuple[Entry, _New | None]]:
    previous = read_state(package_dir)
    if previous:
        refuse_newer(previous.version)
    wanted: dict[str, _New | None] = {}
    for change in changes:
        wanted[change.path] = _new_content(package_dir, change, previous)
        if change.after is None:
            wanted.update(dict.fromkeys(_bytecode(package_dir, change.path)))
    # The originals go before the state that tells of them, which came first: a reader between the two misses nothing.
    wanted.update(dict.fromkeys(reversed([*_own_paths(package_dir.name, previous)])))
    wanted.update(_new_state(package_dir, state))
    steps = []
    for path, new in wanted.items():
        entry = Entry(path, _fingerprint(locate(package_dir, path)), _fingerprint_of(new))
        if entry.before != entry.after:
            steps.append((entry, new))
    return steps


def _new_content(package_dir: Path, change: FileChange, previous: State | None) -> _New | None:
    if change.after is None:
        return None
    known = previous.file(change.path) if previous else None
    if known and known.original == change.after:
        kept = locate(package_dir, kept_original(package_dir.name, change.path))
        return _New(change.after, known.mode, same_as=_holding(kept, change.after), link=known.link)
    place = locate(package_dir, change.like if change.like and change.before is None else change.path)
    return _New(change.after, place.stat().st_mode & 0o777 if place.exists() else None)


def _own_paths(package: str, state: State | None) -> Iterator[str]:
    return own_files(package, [file.path for file in state.files] if state else ())


def _new_state(package_dir: Path, state: State | None) -> Iterator[tuple[str, _New | None]]:
    if state is None:
        return
    ignore, own, *originals = _own_paths(package_dir.name, state)
    yield ignore, _New(b"*\n")
    yield own, _New(state_to_json(state))
    for kept, file in zip(originals, state.files, strict=True):
        if file.original is not None and file.link is None:
            same = _holding(locate(package_dir, file.path), file.original)
            yield kept, _New(file.original, file.mode, same_as=same)


def _holding(place: Path, content: bytes) -> Path | None:
    """Return the place of an ordinary file if it holds just this content."""
    return place if _fingerprint(place) == sha256(content) else None


def _bytecode(package_dir: Path, path: str) -> list[str]:
    """Return the compiled forms of a module, which would outlive it."""
    module = package_dir.parent / path
    cache = module.parent / "__pycache__"
    if module.suffix != ".py" or cache.is_symlink():
        return []
    return [file.relative_to(package_dir.parent).as_posix() for file in cache.glob(f"{module.stem}.*.pyc")]


def _fingerprint(place: Path) -> str | None:
    """Tell what lies at a place, without following a symbolic link there."""
    try:
        return f"link:{link_text(place)}" if place.is_symlink() else sha256(read_ordinary(place, MAX_FILE))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except NotOrdinaryError:
        return "other"
    except OSError as error:
        raise TransactionError(f"{_reason(error)}. Nothing was changed.") from error


def _fingerprint_of(new: _New | None) -> str | None:
    if new is None:
        return None
    return f"link:{new.link}" if new.link is not None else sha256(new.data)


# The checks before the first write.


def _check(package_dir: Path, changes: Sequence[FileChange], steps: Sequence[tuple[Entry, _New | None]]) -> None:
    for change in changes:
        _check_unchanged(package_dir, change)
    for entry, _ in steps:
        if not entry.path.startswith(f"{package_dir.name}/{STATE_DIR}/"):
            _check_writable(locate(package_dir, entry.path))
    needed = sum(len(new.data) for _, new in steps if new) + _SPARE_ROOM
    if shutil.disk_usage(package_dir).free < needed:
        raise TransactionError(
            f"The disk that holds {package_dir} has less than {needed:,} bytes left. Nothing was changed; "
            "make room, and run the command again."
        )


def _check_unchanged(package_dir: Path, change: FileChange) -> None:
    now = current(package_dir, change.path)
    if now != change.before:
        happened = "vanished" if now is None else "appeared" if change.before is None else "was changed"
        raise TransactionError(
            f"{package_dir.parent / change.path} {happened} while this run was being planned. "
            "No file was changed; run the command again."
        )


def _check_writable(place: Path) -> None:
    if not place.parent.is_dir():
        raise TransactionError(
            f"The folder {place.parent} does not exist. Nothing was changed; make it, and run the command again."
        )
    for needed, how in ((place.parent, os.W_OK | os.X_OK), (place, os.W_OK)):
        if os.path.lexists(needed) and not needed.is_symlink() and not os.access(needed, how):
            raise TransactionError(
                f"No permission to write {needed}. Nothing was changed; give it to yourself (chmod u+w), or run "
                "distillpatch as somebody who has it."
            )


# The run itself.


def _stage(held: Held, steps: Sequence[tuple[Entry, _New | None]]) -> None:
    """Put what lies there and what shall lie there side by side, and write the journal once all of it is safe."""
    package_dir = held.package_dir
    run = package_dir / STATE_DIR / _RUN
    for folder in (run, run / _BEFORE, run / _AFTER):
        _mkdir(folder)
    for number, (entry, new) in enumerate(steps):
        place = locate(package_dir, entry.path)
        if entry.before is not None:
            _copy_or_link(place, run / _BEFORE / str(number))
        if new is not None:
            _put(new, run / _AFTER / str(number), like=place if place.exists() else package_dir)
            _make_folders(place.parent)
    for folder in (run / _BEFORE, run / _AFTER):
        _sync(folder)
    journal = Journal(held.release, tuple(entry for entry, _ in steps))
    _write(run / f"{_JOURNAL}.new", journal_to_json(journal), like=package_dir)
    _rename(run / f"{_JOURNAL}.new", run / _JOURNAL)
    for folder in (run, run.parent, package_dir):
        _sync(folder)


def _put(new: _New, place: Path, like: Path) -> None:
    if new.link is not None:
        _symlink(new.link, place)
    elif new.same_as is not None:
        _copy_or_link(new.same_as, place)
    else:
        _write(place, new.data, like, new.mode)


def _make_folders(folder: Path) -> None:
    """Make the folders in which originals are kept; those of the package itself exist."""
    if not folder.is_dir():
        _make_folders(folder.parent)
        _mkdir(folder)
        _sync(folder.parent)


def _swap(package_dir: Path, changes: Sequence[FileChange], entries: Sequence[Entry]) -> None:
    run = package_dir / STATE_DIR / _RUN
    planned = {change.path: change for change in changes}
    places = [locate(package_dir, entry.path) for entry in entries]
    for number, (entry, place) in enumerate(zip(entries, places, strict=True)):
        if entry.path in planned:
            _check_unchanged(package_dir, planned[entry.path])
        if entry.after is None:
            _unlink(place)
        else:
            _rename(run / _AFTER / str(number), place)
    for folder in sorted({place.parent for place in places}):
        _sync(folder)
    _rename(run / _JOURNAL, run / _DONE)


def _unchanged(package_dir: Path) -> str:
    """Say how the tree stands when a run could not even begin."""
    if os.path.lexists(package_dir / STATE_DIR / _RUN):
        return "An earlier run of distillpatch was interrupted, and can only be undone once that is mended."
    return "Nothing was changed."


def _undo(held: Held) -> str:
    try:
        return _settle(held.package_dir, held.release).remarks
    except OSError as error:
        raise TransactionError(
            f"{_reason(error)}. What was begun could not be undone either; once the disk can be written to again, "
            "any distillpatch command undoes it."
        ) from error


def _reason(error: OSError) -> str:
    what = f"{error.strerror or error}"
    return f"Could not write {error.filename}: {what}" if error.filename else f"Could not write: {what}"


# What is left of a run that was interrupted.


@dataclass(frozen=True)
class _Settled:
    """What has become of a run, and what there is to say of single files."""

    outcome: str
    remarks: str = ""


def _recover(package_dir: Path, release: str) -> str | None:
    if not os.path.lexists(state_dir(package_dir) / _RUN):
        return None
    try:
        settled = _settle(package_dir, release)
    except OSError as error:
        raise TransactionError(
            f"An interrupted run of distillpatch on {package_dir} cannot be undone yet. {_reason(error)}."
        ) from error
    return f"An earlier run of distillpatch on {package_dir} {settled.outcome}{settled.remarks}"


def _settle(package_dir: Path, release: str) -> _Settled:
    """Undo what a run has begun, unless it was complete, and remove what it has left."""
    run = package_dir / STATE_DIR / _RUN
    if os.path.lexists(run / _JOURNAL):
        settled = _Settled(UNDONE, _roll_back(package_dir, release))
    elif os.path.lexists(run / _DONE):
        read_journal(run / _DONE, package_dir.name)  # which refuses what a newer distillpatch has left
        _sync(run)  # or else a power cut may bring the journal back, without what it needs
        settled = _Settled(COMPLETED)
    else:
        settled = _Settled(TIDIED)
    _collect(package_dir)
    return settled


def _roll_back(package_dir: Path, release: str) -> str:
    """Give every place what the journal says that it held; return what there is to say of single files.

    A file that is neither what the run found nor what it put there was changed by somebody else since. It is moved
    aside, unless it came with another release: then it stays. A place whose folder is gone went along with it.

    May be interrupted and repeated: `after/N` is gone once a place was changed, and `before/N` once it was restored.
    """
    run = package_dir / STATE_DIR / _RUN
    journal = _journal(package_dir)
    newcomer = f"{package_dir.name} {release}" if release != journal.release else None
    places = [locate(package_dir, entry.path) for entry in journal.entries]
    remarks = [
        _take_back(place, entry, run / _BEFORE / str(number), run / _AFTER / str(number), newcomer)
        for number, (place, entry) in enumerate(zip(places, journal.entries, strict=True))
    ]
    # The folders as well in which an earlier recovery that was cut short has taken everything back.
    for folder in sorted({place.parent for place in places if place.parent.is_dir()}):
        _sync(folder)
    _unlink(run / _JOURNAL)
    _sync(run)
    return "".join(remarks)


def _take_back(place: Path, entry: Entry, before: Path, after: Path, newcomer: str | None) -> str:
    """Give a place what it held, if the run had come to it; return what there is to say of it."""
    now = _fingerprint(place)
    changed = now is None if entry.after is None else not os.path.lexists(after)
    restored = now == entry.before or (entry.before is not None and not os.path.lexists(before))
    if not changed or restored or not place.parent.is_dir():
        return ""
    if now != entry.after and newcomer:
        return f" {place} is left as it is: {newcomer} brought it." if now is not None else ""
    remark = ""
    if now not in (None, entry.after):
        kept = free_name(place)
        _rename(place, kept)
        remark = f" {place} had been changed meanwhile; that version is now {kept}."
    if entry.before is not None:
        _rename(before, place)
    elif now == entry.after:
        _unlink(place)
    return remark


def _journal(package_dir: Path) -> Journal:
    """Read the journal of a run whose folders are real ones, for what it says is about to be done."""
    run = package_dir / STATE_DIR / _RUN
    for folder in (run, run / _BEFORE, run / _AFTER):
        if folder.is_symlink() or not folder.is_dir():
            raise damaged(run / _JOURNAL, f"{folder} is no folder")
    return read_journal(run / _JOURNAL, package_dir.name)


def _is_tidy(package_dir: Path) -> bool:
    """Tell whether there is no folder of ours, or one in which no process is at work, or was as it died."""
    try:
        names = {place.name for place in state_dir(package_dir).iterdir()}
    except FileNotFoundError:
        return True
    return bool(names) and names.isdisjoint({_RUN, _LOCK})


def _collect(package_dir: Path) -> None:
    """Remove what a run has left: folders with nothing in them, then its own folder, which tells that there was a run.

    All else that has to go is in the journal: what no journal lists is not ours to remove.
    """
    folder = package_dir / STATE_DIR
    run = folder / _RUN
    left = list(_walk(folder))
    for place in left:
        if not place.is_relative_to(run) and _is_folder(place) and not any(place.iterdir()):
            _rmdir(place)
    _sync(folder)
    for place in left:
        if place.is_relative_to(run):
            (_rmdir if _is_folder(place) else _unlink)(place)


def _walk(folder: Path) -> Iterator[Path]:
    """List everything below a folder, what lies in a folder before the folder itself."""
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in sorted(files) + folders:
            yield Path(parent, name)


def _is_folder(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink()


# The lock.


def _acquire(package_dir: Path, wait: float) -> int:
    deadline = time.monotonic() + wait
    while (descriptor := _try_lock(package_dir)) is None:
        if time.monotonic() >= deadline:
            raise BusyError(
                f"Another distillpatch is at work on {package_dir}: {_holder(package_dir)}. "
                f"Waited {wait:g} s for it; run the command again once it is done."
            )
        time.sleep(0.05)
    with suppress(OSError):  # a full disk keeps nobody from locking, nor does a lock that can only be read
        _hand_over(descriptor, like=package_dir / STATE_DIR)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, _introduction().encode(errors="replace")[:_MAX_HOLDER])
    return descriptor


def _introduction() -> str:
    return f"process {os.getpid()} ({' '.join(['distillpatch', *sys.argv[1:]])})"


def _try_lock(package_dir: Path) -> int | None:
    """Lock the lock file and return its descriptor, or None while another process has it."""
    folder = state_dir(package_dir)
    place = folder / _LOCK
    try:
        if not folder.is_dir():
            with suppress(FileExistsError):
                _mkdir(folder)
        descriptor = _open_lock(place)
    except FileNotFoundError:
        if not package_dir.is_dir():
            raise
        return None  # the folder went with another process that held the lock
    if _lock_descriptor(descriptor):
        # A process that is done removes the file, even while others wait for it: then the lock is on nothing.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), place.lstat()):
                _refuse_planted(descriptor, place)
                return descriptor
    os.close(descriptor)
    return None


def _open_lock(place: Path) -> int:
    _step("open", place)
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        return os.open(place, flags | os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        if not os.path.lexists(place):
            raise
        # Root's, which died before it handed the file over. To lock it, reading it is enough.
        return os.open(place, flags | os.O_RDONLY)


if sys.platform == "win32":

    def _lock_descriptor(descriptor: int) -> bool:
        # Far behind the text, because a locked region cannot be read by others.
        os.lseek(descriptor, 2**20, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        os.lseek(descriptor, 0, os.SEEK_SET)
        return True

else:

    def _lock_descriptor(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _refuse_planted(descriptor: int, place: Path) -> None:
    status = os.fstat(descriptor)
    if status.st_nlink != 1 or not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise TransactionError(f"{place} is not distillpatch's own lock: remove it, and run the command again.")


def _holder(package_dir: Path) -> str:
    with suppress(OSError):
        text = read_ordinary(package_dir / STATE_DIR / _LOCK, _MAX_HOLDER).decode(errors="replace")
        if text.startswith("process ") and text.isprintable():
            return text
    return "its process is not known"


def _release(package_dir: Path, descriptor: int) -> None:
    folder = package_dir / STATE_DIR
    try:
        with suppress(OSError):
            if sys.platform == "win32":  # an open file cannot be removed there
                os.close(descriptor)
            _unlink(folder / _LOCK)
            if not any(folder.iterdir()):
                _rmdir(folder)
    finally:
        if sys.platform != "win32":
            os.close(descriptor)


# Every change of the disk is one of these.


def _step(name: str, place: Path) -> None:
    """Called before each change of the disk: this is where tests interrupt a run."""


def _mkdir(place: Path) -> None:
    _step("mkdir", place)
    place.mkdir()
    _hand_over(place, like=place.parent)


def _write(place: Path, data: bytes, like: Path, mode: int | None = None, times: tuple[int, int] | None = None) -> None:
    _step("create", place)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(place, flags, 0o666), "wb") as file:
        _step("write", place)
        file.write(data)
        file.flush()
        _hand_over(_handle(file, place), like)
        if mode is not None:
            os.chmod(_handle(file, place), mode)  # noqa: PTH101 - a Path has no descriptor
        if times is not None:
            os.utime(_handle(file, place), ns=times)
        _step("fsync", place)
        os.fsync(file.fileno())


def _handle(file: IO[bytes], place: Path) -> int | Path:
    """Return what names an open file whatever lies at its place by now, where the system has such a thing."""
    return file.fileno() if {os.chmod, os.utime} <= os.supports_fd else place


def _hand_over(place: int | Path, like: Path) -> None:
    """What root makes in a user's tree belongs to the user."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        owner = like.stat()
        os.chown(place, owner.st_uid, owner.st_gid, follow_symlinks=isinstance(place, int))


def _copy_or_link(source: Path, place: Path) -> None:
    """Make a second name of a file, or a copy where the file system has no such thing."""
    _step("link", place)
    try:
        os.link(source, place, follow_symlinks=False)
    except (OSError, NotImplementedError):
        if source.is_symlink():
            _symlink(link_text(source), place)
            return
        facts = source.stat()
        data = read_ordinary(source, MAX_FILE)
        _write(place, data, source, facts.st_mode & 0o777, (facts.st_atime_ns, facts.st_mtime_ns))


def _symlink(text: str, place: Path) -> None:
    _step("symlink", place)
    place.symlink_to(text)
    _hand_over(place, like=place.parent)


def _rename(source: Path, place: Path) -> None:
    _step("rename", place)
    source.replace(place)


def _unlink(place: Path) -> None:
    _step("unlink", place)
    place.unlink()


def _rmdir(place: Path) -> None:
    _step("rmdir", place)
    place.rmdir()


def _sync(folder: Path) -> None:
    _step("fsync", folder)
    if sys.platform != "win32":  # which keeps folders safe by itself, and cannot open one
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

"""One process at a time: the lock of a package."""

from __future__ import annotations

import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from distillpatch.errors import DistillpatchError
from distillpatch.ledger.disk import make_folder, open_lock, remove_folder, sign_lock, unlink
from distillpatch.ledger.places import STATE_DIR, state_dir
from distillpatch.tree.files import exists, leads_to_folder, look, names_in, read_regular

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = "lock"

_MAX_HOLDER = 500

# In seconds, and in looks: a process that is about to be done is not worth a word.
_PAUSE = 0.05
_PATIENCE = 4


class TransactionError(DistillpatchError):
    """A run was refused or failed; the tree is as it was before, unless the message says otherwise."""


class BusyError(TransactionError):
    """Another process is working on the package."""


Waiting = Callable[[str], None]
"""Called once with what holds the lock, as soon as a process has to wait for it."""


def in_silence(holder: str) -> None:
    """Wait for another process without a word."""


def acquire(package_dir: Path, wait: float, waiting: Waiting) -> int:
    """Lock a package, and return the descriptor of the lock file.

    Args:
        package_dir: The package, absolute.
        wait: For how many seconds to wait for another process that is at work.
        waiting: Called with that process, if it is still at work a moment later.

    Raises:
        BusyError: Another process is still at work; it is named.
        OSError: The lock file cannot be made or opened.
    """
    deadline = time.monotonic() + wait
    looks = 0
    while (descriptor := _try_lock(package_dir)) is None:
        if time.monotonic() >= deadline:
            raise BusyError(
                f"Another distillpatch is at work on {package_dir}: {_holder(package_dir)}. "
                f"Waited {wait:g} s for it; run the command again once it is done."
            )
        time.sleep(_PAUSE)
        looks += 1
        if looks == _PATIENCE:
            waiting(_holder(package_dir))
    with suppress(OSError):  # a full disk keeps nobody from locking, nor does a lock that can only be read
        sign_lock(descriptor, _introduction().encode(errors="replace")[:_MAX_HOLDER], like=package_dir / STATE_DIR)
    return descriptor


def _introduction() -> str:
    return f"process {os.getpid()} ({' '.join(['distillpatch', *sys.argv[1:]])})"


def _try_lock(package_dir: Path) -> int | None:
    """Lock the lock file and return its descriptor, or None while another process has it."""
    folder = state_dir(package_dir)
    place = folder / LOCK
    try:
        if not exists(folder):
            with suppress(FileExistsError):
                make_folder(folder)
        descriptor = open_lock(place)
    except FileNotFoundError:
        if not leads_to_folder(package_dir):
            raise
        return None  # the folder went with another process that held the lock
    except OSError:
        with suppress(OSError):  # something is in it; an empty one would be left in a tree that nothing changed
            remove_folder(folder)
        raise
    try:
        # A process that is done removes the file, even while others wait for it: then the lock is on nothing.
        if _lock_descriptor(descriptor) and _is_at(place, descriptor):
            _refuse_planted(descriptor, place)
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _is_at(place: Path, descriptor: int) -> bool:
    status = look(place)
    return status is not None and os.path.samestat(os.fstat(descriptor), status)


if sys.platform == "win32":

    def _lock_descriptor(descriptor: int) -> bool:
        # Far after the text, because a locked region cannot be read by others.
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
        raise TransactionError(f"{place} is not distillpatch's own lock: remove it, and run the command again.")


def _holder(package_dir: Path) -> str:
    with suppress(OSError):
        text = read_regular(package_dir / STATE_DIR / LOCK, _MAX_HOLDER).decode(errors="replace")
        if text.startswith("process ") and text.isprintable():
            return text
    return "its process is not known"


def unlock(package_dir: Path, descriptor: int) -> None:
    """Unlock a package, and remove the lock file and distillpatch's folder if nothing else is in it."""
    folder = package_dir / STATE_DIR
    try:
        with suppress(OSError):
            if sys.platform == "win32":  # an open file cannot be removed there
                os.close(descriptor)
            unlink(folder / LOCK)
            if not names_in(folder):
                remove_folder(folder)
    finally:
        if sys.platform != "win32":
            os.close(descriptor)

"""The ledger: what is kept, and what changes the disk."""

from __future__ import annotations

from promises import Break

DIST_INFO = "distillpatch/ledger/dist_info.py"
LOCK = "distillpatch/ledger/lock.py"
FILES = "distillpatch/tree/files.py"
PLACES = "distillpatch/ledger/places.py"
RECOVERY = "distillpatch/ledger/recovery.py"
STEPS = "distillpatch/ledger/steps.py"
TRANSACTION = "distillpatch/ledger/transaction.py"
UNDO = "distillpatch/ledger/undo.py"

BREAKS = (
    Break(
        "a file that was changed after planning is noticed",
        STEPS,
        "        check_unchanged(package_dir, change)\n",
        "        pass\n",
        "transaction::happens or changed",
    ),
    Break(
        "a folder that another process removes meanwhile is no foreign one",
        PLACES,
        "    if status is not None and not stat.S_ISDIR(status.st_mode):\n",
        "    if exists(folder) and not is_folder(folder):\n",
        "transaction::goes_after",
    ),
    Break(
        "a folder that goes before its names are read needs no recovery",
        RECOVERY,
        "    except FileNotFoundError:\n        return True\n",
        "    except BlockingIOError:\n        return True\n",
        "transaction::goes_after",
    ),
    Break(
        "a run that fails is undone",
        TRANSACTION,
        "        return settle(held.package_dir, held.release)\n",
        "        return Settled(COMPLETED)\n",
        "transaction",
    ),
    Break(
        "a run that was killed is undone by the next command",
        RECOVERY,
        "return Settled(UNDONE, _roll_back(package_dir, release))",
        "return Settled(UNDONE)",
        "transaction",
    ),
    Break(
        "an original whose folder is gone is kept until there is one",
        RECOVERY,
        "    if not leads_to_folder(place.parent):\n        raise FileNotFoundError",
        "    if not leads_to_folder(place.parent):\n        return ''\n        raise FileNotFoundError",
        "transaction::folder_that",
    ),
    Break(
        "a folder that another release has not is no reason to stop",
        RECOVERY,
        "    if now != entry.after and newcomer:\n",
        "    if now not in (None, entry.after) and newcomer:\n",
        "transaction::folder_that",
    ),
    Break(
        "the files are on the disk before the journal goes",
        TRANSACTION,
        "    for folder in sorted({place.parent for place in places}):\n        flush_folder(folder)\n",
        "",
        "transaction",
    ),
    Break(
        "a folder that another process removes is made again",
        LOCK,
        "        if not leads_to_folder(package_dir):\n            raise\n",
        "        raise\n",
        "transaction::goes_as_soon",
    ),
    Break(
        "a look that fails is not taken for absence",
        "distillpatch/tree/files.py",
        "        return os.lstat(place)\n    except _ABSENT:\n",
        "        return os.lstat(place)\n    except OSError:\n",
        "reads",
    ),
    Break(
        "a journal that was damaged is not undone differently",
        "distillpatch/ledger/journal.py",
        "    if written_in != 1:",
        "    if written_in > 2:",
        "journal::flipped",
    ),
    Break(
        "a state that was damaged is not read differently",
        "distillpatch/ledger/state_json.py",
        "    if written_in != 1:",
        "    if written_in > 2:",
        "state::flipped",
    ),
    Break(
        "a lock that cannot be made leaves no folder",
        LOCK,
        "            remove_folder(folder)\n        raise\n",
        "            pass\n        raise\n",
        "transaction::lock_that_cannot_be_made",
    ),
    Break(
        "an original that something else has changed is not called restored",
        RECOVERY,
        "        if fingerprint(before) != entry.before:\n",
        "        if False:\n",
        "journal::changed_or_removed",
    ),
    Break(
        "a file whose original is gone is not called restored",
        RECOVERY,
        ' if now == entry.after else ""\n',
        ' if False else ""\n',
        "journal::changed_or_removed",
    ),
    Break(
        "a patch set that is added takes no other away",
        "distillpatch/wanted.py",
        "return there if patch_set in there else (*there, patch_set)",
        "return (patch_set,)",
        "patch_sets::second_time",
    ),
    Break(
        "a path in the journal leads nowhere",
        PLACES,
        '    parts = path.split("/")\n    plain',
        "    return\n    plain",
        "journal::leads_nowhere",
    ),
    Break(
        "a disk that fails is not taken for a checkout that is not there",
        FILES,
        "    return absent or error.errno in (errno.ELOOP, errno.ENAMETOOLONG)\n",
        "    return True\n",
        "failing_disks::whose_reads_fail",
    ),
    Break(
        "what could not be looked at is not taken for absent",
        FILES,
        "_ABSENT = (FileNotFoundError, NotADirectoryError)",
        "_ABSENT = (OSError,)",
        "reads::failing_read or may_not_be_entered",
    ),
    Break(
        "a tampered path leads nowhere",
        PLACES,
        "def check_path(package: str, path: str) -> None:\n",
        "def check_path(package: str, path: str) -> None:\n    return\n",
        "state::leads_elsewhere",
    ),
    Break(
        "edits that users make survive the revert",
        UNDO,
        "def merge(file: AppliedFile, now: bytes) -> bytes | Overlap:\n",
        "def merge(file: AppliedFile, now: bytes) -> bytes | Overlap:\n    return file.original or b''\n",
        "revert::survives",
    ),
    Break(
        "pip uninstalls what was added",
        DIST_INFO,
        "    rows |= {own: _row(own, None) for own in own_files(package, kept)}\n",
        "",
        "installed::uninstalls",
    ),
    Break(
        "a file system that cannot flush folders is no obstacle",
        "distillpatch/ledger/disk.py",
        "        if error.errno not in _CANNOT_FLUSH_FOLDERS:\n            raise\n",
        "        raise\n",
        "reads::cannot_flush_folders",
    ),
    Break(
        "a flush that fails names what was flushed",
        "distillpatch/ledger/disk.py",
        "        raise OSError(error.errno, error.strerror, str(place)) from error  # fsync names no file\n",
        "        raise\n",
        "reads::flush_that_fails",
    ),
    Break(
        "folders nested by the thousand are not gone into",
        FILES,
        "_DEEPEST_FOLDER = 60\n",
        "_DEEPEST_FOLDER = 60_000\n",
        "reads::nested_by_the_thousand",
    ),
)

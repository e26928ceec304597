"""The journal of a run: what is about to be changed is written down before it is, so that it can be undone.

Nothing in this module writes. `transaction` makes a journal appear under its name once all that it speaks of is safe.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from distillpatch import __version__
from distillpatch.ledger.json_fields import field, line, optional, verify_checksum, with_checksum
from distillpatch.ledger.places import BEFORE, IGNORE_FILE, ORIGINALS, STATE_DIR, STATE_FILE, StateError, check_path
from distillpatch.ledger.state import newer, refuse_newer
from distillpatch.ledger.state_file import way_back
from distillpatch.tree.files import NotRegularError, read_regular

FORMAT = 2

_MAX_JOURNAL = 2**20


@dataclass(frozen=True)
class Entry:
    """One place that a run changes: the fingerprints of what is there before and after, None for nothing."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Journal:
    """What a run is about to change.

    Attributes:
        release: The release of the package that it works on.
        entries: The places.
        version: The distillpatch that runs.
    """

    release: str
    entries: tuple[Entry, ...]
    version: str = __version__


def to_json(journal: Journal) -> bytes:
    """Write a journal down, in the form that `read_journal` reads."""
    record = {
        "format": FORMAT,
        "distillpatch": journal.version,
        "release": journal.release,
        "entries": [{"path": entry.path, "before": entry.before, "after": entry.after} for entry in journal.entries],
    }
    return json.dumps(with_checksum(record), indent=1).encode()


def read_journal(file: Path, package: str) -> Journal:
    """Read a journal.

    Args:
        file: Where it is.
        package: The name of the package that it is about.

    Raises:
        NewerStateError: A newer distillpatch has written it.
        StateError: It was truncated or tampered with.
        OSError: It cannot be read.
    """
    try:
        return _parse(json.loads(read_regular(file, _MAX_JOURNAL)), package)
    except (NotRegularError, ValueError, RecursionError) as error:
        raise damaged(file, str(error)) from error


def damaged(file: Path, reason: str) -> StateError:
    """Return the error that a journal cannot be relied on."""
    return StateError(
        f"{file} was damaged or changed by something else ({reason}), so the run that wrote it cannot be undone. "
        f"The files as they were before it are in {file.parent / BEFORE}, under numbers: save what you need of them. "
        f"To go back by hand, {way_back(file.parent.parent.parent)}."
    )


def _parse(record: object, package: str) -> Journal:
    version = line(record, "distillpatch")
    written_in = field(record, "format", int)
    if written_in > FORMAT:
        raise newer(version)
    if written_in != 1:  # which is of version 0.1.0 and had no checksum
        verify_checksum(record)
    refuse_newer(version)
    entries = tuple(_parse_entry(entry, package) for entry in field(record, "entries", list))
    if len({entry.path for entry in entries}) != len(entries):
        raise ValueError("it names a place twice")
    return Journal(field(record, "release", str), entries, version)


def _parse_entry(record: object, package: str) -> Entry:
    path = field(record, "path", str)
    check_path(package, path)
    own = path.split("/")[1:]
    if own[0].casefold() == STATE_DIR and own[1:2] not in ([IGNORE_FILE], [STATE_FILE], [ORIGINALS]):
        raise ValueError(f"{path!r} is no file that a run writes")
    return Entry(path, optional(record, "before", str), optional(record, "after", str))

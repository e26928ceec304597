"""Records that were read from JSON, and that anybody may have written: each field is what it should be, or an error."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from distillpatch.ledger.places import sha256

T = TypeVar("T")

_CHECKSUM = "sha256"


def with_checksum(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the checksum of all that it says: a flipped bit must not be taken for the truth."""
    return {**record, _CHECKSUM: _checksum(record)}


def verify_checksum(record: object) -> None:
    """Make sure that a record says what it said when it got its checksum.

    Raises:
        ValueError: It says something else, or has no checksum.
    """
    expected = field(record, _CHECKSUM, str)
    said = {key: value for key, value in record.items() if key != _CHECKSUM} if isinstance(record, dict) else {}
    if _checksum(said) != expected:
        raise ValueError("it does not match its checksum")


def _checksum(record: dict[str, Any]) -> str:
    return sha256(json.dumps(record, sort_keys=True).encode())


def field(record: object, key: str, kind: type[T]) -> T:
    """Return a field of a record.

    Raises:
        ValueError: It is missing, or of another type.
    """
    value: Any = record.get(key) if isinstance(record, dict) else None
    if type(value) is not kind:  # not isinstance: True is no number
        raise ValueError(f"{key!r} is missing or of the wrong type")
    return value


def optional(record: object, key: str, kind: type[T]) -> T | None:
    """Return a field of a record that may be null, though not missing.

    Raises:
        ValueError: It is missing, or of another type.
    """
    if isinstance(record, dict) and key in record and record[key] is None:
        return None
    return field(record, key, kind)


def line(record: object, key: str) -> str:
    """Return a field of a record that is a line of text, which may be shown in a terminal.

    Raises:
        ValueError: It is missing, or something else.
    """
    text = field(record, key, str)
    if not text.isprintable() or not 0 < len(text) <= 300:
        raise ValueError(f"{key!r} is not a line of text")
    return text

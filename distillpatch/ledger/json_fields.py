"""Records that were read from JSON, and that anybody may have written: each field is what it should be, or an error."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


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

"""A state as JSON: written in format 2; format 1, of version 0.1.0, is still read, with one patch set."""

from __future__ import annotations

import base64
import functools
import json
import os
import zlib
from datetime import datetime

from distillpatch.ledger.json_fields import field, line, optional, verify_checksum, with_checksum
from distillpatch.ledger.places import STATE_DIR, check_path, sha256
from distillpatch.ledger.state import AppliedFile, AppliedSet, State, newer

FORMAT = 2

# The name of the patch set of a state of format 1: the one that distillpatch comes with.
BUILT_IN = "distillation"

_MAX_CONTENT = 16 * 2**20  # of all files of a state together, unpacked: against a hostile tree that fills the memory


def to_json(state: State) -> bytes:
    """Write a state down, in the form that `read_state` reads."""
    record = {
        "format": FORMAT,
        "distillpatch": state.version,
        "release": state.release,
        "applied_at": state.applied_at,
        "patch_sets": [
            {
                "name": applied.name,
                "title": applied.title,
                "digest": applied.digest,
                "files": {name: _pack(content) for name, content in (applied.files or {}).items()},
            }
            for applied in state.patch_sets
        ],
        "files": [
            {
                "path": file.path,
                "original": _pack(file.original),
                "patched": _pack(file.patched),
                "mode": file.mode,
                "link": file.link,
            }
            for file in state.files
        ],
    }
    return json.dumps(with_checksum(record), indent=1).encode() + b"\n"


@functools.lru_cache(256)  # a state is read again before it is written, and has the files of a patch set more than once
def _pack(content: bytes | None) -> dict[str, str] | None:
    if content is None:
        return None
    return {"sha256": sha256(content), "zlib": base64.b64encode(zlib.compress(content, 9)).decode()}


def parse_state(text: bytes, package: str) -> State:
    """Read a state from JSON.

    Args:
        text: What `to_json` has written.
        package: The name of the package that it is about.

    Raises:
        NewerStateError: It was written in a format that this distillpatch does not know.
        ValueError, RecursionError, zlib.error: It was truncated or tampered with.
    """
    return _parse(json.loads(text), package)


def _parse(record: object, package: str) -> State:
    version = line(record, "distillpatch")
    written_in = field(record, "format", int)
    if written_in > FORMAT:
        raise newer(version)
    if written_in != 1:  # which is of version 0.1.0 and had none for the whole
        verify_checksum(record)
    applied_at = line(record, "applied_at")
    if datetime.fromisoformat(applied_at).tzinfo is None:
        raise ValueError("its date has no time zone")
    unpack = _Unpacker(_MAX_CONTENT)
    if written_in == 1:
        patch_sets: tuple[AppliedSet, ...] = (AppliedSet(BUILT_IN, BUILT_IN, line(record, "patch_set"), None),)
    else:
        patch_sets = tuple(_parse_set(applied, unpack) for applied in field(record, "patch_sets", list))
    if not patch_sets or len({applied.name for applied in patch_sets}) != len(patch_sets):
        raise ValueError("it names no patch set, or one twice")
    files = tuple(_parse_file(file, package, unpack) for file in field(record, "files", list))
    if len({file.path for file in files}) != len(files):
        raise ValueError("it names a file twice")
    return State(version, patch_sets, line(record, "release"), applied_at, files)


def _parse_set(record: object, unpack: _Unpacker) -> AppliedSet:
    packed = field(record, "files", dict)
    files: dict[str, bytes] = {}
    for name in packed:
        content = unpack(packed, name)
        if content is None or not name.isprintable():
            raise ValueError(f"the file {name!r} of a patch set is empty or has no proper name")
        files[name] = content
    # Without its files, as an upgrade of format 1 may leave one, a patch set is known by its digest alone.
    return AppliedSet(line(record, "name"), line(record, "title"), line(record, "digest"), files or None)


def _parse_file(record: object, package: str, unpack: _Unpacker) -> AppliedFile:
    path = line(record, "path")
    check_path(package, path)
    if path.split("/")[1].casefold() == STATE_DIR:  # which is one folder where case does not matter
        raise ValueError(f"{path!r} is part of the state itself")
    mode = optional(record, "mode", int)
    if mode is not None and not 0 <= mode <= 0o777:
        raise ValueError(f"the mode of {path!r} is out of range")
    link = optional(record, "link", str)
    if link is not None and (not link or b"\0" in os.fsencode(link)):
        raise ValueError(f"the link of {path!r} is not a path")
    original, patched = unpack(record, "original"), unpack(record, "patched")
    if (original is None) != (mode is None):
        raise ValueError(f"the mode of {path!r} does not fit")
    return AppliedFile(path, original, patched, mode, link)


class _Unpacker:
    """Unpacks contents that have no more than so many bytes together: a few bytes can hold the zeros of a gigabyte."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def __call__(self, record: object, key: str) -> bytes | None:
        packed = optional(record, key, dict)
        if packed is None:
            return None
        unpacker = zlib.decompressobj()
        data = base64.b64decode(field(packed, "zlib", str), validate=True)
        content = unpacker.decompress(data, self._left + 1)
        self._left -= len(content)
        if self._left < 0:
            raise ValueError("it holds more than any release does")
        if not unpacker.eof or sha256(content) != field(packed, "sha256", str):
            raise ValueError(f"the {key} content does not match its checksum")
        return content

"""Records of ours after something has happened to them: what a reader has to expect in their place."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from distillpatch.ledger.json_fields import with_checksum

# `make fuzz` sets the number.
FUZZ = settings(
    max_examples=int(os.environ.get("DISTILLPATCH_FUZZ", "300")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

# None of them is a path of the package.
PATHS = [
    "/elsewhere/cfg.py",
    "../other.py",
    "ultralytics/../../other.py",
    "ultralytics/./cfg.py",
    "ultralytics//cfg.py",
    "ultralytics/",
    "ultralytics",
    "ultralyticsx/cfg.py",
    "ULTRALYTICS/cfg.py",
    "other/cfg.py",
    "C:/cfg.py",
    "C:\\cfg.py",
    "ultralytics\\cfg.py",
    "ultralytics/cfg\0.py",
    "ultralytics/cfg\n.py",
    "ultralytics/cfg:stream.py",
    "",
    ".",
    "ultralytics-8.2.50.dist-info/METADATA",
    "ultralytics-8.2.50.dist-info/x/RECORD",
    "ultralytics-../../RECORD",
    "torch-2.0.dist-info/RECORD",
    "ultralytics/.distillpatch/state.json",
    "ultralytics/.distillpatch/originals/x.py",
    "ultralytics/.distillpatch",
    "ultralytics/.Distillpatch/state.json",
    "ultralytics/.distillpatch./state.json",
    "ultralytics/cfg.py ",
    "ultralytics /cfg.py",
    "ultralytics/cfg./x.py",
    "ultralytics/\ud800.py",
    "x" * 5000,
]


def signed(content: bytes, **values: Any) -> bytes:
    """Return a record with some of its values replaced, and with the checksum of what it then says."""
    try:
        record = json.loads(content)
    except ValueError:
        return content
    if not isinstance(record, dict):
        return content
    return json.dumps(with_checksum({**{k: v for k, v in record.items() if k != "sha256"}, **values})).encode()


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(PATHS)
_JSON = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """List the way to every value in a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


def mutated(content: bytes) -> st.SearchStrategy[bytes]:
    """Records like one that is written as JSON."""
    return _mutated_records(content) | _mutated_bytes(content)


@st.composite
def _mutated_records(draw: st.DrawFn, content: bytes) -> bytes:
    """A record with one to three of its values replaced, removed, or swapped for another of its values."""
    mutated = json.loads(content)
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(_places(mutated)[1:] or [("",)]))
        parent = mutated
        for key in way:
            parent = parent[key]
        if draw(st.booleans()) and parent:
            del parent[last]
        else:
            parent[last] = draw(_JSON)
    return json.dumps(mutated).encode()


@st.composite
def _mutated_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """A record that was truncated, or had a piece overwritten, doubled or dropped."""
    start = draw(st.integers(0, len(content)))
    end = draw(st.integers(start, min(len(content), start + 40)))
    return draw(
        st.sampled_from([content[:start], content[:start] + content[end:], content[:end] + content[start:]])
        | st.binary(max_size=20).map(lambda piece: content[:start] + piece + content[end:])
    )

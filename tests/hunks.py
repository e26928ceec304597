"""Hunks as tests write them down: patch notation and Python source, both literal, in; Python source out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from textwrap import dedent

from distillpatch.patchset import PatchSet, load
from distillpatch.plan import Plan, make_plan, require

RELEASE = "8.9.9"


def patch_set(*modifications: str, **files: str) -> PatchSet:
    """Return a patch set of modifications in the notation, each the text of a file behind its title."""
    with tempfile.TemporaryDirectory() as folder:
        for number, text in enumerate(modifications, start=1):
            Path(folder, f"{number:02}-test.patch").write_text(f"# {number}.0  Test.\n\n{dedent(text)}")
        for name, text in files.items():
            Path(folder, name).write_text(text)
        return load(Path(folder))


def plan(source: bytes | str, *modifications: str) -> Plan:
    """Return the plan for a package that is one file, `m.py`."""
    content = source if isinstance(source, bytes) else dedent(source).encode()
    return make_plan(patch_set(*modifications), {"m.py": content}, RELEASE)


def patched(source: str, hunk: str, scope: str = "<module>") -> str:
    """Return a source with a hunk applied to it, or raise PlanError."""
    return patched_bytes(dedent(source).encode(), hunk, scope).decode()


def patched_bytes(source: bytes, hunk: str, scope: str = "<module>") -> bytes:
    """Return the bytes of a source with a hunk applied to it, or raise PlanError."""
    (change,) = require(plan(source, f"--- m.py  {scope}\n{dedent(hunk)}")).changes
    assert change.after is not None
    return change.after

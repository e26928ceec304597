"""What plans are made from: hunks and Python source as tests write them down, and the files of real releases."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from textwrap import dedent

import releases

from distillpatch.engine.patchset import PatchSet, parse
from distillpatch.engine.plan import Plan, make_plan, paths
from distillpatch.engine.refusal import require
from distillpatch.patch_sets import built_in

RELEASE = "ultralytics 8.9.9"


def patch_set(*modifications: str, **files: str) -> PatchSet:
    """Return a patch set of modifications in the notation, each the text of a file after its title."""
    patches = {
        f"{number:02}-test.patch": f"# {number}.0  Test.\n\n{dedent(text)}"
        for number, text in enumerate(modifications, start=1)
    }
    return parse({name: text.encode() for name, text in {**patches, **files}.items()}, "test")


@cache
def pristine(release: str) -> Mapping[str, bytes | None]:
    """Return the files of a release that the built-in patch set edits or adds."""
    return releases.read(release, paths(built_in()))


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

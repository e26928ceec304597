"""Which patch sets a checkout shall have, from those that it has: what each command wants."""

from __future__ import annotations

from collections.abc import Callable

from distillpatch.engine.patchset import PatchSet, parse
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.state import AppliedSet, State
from distillpatch.patch_sets import built_in
from distillpatch.tree.environment import PACKAGE

Wanted = Callable[[State | None], tuple[PatchSet, ...]]
"""Returns the patch sets that a checkout shall have, in order, from what it has."""


def with_set(patch_set: PatchSet) -> Wanted:
    """Want what is there and one patch set more; one of the same name is replaced, at its place in the order."""

    def wanted(state: State | None) -> tuple[PatchSet, ...]:
        known = state.patch_sets if state else ()
        there = tuple(patch_set if other.name == patch_set.name else parsed(other) for other in known)
        return there if patch_set in there else (*there, patch_set)

    return wanted


def without_set(name: str | None) -> Wanted:
    """Want what is there without one patch set; without any if no name is given."""

    def wanted(state: State | None) -> tuple[PatchSet, ...]:
        known = state.patch_sets if state else ()
        if name is not None and known and name not in (other.name for other in known):
            names = ", ".join(other.name for other in known)
            raise DistillpatchError(f"no patch set {name!r} is applied; expected one of: {names}")
        return tuple(parsed(other) for other in known if name is not None and other.name != name)

    return wanted


def as_it_is(state: State | None) -> tuple[PatchSet, ...]:
    """Want what is there, or the built-in patch set where nothing is."""
    return tuple(map(parsed, state.patch_sets)) if state else (built_in(),)


def parsed(applied: AppliedSet) -> PatchSet:
    """Return a patch set from the files that the state has kept; version 0.1.0 kept none, and had one patch set."""
    return built_in() if applied.files is None else parse(applied.files, applied.name, PACKAGE)

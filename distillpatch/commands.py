"""What each command does: from a checkout and a patch set, through a pure plan, to the one module that writes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from distillpatch.change import FileChange
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import Plan, make_plan, paths, require
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.dist_info import record_changes
from distillpatch.ledger.state import Condition, State, current, describe, read_state, survey
from distillpatch.ledger.transaction import Held, commit
from distillpatch.ledger.undo import Edited, Revert, plan_revert
from distillpatch.tree.checkout import Checkout
from distillpatch.tree.git import uncommitted
from distillpatch.tree.package import python_files


class Standing(Enum):
    """How a checkout stands to distillpatch."""

    NOT_PATCHED = "not patched"
    UNRECORDED = "modified by hand, or patched and stripped of its record"
    PATCHED = "patched"
    EDITED = "patched and then edited"
    OVERWRITTEN = "overwritten by another release since it was patched"
    RESTORED = "put back by something else since it was patched"
    OUTDATED = "patched with another patch set than this distillpatch has"


@dataclass(frozen=True)
class Situation:
    """A checkout as it lies on disk, seen through the patch set; reading it changes nothing.

    Attributes:
        checkout: The checkout.
        patch_set: The patch set that this distillpatch would apply.
        state: What was applied to the checkout, or None.
    """

    checkout: Checkout
    patch_set: PatchSet
    state: State | None

    @cached_property
    def conditions(self) -> Mapping[str, Condition]:
        """What became of each file that was patched."""
        if self.state is None:
            return {}
        return survey(self.checkout.package, self.state, self.checkout.release)

    @cached_property
    def standing(self) -> Standing:
        """How the checkout stands."""
        if self.state is None:
            return Standing.UNRECORDED if self.plan.by_hand else Standing.NOT_PATCHED
        ours_is_gone = {Condition.OVERWRITTEN, Condition.RESTORED}
        if ours_is_gone.issuperset(
            self.conditions.get(path, Condition.RESTORED) for path in self.patch_set.edited_files
        ):
            same_release = self.state.release == self.checkout.release
            return Standing.RESTORED if same_release else Standing.OVERWRITTEN
        if any(condition is not Condition.INTACT for condition in self.conditions.values()):
            return Standing.EDITED
        return Standing.PATCHED if self.state.patch_set == self.patch_set.digest else Standing.OUTDATED

    @property
    def is_applied(self) -> bool:
        """Whether this very patch set is in place, edited or not: another ``apply`` has nothing to do."""
        in_place = {Condition.INTACT, Condition.EDITED}
        return (
            self.state is not None
            and self.state.patch_set == self.patch_set.digest
            and in_place.issuperset(self.conditions.values())
        )

    @property
    def unrecorded_files(self) -> tuple[str, ...]:
        """The files that the patch set adds and that lie there without a record: a cheap sign, nothing is parsed."""
        added = set(paths(self.patch_set)) - set(self.patch_set.edited_files)
        lying = (path for path in sorted(added) if os.path.lexists(self.checkout.root / path))
        return tuple(lying) if self.state is None else ()

    @cached_property
    def plan(self) -> Plan:
        """What applying the patch set does, or has done, to the release's files."""
        state = self.state if self.is_applied else None
        texts = {
            path: state.original(path) if state and state.file(path) else self.text(path)
            for path in paths(self.patch_set)
        }
        return make_plan(self.patch_set, texts, self.checkout.release, python_files(self.checkout.package))

    @cached_property
    def obstacle(self) -> str | None:
        """Why there can be no plan for a tree that was patched, if there can be none.

        A plan for other modifications than those in place starts from the tree without these, and the user's edits may
        be in the way.
        """
        if self.state is not None:
            try:
                _ = self.plan
            except DistillpatchError as error:
                return str(error)
        return None

    def difference(self) -> tuple[FileChange, ...]:
        """Return what was changed, if it was, or else what ``apply`` would change.

        Raises:
            PlanError: If the patch set does not fit.
        """
        if self.state is None or self.standing in (Standing.OVERWRITTEN, Standing.RESTORED):
            return require(self.plan).changes
        return self.in_package(FileChange(file.path, file.original, file.patched) for file in self.state.files)

    def in_package(self, changes: Iterable[FileChange]) -> tuple[FileChange, ...]:
        """Return those of some changes that are of the package itself, and not of an installed copy's RECORD."""
        package = f"{self.checkout.package.name}/"
        return tuple(change for change in changes if change.path.startswith(package))

    @cached_property
    def _taken_back(self) -> Revert | None:
        """How to take back what is there, for a patch set to be applied in its stead."""
        return plan_revert(self.checkout.package, self.state, self.checkout.release) if self.state else None

    def text(self, path: str) -> bytes | None:
        """Return the text of a file to plan from: as it would be without what was applied."""
        if self._taken_back and path in self._taken_back.texts:
            return self._taken_back.texts[path]
        return current(self.checkout.package, path)

    def application(self) -> tuple[tuple[FileChange, ...], State]:
        """Return the changes that apply the patch set to the tree as it lies there, and the state that follows.

        Raises:
            DistillpatchError: If the patch set does not fit, or what is there cannot be taken back first.
        """
        planned = require(self.plan).changes
        planned += record_changes(self.checkout.package, planned, self.text)
        changes: Sequence[FileChange] = planned if self._taken_back is None else self._taken_back.followed_by(planned)
        state = describe(
            self.checkout.package,
            planned,
            release=self.checkout.release,
            patch_set=self.patch_set.digest,
            previous=self.state,
        )
        return tuple(changes), state

    def taking_back(self, edited: Edited) -> Revert:
        """Return how to take back what was applied to a checkout that has a state.

        Raises:
            DistillpatchError: If edits overlap, and ``edited`` is to refuse.
        """
        assert self.state is not None
        return plan_revert(self.checkout.package, self.state, self.checkout.release, edited)


def examine(checkout: Checkout, patch_set: PatchSet) -> Situation:
    """Return how a checkout stands.

    Raises:
        StateError: If the state kept in it cannot be read.
    """
    return Situation(checkout, patch_set, read_state(checkout.package))


def apply(held: Held, situation: Situation) -> list[str]:
    """Apply the patch set: all of it, or nothing.

    Returns:
        The files that were changed although they had changes that are not committed to git.

    Raises:
        DistillpatchError: If it does not fit or cannot be written; nothing was written.
    """
    changes, state = situation.application()
    before = {change.path: text for change in changes if (text := situation.text(change.path)) is not None}
    unsaved = uncommitted(situation.checkout.root, before)
    commit(held, changes, state)
    return unsaved


def revert(held: Held, situation: Situation, edited: Edited) -> Revert:
    """Take back what was applied, and return what was done.

    Args:
        held: The lock on the package.
        situation: A checkout that has a state.
        edited: What to do with files in which the user's edits overlap with the patch set's.

    Raises:
        DistillpatchError: If edits overlap or the files cannot be written; nothing was written.
    """
    plan = situation.taking_back(edited)
    commit(held, plan.changes, None)
    return plan

"""What commands do: from the patch sets that a checkout has to those that it shall have, in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from distillpatch.adoption import adopted, is_ours, what_to_do
from distillpatch.change import FileChange
from distillpatch.engine.hand_edits import Extent
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import Plan, found_by_hand, is_made_by_hand, make_plan, paths
from distillpatch.engine.source import look_at
from distillpatch.engine.stack import Stack, plan_in_order
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.dist_info import record_changes
from distillpatch.ledger.lock import Waiting, in_silence
from distillpatch.ledger.places import current
from distillpatch.ledger.state import AppliedSet, State
from distillpatch.ledger.state_file import describe, read_state
from distillpatch.ledger.survey import Condition, survey
from distillpatch.ledger.transaction import commit, lock
from distillpatch.ledger.undo import Edited, Undo, plan_undo
from distillpatch.patch_sets import built_in
from distillpatch.tree.checkout import Checkout
from distillpatch.tree.files import exists
from distillpatch.tree.git import uncommitted
from distillpatch.tree.package import python_files
from distillpatch.wanted import Wanted, as_it_is, parsed, with_set


class Standing(Enum):
    """What a checkout is to distillpatch."""

    NOT_PATCHED = "not patched"
    ADOPTABLE = "patched to the byte by another tool (for example git apply), which apply adopts"
    UNRECORDED = "patched by hand"
    STATELESS = "patched by distillpatch, but its state is not here"
    PATCHED = "patched"
    EDITED = "patched and then edited"
    OVERWRITTEN = "overwritten by another release since it was patched"
    RESTORED = "restored by another tool (for example git) since it was patched"
    OUTDATED = "patched with other patches than this distillpatch has"


@dataclass(frozen=True)
class Situation:
    """A checkout as it is on disk, and the patch sets that it shall have; looking at it changes nothing.

    Attributes:
        checkout: The checkout.
        state: What was applied to it, or None.
        wanted: The patch sets that it shall have, in order.
        edited: What to do with files in which the user's edits overlap with what was applied.
        replace_hand_edits: Whether edits made by hand, in the patch set's way, are taken out first.
        is_recorded: Whether the state is in the checkout, which it is not where another tool has applied it.
        loss_of_state: What to do about a tree that distillpatch has patched and that has no state; None about others.
    """

    checkout: Checkout
    state: State | None
    wanted: tuple[PatchSet, ...]
    edited: Edited = Edited.REFUSE
    replace_hand_edits: bool = False
    is_recorded: bool = True
    loss_of_state: str | None = None

    @cached_property
    def conditions(self) -> Mapping[str, Condition]:
        """What became of each file that was patched."""
        if self.state is None:
            return {}
        return survey(self.checkout.package, self.state, self.checkout.release)

    @cached_property
    def standing(self) -> Standing:
        """What the checkout is to distillpatch."""
        if self.loss_of_state:
            return Standing.STATELESS
        if self.state is None:
            return Standing.UNRECORDED if any(plan.by_hand for plan in self.stack.plans) else Standing.NOT_PATCHED
        is_gone = {Condition.OVERWRITTEN, Condition.RESTORED}
        edited_files = [
            file.path for file in self.state.files if file.original is not None and self._is_in_package(file.path)
        ]
        if is_gone.issuperset(self.conditions.get(path, Condition.RESTORED) for path in edited_files):
            same_release = self.state.release == self.checkout.release
            return Standing.RESTORED if same_release else Standing.OVERWRITTEN
        if any(condition is not Condition.INTACT for condition in self.conditions.values()):
            return Standing.EDITED
        patched = Standing.PATCHED if self.is_recorded else Standing.ADOPTABLE
        return Standing.OUTDATED if self.is_outdated else patched

    @property
    def is_outdated(self) -> bool:
        """Whether the built-in patch set is applied with other contents than this distillpatch has."""
        return self.state is not None and any(
            each.name == built_in().name and each.digest != built_in().digest for each in self.state.patch_sets
        )

    @property
    def is_reached(self) -> bool:
        """Whether exactly the wanted patch sets are in place, edited or not: there is nothing to do."""
        if self.state is None:
            return not self.wanted and not self.loss_of_state
        there = [(each.name, each.digest) for each in self.state.patch_sets] if self.is_recorded else None
        in_place = {Condition.INTACT, Condition.EDITED}
        return there == [(each.name, each.digest) for each in self.wanted] and in_place.issuperset(
            self.conditions.values()
        )

    @property
    def unrecorded_files(self) -> tuple[str, ...]:
        """The files that the built-in patch set adds and that exist without a state: a cheap sign."""
        if self.state is not None:
            return ()
        added = sorted(new_file.path for new_file in built_in().new_files)
        return tuple(path for path in added if exists(self.checkout.root / path))

    @cached_property
    def stack(self) -> Stack:
        """What applying the wanted patch sets does, or has done, to the release's files."""
        state = self.state if self.is_reached else None

        def read(path: str) -> bytes | None:
            return state.original(path) if state and state.file(path) else self.text(path)

        return plan_in_order(
            self.wanted,
            read,
            self.checkout.release_name,
            python_files(self.checkout.package),
            replace_hand_edits=lambda: self.replace_hand_edits or self._hand_edits_were_replaced,
        )

    @cached_property
    def _hand_edits_were_replaced(self) -> bool:
        """Whether the originals of what was patched hold edits made by hand: then the user had them replaced."""
        state = self.state
        return state is not None and any(is_made_by_hand(parsed(a), state.original) for a in state.patch_sets)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans of the wanted patch sets; none if there can be none."""
        return () if self.obstacle else self.stack.plans

    @cached_property
    def obstacle(self) -> str | None:
        """Why there can be no plan for a tree that was patched, if there can be none.

        A plan for other patch sets than those in place starts from the tree without these, and the user's edits may be
        in the way. Without a state nobody knows that tree.
        """
        if self.loss_of_state:
            return self.loss_of_state
        if self.state is not None:
            try:
                self.require_readable()
                _ = self.stack
            except DistillpatchError as error:
                return str(error)
        return None

    def difference(self) -> tuple[FileChange, ...]:
        """Return what was changed, if all that is wanted is in place, or else what would be changed.

        Raises:
            DistillpatchError: If a patch set does not fit, or the tree was patched and has no state.
        """
        self.require_state()
        if self.state is None or self.standing in (Standing.OVERWRITTEN, Standing.RESTORED):
            return self.stack.require().changes
        if self.is_reached:
            return self.in_package(FileChange(file.path, file.original, file.patched) for file in self.state.files)
        return self.in_package(self.run().changes)

    def in_package(self, changes: Iterable[FileChange]) -> tuple[FileChange, ...]:
        """Return those of some changes that are of the package itself, and not of an installed copy's RECORD."""
        return tuple(change for change in changes if self._is_in_package(change.path))

    def _is_in_package(self, path: str) -> bool:
        return path.startswith(f"{self.checkout.package.name}/")

    @cached_property
    def _undo(self) -> Undo | None:
        if self.state is None:
            return None
        return plan_undo(self.checkout.package, self.state, self.checkout.release, self.edited)

    def text(self, path: str) -> bytes | None:
        """Return the text of a file to plan from: as it would be without what was applied."""
        if self._undo and path in self._undo.texts:
            return self._undo.texts[path]
        return current(self.checkout.package, path)

    def run(self) -> Run:
        """Return the changes that lead from the tree as it is to the wanted patch sets, and the state that follows.

        Raises:
            DistillpatchError: If a patch set does not fit, or what is there cannot be undone first.
        """
        self.require_state()
        undo = self._undo
        if not self.wanted:
            return Run(undo.changes if undo else (), None, undo)
        planned = self.stack.require().changes
        planned += record_changes(self.checkout.package, planned, self.text)
        state = describe(
            self.checkout.package,
            planned,
            release=self.checkout.release,
            patch_sets=[AppliedSet(other.name, other.title, other.digest, other.files) for other in self.wanted],
            previous=self.state,
        )
        return Run(planned if undo is None else undo.followed_by(planned), state, undo)

    def require_state(self) -> None:
        """Raise an error if the tree was patched by distillpatch and has no state.

        Raises:
            DistillpatchError: It says what to do.
        """
        if self.loss_of_state:
            raise DistillpatchError(self.loss_of_state)

    def require_readable(self) -> None:
        """Raise SourceError if Python cannot read what a patched file was edited to: after a merge, say."""
        for path, condition in self.conditions.items():
            if condition is Condition.EDITED and path.endswith(".py"):
                look_at(path, current(self.checkout.package, path) or b"")


@dataclass(frozen=True)
class Run:
    """What leads to the wanted patch sets.

    Attributes:
        changes: The files from what is in the tree to what shall be there.
        state: What is applied afterwards; None if nothing is.
        undo: How what was there is undone; None if nothing was there.
    """

    changes: Sequence[FileChange]
    state: State | None
    undo: Undo | None


@dataclass(frozen=True)
class Reached:
    """What `reach` did.

    Attributes:
        situation: What there was, and what was wanted.
        run: What was done; None if there was nothing to do.
        recovered: What was done about an earlier run that was interrupted, as a sentence to print, or None.
    """

    situation: Situation
    run: Run | None = None
    recovered: str | None = None

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans of the wanted patch sets."""
        return self.situation.stack.plans

    @cached_property
    def unsaved(self) -> list[str]:
        """The patched files that had changes that are not committed to git, which may take its time."""
        if self.run is None or self.run.state is None:
            return []
        root, changes = self.situation.checkout.root, self.situation.stack.changes
        own = uncommitted(root, {change.path: change.before for change in changes if change.before is not None})
        # What was patched may be committed as well, with the user's changes.
        on_disk = {change.path: change.after for change in changes} | {c.path: c.before for c in self.run.changes}
        return own and uncommitted(root, {path: content for path in own if (content := on_disk[path]) is not None})


def examine(
    checkout: Checkout, wanted: Wanted = as_it_is, edited: Edited = Edited.REFUSE, *, replace_hand_edits: bool = False
) -> Situation:
    """Return what a checkout is, and what is wanted of it.

    Args:
        checkout: The checkout.
        wanted: Which patch sets it shall have.
        edited: What to do with files in which the user's edits overlap with what was applied.
        replace_hand_edits: Whether edits made by hand, in the patch set's way, are taken out first.

    Raises:
        StateError: If the state kept in it cannot be read.
    """
    recorded = state = read_state(checkout.package)
    loss_of_state = None
    if recorded is None:
        now = {path: current(checkout.package, path) for path in paths(built_in())}
        if is_ours(built_in(), now):
            state = adopted(checkout, built_in(), now)
            loss_of_state = None if state else what_to_do(checkout, built_in(), now)
    return Situation(checkout, state, wanted(state), edited, replace_hand_edits, state is recorded, loss_of_state)


def reach(
    checkout: Checkout,
    wanted: Wanted,
    edited: Edited = Edited.REFUSE,
    *,
    replace_hand_edits: bool = False,
    say: Waiting = in_silence,
) -> Reached:
    """Bring a checkout to the wanted patch sets: to all of them, or nothing is changed.

    For the arguments see :func:`examine`; `say` is called with another process that is waited for.

    Raises:
        DistillpatchError: If a patch set does not fit, edits overlap, or the files cannot be written; nothing was
            changed unless the message says otherwise.
    """
    situation = examine(checkout, wanted, edited, replace_hand_edits=replace_hand_edits)
    if situation.is_reached:
        return nothing_to_do(situation)
    with lock(checkout.package, checkout.release, waiting=say) as held:
        situation = examine(checkout, wanted, edited, replace_hand_edits=replace_hand_edits)
        if situation.is_reached:  # another process was faster
            return nothing_to_do(situation, held.recovered)
        run = situation.run()
        commit(held, run.changes, run.state)
    return Reached(situation, run, held.recovered)


def nothing_to_do(situation: Situation, recovered: str | None = None) -> Reached:
    """Return that all that is wanted is in place, unless Python cannot read it any more."""
    situation.require_readable()
    return Reached(situation, recovered=recovered)


def explain_one(checkout: Checkout, patch_set: PatchSet, number: int) -> tuple[Plan, list[Extent]]:
    """Return the plan of one modification, for a checkout without what was applied, and where it was made by hand.

    Raises:
        DistillpatchError: If there is no such modification, or what was applied cannot be undone in thought.
    """
    alone = patch_set.only(number)
    situation = examine(checkout, with_set(patch_set))
    situation.require_state()
    plan = make_plan(alone, {path: situation.text(path) for path in paths(alone)}, checkout.release_name)
    by_hand = [extent for each in situation.plans for extent in found_by_hand(each)]
    return plan, [extent for extent in by_hand if extent.modification in alone.modifications]

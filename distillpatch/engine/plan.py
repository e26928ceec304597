"""What a run is going to do, worked out before anything is written: texts in, texts out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from distillpatch.change import FileChange
from distillpatch.engine.edit import Edit, splice
from distillpatch.engine.hand_edits import Extent, HandEdit, Removal, extents
from distillpatch.engine.hand_made_files import is_idle
from distillpatch.engine.landing import Absence, Ambiguity, Misfit, Repetition, edits, occurrences
from distillpatch.engine.modification import Alternative, Hunk, Modification
from distillpatch.engine.nearest import nearest
from distillpatch.engine.own_versions import OwnVersion, own_versions
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.pattern import PatternError
from distillpatch.engine.source import Source, check_compiles, look_at
from distillpatch.engine.text import SourceError
from distillpatch.errors import DistillpatchError


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Attempt:
    """An alternative that does not fit.

    Attributes:
        alternative: The alternative.
        reason: Why it does not fit.
        nearest: The code that is nearest to it.
        has_scope: Whether the file, and the scope in it, that it is for exist.
    """

    alternative: Alternative
    reason: str
    nearest: tuple[str, ...]
    has_scope: bool


@dataclass(frozen=True)
class Rejection:
    """A hunk that found no place: every alternative was tried."""

    tried: tuple[Attempt, ...]

    @property
    def foremost(self) -> Attempt:
        """The attempt that says most, where there is room for one: alternatives for other releases have no scope."""
        return next((attempt for attempt in reversed(self.tried) if attempt.has_scope), self.tried[-1])


@dataclass(frozen=True)
class Outcome:
    """What became of one modification.

    Attributes:
        modification: The modification.
        places: Where its hunks landed, with line numbers of the changed files.
        rejections: Its hunks that found no place.
        origins: The same places, with line numbers of the files before; none for a file that is added.
    """

    modification: Modification
    places: tuple[Place, ...]
    rejections: tuple[Rejection, ...]
    origins: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Note:
    """Code that a modification leaves as it is, and that the user should know of."""

    modification: Modification
    place: Place
    code: str

    def __str__(self) -> str:
        return f"{self.place}: {self.code}"


@dataclass(frozen=True)
class Plan:
    """The outcome of every modification and, if all of them fit, the files before and after.

    Attributes:
        release: The release that the files are from, by name and number, for messages.
        outcomes: One for each modification, in order.
        by_hand: The modifications that somebody has made already, by hand, and where; each place of each once.
        changes: The files to change; empty unless every modification fits, none has been made already, and no class of
            the patch set uses an own version of a patched method.
        notes: Code of the user's own that is left as it is beside a modification.
        own_versions: The classes that have their own version of a patched method, and go without what is added there.
        removal: How the edits made by hand are taken out; None if there are none. If ``by_hand`` is empty, the rest is
            planned without them, and else they are still there.
    """

    release: str
    outcomes: tuple[Outcome, ...]
    by_hand: tuple[tuple[Modification, Place], ...]
    changes: tuple[FileChange, ...]
    notes: tuple[Note, ...] = ()
    own_versions: tuple[OwnVersion, ...] = ()
    removal: Removal | None = None


MISSING = "the file does not exist"


class PlanError(DistillpatchError):
    """The patch set cannot be applied to these files."""


Files = Mapping[str, bytes | None]
"""The content of each file of interest, None for a file that is not there."""


def make_plan(patch_set: PatchSet, files: Files, release: str, package: Mapping[str, bytes] | None = None) -> Plan:
    """Work out what applying a patch set does.

    Args:
        patch_set: What to change.
        files: The content of ``paths(patch_set)``.
        release: The release that they are from, by name and number, for messages.
        package: The modules of the package, to look in them for classes with their own version of a patched method.

    Returns:
        The plan. It has changes only if every modification fits; see :func:`distillpatch.engine.refusal.require`.

    Raises:
        SourceError: If a file is not Python.
    """
    sources = _sources(patch_set, files)
    made: dict[str, list[Edit]] = {path: [] for path in sources}
    landed: list[tuple[list[tuple[str, Edit]], list[Rejection]]] = []
    for modification in patch_set.modifications:
        places: list[tuple[str, Edit]] = []
        rejections: list[Rejection] = []
        for hunk in modification.hunks:
            result = _land(hunk, sources)
            if isinstance(result, Rejection):
                rejections.append(result)
            else:
                path, hunk_edits = result
                made[path] += hunk_edits
                places += [(path, edit) for edit in hunk_edits]
        landed.append((places, rejections))
    outcomes = tuple(
        Outcome(
            modification,
            (
                *(Place(new_file.path, 1) for new_file in modification.new_files),
                *(_place(path, edit, sources[path], made[path]) for path, edit in places),
            ),
            tuple(rejections),
            tuple(Place(path, sources[path].line_of(edit.start) + edit.lines_before) for path, edit in places),
        )
        for modification, (places, rejections) in zip(patch_set.modifications, landed, strict=True)
    )
    modules = {**(package or {}), **{path: content for path, content in files.items() if content is not None}}
    by_hand = tuple(_made_by_hand(patch_set, files, sources, modules))
    own = own_versions(patch_set, modules, {path: source.tree for path, source in sources.items()})
    refused = by_hand or any(outcome.rejections for outcome in outcomes) or any(version.used_by for version in own)
    changes = () if refused else _changes(patch_set, files, sources, made)
    return Plan(release, outcomes, by_hand, changes, tuple(_notes(patch_set, sources)), own)


def is_made_by_hand(patch_set: PatchSet, read: Callable[[str], bytes | None]) -> bool:
    """Return whether files show signs of modifications that somebody has made by hand.

    Args:
        patch_set: The patch set that the modifications are of.
        read: Returns the content of a file, None for one that does not exist.

    Raises:
        SourceError: If a file is not Python.
    """
    files = {path: read(path) for path in paths(patch_set)}
    sources = _sources(patch_set, files)
    return any(_made_by_hand(patch_set, files, sources, {}))


def _sources(patch_set: PatchSet, files: Files) -> dict[str, Source]:
    """Return the files that a patch set edits and that exist, parsed."""
    return {path: look_at(path, content) for path in patch_set.edited_files if (content := files[path]) is not None}


def found_by_hand(plan: Plan) -> list[Extent]:
    """Return where each modification was made by hand."""
    signs = [HandEdit(modification, place.path, place.line, place.line) for modification, place in plan.by_hand]
    # What would be taken out says where an edit begins and ends.
    return extents([*signs, *(plan.removal.edits if plan.removal else ())]) if signs else []


def paths(patch_set: PatchSet) -> tuple[str, ...]:
    """Return every file that a patch set edits or adds."""
    return (*patch_set.edited_files, *(new_file.path for new_file in patch_set.new_files))


def _made_by_hand(
    patch_set: PatchSet, files: Files, sources: Mapping[str, Source], modules: Mapping[str, bytes]
) -> Iterator[tuple[Modification, Place]]:
    for modification in patch_set.modifications:
        added = [
            Place(new.path, 1)
            for new in modification.new_files
            if (content := files[new.path]) is not None and not is_idle(modification, new.path, content, modules)
        ]
        recognised = [
            Place(sign.path, line)
            for sign in modification.signs
            if sign.path in sources
            for line in occurrences(sources[sign.path], sign)
        ]
        yield from ((modification, place) for place in sorted({*added, *recognised}))


def _notes(patch_set: PatchSet, sources: Mapping[str, Source]) -> Iterator[Note]:
    for modification in patch_set.modifications:
        found = {
            (pattern.path, line)
            for pattern in modification.notes
            if pattern.path in sources
            for line in occurrences(sources[pattern.path], pattern)
        }
        for path, line in sorted(found):
            yield Note(modification, Place(path, line), sources[path].line_text(line).strip())


def _land(hunk: Hunk, sources: Mapping[str, Source]) -> tuple[str, list[Edit]] | Rejection:
    misfits = []
    for alternative in hunk.alternatives:
        try:
            if alternative.path not in sources:
                raise Absence(MISSING)
            return alternative.path, edits(sources[alternative.path], alternative)
        except Misfit as misfit:
            misfits.append(misfit)
            if isinstance(misfit, (Ambiguity, Repetition)):
                break  # the code has the shape of this alternative, so none of the others is meant
    tried = zip(hunk.alternatives, misfits)  # noqa: B905 - those after the one that is meant were not tried
    return Rejection(tuple(_attempt(alternative, misfit, sources) for alternative, misfit in tried))


def _attempt(alternative: Alternative, misfit: Misfit, sources: Mapping[str, Source]) -> Attempt:
    source = sources.get(alternative.path)
    lines = nearest(source, alternative) if source else []
    near = tuple(f"line {line}: {source.line_text(line).strip()}" for line in lines if source)
    return Attempt(alternative, str(misfit), near, not isinstance(misfit, Absence))


def _place(path: str, edit: Edit, source: Source, made: list[Edit]) -> Place:
    """Return where the code that an edit adds is in the changed file."""
    earlier = [other for i, other in enumerate(made) if (other.start, i) < (edit.start, made.index(edit))]
    grown = sum(other.text.count("\n") - source.text.count("\n", other.start, other.end) for other in earlier)
    return Place(path, source.line_of(edit.start) + grown + edit.lines_before)


def _changes(
    patch_set: PatchSet, files: Files, sources: Mapping[str, Source], made: Mapping[str, list[Edit]]
) -> tuple[FileChange, ...]:
    # Whoever may read the package may read what is added to it, whatever the umask of the one who adds it.
    like = next(iter(sources), None)
    changes = [FileChange(new.path, files[new.path], new.content, like) for new in patch_set.new_files]
    for path, source in sources.items():
        try:
            after = source.encode(splice(source.text, made[path]))
            check_compiles(path, after)
        except PatternError as error:
            raise PlanError(f"{path}: {error}. Nothing was written.") from error
        except SourceError as error:
            check_compiles(path, files[path] or b"")  # else it was broken before
            raise PlanError(f"the modifications would leave {path} broken; nothing was written. {error}") from error
        changes.append(FileChange(path, files[path], after))
    return tuple(changes)

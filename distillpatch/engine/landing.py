"""Where an alternative of a hunk lands in a file: the one place that its pattern matches, and the edits made there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import libcst as cst

from distillpatch.engine import layout
from distillpatch.engine.edit import Edit
from distillpatch.engine.imports import add_imports, taken_names
from distillpatch.engine.matching import Match, TooRepetitive, find
from distillpatch.engine.modification import Alternative
from distillpatch.engine.nodes import Items, items
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.pattern import Pattern, PatternError
from distillpatch.engine.scope import Scope
from distillpatch.engine.source import Source
from distillpatch.engine.spelling import HOLE

# The code of a hole stays as it is, to the byte, however the lines around it are laid out. Meanwhile its line ends are
# held back: surrogates stand for them, which no decoded text has.
_HELD = str.maketrans("\r\n", "\ud800\ud801")
_RELEASED = str.maketrans("\ud800\ud801", "\r\n")


class Misfit(Exception):
    """An alternative does not fit; says why."""


class Ambiguity(Misfit):
    """An alternative fits at several places, and there is no telling which is meant."""


class Repetition(Misfit):
    """An alternative fits, and what it adds is there already."""


class Absence(Misfit):
    """The file or the scope that an alternative is for does not exist."""


@dataclass(frozen=True)
class Landing:
    """The one place that the pattern of an alternative matches."""

    scope: Scope
    pattern: Pattern
    match: Match


@dataclass(frozen=True)
class _Change:
    """A run of ``-`` and ``+`` lines: the first of its lines in the pattern, the one after it, and what is added."""

    first: int
    after: int
    added: str

    @property
    def replaces(self) -> bool:
        return self.first < self.after


def edits(source: Source, alternative: Alternative) -> list[Edit]:
    """Return the edits by which an alternative changes a file, in the file's order.

    Raises:
        Misfit: If its pattern does not match exactly once in its scope.
        PatternError: If its pattern is malformed.
    """
    if not alternative.pattern:
        if taken := taken_names(source, alternative.added):
            raise Misfit(f"the file defines {', '.join(taken)} itself")
        return [add_imports(source, alternative.added)]
    return edits_at(locate(source, alternative), alternative)


def edits_at(landing: Landing, alternative: Alternative) -> list[Edit]:
    """Return the edits by which an alternative changes a place that its pattern matches.

    Raises:
        Misfit: If it cannot be changed there.
    """
    return [_edit(landing, change) for change in _changes(alternative)]


def everywhere(source: Source, alternative: Alternative) -> Iterator[Landing]:
    """Yield the places that the pattern of an alternative matches, however often, in branches too."""
    for scope in source.scopes(alternative.scope):
        for match in _find(alternative, scope):
            yield Landing(scope, _compiled(alternative), match)


def removes_statements(alternative: Alternative) -> bool:
    """Return whether all that an alternative does is to remove statements."""
    if any(line.kind == "+" for line in alternative.lines):
        return False
    pattern = _compiled(alternative)
    runs = [_replaced(pattern, change) for change in _changes(alternative)]
    return all(isinstance((items(owner) or ())[indices[0]], cst.BaseStatement) for owner, indices in runs)


def removed_statements(landing: Landing, alternative: Alternative) -> tuple[Items, Items]:
    """Return the statements that an alternative removes, and those among them that its gaps stand for."""
    pattern, runs = landing.pattern, landing.match.runs
    removed: list[cst.CSTNode] = []
    in_gaps: list[cst.CSTNode] = []
    for change in _changes(alternative):
        owner, indices = _replaced(pattern, change)
        code, start, _ = runs[owner, indices[0]]
        removed += code[start : runs[owner, indices[-1]][2]]
        for (node, index), (code, start, stop) in runs.items():
            item = (items(node) or ())[index]
            is_gap = id(item) in pattern.gaps and isinstance(item, cst.SimpleStatementLine)
            if is_gap and change.first <= pattern.lines(item)[0] < change.after:
                in_gaps += code[start:stop]
    return removed, in_gaps


def check_patterns(patch_set: PatchSet) -> None:
    """Make sure that all patterns of a patch set are well formed, those that a file's words rule out included.

    Raises:
        PatternError: If one is not.
    """
    for modification in patch_set.modifications:
        hunks = (alternative for hunk in modification.hunks for alternative in hunk.alternatives)
        for alternative in (*modification.signs, *modification.notes, *modification.hand_made, *hunks):
            if alternative.pattern:
                _compiled(alternative)


def locate(source: Source, alternative: Alternative) -> Landing:
    """Return the one place that the pattern of an alternative matches.

    Raises:
        Misfit: If there is no such place, or more than one.
    """
    scopes = source.scopes(alternative.scope)
    if not scopes:
        raise Absence(f"expected the scope {alternative.scope} once, there is none of that name")
    if len(scopes) > 1:
        raise Misfit(f"expected the scope {alternative.scope} once, found {len(scopes)} of that name")
    matches = _find(alternative, scopes[0])
    if not matches:
        raise Misfit("expected one match, found none")
    if len(matches) > 1:
        raise Ambiguity(f"expected one match, found {len(matches)}")
    if matches[0].in_branch:
        raise Misfit("found in a branch (if, else, except) that the pattern does not show, so it may not be run")
    return Landing(scopes[0], _compiled(alternative), matches[0])


def occurrences(source: Source, alternative: Alternative) -> list[int]:
    """Return the numbers of the lines at which the pattern of an alternative matches, however often."""
    return [
        source.line_of(landing.scope.span(landing.match.nodes[landing.pattern.first])[0])
        for landing in everywhere(source, alternative)
    ]


def _find(alternative: Alternative, scope: Scope) -> list[Match]:
    # Most signs, and most alternatives for other releases, fail here, before anything is parsed.
    if not alternative.can_match(scope.words):
        return []
    matches = scope.code.matches
    if alternative not in matches:
        try:
            matches[alternative] = find(_compiled(alternative), scope.code)
        except TooRepetitive as error:
            where = f"{scope.source.path}, {scope.name}"
            raise PatternError(
                f"{alternative.origin}: too much of {where} is like the pattern before and after a gap: expected a "
                "pattern that shows more, or does not have the same $NAME on both sides"
            ) from error
    return matches[alternative]


@cache
def _compiled(alternative: Alternative) -> Pattern:
    try:
        pattern = Pattern(alternative.pattern, alternative.has_statements, dict(alternative.choices))
        for change in _changes(alternative):
            if change.replaces:
                _replaced(pattern, change)
    except PatternError as error:
        raise PatternError(f"{alternative.origin}: {error}") from error
    return pattern


def _changes(alternative: Alternative) -> Iterator[_Change]:
    at = first = 0
    added: list[str] = []
    changing = False
    for line in alternative.lines:
        if line.kind == " ":
            if changing:
                yield _Change(first, at, "\n".join(added))
            changing = False
            at += 1
            continue
        if not changing:
            changing, first, added = True, at, []
        if line.kind == "-":
            at += 1
        else:
            added.append(line.text)
    if changing:
        yield _Change(first, at, "\n".join(added))


def _edit(landing: Landing, change: _Change) -> Edit:
    """Return the edit that makes a change at the place where it landed."""
    scope, holes = landing.scope, landing.match.holes
    added = HOLE.sub(lambda hole: layout.standalone(scope, holes[hole[1]]).translate(_HELD), change.added)
    change = replace(change, added=added)
    edit = _replacement(landing, change) if change.replaces else _insertion(landing, change)
    return _released(edit)


def _released(edit: Edit) -> Edit:
    return replace(edit, text=edit.text.translate(_RELEASED))


def _replacement(landing: Landing, change: _Change) -> Edit:
    """Replace the statements, the items of a bracket or the expression that the ``-`` lines are."""
    match = landing.match
    owner, indices = _replaced(landing.pattern, change)
    run = match.runs.get((owner, indices[0]))
    if run is None:  # the expression that is all of the pattern
        return layout.replaced(landing.scope, [match.nodes[landing.pattern.first]], change.added)
    code, start, _ = run
    _, _, stop = match.runs[owner, indices[-1]]
    if change.added.strip():
        return layout.replaced(landing.scope, code[start:stop], change.added)
    return _removal(landing.scope, match.nodes.get(owner), code, start, stop)


def _replaced(pattern: Pattern, change: _Change) -> tuple[cst.CSTNode, Sequence[int]]:
    """Return the node of a pattern whose items are the ``-`` lines, and which of its items they are."""
    for owner, sequence in pattern.sequences:
        replaced = [i for i, item in enumerate(sequence) if change.first <= pattern.lines(item)[0] < change.after]
        lines = [line for i in replaced for line in pattern.lines(sequence[i])]
        if lines and (lines[0], lines[-1]) == (change.first, change.after - 1):
            return owner, replaced
    raise PatternError(f"expected '-' lines that are whole statements, items or one expression of\n{pattern.text}")


def _removal(scope: Scope, owner: cst.CSTNode | None, code: Items, start: int, stop: int) -> Edit:
    """Remove a run of the items of a node of the code."""
    is_block = isinstance(code[start], cst.BaseStatement)
    if stop - start == len(code) and (is_block or isinstance(owner, cst.Set)):
        raise Misfit("nothing would be left of the block, or of the set, whose items are removed")
    if is_block:
        return layout.removed_statements(scope, code[start:stop])
    return layout.removed_items(scope, code, start, stop, keeps_comma=isinstance(owner, cst.Tuple))


def _insertion(landing: Landing, change: _Change) -> Edit:
    """Insert lines where they are indented to: they line up with the items of the sequence that they join."""
    pattern, scope = landing.pattern, landing.scope
    column = layout.width(next((line for line in change.added.split("\n") if line.strip()), ""))
    place: tuple[Callable[..., Edit], Items, int] | None = None
    for owner, sequence in pattern.sequences:
        for index, item in enumerate(sequence):
            run = landing.match.runs.get((owner, index))
            if run is None or pattern.column(item) != column:
                continue
            code, start, stop = run
            first, last = pattern.lines(item)
            if last == change.first - 1 and stop > 0:
                return _once(scope, layout.inserted_after, code, stop, change.added)
            if first == change.first and start < len(code):
                place = layout.inserted_before, code, start
    if place is None:
        raise Misfit("the added lines are neither after nor before a line of the pattern of their indentation")
    return _once(scope, *place, change.added)


def _once(scope: Scope, insert: Callable[..., Edit], code: Items, index: int, added: str) -> Edit:
    """Insert lines at an index of a block or a bracket, unless they are right before or after it already.

    A pattern that ends where lines are added matches what it has changed as well, and a state may be lost.

    Raises:
        Repetition: If they are there.
    """
    edit = insert(scope, code, index, added)
    if isinstance(code[0], cst.BaseStatement):
        text = scope.source.text
        new, before, after = map(_lines, (_released(edit).text, text[: edit.start], text[edit.start :]))
    else:
        new = [item.translate(_RELEASED) for item in layout.listed(added)]
        before, after = ([layout.text_of(scope, item) for item in run] for run in (code[:index], code[index:]))
    if new and new in (before[-len(new) :], after[: len(new)]):
        raise Repetition("the lines that it adds are there already")
    return edit


def _lines(text: str) -> list[str]:
    """Return the lines of a text that are not blank."""
    return [line for line in text.splitlines() if line.strip()]

"""Which statements go: those that patterns name, and blocks of which nothing would be left.

``...`` below a ``-`` line stands for statements that other patterns remove, and for nothing else. So a block goes if
all that is in it goes, and a statement of the user's own in it is found, and not removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import libcst as cst

from distillpatch.engine import layout
from distillpatch.engine.edit import Edit
from distillpatch.engine.landing import Landing, everywhere, removed_statements
from distillpatch.engine.modification import Alternative, Modification
from distillpatch.engine.other_ways import ON_ONE_LINE, is_on_one_line
from distillpatch.engine.source import Source

Span = tuple[int, int]
"""Where a statement starts and ends: a statement that is in several scopes has other nodes in each."""

Rule = tuple[Modification, Alternative]


@dataclass(frozen=True)
class Candidate:
    """A match of a pattern whose ``-`` lines are statements.

    Attributes:
        rule: The pattern, and the modification that it is of.
        landing: The place.
        removed: The statements that would go.
        in_gaps: Those among them, at any depth, that its gaps stand for.
    """

    rule: Rule
    landing: Landing
    removed: Mapping[Span, cst.CSTNode]
    in_gaps: Mapping[Span, cst.CSTNode]


@dataclass(frozen=True)
class Removed:
    """A statement that goes, and that is not in another one that goes.

    Attributes:
        modification: The modification that it is of.
        candidate: The match for which it goes.
        lines: Its first and its last line.
        edit: The edit that removes it.
    """

    modification: Modification
    candidate: Candidate
    lines: tuple[int, int]
    edit: Edit


@dataclass(frozen=True)
class Marks:
    """What goes from a file, and which lines are in the way, with the reason."""

    removed: Sequence[Removed]
    obstacles: Sequence[tuple[int, str]]


def mark(source: Source, rules: Sequence[Rule]) -> Marks:
    """Return what goes from a file by some patterns whose ``-`` lines are statements."""
    candidates = [*_candidates(source, rules)]
    taken: dict[Span, Candidate] = {}
    known = -1
    while known < len(taken):
        known = len(taken)
        for candidate in candidates:
            if taken.keys() >= candidate.in_gaps.keys():
                for span in candidate.removed:
                    taken.setdefault(span, candidate)
    emptied, foreign = dict(_emptied(source, candidates, taken)), dict(_foreign(source, candidates, taken))
    return Marks([*_removed(source, taken)], sorted({**emptied, **foreign}.items()))


def _candidates(source: Source, rules: Sequence[Rule]) -> Iterator[Candidate]:
    for rule in rules:
        for landing in everywhere(source, rule[1]):
            removed, in_gaps = (
                {landing.scope.span(statement): statement for statement in statements}
                for statements in removed_statements(landing, rule[1])
            )
            yield Candidate(rule, landing, removed, in_gaps)


def _foreign(
    source: Source, candidates: Sequence[Candidate], taken: Mapping[Span, Candidate]
) -> Iterator[tuple[int, str]]:
    """Yield the statements for which a block stays though something in it goes."""
    partial = {
        span: candidate
        for candidate in candidates
        for span in candidate.removed
        if span not in taken and any(_is_in(inner, span) for inner in taken)
    }
    for block, candidate in partial.items():
        for span in candidate.in_gaps:
            if span not in taken and span not in partial:
                first, last = source.line_of(block[0]), source.line_of(block[1] - 1)
                reason = f"is yours, and in lines {first}-{last}, which would be removed"
                if is_on_one_line(source, source.line_of(span[0])):  # which may be theirs or an edit
                    reason = f"{ON_ONE_LINE}; it is in lines {first}-{last}, which would be removed"
                yield source.line_of(span[0]), f"{_first_line(source, span)!r} {reason}"


def _emptied(
    source: Source, candidates: Sequence[Candidate], taken: Mapping[Span, Candidate]
) -> Iterator[tuple[int, str]]:
    """Yield the blocks of which nothing would be left, below a line that stays."""
    for scope in {id(candidate.landing.scope): candidate.landing.scope for candidate in candidates}.values():
        for block, _ in scope.code.blocks[1:]:
            spans = [scope.span(statement) for statement in block]
            if all(span in taken for span in spans) and not any(_is_in(spans[0], outer) for outer in taken):
                line = _header(source, source.line_of(spans[0][0]))
                header = source.line_text(line).strip()
                yield line, f"nothing would be left below {header!r}: remove this line, or write 'pass' below it"


def _header(source: Source, first: int) -> int:
    """Return the line above the first line of a block, blank ones and comments left out."""
    above = range(first - 1, 0, -1)
    return next((line for line in above if source.line_text(line).strip()[:1] not in ("", "#")), first)


def _removed(source: Source, taken: Mapping[Span, Candidate]) -> Iterator[Removed]:
    for span, candidate in sorted(taken.items(), key=lambda item: item[0]):
        if any(_is_in(span, outer) for outer in taken):
            continue
        # A block is of the modification that the first statement in it is of: its header says nothing of that.
        leaves = [inner for inner in taken if inner == span or _is_in(inner, span)]
        leaves = [leaf for leaf in leaves if not any(_is_in(other, leaf) for other in leaves)]
        yield Removed(
            taken[min(leaves)].rule[0],
            candidate,
            (source.line_of(span[0]), source.line_of(span[1] - 1)),
            layout.removed_statements(candidate.landing.scope, [candidate.removed[span]]),
        )


def _is_in(inner: Span, outer: Span) -> bool:
    return inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]


def _first_line(source: Source, span: Span) -> str:
    return source.line_text(source.line_of(span[0])).strip()

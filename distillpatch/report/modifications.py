"""The list of modifications, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from distillpatch.engine.plan import Attempt, Outcome


def outcome_lines(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """Yield a line for each modification, and below it the places that it went to."""
    for outcome in outcomes:
        modification = outcome.modification
        mark = click.style("does not fit", fg="red") if outcome.rejections else ""
        section = click.style(modification.section, bold=True)
        yield f"{modification.number:>3}  {section}  {modification.title} {mark}".rstrip()
        for place in outcome.places:
            yield click.style(f"       {place}", dim=True)


def outcome_report(outcome: Outcome) -> dict[str, Any]:
    """Return what became of a modification, for programs: all that people are told of it."""
    return {
        "number": outcome.modification.number,
        "section": outcome.modification.section,
        "title": outcome.modification.title,
        "fits": not outcome.rejections,
        "places": [{"path": place.path, "line": place.line} for place in outcome.places],
        "misfits": [_attempt_report(attempt) for rejection in outcome.rejections for attempt in rejection.tried],
    }


def _attempt_report(attempt: Attempt) -> dict[str, Any]:
    return {
        "path": attempt.alternative.path,
        "scope": attempt.alternative.scope,
        "pattern": attempt.alternative.sought,
        "reason": attempt.reason,
        "nearest": list(attempt.nearest),
        "origin": attempt.alternative.origin,
    }

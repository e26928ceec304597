"""Plans as people and programs read them: a unified diff, and the list of modifications."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

import click

from distillpatch.change import FileChange
from distillpatch.engine.plan import Attempt, Outcome

_STYLES: dict[bytes, dict[str, Any]] = {
    b"---": {"bold": True},
    b"+++": {"bold": True},
    b"@@ ": {"fg": "cyan"},
    b"+": {"fg": "green"},
    b"-": {"fg": "red"},
}


def unified_diff(changes: Iterable[FileChange]) -> bytes:
    """Return changes as a unified diff that ``git apply`` and ``patch -p1`` take, in the folder that holds the package.

    It has none of git's own header lines: git takes the paths below ``diff --git`` as relative to the repository, and
    where the package lies deeper in one, as site-packages often does, it would silently apply nothing.
    """
    return b"".join(line for change in changes if change.before != change.after for line in _file_diff(change))


def colored(diff: bytes) -> str:
    """Return a diff with terminal colors."""
    return "".join(_color(line) for line in diff.splitlines(keepends=True))


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


def _file_diff(change: FileChange) -> Iterator[bytes]:
    path = change.path.encode()
    before = _lines(change.before)
    after = _lines(change.after)
    old = b"/dev/null" if change.before is None else b"a/" + path
    new = b"/dev/null" if change.after is None else b"b/" + path
    for line in difflib.diff_bytes(difflib.unified_diff, before, after, old, new):
        yield line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n"


def _lines(content: bytes | None) -> list[bytes]:
    """Split at line feeds alone, as diff does; ``splitlines`` would also split at a lone carriage return."""
    lines = (content or b"").split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _color(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    style = _STYLES.get(line[:3]) or _STYLES.get(line[:1])
    if style is None:
        return text
    end = text[len(text.rstrip("\r\n")) :]
    return click.style(text.removesuffix(end), **style) + end

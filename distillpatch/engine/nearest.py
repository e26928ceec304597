"""The code that is nearest to what does not fit: what to look at."""

from __future__ import annotations

import difflib

from distillpatch.engine.imports import taken_names
from distillpatch.engine.landing import occurrences
from distillpatch.engine.modification import Alternative
from distillpatch.engine.scope import Scope
from distillpatch.engine.source import Source

# Lines below this likeness are not like what was looked for.
_LIKE = 0.5


def nearest(source: Source, alternative: Alternative) -> list[int]:
    """Return the numbers of the lines to look at when an alternative does not fit.

    They are those of all matches if there are several, else the line that is most like what was looked for.
    """
    if not alternative.pattern:
        return list(taken_names(source, alternative.added).values())
    scopes = source.scopes(alternative.scope)
    if len(scopes) > 1:
        return [scope.first_line for scope in scopes]
    return occurrences(source, alternative) or (
        _nearest_line(scopes[0], alternative) if scopes else _nearest_definition(source, alternative)
    )


def _nearest_definition(source: Source, alternative: Alternative) -> list[int]:
    """Return the line of the class or function whose name is most like the scope's."""
    names = dict(source.definitions())
    wanted = alternative.scope
    by_last_part = {name.rpartition(".")[2]: line for name, line in names.items()}
    close = difflib.get_close_matches(wanted, names, n=1)
    close_last_part = difflib.get_close_matches(wanted.rpartition(".")[2], by_last_part, n=1)
    return [names[name] for name in close] or [by_last_part[name] for name in close_last_part]


def _nearest_line(scope: Scope, alternative: Alternative) -> list[int]:
    """Return the line of the scope that is most like one of the first lines of the pattern, if any is like it.

    Lines of the pattern that the scope has, to the letter, are not what is missing, unless it has all of them.
    """
    wanted = [text for text in map(str.strip, alternative.pattern.split("\n")) if text != "..." and len(text) > 2]
    numbers = range(scope.last_line, scope.first_line - 1, -1)
    lines = {scope.source.line_text(number).strip(): number for number in numbers}  # of equal ones the first
    missing = [text for text in wanted if text not in lines] or wanted
    best, found = _LIKE, None
    for text in missing[:3]:
        for line, number in lines.items():
            likeness = _likeness(text, line, best)
            if likeness > best or (likeness == best and (found is None or number < found)):
                best, found = likeness, number
    return [] if found is None else [found]


def _likeness(pattern: str, line: str, least: float) -> float:
    """Return how much a line is like one of a pattern; 0 if that is less than ``least``, which is seen faster."""
    matcher = difflib.SequenceMatcher(None, pattern, line, autojunk=False)
    if matcher.real_quick_ratio() < least or matcher.quick_ratio() < least:
        return 0.0
    return matcher.ratio()

"""Changes as a unified diff: bytes that git and patch take, and colors for a terminal."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

import click

from distillpatch.change import FileChange

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

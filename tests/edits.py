"""Edits that somebody makes to a checkout: functions from files to files, and what has to become of the result.

Some have to be patched, some have to be refused, and some may be either, as long as nothing is ever patched wrongly.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

from releases import read
from statements import CFG, DETECT, MODEL, PLOTTING, TRAINER

RELEASES = ("8.0.150", "8.2.50", "8.3.200", "8.4.0", "8.4.190")
"""Five shapes, see docs/releases.md."""

UTILS = "ultralytics/utils/__init__.py"

EDITED = (TRAINER, CFG, DETECT, MODEL, PLOTTING, UTILS)

Files = Mapping[str, bytes]


class Fate(Enum):
    """What distillpatch has to make of an edited checkout."""

    PATCHED = "patched"
    REFUSED = "refused"
    EITHER = "patched correctly, or refused"


@dataclass(frozen=True)
class Edit:
    """What somebody did to a checkout.

    Attributes:
        change: The files before to the files after; the same files if it cannot be done to this release.
        fate: What distillpatch has to make of it.
        number: The modification that a refusal has to name, where the edit is about one.
    """

    change: Callable[[Files], Files]
    fate: Fate
    number: int | None = None


@cache
def files_of(release: str) -> Files:
    """Return the files of a release that get edited."""
    return {path: content for path, content in read(release, EDITED).items() if content is not None}


def on_text(change: Callable[[str], str], *paths: str) -> Callable[[Files], Files]:
    """Make an edit of a function on texts, for some files or all."""

    def edit(files: Files) -> Files:
        return {
            path: change(content.decode()).encode() if path in (paths or EDITED) else content
            for path, content in files.items()
        }

    return edit


def sub(path: str, pattern: str, replacement: str, count: int = 0) -> Callable[[Files], Files]:
    """Make an edit of a regular expression, in which ``^`` and ``$`` are those of a line."""
    return on_text(lambda text: re.sub(pattern, replacement, text, count=count, flags=re.MULTILINE), path)


def append(path: str, code: str) -> Callable[[Files], Files]:
    """Make an edit that adds code at the end of a file."""
    return on_text(lambda text: f"{text}\n\n{code}", path)


def both(*changes: Callable[[Files], Files]) -> Callable[[Files], Files]:
    """Make one edit of several."""

    def edit(files: Files) -> Files:
        for change in changes:
            files = change(files)
        return files

    return edit


def on_statements(path: str, start: str, change: Callable[[str, list[str]], list[str]]) -> Callable[[Files], Files]:
    """Make an edit of a function on the lines of each statement that starts with a regular expression.

    The function is given the statement's indentation as well.
    """

    def edit(text: str) -> str:
        lines = text.splitlines(keepends=True)
        nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt))
        found = [node for node in nodes if re.match(start, lines[node.lineno - 1].strip())]
        for node in sorted(found, key=lambda node: node.lineno, reverse=True):
            span = slice(node.lineno - 1, node.end_lineno)
            lines[span] = change(" " * node.col_offset, lines[span])
        return "".join(lines)

    return on_text(edit, path)


def wrapped(path: str, start: str, header: str) -> Callable[[Files], Files]:
    """Make an edit that puts statements under a header."""
    return on_statements(path, start, lambda indent, lines: [f"{indent}{header}\n", *(f"    {line}" for line in lines)])


def renamed(path: str, name: str) -> Edit:
    """Return an edit that renames a function."""
    return Edit(sub(path, rf"\bdef {name}\b", f"def my_{name}"), Fate.REFUSED)


def removed(path: str, start: str) -> Edit:
    """Return an edit that removes statements."""
    return Edit(on_statements(path, start, lambda indent, _: [f"{indent}pass\n"]), Fate.REFUSED)


def insert_above(text: str, line: int, code: str) -> str:
    """Insert a line of code above a line (from 1), with its indentation."""
    lines = text.splitlines(keepends=True)
    indent = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
    return "".join([*lines[: line - 1], f"{indent}{code}\n", *lines[line - 1 :]])


# Where a node of the compiler's tree has statements.
BLOCKS = ("body", "orelse", "finalbody")


def insert_at_ends(text: str, code: str) -> str:
    """Insert a line of code at the end of each block of a function from which the program goes on."""
    left = (ast.Return, ast.Raise, ast.Continue, ast.Break)
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    blocks = [getattr(node, name, None) for f in functions for node in ast.walk(f) for name in BLOCKS]
    last = {block[-1] for block in blocks if isinstance(block, list) and block and not isinstance(block[-1], left)}
    lines = text.splitlines(keepends=True)
    # From below to above; where several blocks end in a line, the inner one's is inserted last, so that it comes first.
    for node in sorted(last, key=lambda node: (-(node.end_lineno or 0), node.col_offset)):
        if lines[node.lineno - 1][: node.col_offset].isspace():  # or else the block is on one line with its header
            lines.insert(node.end_lineno or 0, f"{' ' * node.col_offset}{code}\n")
    return "".join(lines)


def statement_lines(text: str) -> list[int]:
    """Return the lines at which a statement of a function starts, docstrings and ``elif`` left out."""
    tree = ast.parse(text)
    lines = text.splitlines()
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    nodes = {node for function in functions for node in ast.walk(function) if isinstance(node, ast.stmt)}
    nodes -= set(functions)
    nodes -= {function.body[0] for function in functions if ast.get_docstring(function)}
    return sorted({node.lineno for node in nodes if not lines[node.lineno - 1].lstrip().startswith("elif ")})

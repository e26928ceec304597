"""Edits made by hand in a way that no pattern describes, and what to change so that one does."""

from __future__ import annotations

import ast
import re

from distillpatch.engine.modification import Alternative, Modification
from distillpatch.engine.source import Source

ON_ONE_LINE = "is on one line: write what follows the colon on a line of its own"


def why_left(modification: Modification, source: Source | None, line: int) -> str:
    """Return why an edit cannot be taken out, for what is left of it.

    Args:
        modification: What the edit is of.
        source: The file as it is; None if only whole files are known of it.
        line: The line of the file where it was found.
    """
    way = "in another way"
    if source is not None and is_on_one_line(source, line):
        return f"modification {modification.number} was made here in a block that {ON_ONE_LINE}"
    if source is not None and (call := _call_by_position(modification, source, line)):
        way = f"with arguments by position: give those of {call} by name"
    return f"modification {modification.number} was made here {way}"


def is_on_one_line(source: Source, line: int) -> bool:
    """Return whether a line has the colon of a block, and the first statement of it."""
    firsts = (node.body[0] for node in ast.walk(source.tree) if isinstance(node, (ast.If, ast.For, ast.With)))
    here = (first for first in firsts if first.lineno == line)
    return any(source.line_text(line).encode()[: first.col_offset].strip() for first in here)


def _call_by_position(modification: Modification, source: Source, line: int) -> str:
    """Return the function that is called at a line by position, if a pattern takes arguments out of it by name."""
    functions = {_function(known) for known in modification.hand_made if _takes_out_by_name(known)}
    calls = (node for node in ast.walk(source.tree) if isinstance(node, ast.Call) and node.lineno == line and node.args)
    return next((function for call in calls if (function := ast.unparse(call.func)) in functions), "")


def _takes_out_by_name(alternative: Alternative) -> bool:
    return any(line.kind == "-" and re.match(r"\s+\$?\w+=", line.text) for line in alternative.lines)


def _function(alternative: Alternative) -> str:
    return alternative.pattern.partition("(")[0]

"""stdout and stderr, each in the encoding that it has: what this has no character for is escaped.

click.echo would write UTF-8 where the encoding is ASCII, unless it is given the stream.
"""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import click

from distillpatch.errors import DistillpatchError

FORMAT = 1
"""The format of every JSON document; a new number if a field changes its meaning or goes."""


def prepare() -> None:
    """Make stdout take every text, as stderr does by itself.

    Raises:
        DistillpatchError: If there is no stdout or stderr.
    """
    if sys.stdout is None or sys.stderr is None:
        raise DistillpatchError("stdout or stderr is closed. Open it, or send it to /dev/null.")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a folder's name may be in no encoding at all


def to_stdout(text: str) -> None:
    """Write a line to stdout."""
    click.echo(text, file=sys.stdout)


def print_json(document: dict[str, Any]) -> None:
    """Write the one JSON object that a command answers a program with."""
    to_stdout(json.dumps({"format": FORMAT, **document}, indent=2))


def to_stderr(text: str) -> None:
    """Write a line to stderr, if there is one."""
    click.echo(text, file=sys.stderr, err=True)

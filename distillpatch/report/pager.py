"""A pager for a long page, chosen as git chooses one: GIT_PAGER, the user's core.pager, PAGER, less."""

from __future__ import annotations

import io
import os
import shlex
import signal
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from distillpatch.report.page import Block, Output, write
from distillpatch.tree.git import own_setting
from distillpatch.tree.programs import find_program

# Quit if it fits on a screen, take colors, leave the page on the screen.
_LESS = "FRX"


def write_paged(blocks: Iterable[Block], out: Output, variables: Mapping[str, str]) -> None:
    """Write a page: through a pager to a terminal, and otherwise as it is.

    Args:
        blocks: The page.
        out: Where it goes.
        variables: The process's environment: GIT_PAGER and PAGER, where empty or cat means none, and LESS.
    """
    command = _pager(variables) if out.stream.isatty() else []
    if not command:
        write(blocks, out)
        return
    page = io.TextIOWrapper(io.BytesIO(), out.encoding, "backslashreplace", newline="\n")
    write(blocks, replace(out, stream=page))
    page.flush()
    environment = {"LESS": _LESS, "LV": "-c", **variables}
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
    except OSError:
        write(blocks, out)
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the pager
    try:
        process.communicate(page.buffer.getvalue())
    except BrokenPipeError:
        process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _pager(variables: Mapping[str, str]) -> list[str]:
    here = Path()
    named = variables.get("GIT_PAGER")
    if named is None:
        named = own_setting("core.pager") or variables.get("PAGER")
    if named is None:
        less = find_program("less", here)
        return [less] if less and variables.get("TERM") != "dumb" else []
    try:
        command = shlex.split(named, posix=os.name == "posix")
    except ValueError:
        return []
    program = find_program(command[0], here) if command and command[0] != "cat" else None
    return [program, *command[1:]] if program else []

"""Where results go: to a terminal in colors and paged, to anything else byte by byte, to a program as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from distillpatch.click_group import settings
from distillpatch.errors import DistillpatchError
from distillpatch.streams import print_json, to_stderr

if TYPE_CHECKING:
    from distillpatch.change import FileChange
    from distillpatch.report.page import Block, Output
    from distillpatch.tree.checkout import Checkout


def write_diff(text: bytes, file: Path, checkout: Checkout) -> None:
    """Write a diff to a file, though not to one of those that it is about."""
    if Path(os.path.realpath(file)).is_relative_to(os.path.realpath(checkout.package)):
        raise DistillpatchError(f"{file} is in the package itself: name a file elsewhere for the diff")
    try:
        file.write_bytes(text)
    except OSError as error:
        raise DistillpatchError(f"cannot write {file}: {error.strerror}. Name another file.") from error


def current_output() -> Output:
    """Return what this run writes to."""
    from distillpatch.report.page import output

    return output(settings().color, os.environ)


def show_diff(checkout: Checkout, changes: Iterable[FileChange]) -> None:
    """Show a diff: in colors and paged to a terminal, byte by byte to anything else."""
    from distillpatch.report.diff import diff_page, unified_diff
    from distillpatch.report.documents import diff_report

    changes = list(changes)
    if settings().as_json:
        print_json(diff_report(checkout, changes))
    elif current_output().is_terminal:
        show_page(diff_page(changes))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(unified_diff(changes))
        sys.stdout.buffer.flush()


def print_page(page: Iterable[Block]) -> None:
    """Print a page."""
    from distillpatch.report.page import write

    write(page, current_output())


def show_page(page: Iterable[Block]) -> None:
    """Show a page, on a terminal in a pager if it is long."""
    from distillpatch.report.pager import write_paged

    write_paged(page, current_output(), os.environ)


def note(lines: Iterable[str | None]) -> None:
    """Print on stderr what is not the result itself, None for nothing."""
    for line in lines:
        if line:
            to_stderr(line)


def note_waiting(checkout: Checkout) -> Callable[[str], None]:
    """Return a function that says which other process a command waits for."""
    from distillpatch.report.results import waiting_note

    return lambda holder: note([waiting_note(checkout, holder)])

"""How commands end: each error is one message with an exit code, for people or as JSON, and a typo gets a hint."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import click

from distillpatch.errors import DistillpatchError, InterruptedRun
from distillpatch.streams import print_json, to_stderr

_INTERRUPTED = 130  # as a shell has it for Ctrl-C


@dataclass
class Settings:
    """What the user asked for, besides what a command does.

    Attributes:
        color: "auto", "always" or "never".
        as_json: Whether results and errors are for a program.
        error_code: With what to exit after an error.
        ends_process: Whether the process ends with the command, so that nobody is left to be interrupted.
        package: The package that the command works on, once it is known.
        at_start: What tells that the package was changed since the command began; None until that is known.
        done: What the command has done to the package, as a sentence; "" as long as that is nothing.
    """

    color: str = "auto"
    as_json: bool = False
    error_code: int = 1
    ends_process: bool = False
    package: Path | None = None
    at_start: object = None
    done: str = ""

    def check(self, value: bool) -> bool:
        """Keep exit code 1 for the answer "no", if there is a question; return whether there is."""
        if value:
            self.error_code = 2
        return value


def settings(context: click.Context | None = None) -> Settings:
    """Return the settings of this run of the command line."""
    found: Settings = (context or click.get_current_context()).find_root().ensure_object(Settings)
    return found


class Group(click.Group):
    """A group of commands whose errors are one message each."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and see early whether errors have to be JSON."""
        settings(ctx).as_json = "--json" in args
        try:
            return super().parse_args(ctx, args)
        except KeyboardInterrupt:
            fail(settings(ctx), "Interrupted", "Interrupted. Nothing was changed.", _INTERRUPTED)
        except click.NoSuchOption as error:
            _refuse(settings(ctx), self._misplaced(error, ctx, args))
        except click.UsageError as error:
            _refuse(settings(ctx), error)

    def _misplaced(self, error: click.NoSuchOption, ctx: click.Context, args: list[str]) -> click.UsageError:
        """Return an error that says where an option belongs that only the commands have."""
        name = error.option_name
        having = [
            known for known, command in self.commands.items() if any(name in each.opts for each in command.params)
        ]
        if not having:
            return error
        command = next((each for each in args if each in having), having[0])
        return click.UsageError(f"{name} is an option of a command: distillpatch {command} {name}", ctx)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command, or name those that are spelled like it."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            raise self.no_such_command(name, ctx)
        return super().resolve_command(ctx, args)

    def no_such_command(self, name: str, ctx: click.Context) -> click.UsageError:
        """Return the error for a name that no command has, with the names that are spelled like it."""
        known = sorted(known for known, command in self.commands.items() if not command.hidden)
        similar = get_close_matches(name, known)
        hint = f"Did you mean {' or '.join(similar)}?" if similar else f"Expected one of {', '.join(known)}."
        return click.UsageError(f"No such command '{name}'. {hint} All commands: distillpatch --help", ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        options = settings(ctx)
        try:
            with _uninterrupted_afterwards(options):
                return super().invoke(ctx)
        except KeyboardInterrupt:
            fail(options, "Interrupted", f"Interrupted. {_tree_after_interrupt(options)}", _INTERRUPTED)
        except InterruptedRun as error:
            fail(options, "Interrupted", str(error), _INTERRUPTED)
        except click.UsageError as error:
            _refuse(options, error)
        except (DistillpatchError, OSError) as error:
            if options.done:
                _finish(error, options.done)
            if _is_unread(error):
                _leave("", options.error_code)
            kind = type(error).__name__ if isinstance(error, DistillpatchError) else "OSError"
            fail(options, kind, f"{_message(error)}{_advice(error, options)}", options.error_code)


@contextmanager
def _uninterrupted_afterwards(options: Settings) -> Iterator[None]:
    """Ignore Ctrl-C from when a command is over: what became of the tree is settled, and only has to be told."""
    try:
        yield
    finally:
        if options.ends_process:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _refuse(options: Settings, error: click.UsageError) -> NoReturn:
    """End with an error in how a command is written; click has the words for people."""
    if isinstance(error, click.NoSuchOption) and error.option_name in ("-C", "--path", "--checkout"):
        told = f"No such option: {error.option_name}. Name the checkout plainly: distillpatch status PATH"
        error = click.UsageError(told, error.ctx)
    if isinstance(error, click.MissingParameter) and error.ctx and error.ctx.command.epilog:
        error = click.UsageError(f"{error.format_message()} {error.ctx.command.epilog}", error.ctx)
    if not options.as_json:
        error.show(sys.stderr)
        sys.exit(error.exit_code)
    fail(options, type(error).__name__, error.format_message(), error.exit_code)


def fail(options: Settings, kind: str, message: str, code: int) -> NoReturn:
    """End with an error: a message on stderr and, for a program, the same on stdout as JSON."""
    if options.as_json:
        with suppress(OSError):  # it may be what has failed
            print_json({"error": {"kind": kind, "message": message}})
    _leave(f"Error: {message}" if code != _INTERRUPTED else message, code)


def _finish(error: DistillpatchError | OSError, done: str) -> NoReturn:
    """End after an error that came when all was done: the exit code says what became of the package."""
    _leave("" if _is_unread(error) else f"Note: {_message(error)} {done}", 0)


def _leave(message: str, code: int) -> NoReturn:
    try:
        if message:
            to_stderr(message)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:  # Python would try again as it ends, and exit with a code of its own
        os._exit(code)
    sys.exit(code)


def _is_unread(error: BaseException) -> bool:
    """Return whether whoever reads our output has seen enough, which is no error."""
    return isinstance(error, OSError) and error.errno == errno.EPIPE


def _message(error: DistillpatchError | OSError) -> str:
    if isinstance(error, DistillpatchError):
        return str(error)
    return f"{error.filename or 'cannot write the output'}: {error.strerror or error}."


def _advice(error: BaseException, options: Settings) -> str:
    """Return what to do about a permission that is missing, which is the commonest of all obstacles."""
    cause = error.__cause__ if isinstance(error, DistillpatchError) else error
    if not isinstance(cause, PermissionError) or options.package is None:
        return ""
    elsewhere = isinstance(cause.filename, str) and not Path(cause.filename).is_relative_to(options.package.parent)
    if elsewhere:  # the file that the diff is written to, say
        return ""
    try:
        owner = f"its owner, {options.package.owner()}"
    except (OSError, KeyError, NotImplementedError):
        owner = "its owner"
    return f"\nRun distillpatch as {owner}, or install ultralytics in an environment of your own and patch that."


def _tree_after_interrupt(options: Settings) -> str:
    """Return what an interrupted command has left; only what was seen of it."""
    from distillpatch.ledger.places import RUN, STATE_DIR
    from distillpatch.tree.files import exists

    if options.done or options.package is None:
        return options.done or "Nothing was changed."
    with suppress(OSError):
        if exists(options.package / STATE_DIR / RUN):
            return "The next command restores what was left half done: distillpatch status"
        if options.at_start == mark(options.package):
            return "Nothing was changed."
    return "No file is half written. What is there now: distillpatch status"


def mark(package: Path) -> object:
    """Return what is another after each run that has changed a package: which file its state is.

    Raises:
        OSError: It cannot be found out.
    """
    from distillpatch.ledger.places import STATE_DIR, STATE_FILE
    from distillpatch.tree.files import look

    status = look(package / STATE_DIR / STATE_FILE)
    return "none" if status is None else (status.st_dev, status.st_ino, status.st_mtime_ns)

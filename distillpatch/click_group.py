"""How commands end: each error is one message with an exit code, for people or as JSON, and a typo gets a hint."""

from __future__ import annotations

import errno
import json
import sys
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from distillpatch.errors import DistillpatchError, InterruptedRun

_INTERRUPTED = 130  # as a shell has it for Ctrl-C


@dataclass
class Settings:
    """What the user asked for, besides what a command does.

    Attributes:
        color: "auto", "always" or "never".
        as_json: Whether results and errors are for a program.
        error_code: With what to exit after an error.
        package: The package that the command works on, once it is known.
    """

    color: str = "auto"
    as_json: bool = False
    error_code: int = 1
    package: Path | None = None

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
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command, or name those that are spelled like it."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            known = sorted(known for known, command in self.commands.items() if not command.hidden)
            similar = get_close_matches(name, known, cutoff=0.5)
            hint = f"Did you mean {' or '.join(similar)}?" if similar else f"Expected one of {', '.join(known)}."
            raise click.UsageError(f"No such command '{name}'. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        options = settings(ctx)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            fail(options, "Interrupted", _state_after_interrupt(options.package), _INTERRUPTED)
        except InterruptedRun as error:
            fail(options, "Interrupted", str(error), _INTERRUPTED)
        except click.UsageError as error:
            if isinstance(error, click.NoSuchOption) and error.option_name == "-C":
                hint = f"{error.message} Name the checkout plainly: distillpatch status PATH"
                error = click.UsageError(hint, error.ctx)
            if not options.as_json:
                raise error from None
            fail(options, type(error).__name__, error.format_message(), error.exit_code)
        except DistillpatchError as error:
            fail(options, type(error).__name__, f"{error}{_advice(error, options)}", options.error_code)
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever reads our output has seen enough, which is no error
                raise
            place = error.filename or "cannot write the output"
            fail(
                options, "OSError", f"{place}: {error.strerror or error}.{_advice(error, options)}", options.error_code
            )


def fail(options: Settings, kind: str, message: str, code: int) -> None:
    """End with an error: a message on stderr and, for a program, the same on stdout as JSON."""
    if options.as_json:
        click.echo(json.dumps({"format": 1, "error": {"kind": kind, "message": message}}, indent=2))
    click.echo(f"Error: {message}" if code != _INTERRUPTED else message, err=True)
    sys.exit(code)


def _advice(error: BaseException, options: Settings) -> str:
    """Return what to do about a permission that is missing, which is the commonest of all obstacles."""
    cause = error.__cause__ if isinstance(error, DistillpatchError) else error
    if not isinstance(cause, PermissionError) or options.package is None:
        return ""
    try:
        owner = f"its owner, {options.package.owner()}"
    except (OSError, KeyError, NotImplementedError):
        owner = "its owner"
    return f"\nRun distillpatch as {owner}, or install ultralytics in an environment of your own and patch that."


def _state_after_interrupt(package: Path | None) -> str:
    """Return what an interrupted command has left."""
    if package is None:
        return "Interrupted. Nothing was changed."
    if (package / ".distillpatch" / "run").exists():
        return "Interrupted. The next command restores what was left half done: distillpatch status"
    return "Interrupted. No file is half written. What is there now: distillpatch status"

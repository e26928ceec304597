"""Commands, run in the process of the test."""

from __future__ import annotations

from click.testing import CliRunner, Result

from distillpatch.cli import main


def invoke(*arguments: object, **variables: str | None) -> Result:
    """Run a command, in an environment with these variables, and return what it printed and how it ended."""
    return CliRunner().invoke(main, [*map(str, arguments)], env=variables)

"""Commands, run in the process of the test."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from click.testing import CliRunner, Result

from distillpatch.cli import main

# click 8.1 has to be asked to keep stdout and stderr apart, as later ones always do.
_SEPARATE: dict[str, Any] = {"mix_stderr": False} if version("click").startswith("8.1.") else {}


def invoke(*arguments: object, **variables: str | None) -> Result:
    """Run a command, in an environment with these variables, and return what it printed and how it ended."""
    return CliRunner(**_SEPARATE).invoke(main, [*map(str, arguments)], env=variables)

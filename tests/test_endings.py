"""How commands end: interrupted, or with an output that is closed, full or read no further."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
import releases
from commanded import invoke
from environments import find_python

from distillpatch import cli, click_group, commands

Checkout = Callable[[str], Path]


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (None, "Nothing was changed."),
        ("run", "The next command restores what was left half done: distillpatch status"),
        ("state.json", "No file is half written. What is there now: distillpatch status"),
    ],
)
def test_ctrl_c_tells_the_state_of_the_tree(
    left: str | None, told: str, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout("8.2.50")

    def interrupted(*_: Any, **__: Any) -> None:
        if left:
            (root / "ultralytics/.distillpatch" / left).mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "examine", interrupted)
    result = invoke("apply", root)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (130, f"Interrupted. {told}")


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(5, "Input/output error", "/x"), BrokenPipeError(32, "")], ids=repr
)
def test_what_happens_after_the_last_change_does_not_hide_it(
    error: BaseException, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = checkout("8.2.50")

    def fail(*_: Any, **__: Any) -> None:
        raise error

    for command in ("apply", "revert"):
        with monkeypatch.context() as patch:
            patch.setattr(cli, "print_page", fail)
            told = invoke(command, root)
        done = "All changes of this run are in place."
        expected = {5: (0, f"Note: /x: Input/output error. {done}"), 32: (0, ""), None: (130, f"Interrupted. {done}")}
        code, last = expected[getattr(error, "errno", None)]
        assert told.exit_code == code and last in told.stderr and "Error" not in told.stderr
        assert (root / "ultralytics/utils/AddLoss.py").exists() == (command == "apply")


def test_ctrl_c_while_starting_is_no_traceback(tmp_path: Path) -> None:
    # A process that was started in the background may ignore the signal.
    heed = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    stop = "os.kill(os.getpid(), signal.SIGINT)"
    (tmp_path / "click.py").write_text(f"import os, signal, time\n{heed}\n{stop}\ntime.sleep(5)\n")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(click_group.__file__).parent.parent}"}
    process = [sys.executable, "-m", "distillpatch", "status"]
    result = subprocess.run(process, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (130, "Interrupted. Nothing was changed.\n")


@pytest.mark.parametrize("missing", ["click", "libcst"])
def test_a_package_that_is_not_installed_is_no_traceback(missing: str, tmp_path: Path) -> None:
    """As where somebody runs the clone with a Python that distillpatch is not installed for."""
    (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError('No module named', name={missing!r})\n")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(click_group.__file__).parent.parent}"}
    process = [sys.executable, "-m", "distillpatch", "status", str(releases.unpack("8.2.50", tmp_path / "tree"))]
    result = subprocess.run(process, env=env, cwd=tmp_path, capture_output=True, text=True)
    told = f"Error: {missing} is not installed for {sys.executable}. Install distillpatch, for example with pipx, "
    assert result.returncode == 1 and result.stderr.splitlines()[-1].startswith(told) and "Trace" not in result.stderr


@pytest.mark.one_python
def test_a_python_that_is_too_old_is_said() -> None:
    """A clone may be run with any Python."""
    old, _ = find_python("3.8")
    env = {**os.environ, "PYTHONPATH": str(Path(click_group.__file__).parent.parent)}
    result = subprocess.run([old, "-m", "distillpatch", "status"], env=env, cwd="/", capture_output=True, text=True)
    told = "Error: distillpatch needs Python 3.10 or newer, and this is 3.8. Install distillpatch, "
    assert result.returncode == 1 and result.stderr.startswith(told)


def test_ctrl_c_while_the_arguments_are_read_is_no_abortion(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(click.Group, "parse_args", interrupted)
    result = invoke("status")
    assert (result.exit_code, result.stderr) == (130, "Interrupted. Nothing was changed.\n")


@pytest.mark.parametrize("command", ["apply", "status --check"])
def test_ctrl_c_once_the_command_is_over_changes_nothing_of_what_is_told(
    command: str, checkout: Checkout, tmp_path: Path
) -> None:
    """The signal comes when Python has taken its own handler away, as it does before it takes the modules away."""
    root = checkout("8.2.50")
    heed = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    late = "type('', (), {'__del__': lambda _, kill=os.kill, itself=os.getpid(): kill(itself, 2)})"
    (tmp_path / "sitecustomize.py").write_text(f"import os, signal, sys\n{heed}\nsys.late = {late}()\n")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(click_group.__file__).parent.parent}"}
    process = [sys.executable, "-m", "distillpatch", *command.split(), str(root)]
    result = subprocess.run(process, env=env, capture_output=True, text=True)
    assert result.returncode == int(command != "apply")
    assert "Interrupted" not in result.stderr and result.stdout


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">/dev/full", "--json >/dev/full"])
def test_an_output_that_is_closed_or_full(redirection: str, pristine: Path) -> None:
    result = in_a_shell(f"diff {pristine} {redirection}")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    if redirection != "2>&-":
        assert re.search("stdout or stderr is closed|cannot write the output: No space left", result.stderr)


@pytest.mark.parametrize("output", [">/dev/full", "--json >/dev/full", "2>/dev/full", "| true"])
def test_the_exit_code_of_apply_is_that_of_the_tree(output: str, checkout: Checkout) -> None:
    root = checkout("8.2.50")
    # A shell has the exit code of what comes after a pipe.
    command = f"apply {root} {output}" if output != "| true" else f"apply {root}; echo $? >&2; }} | true"
    result = in_a_shell(command, "{ " if output == "| true" else "")
    is_patched = (root / "ultralytics/utils/AddLoss.py").exists()
    code = int(result.stderr.split()[-1]) if output == "| true" else result.returncode
    assert (code == 0) == is_patched and "Traceback" not in result.stderr and "Error" not in result.stderr
    if output.endswith(" >/dev/full") or output.startswith(">"):
        note = "Note: cannot write the output: No space left on device. All changes of this run are in place."
        assert is_patched and note in result.stderr
    if output == "| true":
        assert is_patched


def in_a_shell(arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    command = f"{before}{sys.executable} -m distillpatch {arguments}"
    env = {**os.environ, "PYTHONPATH": str(Path(click_group.__file__).parent.parent)}
    return subprocess.run(["sh", "-c", command], env=env, capture_output=True, text=True)

"""The harness: a real release trains in its own process, alone and offline, and a failure says why."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from training import TrainingError, execute, train

pytestmark = pytest.mark.training

NEWEST = "8.4.190"

# In an interpreter that starts, and in a fork of one that has PyTorch imported.
EITHER = pytest.mark.parametrize("python", [sys.executable, None], ids=["interpreter", "fork"])


def test_a_pristine_release_trains(checkout: Callable[[str], Path], digits: Path, tmp_path: Path) -> None:
    run = train(checkout(NEWEST), tmp_path / "train", "yolov8n.yaml", digits, epochs=1)
    assert [row["epoch"] for row in run.results] == [1]
    assert run.results[0]["train/box_loss"] > 0
    assert run.weights.is_file()


@EITHER
def test_the_release_in_the_tree_is_the_one_that_is_imported(
    python: str | None, checkout: Callable[[str], Path], tmp_path: Path
) -> None:
    code = "import ultralytics, sys; report(file=ultralytics.__file__); report(arguments=sys.argv[1:])"
    tree = checkout(NEWEST)
    run = execute(tree, tmp_path / "run", code, "one", "two", python=python)
    assert run.facts == {"file": str(tree / "ultralytics/__init__.py"), "arguments": ["one", "two"]}


@EITHER
def test_a_process_is_as_its_variables_say(python: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And has a session of its own, and classes of its script that others can load."""
    code = """
        import os, pickle, torch
        class Own: pass
        report(
            threads=torch.get_num_threads(), cwd=os.getcwd(), leads=os.getsid(0) == os.getpid(), old=os.getenv("OLD"),
            new=os.getenv("NEW"), same=type(pickle.loads(pickle.dumps(Own()))) is Own,
        )
    """
    monkeypatch.setenv("OLD", "kept")
    variables = {"NEW": "set", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    run = execute(tmp_path, tmp_path / "run", code, python=python, variables=variables)
    cwd = str(run.folder)
    assert run.facts == {"threads": 2, "cwd": cwd, "leads": True, "old": "kept", "new": "set", "same": True}


@EITHER
def test_nothing_leaves_the_machine(python: str | None, tmp_path: Path) -> None:
    run = execute(
        tmp_path,
        tmp_path / "run",
        """
        import socket, threading
        server = socket.create_server(("127.0.0.1", 0))
        socket.create_connection(server.getsockname()).close()
        try:
            socket.create_connection(("192.0.2.1", 80))
        except OSError as refusal:
            report(refusal=str(refusal))
        """,
        python=python,
    )
    assert "offline: 192.0.2.1 is not this machine" in run.facts["refusal"]


@EITHER
def test_a_failure_shows_the_end_of_the_log(python: str | None, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"exit code 1, expected 0\n(.*\n)*ValueError: no such layer"):
        execute(tmp_path, tmp_path / "run", "raise ValueError('no such layer')", python=python)


@EITHER
def test_a_failure_that_is_asked_for_is_none(python: str | None, tmp_path: Path) -> None:
    run = execute(tmp_path, tmp_path / "run", "raise ValueError('no such layer')", python=python, fails=True)
    assert "no such layer" in run.log
    with pytest.raises(TrainingError, match="expected a failure"):
        execute(tmp_path, tmp_path / "run", "pass", python=python, fails=True)


@EITHER
def test_a_process_that_hangs_is_ended(python: str | None, tmp_path: Path) -> None:
    code = "import os, time\nreport(pid=os.getpid())\ntime.sleep(60)"
    with pytest.raises(TrainingError, match="not done after 2 s\n") as failure:
        execute(tmp_path, tmp_path / "run", code, python=python, limit=2)
    (pid,) = re.findall(r'"pid": (\d+)', str(failure.value))
    assert not Path("/proc", pid).exists()

"""The harness: a real release trains in its own process, alone and offline, and a failure says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from training import TrainingError, execute, train

pytestmark = pytest.mark.training

NEWEST = "8.4.190"


def test_a_pristine_release_trains(checkout: Callable[[str], Path], digits: Path, tmp_path: Path) -> None:
    run = train(checkout(NEWEST), tmp_path / "train", "yolov8n.yaml", digits, epochs=1)
    assert [row["epoch"] for row in run.results] == [1]
    assert run.results[0]["train/box_loss"] > 0
    assert run.weights.is_file()


def test_the_release_in_the_tree_is_the_one_that_is_imported(checkout: Callable[[str], Path], tmp_path: Path) -> None:
    code = "import ultralytics, sys; report(file=ultralytics.__file__); report(arguments=sys.argv[1:])"
    tree = checkout(NEWEST)
    run = execute(tree, tmp_path / "run", code, "one", "two")
    assert run.facts == {"file": str(tree / "ultralytics/__init__.py"), "arguments": ["one", "two"]}


def test_nothing_leaves_the_machine(tmp_path: Path) -> None:
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
    )
    assert "offline: 192.0.2.1 is not this machine" in run.facts["refusal"]


def test_a_failure_shows_the_end_of_the_log(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"exit code 1, expected 0\n(.*\n)*ValueError: no such layer"):
        execute(tmp_path, tmp_path / "run", "raise ValueError('no such layer')")


def test_a_failure_that_is_asked_for_is_none(tmp_path: Path) -> None:
    assert "no such layer" in execute(tmp_path, tmp_path / "run", "raise ValueError('no such layer')", fails=True).log
    with pytest.raises(TrainingError, match="expected a failure"):
        execute(tmp_path, tmp_path / "run", "pass", fails=True)


def test_a_process_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not done after 1 s\nwaiting"):
        execute(tmp_path, tmp_path / "run", "import time\nprint('waiting', flush=True)\ntime.sleep(60)", limit=1)

"""The results of `make learning`: one row a run, in a file that is committed, so that no run is ever made twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from filelock import FileLock
from learning_arms import Job

ROWS = Path(__file__).resolve().parent.parent / "docs/learning/rows.jsonl"

Row = dict[str, Any]


def read(path: Path = ROWS) -> list[Row]:
    """Return all rows, the oldest first."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def add(row: Row, path: Path = ROWS) -> None:
    """Write a row at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"/tmp/{path.name}.lock"), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def done(job: Job, rows: list[Row]) -> bool:
    """Tell whether a job has a row. An arm is known by its name, which is never used for other arguments."""
    return any(Job(row["data"], row["regime"], row["arm"], row["seed"]) == job for row in rows)

"""What is printed where stdout has another encoding than UTF-8: in its characters, and as wide as the terminal."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import releases
from test_cli import variables
from test_runs import make

from distillpatch.report.page import Output, columns
from distillpatch.report.pager import write_paged

# By name: the variables, and the encoding that output then has.
ENCODINGS: dict[str, tuple[Mapping[str, str], str]] = {
    "LANG=C": ({"LC_ALL": "C"}, "utf-8"),  # Python takes that for a setting that is missing
    "LANG=C by the letter": ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "ascii"),
    "cp1252": ({"PYTHONIOENCODING": "cp1252"}, "cp1252"),
    "cp936": ({"PYTHONIOENCODING": "cp936"}, "cp936"),
    "ascii": ({"PYTHONIOENCODING": "ascii"}, "ascii"),
}

# By command: how it ends. All are asked for colors, so that they are written as for a terminal.
COMMANDS = {
    "status -v {tree}": 0,
    "diff {tree}": 0,
    "explain 13 {tree}": 0,
    "doctor": 0,
    "compare {runs}": 0,
    "apply {broken}": 1,
    "status {nowhere}": 1,
    "compare {nowhere}": 1,
    "explain 十三 {tree}": 2,
    "status --颜色": 2,
}

# What a terminal of 80 columns folds by itself is not counted: paths, code, notes.
TABLES = re.compile(r"(?m)^(?: *\d+  2\.\d|[AB]  ).*$")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a checkout whose names and comments are Chinese, one that is broken by a line of such, and runs."""
    base = tmp_path_factory.mktemp("encodings") / "项目"
    found = {name: base / name for name in ("tree", "broken", "runs", "nowhere")}
    for name, line in {"tree": "# 训练 é\n", "broken": "训练 é\n"}.items():
        releases.unpack("8.2.50", found[name])
        file = found[name] / "ultralytics/cfg/__init__.py"
        text = file.read_text(encoding="utf-8").replace("import contextlib\n", f"import contextlib\n{line}", 1)
        file.write_text(text, encoding="utf-8")
        assert line in text
    teacher = make(base / "老师" / "yolov8l-of-all-the-labels-for-300-epochs", 0.9) / "weights/best.pt"
    for seed in range(2):
        make(found["runs"] / f"yolov8n-alone-with-128-labels-学生-seed{seed}", 0.3, 0.4, seed=seed)
        name = f"yolov8n-frs-soft-default-recipe-128-labels-学生-seed{seed}"
        make(found["runs"] / name, 0.4, 0.5, seed=seed, teacher=str(teacher))
    return found


@pytest.mark.one_python
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_command_prints_what_the_encoding_has(encoding: str, command: str, places: dict[str, Path]) -> None:
    changes, codec = ENCODINGS[encoding]
    theirs = {key: value for key, value in variables().items() if key not in ("LANG", "LC_ALL", "LC_CTYPE")}
    arguments = [argument.format_map(places) for argument in command.split()]
    result = subprocess.run(
        [sys.executable, "-m", "distillpatch", arguments[0], "--color", "always", *arguments[1:]],
        cwd="/",
        env={**theirs, "COLUMNS": "80", **changes},
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    out, err = result.stdout.decode(codec), result.stderr.decode(codec)
    assert result.returncode == COMMANDS[command] and "Traceback" not in err, err
    assert not re.search(r"\\u(?:2026|28..)", out)
    if codec in ("cp936", "utf-8"):
        assert not re.search(r"\\u(?:9879|5341|989c)", out + err)  # the first characters of names that were given
    rows = [row.rstrip() for row in TABLES.findall(re.sub(r"\x1b\[[\d;]*m", "", out))]
    assert bool(rows) == (command in ("status -v {tree}", "compare {runs}"))
    assert max(map(columns, rows), default=0) <= 80


def test_a_pager_gets_what_the_encoding_has(monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "cp936")
    monkeypatch.setattr(stream, "isatty", lambda: True)
    write_paged(["训练", "\u28ff"], Output(stream, True, False, 80), {"PAGER": "tee", "PATH": os.environ["PATH"]})
    assert capfdbinary.readouterr().out == "训练\n\\u28ff\n".encode("cp936")

"""`make forks` says what became of each checkout below a folder, and only reads them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import by_hand
import forks
import matrix
import pytest
from trees import everything

pytestmark = pytest.mark.one_python

RELEASE = "8.2.50"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a checkout as released, and one with some of the tutorial's edits."""
    matrix.unpack_part(RELEASE, tmp_path / "as" / "released")
    by_hand.make(matrix.unpack_part(RELEASE, tmp_path / "by-hand"), [13, 14])
    return tmp_path


def test_each_checkout_gets_a_row_and_none_is_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(folder)
    assert forks.main([str(folder), "--workers", "1"]) == 0
    rows = [[cell.strip() for cell in line.strip("│\n").split("│")] for line in capsys.readouterr().out.splitlines()]
    assert ["as/released", RELEASE, "patched", ""] in rows
    refused = next(row for row in rows if row[0] == "by-hand")
    assert refused[1:3] == [RELEASE, "refused"]
    assert any("[13, 14]" in row[-1] for row in rows)
    assert everything(folder) == before


def test_a_broken_promise_is_an_error(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Path) -> None:
        raise matrix.Broken("revert leaves a difference")

    monkeypatch.setattr(matrix, "round_trip", broken)
    assert forks.main([str(folder), "--workers", "1"]) == 1
    assert "revert leaves a difference" in capsys.readouterr().out


def test_a_package_of_another_name_is_examined_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = matrix.unpack_part(RELEASE, tmp_path / "renamed")
    (tree / "ultralytics").rename(tree / "my_ultralytics")
    assert forks.main([str(tmp_path), "--workers", "1"]) == 0
    assert "1 checkouts: 1 refused" in capsys.readouterr().out


def test_a_folder_without_a_checkout_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert forks.main([str(tmp_path)]) == 1
    assert "found no checkout" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_forks_examines_the_folder_that_is_named() -> None:
    root = Path(forks.__file__).resolve().parent.parent
    command = ["make", "--dry-run", "forks", "DIR=/a/b"]
    output = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert "tools/forks.py /a/b" in output

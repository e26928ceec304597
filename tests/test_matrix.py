"""A sample of `make matrix`, and the proof that its checks would see what they are there for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import matrix
import pytest
from releases import PINNED
from statements import CFG, TRAINER

from distillpatch.commands import reach

# Of every shape, and those that we promised by name; `make matrix` goes through all releases.
SAMPLE = (*PINNED, "8.4.100")
SABOTAGED = "8.4.190"


@pytest.mark.parametrize("release", SAMPLE)
def test_a_release(release: str) -> None:
    result = matrix.check(release)
    assert result.failures == ()
    assert result.shape is not None and len(result.shape.neighbours) == 15


def test_a_release_that_does_not_fit_fails_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    unpack = matrix.unpack_part

    def renamed(release: str, into: Path) -> Path:
        trainer = unpack(release, into) / TRAINER
        trainer.write_bytes(trainer.read_bytes().replace(b"def build_optimizer", b"def optimizer_of"))
        return into

    monkeypatch.setattr(matrix, "unpack_part", renamed)
    result = matrix.check(SABOTAGED)
    assert result.shape is None
    assert "modification 11" in result.failures[0] and "BaseTrainer.build_optimizer" in result.failures[0]


def test_a_revert_that_forgets_a_mode_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def careless(*arguments: object) -> None:
        reach(*arguments)  # type: ignore[arg-type]
        (tmp_path / "tree" / CFG).chmod(0o600)

    monkeypatch.setattr(matrix, "reach", careless)
    with pytest.raises(matrix.Broken, match=r"revert leaves a difference: ultralytics/cfg/__init__\.py"):
        matrix.round_trip(_tree(tmp_path, "tree"), _tree(tmp_path, "copy"))


def test_an_apply_that_the_diff_does_not_show_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def busy(*arguments: object) -> None:
        reach(*arguments)  # type: ignore[arg-type]
        with (tmp_path / "tree/ultralytics/__init__.py").open("a") as file:
            file.write("# more\n")

    monkeypatch.setattr(matrix, "reach", busy)
    with pytest.raises(matrix.Broken, match=r"other files changed: ultralytics/__init__\.py"):
        matrix.round_trip(_tree(tmp_path, "tree"), _tree(tmp_path, "copy"))


def _tree(folder: Path, name: str) -> Path:
    return matrix.unpack_part(SABOTAGED, folder / name)


def test_spans_say_what_follows_each_other() -> None:
    order = ["8.0.136", "8.0.140", "8.0.141", "8.0.142", "8.1.0"]
    assert matrix.spans(["8.0.136", "8.0.140", "8.0.142"], order) == "8.0.136 to 8.0.140, 8.0.142"
    assert matrix.spans(order, order) == "8.0.136 to 8.1.0"


def test_the_page_names_shapes_and_failures(tmp_path: Path) -> None:
    first, second = matrix.Shape(((1, ""), (2, "old code"))), matrix.Shape(((1, ""), (2, "new | code")))
    results = [
        matrix.Result("8.0.136", "a", first, (), 1.0),
        matrix.Result("8.0.137", "b", first, (), 1.0),
        matrix.Result("8.0.138", "c", second, (), 1.0),
        matrix.Result("8.0.139", "d", None, ("modification 2 does not fit",), 1.0),
    ]
    page = tmp_path / "releases.md"
    matrix.write_docs(page, results, {1: "A module.", 2: "Attributes."})
    text = page.read_text()
    assert "3 of 4 releases pass; 4 different sets of files in 2 shapes: 8.0.136 to 8.0.139." in text
    assert "| 8.0.136 to 8.0.137 | 2 | 2 | the first shape |" in text
    assert "| 8.0.138 | 1 | 1 | 2: `new \\| code` |" in text
    assert "- 8.0.139: modification 2 does not fit" in text


def test_the_exit_code_tells(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    failing = [matrix.Result("8.4.190", "a", None, ("it went wrong",), 1.0)]
    monkeypatch.setattr(matrix, "check_all", lambda *_: failing)
    assert matrix.main(["8.4.190"]) == 1
    assert "it went wrong" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_matrix_checks_the_releases_that_are_named() -> None:
    root = Path(matrix.__file__).resolve().parent.parent
    command = ["make", "--dry-run", "matrix", "RELEASES=8.4.190 8.4.191"]
    said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert "tools/matrix.py 8.4.190 8.4.191" in said

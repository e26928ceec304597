"""A sample of `make matrix`, and the proof that its checks would see what they are there for."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import landings
import matrix
import pytest
from releases import PINNED

from distillpatch.commands import apply, revert

# Of every shape, and those that we promised by name; `make matrix` goes through all releases.
SAMPLE = (*PINNED, "8.4.100")
SABOTAGED = "8.4.190"

TRAINER, CFG, DETECT = landings.TRAINER, landings.CFG, landings.DETECT
GUARD = r" +if self\.model_t is not None:\n"

# For each: the modification that must be named, its file, a regular expression, and what it is replaced by.
SABOTAGE = {
    "the module is another one": (1, landings.ADDLOSS, r"class MGDLoss", "class MgdLoss"),
    "the teacher is claimed after args.yaml": (
        2,
        TRAINER,
        r"(?s)( +self\.model_t = claim_teacher[^\n]*\n)(.*?args\.yaml[^\n]*\n)",
        r"\2\1",
    ),
    "an attribute is missing": (2, TRAINER, r" +self\.teacherloss = 0\n", ""),
    "an import is missing": (2, TRAINER, r" +Distiller,\n", ""),
    "the feature loss comes after the optimizer": (
        3,
        TRAINER,
        rf"(?s)({GUARD} +self\.model_t = self\.model_t\.to[^\n]*\n[^\n]*\n)(.*?self\._build_train_pipeline\(\)\n)",
        r"\2\1",
    ),
    "the teacher is wrapped on one GPU, too": (4, TRAINER, rf"    ({GUARD})    ( +self\.distiller\.wrap_ddp)", r"\1\2"),
    "the optimizer is not told of the feature loss": (
        5,
        TRAINER,
        r"\*\*optimizer_arguments\(self\)",
        "model_t=self.model_t",
    ),
    "the teacher is loaded after the set-up": (
        6,
        TRAINER,
        rf"({GUARD}[^\n]*load_teacher\([^\n]*\n)((?:[^\n]*\n){{3}})",
        r"\2\1",
    ),
    "an epoch starts after the student": (
        7,
        TRAINER,
        rf"({GUARD}[^\n]*start_epoch\(\)\n)([^\n]*\n)",
        r"\2\1",
    ),
    "the student is watched after its forward pass": (
        8,
        TRAINER,
        rf"(?s)({GUARD}[^\n]*watch\(\)\n)(.*?self\.loss = loss\.sum\(\)\n)",
        r"\2\1",
    ),
    "the losses are part of the student's mean": (
        9,
        TRAINER,
        rf"(?s)( +self\.tloss = \(\n.*?)({GUARD}[^\n]*distiller\.loss[^\n]*\n)",
        r"\2\1",
    ),
    "the losses come after backward": (
        9,
        TRAINER,
        rf"(?s){GUARD} +(self\.loss = self\.loss \+ self\.distiller[^\n]*)\n(.*?\n)( +)(self\.scaler\.scale[^\n]*\n)",
        r"\2\3\4\3if self.model_t is not None:\n\3    \1\n",
    ),
    "the losses are scaled by the number of GPUs": (
        9,
        TRAINER,
        r"(\n +)    (self\.loss = self\.loss \+ self\.distiller\.loss\(batch\))",
        r"\1    \2\1self.loss *= self.world_size",
    ),
    "the losses are overwritten": (
        9,
        TRAINER,
        r"(\n +)    (self\.loss = self\.loss \+ self\.distiller\.loss\(batch\))",
        r"\1    \2\1self.loss = loss.sum()",
    ),
    "the row has a place too few": (10, TRAINER, r" \+ len\(self\.distill_items\)", ""),
    "the row has its values in the wrong order": (
        10,
        TRAINER,
        r"( +\*self\.tloss\.values\(\),[^\n]*\n)( +\*self\.distill_items[^\n]*\n)",
        r"\2\1",
    ),
    "a parameter has another default": (11, TRAINER, r"distillonline=False,\n", "distillonline=True,\n"),
    "the groups are missed when there is no Muon": (
        12,
        TRAINER,
        r"    ( +)(group_distillation_parameters\([^\n]*)\n",
        r"    \1if use_muon:\n\1        \2\n",
    ),
    "the Muon group is forgotten": (12, TRAINER, r"(distillonline), use_muon\)", r"\1)"),
    "the gradients are clipped after the step": (
        12,
        TRAINER,
        rf"({GUARD}[^\n]*clip_gradients\(\)\n)([^\n]*\n)",
        r"\2\1",
    ),
    "the arguments join after the comparison": (
        13,
        CFG,
        r"(?s)( +if \"mode\" in base:[^\n]*\n)( +base_keys = \{\*[^\n]*\n)(.*?)( +from difflib)",
        r"\3    \1    \2\4",
    ),
    "the settings take the arguments, too": (13, CFG, r'if "mode" in base:', "if base:"),
    "the header has a heading too many": (14, DETECT, r"len\(self\.distill_items\)", "0"),
    "the labels are lost": (14, TRAINER, r"return \{\*\*labeled, [^\n]*", "return labeled"),
    "the curves come after the axes": (
        14,
        landings.PLOTTING,
        r"( +fig, ax, columns = add_distill_curves[^\n]*\n)([^\n]*\n)",
        r"\2\1",
    ),
    "the teacher is forgotten": (15, landings.MODEL, r' +"model_t",\n', ""),
}


@pytest.mark.parametrize("release", SAMPLE)
def test_a_release(release: str) -> None:
    result = matrix.check(release)
    assert result.failures == ()
    assert result.shape is not None and len(result.shape.neighbours) == 15


@functools.cache
def patched() -> dict[str, bytes]:
    """Return the files of a patched release."""
    with tempfile.TemporaryDirectory() as folder:
        tree = matrix.unpack_part(SABOTAGED, Path(folder) / "tree")
        changes = matrix.situation(tree).difference()
        return {change.path: change.after for change in changes if change.after is not None}


@pytest.mark.parametrize("what", SABOTAGE)
def test_a_landing_in_the_wrong_place_is_noticed(what: str) -> None:
    number, path, pattern, replacement = SABOTAGE[what]
    text, count = re.subn(pattern, replacement, patched()[path].decode(), count=1)
    assert count == 1
    failures = landings.examine({**patched(), path: text.encode()}).failures
    assert [failure for failure in failures if failure.startswith(f"modification {number}: ")]


def test_a_file_that_does_not_compile_is_noticed() -> None:
    for broken in (b"def broken(:\n", b"def broken(a, a):\n    pass\n"):
        (failure,) = landings.examine({**patched(), TRAINER: patched()[TRAINER] + broken}).failures
        assert failure.startswith("does not compile")


def test_a_release_that_does_not_fit_fails_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    unpack = matrix.unpack_part

    def renamed(release: str, into: Path) -> Path:
        trainer = unpack(release, into) / TRAINER
        trainer.write_bytes(trainer.read_bytes().replace(b"def optimizer_step", b"def step_optimizer"))
        return into

    monkeypatch.setattr(matrix, "unpack_part", renamed)
    result = matrix.check(SABOTAGED)
    assert result.shape is None
    assert "modification 12" in result.failures[0] and "BaseTrainer.optimizer_step" in result.failures[0]


def test_a_revert_that_forgets_a_mode_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def careless(*arguments: object) -> None:
        revert(*arguments)  # type: ignore[arg-type]
        (tmp_path / "tree" / CFG).chmod(0o600)

    monkeypatch.setattr(matrix, "revert", careless)
    with pytest.raises(matrix.Broken, match=r"revert leaves a difference: ultralytics/cfg/__init__\.py"):
        matrix.round_trip(_tree(tmp_path, "tree"), _tree(tmp_path, "copy"))


def test_an_apply_that_the_diff_does_not_show_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def busy(*arguments: object) -> None:
        apply(*arguments)  # type: ignore[arg-type]
        with (tmp_path / "tree/ultralytics/__init__.py").open("a") as file:
            file.write("# more\n")

    monkeypatch.setattr(matrix, "apply", busy)
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

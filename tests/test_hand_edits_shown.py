"""What is told of edits made by hand: the ordinary refusal shows what each took the place of; status and explain."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import by_hand
import matrix
import pytest
from hunks import pristine
from spelling import Files, Place, Spelling
from statements import TRAINER
from test_hand_edits import SOME, WHOLE, hand_patched, run, stack_of

from distillpatch.engine.plan import PlanError

pytestmark = pytest.mark.one_python


def refusal(files: Files, release: str) -> str:
    """Return the refusal without the option."""
    with pytest.raises(PlanError, match="these modifications already") as caught:
        stack_of(files, release, replace=False).require()
    return str(caught.value)


def shown(told: str) -> list[str]:
    """Return the code that a refusal shows as what edits took the place of."""
    return re.findall(r"(?m)^    without it: (.*)$", told)


def hand_edited(release: str, edits: Iterable[Spelling]) -> Files:
    return by_hand.edited(pristine(release), edits)[0]


def test_what_each_edit_took_the_place_of() -> None:
    told = refusal(hand_edited("8.2.50", WHOLE), "8.2.50")
    assert shown(told) == [
        "model=self.model, name=self.args.optimizer,",
        '("%11s" * 2 + "%11.4g" * (2 + loss_len))',
        '% (f"{epoch + 1}/{self.epochs}", mem, *losses, batch["cls"].shape[0], batch["img"].shape[-1])',
        'def build_optimizer(self, model, name="auto", lr=0.001, momentum=0.9, decay=1e-5, iterations=1e5):',
        "raise SyntaxError(string + CLI_HELP_MSG) from e",
        'return ("\\n" + "%11s" * (4 + len(self.loss_names))) % (',
        '*self.loss_names, "Instances",',
        'include = {"imgsz", "data", "task", "single_cls"}'
        "  # only remember these arguments when loading a PyTorch model",
    ]
    line = told.splitlines().index("    without it: model=self.model, name=self.args.optimizer,")
    assert re.match(r"  ultralytics/engine/trainer\.py:320-322: modification 5 ", told.splitlines()[line - 1])
    assert told.endswith("apply: distillpatch apply --replace-hand-edits (revert restores them).")


@pytest.mark.parametrize("release", SOME)
def test_what_is_shown_is_the_releases_code(release: str) -> None:
    def code(text: str) -> str:
        return "".join(re.sub(r"(?m)#.*$", "", text).replace('"', "'").split())

    texts = [code((content or b"").decode()) for content in pristine(release).values()]
    lines = shown(refusal(hand_edited(release, WHOLE), release))
    assert lines and [line for line in lines if not any(code(line) in text for text in texts)] == []


def test_nothing_of_a_file_in_which_something_is_in_the_way() -> None:
    own = Spelling(Place(TRAINER, r"^(?P<here>)(?P<indent> +)# Backward$"), "LOGGER.info(tea_features)")
    told = refusal(hand_edited("8.2.50", [*WHOLE, own]), "8.2.50")
    assert "--replace-hand-edits cannot take them out" in told
    assert "raise SyntaxError(string + CLI_HELP_MSG) from e" in shown(told)  # of another file
    assert not any("optimizer" in line for line in shown(told))


# status and explain --------------------------------------------------------------------------------------------------


def test_no_line_of_an_edit_is_told_as_left_as_it_is(tmp_path: Path) -> None:
    tree = hand_patched("8.2.50", tmp_path)
    assert "left as it is: " not in run("status", tree).output
    assert json.loads(run("status", tree, "--json").stdout)["notes"] == []
    trainer = tree / TRAINER
    mine = "self.loss = self.loss + 0.1 * self.penalty(batch)"
    trainer.write_text(re.sub(r"(?m)^( +)(# Backward)$", rf"\1{mine}\n\1\2", trainer.read_text()))
    left = re.findall(r"(?m)^left as it is: \S+?:(\d+): (.*)$", run("status", tree).output)
    assert left == [(str(trainer.read_text().partition(mine)[0].count("\n") + 1), mine)]


def test_lines_that_are_left_are_told_where_they_are_on_disk(tmp_path: Path) -> None:
    tree = matrix.unpack_part("8.2.50", tmp_path / "tree")
    trainer = tree / TRAINER
    mine = "self.loss = self.loss + 0.1 * self.penalty(batch)"
    code = re.sub(r"(?m)^( +)(# Backward)$", rf"\1{mine}\n\1\2", trainer.read_text())
    trainer.write_text(f"{code}\n\nclass Mine(BaseTrainer):\n    def _do_train(self):\n        pass\n")
    applied = run("apply", tree)
    for told in (applied.stderr, run("status", tree).stdout):
        lines = trainer.read_text().splitlines()
        (note,) = re.findall(rf"{TRAINER}:(\d+): self\.loss", told)
        (own,) = re.findall(rf"{TRAINER}:(\d+): Mine", told)
        assert (lines[int(note) - 1].strip(), lines[int(own) - 1].strip()) == (mine, "def _do_train(self):")
    document = json.loads(run("status", tree, "--json").stdout)
    assert [each["line"] for each in document["notes"] + document["own_versions"]] == [int(note), int(own)]


@pytest.mark.parametrize("release", ["8.0.136", "8.2.50", "8.4.190"])
def test_what_was_made_by_hand_is_not_told_as_what_does_not_fit(release: str, tmp_path: Path) -> None:
    tree = matrix.unpack_part(release, tmp_path / "tree")
    by_hand.make(tree, [13])
    told = run("status", tree).output
    assert re.search(r"(?m)^ 13  2\.12 +by hand ", told) and "does not fit" not in told and "expected" not in told
    extent = re.search(r"(?m)^by hand: .*: modification 13 .*$", told)
    assert extent and re.search(r"apply: +distillpatch apply --replace-hand-edits ", told)
    (made,) = json.loads(run("explain", "13", tree, "--json").stdout)["made_by_hand"]
    assert extent and f"{made['path']}:{made['lines'][0]}" in extent[0]
    explained = run("explain", "13", tree).output
    assert explained.splitlines()[-1] == extent[0] and "does not fit" not in explained
    assert run("apply", tree, "--replace-hand-edits").exit_code == 0


def test_what_is_in_the_way_is_told_of_the_scope_that_exists(tmp_path: Path) -> None:
    tree = matrix.unpack_part("8.2.50", tmp_path / "tree")
    by_hand.make(tree, [13])
    cfg = tree / "ultralytics/cfg/__init__.py"
    cfg.write_text(cfg.read_text().replace("base_keys, custom_keys = (", "base_keys, custom_keys = both = ("))
    told = run("status", tree).output
    assert "--replace-hand-edits" not in told
    (reason,) = re.findall(r"(?m)^cannot be taken out: ultralytics/cfg/__init__\.py:\d+: (.*)$", told)
    assert reason.endswith("does not fit check_dict_alignment without these edits: expected one match, found none")

"""Edits made by hand, as black lays them out and as people paste them; and what is refused, with what to change."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from textwrap import dedent

import by_hand
import pytest
from hunks import pristine
from sampling import sampled
from spelling import Files, Spelling
from statements import TRAINER
from test_hand_edits import WHOLE, meaning, refusal, taken_out

pytestmark = pytest.mark.one_python

RELEASE = "8.2.50"


BLACK = {
    "as it comes": (),
    "shorter lines": ("--line-length=79",),
    "longer lines": ("--skip-string-normalization", "--line-length=120"),
}


@pytest.mark.parametrize("options", sampled(BLACK, "shorter lines"))
def test_what_black_laid_out_is_the_release_again(options: str) -> None:
    files, _ = by_hand.edited(pristine(RELEASE), WHOLE)
    black = ["black", "--quiet", *BLACK[options], "-"]
    laid_out = {
        path: subprocess.run(black, input=content, capture_output=True, check=True).stdout
        for path, content in files.items()
        if content is not None
    }
    assert all(content != files[path] for path, content in laid_out.items() if path == TRAINER)
    assert meaning(taken_out({**files, **laid_out})) == meaning(pristine(RELEASE))


def everywhere(change: Callable[[str], str], *, lines_only: bool = True) -> list[Spelling]:
    """Return the whole tutorial with a change to what is pasted; to what comes on lines of its own, or to all of it."""
    return [
        replace(edit, code=change(dedent(edit.code).strip("\n")))
        if "(?P<indent>" in edit.place.found or not lines_only
        else edit
        for edit in WHOLE
    ]


PASTED = {
    "indented by two spaces": everywhere(lambda code: re.sub(r"(?m)^ +", lambda i: i[0][::2], code)),
    "indented by eight spaces": everywhere(lambda code: re.sub(r"(?m)^ +", lambda i: i[0] * 2, code)),
    "comments between": everywhere(
        lambda code: re.sub(r"(?m)^( *)(?=(?:self|with|if|for) )", r"\1# distill\n\1", code)
    ),
    "a comment at the end of each line": everywhere(lambda code: re.sub(r"(?m)(?<=[\w\])\":])$", "  # 蒸馏", code)),
    "banners around": everywhere(lambda code: f"# ===== 知识蒸馏 开始 =====\n{code}\n# ===== 结束 ====="),
    "blank lines between": everywhere(lambda code: re.sub(r"(?m)(?<=[)0e])$", "\n", code)),
    "single quotes": everywhere(lambda code: code.replace('"', "'"), lines_only=False),
    "double quotes": everywhere(lambda code: code.replace("'", '"'), lines_only=False),
}


@pytest.mark.parametrize("release", sampled([RELEASE, "8.3.63"], RELEASE))
@pytest.mark.parametrize("name", sampled(PASTED, "comments between", "a comment at the end of each line"))
def test_what_is_pasted_in_another_style_is_the_release_again(name: str, release: str) -> None:
    files, lines = by_hand.edited(pristine(release), PASTED[name])
    assert len(lines) > 15 and files != by_hand.edited(pristine(release), WHOLE)[0]
    assert meaning(taken_out(files)) == meaning(pristine(release))


LOOP = r"for k, v in self\.model_t\.model\.named_parameters\(\):\n( +)v\.requires_grad = True"
IMPORT = "from ultralytics.utils.AddLoss import"
OTHER_WORDS = {
    "if the teacher": ("if self.model_t is not None:", "if self.model_t:"),
    "if the teacher is not equal to None": ("if self.model_t is not None:", "if self.model_t != None:"),
    "if not the teacher is None": ("if self.model_t is not None:", "if not self.model_t is None:"),
    "the parameters without their names": (LOOP, "for p in self.model_t.parameters():\n\\1p.requires_grad = False"),
    "requires_grad_": (LOOP, "for _, v in self.model_t.named_parameters():\n\\1v.requires_grad_(False)"),
    "the argument without a default": (r'overrides\.get\("model_t", None\)', 'overrides.get("model_t")'),
    "the argument taken out": (r'overrides\.get\("model_t", None\)', 'overrides.pop("model_t", None)'),
    "the argument by its key": (r'overrides\.get\("model_t", None\)', 'overrides["model_t"]'),
    "in place": (r"self\.model_t = self\.model_t\.to\(self\.device\)", "self.model_t.to(self.device).eval()"),
    "in full precision": (r"self\.model_t\.to\(self\.device\)", "self.model_t.to(self.device).float()"),
    "the mode of the inner model": (r"self\.model_t\.eval\(\)", "self.model_t.model.eval()"),
    "other names of what is compared": ("tea_features|stu_features", "features"),
    "the sum written out": (r"self\.loss \+= self\.featureloss", "self.loss = self.loss + self.featureloss"),
    "another weight": (r"\* distill_weight", "* 2"),
    "two imports": (f"{IMPORT} get_fpn_features,", f"{IMPORT} get_fpn_features\n{IMPORT}"),
    "an import of everything": (f"{IMPORT} .*", f"{IMPORT} *"),
    "if the teacher in the optimizer": ("model_t is not None and distillonline", "model_t and distillonline"),
}


def in_other_words(old: str, new: str) -> Files:
    """Return the files of a release with the whole tutorial made by hand, with a change to its code."""
    edits = [replace(edit, code=re.sub(old, new, dedent(edit.code))) for edit in WHOLE]
    assert edits != [replace(edit, code=dedent(edit.code)) for edit in WHOLE]
    return by_hand.edited(pristine(RELEASE), edits)[0]


@pytest.mark.parametrize(
    "name", sampled(OTHER_WORDS, "requires_grad_", "in place", "two imports", "an import of everything")
)
def test_what_is_pasted_in_other_words_is_the_release_again(name: str) -> None:
    assert meaning(taken_out(in_other_words(*OTHER_WORDS[name]))) == meaning(pristine(RELEASE))


IN_THE_WAY = {
    "the student's outputs under another name": (
        ("pred_s", "preds_s"),
        "preds_s",
        "preds_s is set here, and only code that would be removed reads it: remove this as well",
    ),
    "a weight under another name": (("distill_weight", "dw"), "dw = ((1", "is yours, and in lines "),
    "a weight in the sum": (
        (r"self\.loss \+= self\.featureloss", "self.loss += 0.5 * self.featureloss"),
        "self.loss += 0.5",
        "is yours, and in lines ",
    ),
    "another condition": (
        ("if self.model_t is not None:", "if self.model_t is not None and epoch > 3:"),
        "if self.model_t is not None and epoch",
        "nothing would be left below 'if self.model_t is not None and epoch > 3:': ",
    ),
    "another mode": (
        (r"torch\.no_grad\(\)", "torch.inference_mode()"),
        "with torch.inference",
        "is yours, and in lines ",
    ),
    "the argument from elsewhere": (
        (r'overrides\.get\("model_t", None\)', "self.args.model_t"),
        "self.model_t = self.args.model_t",
        "modification 2 was made here in another way",
    ),
}


@pytest.mark.parametrize("name", sampled(IN_THE_WAY, "another condition", "the student's outputs under another name"))
def test_what_is_in_the_way_is_told_with_its_line(name: str) -> None:
    change, code, reason = IN_THE_WAY[name]
    files = in_other_words(*change)
    told = told_of(files, code)
    assert told and all(reason in one for one in told)
    assert len(told) == len(refusal(files)), "other lines are refused as well"


def edited(edit: Spelling) -> Files:
    """Return the files of a release with the whole tutorial made by hand, one edit of it in another way."""
    others = [other for other in WHOLE if other.place != edit.place]
    return by_hand.edited(pristine(RELEASE), [*others, edit])[0]


def told_of(files: Files, code: str) -> list[str]:
    """Return for what reasons a line of the trainer is refused, which begins with some code."""
    lines = (files[TRAINER] or b"").decode().splitlines()
    told = [one.partition(": ") for one in refusal(files)]
    return [reason for number, _, reason in told if lines[int(number) - 1].lstrip().startswith(code)]


BY_POSITION = ("by position", "only the loss, by position", "only the switch, by position")


@pytest.mark.parametrize("name", sampled(BY_POSITION, "by position"))
def test_arguments_by_position_are_refused_and_by_name_taken_out(name: str) -> None:
    edit = by_hand.SPELLINGS[5][name]
    (told,) = told_of(edited(edit), "self.optimizer = self.build_optimizer(")
    assert told == "modification 5 was made here with arguments by position: give those of self.build_optimizer by name"
    names = ("model", "model_t", "distillloss", "distillonline")
    given = zip(names, re.findall(r"[^\s,]+", edit.code), strict=False)
    named = replace(edit, code=" ".join(f"{key}={value}," for key, value in given))
    assert meaning(taken_out(edited(named))) == meaning(pristine(RELEASE))


# The loop is in a block of the tutorial's; the others are where that has a block.
ON_ONE_LINE = {
    "a loop": replace(
        (loop := by_hand.tutorial([3])[0]), code=re.sub(r":\n +(?=v\.requires_grad)", ": ", dedent(loop.code))
    ),
    **{f"an if of modification {number}": by_hand.SPELLINGS[number]["an if on one line"] for number in (3, 4, 7)},
}


@pytest.mark.parametrize("name", sampled(ON_ONE_LINE, "a loop", "an if of modification 4"))
def test_a_block_on_one_line_is_refused_and_on_two_taken_out(name: str) -> None:
    edit = ON_ONE_LINE[name]
    block = next(line.strip() for line in edit.code.splitlines() if re.search(r": \S", line))
    reason = "is on one line: write what follows the colon on a line of its own"
    told = told_of(edited(edit), block)
    assert any(reason in one for one in told) and not any("is yours" in one for one in told)
    on_two = replace(edit, code=re.sub(r"(?m)^( *)(.*:) (?=\S)", r"\1\2\n\1    ", edit.code))
    assert meaning(taken_out(edited(on_two))) == meaning(pristine(RELEASE))

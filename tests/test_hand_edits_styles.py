"""Edits made by hand, as black lays them out, and in the ways that are refused with what to change."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from textwrap import dedent

import by_hand
import pytest
from hunks import pristine
from spelling import Files, Spelling
from statements import TRAINER
from test_hand_edits import WHOLE, meaning, refusal, taken_out

pytestmark = pytest.mark.one_python

RELEASE = "8.2.50"


@pytest.mark.parametrize("options", [(), ("--line-length=79",), ("--skip-string-normalization", "--line-length=120")])
def test_what_black_laid_out_is_the_release_again(options: tuple[str, ...]) -> None:
    files, _ = by_hand.edited(pristine(RELEASE), WHOLE)
    black = ["black", "--quiet", *options, "-"]
    laid_out = {
        path: subprocess.run(black, input=content, capture_output=True, check=True).stdout
        for path, content in files.items()
        if content is not None
    }
    assert all(content != files[path] for path, content in laid_out.items() if path == TRAINER)
    assert meaning(taken_out({**files, **laid_out})) == meaning(pristine(RELEASE))


def edited(edit: Spelling) -> Files:
    """Return the files of a release with the whole tutorial made by hand, one edit of it in another way."""
    others = [other for other in WHOLE if other.place != edit.place]
    return by_hand.edited(pristine(RELEASE), [*others, edit])[0]


def told_of(files: Files, code: str) -> list[str]:
    """Return for what reasons a line of the trainer is refused, which begins with some code."""
    lines = (files[TRAINER] or b"").decode().splitlines()
    told = [one.partition(": ") for one in refusal(files)]
    return [reason for number, _, reason in told if lines[int(number) - 1].lstrip().startswith(code)]


@pytest.mark.parametrize("name", ["by position", "only the loss, by position", "only the switch, by position"])
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


@pytest.mark.parametrize("name", ON_ONE_LINE)
def test_a_block_on_one_line_is_refused_and_on_two_taken_out(name: str) -> None:
    edit = ON_ONE_LINE[name]
    block = next(line.strip() for line in edit.code.splitlines() if re.search(r": \S", line))
    reason = "is on one line: write what follows the colon on a line of its own"
    told = told_of(edited(edit), block)
    assert any(reason in one for one in told) and not any("is yours" in one for one in told)
    on_two = replace(edit, code=re.sub(r"(?m)^( *)(.*:) (?=\S)", r"\1\2\n\1    ", edit.code))
    assert meaning(taken_out(edited(on_two))) == meaning(pristine(RELEASE))

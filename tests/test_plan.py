"""What is planned for real releases: where each modification lands, and what is refused, with what message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from textwrap import dedent

import pytest
from hunks import patch_set, patched, plan, pristine
from statements import TRAINER

from distillpatch.engine.modification import Modification
from distillpatch.engine.plan import Plan, PlanError, make_plan
from distillpatch.engine.refusal import require
from distillpatch.engine.text import SourceError
from distillpatch.patch_sets import built_in

RELEASES = ("8.0.136", "8.0.150", "8.1.24", "8.2.50", "8.2.103", "8.3.50", "8.3.150", "8.3.200", "8.4.0", "8.4.190")


@cache
def planned(release: str) -> Plan:
    return require(make_plan(built_in(), pristine(release), release))


@pytest.mark.parametrize("release", RELEASES)
def test_all_modifications_fit_and_are_not_taken_for_made_by_hand(release: str) -> None:
    assert not planned(release).by_hand
    assert all(outcome.places and not outcome.rejections for outcome in planned(release).outcomes)


@pytest.mark.parametrize("release", RELEASES)
def test_the_lines_shown_are_those_of_the_added_code(release: str) -> None:
    after = {change.path: (change.after or b"").decode().splitlines() for change in planned(release).changes}
    for outcome in planned(release).outcomes:
        for place in outcome.places[len(outcome.modification.new_files) :]:
            shown = after[place.path][place.line - 1 :]
            assert any(stands_in(added, shown) for added in all_added(outcome.modification)), (place, shown[:3])


def all_added(modification: Modification) -> Iterator[list[str]]:
    """Yield every run of lines that a modification adds somewhere."""
    for hunk in modification.hunks:
        for alternative in hunk.alternatives:
            for kind, run in groupby(alternative.lines, key=lambda line: line.kind):
                if kind == "+":
                    yield [line.text.strip().rstrip(",") for line in run if line.text.strip()]


def stands_in(added: list[str], shown: list[str]) -> bool:
    """Tell whether the first added line stands in the first line that is shown, and the others right behind it."""
    first, *others = (re.sub(r"\\\$[A-Z_]+", ".+", re.escape(line)) for line in added)
    code = r"[ ,\n]*".join([first, *others])
    return re.match(f".*{code}", "\n".join(shown)) is not None


def test_a_comma_or_a_comment_in_front_is_not_the_line_that_is_shown() -> None:
    source = "f(\n    a  # first\n)\ng(\n    b,\n)\n"
    done = plan(
        source, "--- m.py\n  f(\n      ...,\n+     new=1,\n  )\n\n--- m.py\n  g(\n      ...,\n+     new=2,\n  )\n"
    )
    assert [place.line for place in done.outcomes[0].places] == [3, 7]


def test_lines_are_counted_over_all_edits_of_the_file() -> None:
    done = plan("a()\nb()\nc()\n", "--- m.py\n  c()\n+ last()\n", "--- m.py\n+ first()\n+ second()\n  a()\n")
    assert [outcome.places[0].line for outcome in done.outcomes] == [6, 1]
    assert str(done.outcomes[0].places[0]) == "m.py:6"


def test_lines_are_counted_at_one_place() -> None:
    done = plan("a()\nb()\n", "--- m.py\n  a()\n+\n+ one()\n", "--- m.py\n+ two()\n  b()\n")
    assert [outcome.places[0].line for outcome in done.outcomes] == [3, 5]


# Refused: all or nothing, and with all that is needed to see why.


def test_one_misfit_refuses_everything() -> None:
    made = plan("a()\n", "--- m.py\n  a()\n+ b()\n", "--- m.py\n  c()\n+ d()\n")
    assert made.changes == ()
    with pytest.raises(PlanError, match=r"modification 2 .* does not fit ultralytics"):
        require(made)


def test_the_message_of_a_misfit() -> None:
    source = """\
        class Trainer:
            def _train(self):
                self.model.train()

            def train(self):
                self.model.train(now=True)
                self.model.train(True)
        """
    hunk = """\
        --- m.py  Trainer.train
          self.model.train()
          ...
        + new()
        or
        --- m.py  Trainer._do_train
          self.model.train()
        + new()
        or
        --- m.py  Trainer.train
          self.model.train($X, $Y)
        + new()
        or
        --- m.py  Trainer.train
          zzz()
        + new()
        """
    with pytest.raises(PlanError) as caught:
        require(plan(source, hunk))
    assert str(caught.value) == dedent("""\
        modification 1 (section 1.0: Test.) does not fit ultralytics 8.9.9
          file:    m.py
          scope:   Trainer.train
          pattern: self.model.train()
                   ...
          result:  expected one match, found none
          nearest: line 7: self.model.train(True)
          from:    01-test.patch:4

          file:    m.py
          scope:   Trainer._do_train
          pattern: self.model.train()
          result:  expected the scope Trainer._do_train once, there is none of that name
          nearest: line 2: def _train(self):
          from:    01-test.patch:9

          file:    m.py
          scope:   Trainer.train
          pattern: self.model.train($X, $Y)
          result:  expected one match, found none
          nearest: line 7: self.model.train(True)
          from:    01-test.patch:13

          file:    m.py
          scope:   Trainer.train
          pattern: zzz()
          result:  expected one match, found none
          nearest: nothing like it
          from:    01-test.patch:17

        Nothing was written: the modifications are applied together or not at all.
        If this checkout was edited there, restore the release's version of this code; if its release is \
newer than this distillpatch, upgrade distillpatch; if the patch is your own, correct it.""")


def test_an_ambiguous_anchor_is_shown_at_every_place() -> None:
    with pytest.raises(PlanError) as caught:
        patched("a(1)\nif x:\n    a( 1 )\n", "  a(1)\n+ b()\n")
    assert "result:  expected one match, found 2\n  nearest: line 1: a(1)\n           line 3: a( 1 )\n" in str(
        caught.value
    )


def test_a_scope_of_which_there_are_two_is_shown_at_every_place() -> None:
    with pytest.raises(PlanError) as caught:
        patched("def f(a): x()\ndef f(b): x()\n", "  x()\n+ y()\n", "f")
    assert "nearest: line 1: def f(a): x()\n           line 2: def f(b): x()\n" in str(caught.value)


def test_a_missing_file_is_named() -> None:
    patches = patch_set("--- gone.py  f\n  a()\n+ b()\n")
    with pytest.raises(PlanError, match=r"(?s)gone\.py does not exist: expected the release.s file"):
        require(make_plan(patches, {"gone.py": None}, "1"))


@pytest.mark.parametrize("path", built_in().edited_files)
def test_a_file_that_does_not_parse_is_named_with_the_line(path: str) -> None:
    broken = {**pristine("8.2.50"), path: b"x = 1\nx = = 2\n"}
    with pytest.raises(SourceError, match=rf"{re.escape(path)} cannot be parsed by Python .* \(line 2\)"):
        make_plan(built_in(), broken, "8.2.50")


@pytest.mark.parametrize(
    ("anchor", "renamed"),
    [
        ("self.plot_idx = [0, 1, 2]", "self.plots = [0, 1, 2]"),
        ("self.model = self.model.to(self.device)", "self.model = self.model.cuda()"),
        ("self.optimizer = self.build_optimizer(", "self.optimizer = self.make_optimizer("),
        ("def build_optimizer(", "def make_optimizer("),
        ("batch = self.preprocess_batch(batch)", "batch = self.prepare(batch)"),
        ("pbar.set_description(", "pbar.describe("),
        ("def _do_train(", "def _train("),
    ],
)
def test_a_release_that_lacks_an_anchor_is_refused(anchor: str, renamed: str) -> None:
    content = pristine("8.4.190")[TRAINER] or b""
    assert content.count(anchor.encode()) == 1
    files = {**pristine("8.4.190"), TRAINER: content.replace(anchor.encode(), renamed.encode())}
    with pytest.raises(PlanError, match=r"(?s)does not fit ultralytics 8\.4\.190.*nearest: line \d+: "):
        require(make_plan(built_in(), files, "ultralytics 8.4.190"))


def test_code_that_has_to_be_there() -> None:
    needed = "--- m.py\n  a()\n+ b()\n\n=== m.py\n  if c:\n      raise d\nor\n  raise d\n"
    for source in ("a()\nraise d\n", "a()\nif c:\n    raise d\n"):
        (change,) = require(plan(source, needed)).changes
        assert (change.after or b"").decode() == source.replace("a()\n", "a()\nb()\n")
    for source in ("a()\n", "a()\nif e:\n    raise d\n"):
        with pytest.raises(PlanError, match="raise d"):
            require(plan(source, needed))


def test_code_to_tell_of_is_left_and_shown() -> None:
    noted = "--- m.py\n  a()\n+ b()\n\n??? m.py\n  $X += 1\nor\n  $X = $X + 1\n"
    made = require(plan("a()\ny  +=  1  # mine\nz = z + 1\n", noted))
    assert [str(note) for note in made.notes] == ["m.py:2: y  +=  1  # mine", "m.py:3: z = z + 1"]
    assert made.changes[0].after == b"a()\nb()\ny  +=  1  # mine\nz = z + 1\n"

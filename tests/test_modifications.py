"""All that is known of each modification holds: where it lands, how it looks by hand, and what is edited around it."""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import by_hand
import landings
import matrix
import modifications
import pytest
from edits import Files
from hunks import built_in, patch_set, pristine
from releases import choose
from sampling import sampled
from statements import PATCHES, TRAINER
from variants import EDITS, SHARES, assert_fates

from distillpatch.engine.landing import occurrences
from distillpatch.engine.modification import Modification
from distillpatch.engine.plan import Plan, PlanError, make_plan
from distillpatch.engine.refusal import require
from distillpatch.engine.source import Source

pytestmark = pytest.mark.one_python

RELEASE = "8.4.190"
"""The release that has been patched to see whether a wrong landing is noticed."""


def each(attribute: str) -> list[object]:
    """Return, for each modification, its number with each of its examples of a kind."""
    return [
        pytest.param(number, name, id=f"{name_of(number)} {name}")
        for number, modification in modifications.ALL.items()
        for name in getattr(modification, attribute)
    ]


def name_of(number: int) -> str:
    """Return how the module of a modification is named."""
    return modifications.ALL[number].__name__.rpartition(".")[2]


@functools.cache
def patched() -> dict[str, bytes]:
    """Return the files of a patched release."""
    with tempfile.TemporaryDirectory() as folder:
        tree = matrix.unpack_part(RELEASE, Path(folder) / "tree")
        changes = matrix.situation(tree).difference()
        return {change.path: change.after for change in changes if change.after is not None}


def failures_of(number: int, files: Files) -> list[str]:
    """Return what is wrong with a modification in patched files."""
    return [failure for failure in landings.examine(files).failures if failure.startswith(f"modification {number}: ")]


def test_each_patch_has_its_examples() -> None:
    named = {patch.stem.replace("-", "_") for patch in PATCHES.glob("*.patch")}
    assert {name.removeprefix("m") for name in modifications.NAMES} == named
    kinds = ("SABOTAGE", "BY_HAND", "EDITS", "BREAKS")
    missing = [(name_of(n), kind) for n, m in modifications.ALL.items() for kind in kinds if not getattr(m, kind)]
    assert missing == []


# Where it lands -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", modifications.ALL, ids=name_of)
def test_it_lands_where_it_has_to(number: int) -> None:
    assert failures_of(number, patched()) == []


@pytest.mark.parametrize(("number", "what"), each("SABOTAGE"))
def test_a_landing_in_the_wrong_place_is_noticed(number: int, what: str) -> None:
    sabotage = modifications.ALL[number].SABOTAGE[what]
    text, count = re.subn(sabotage.found, sabotage.replaced, patched()[sabotage.path].decode(), count=1)
    assert count == 1
    assert failures_of(number, {**patched(), sabotage.path: text.encode()})


def test_a_file_that_does_not_compile_is_noticed() -> None:
    for broken in (b"def broken(:\n", b"def broken(a, a):\n    pass\n"):
        (failure,) = landings.examine({**patched(), TRAINER: patched()[TRAINER] + broken}).failures
        assert failure.startswith("does not compile")


# What is edited around it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_one", SHARES)
@pytest.mark.parametrize(("number", "name"), each("EDITS"))
def test_edits_around_it(number: int, name: str, is_one: bool) -> None:
    assert_fates(name, replace(modifications.ALL[number].EDITS[name], number=number), is_one)


def test_the_names_of_edits_are_distinct() -> None:
    assert len([*each("EDITS")]) == len([edit for edit in EDITS.values() if edit.number])


# How it looks by hand ------------------------------------------------------------------------------------------------

HAND_MADE = ("8.0.136", "8.2.50", "8.4.190")


def refusal(plan: Plan) -> str:
    """Return the message that refuses a plan, of which nothing is written."""
    assert plan.changes == ()
    with pytest.raises(PlanError, match=r"(?s)has these modifications already.*\nNothing was written") as caught:
        require(plan)
    return str(caught.value)


# The spellings are made many at a time, one of each modification, because a plan for each would take minutes. What each
# is taken for is clear all the same, from the lines.
@pytest.mark.parametrize(
    ("hand", "release"),
    [
        pytest.param(hand, release, marks=[] if release == choose(str(hand), HAND_MADE) else pytest.mark.slow)
        for hand, release in product(range(by_hand.HANDS), HAND_MADE)
    ],
)
def test_every_spelling_made_by_hand_is_recognised(hand: int, release: str) -> None:
    spelled = by_hand.hand(hand)
    edits = {number: by_hand.SPELLINGS[number][name] for number, name in spelled.items()}
    files, lines = by_hand.edited(pristine(release), edits.values())
    plan = make_plan(built_in(), files, release)
    found = {number: [place for m, place in plan.by_hand if m.number == number] for number in edits}
    made = {number for number, edit in edits.items() if edit in lines}
    assert {number: spelled[number] for number in made if not found[number]} == {}, "these are not recognised"
    assert {
        (number, str(place))
        for number, places in found.items()
        for place in places
        if number not in made or place.path != edits[number].place.path or place.line not in lines[edits[number]]
    } == set(), "these are taken for another modification"
    assert all(f"\n  {places[0]}" in refusal(plan) for number, places in found.items() if places)


@pytest.mark.parametrize("modification", built_in().modifications, ids=lambda modification: modification.number)
def test_every_sign_of_what_is_made_by_hand_is_needed(modification: Modification) -> None:
    idle = {sign.origin for sign in modification.signs}
    for release, edit in product(reversed(HAND_MADE), by_hand.SPELLINGS[modification.number].values()):
        if not idle:
            break
        files, _ = by_hand.edited(pristine(release), [edit])
        source = Source(edit.place.path, files[edit.place.path] or b"")
        seen = [sign.origin for sign in modification.signs if occurrences(source, sign)]
        idle -= set(seen if len(seen) == 1 else ())
    assert idle == set(), "what these recognise, others recognise as well"


def test_every_spelling_made_by_hand_is_of_some_release() -> None:
    for number, spellings in by_hand.SPELLINGS.items():
        for name, edit in spellings.items():
            assert any(edit.place.search(pristine(release)) for release in HAND_MADE), (number, name)


@pytest.mark.parametrize("number", by_hand.SPELLINGS)
def test_one_modification_made_by_hand_is_recognised(number: int) -> None:
    files, _ = by_hand.edited(pristine("8.2.50"), by_hand.tutorial([number]))
    plan = make_plan(built_in(), files, "8.2.50")
    assert {modification.number for modification, _ in plan.by_hand} == {number}
    assert f"\n  {plan.by_hand[0][1]}" in refusal(plan)


@pytest.mark.parametrize("release", sampled(HAND_MADE, HAND_MADE[-1]))
@pytest.mark.parametrize("numbers", [(2, 5, 11), (8, 9, 10), (1, 13, 14, 15), range(1, 16)])
def test_modifications_made_by_hand_are_all_listed(numbers: Sequence[int], release: str) -> None:
    files, lines = by_hand.edited(pristine(release), by_hand.tutorial(numbers))
    assert len(lines) == len(by_hand.tutorial(numbers))
    told = [line for line in refusal(make_plan(built_in(), files, release)).splitlines() if line.startswith("  ")]
    assert [re.findall(r"^  (\S+?):\d[-, \d]*: modification (\d+) ", line) for line in told] == [
        [(by_hand.tutorial([number])[0].place.path, str(number))] for number in numbers
    ]


def test_each_place_made_by_hand_is_told_once_and_in_order() -> None:
    signs = "!!! m.py\n  a\nor\n  a()\nor\n  b\n"
    plan = make_plan(
        patch_set("--- m.py\n  c()\n+ d()\n\n" + signs), {"m.py": b"c()\nb()\na(a)\na(); a\n\n\na()\n"}, "1"
    )
    assert [place.line for _, place in plan.by_hand] == [2, 3, 4, 7]
    assert "\n  m.py:2-4, 7: modification 1 (section 1.0: Test.)\n" in refusal(plan)

"""What was made by hand in the tutorial's way is recognised in every spelling, and nothing else is taken for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

import by_hand
import pytest
from hunks import patch_set, pristine

from distillpatch.engine.landing import occurrences
from distillpatch.engine.modification import Modification
from distillpatch.engine.plan import Plan, PlanError, make_plan, require
from distillpatch.engine.source import Source
from distillpatch.tree.patch_folder import built_in

pytestmark = pytest.mark.one_python

HAND_MADE = ("8.0.136", "8.2.50", "8.4.190")


def refusal(plan: Plan) -> str:
    """Return the message that refuses a plan, of which nothing is written."""
    assert plan.changes == ()
    with pytest.raises(PlanError, match=r"(?s)modified by hand in the tutorial's way.*\nNothing was written") as caught:
        require(plan)
    return str(caught.value)


# The spellings are made many at a time, one of each modification, because a plan for each would take minutes. What each
# is taken for is clear all the same, from the lines.
@pytest.mark.parametrize("release", HAND_MADE)
@pytest.mark.parametrize("hand", range(by_hand.HANDS))
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


@pytest.mark.parametrize("release", HAND_MADE)
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

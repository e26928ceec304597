"""Which lines of two texts are the same: runs of equal lines in order, as many as can be, in little time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distillpatch.alignment import matching_blocks

LINES = st.lists(st.sampled_from([b"a", b"b", b"c", b""]), max_size=12)


def kept(a: Sequence[bytes], b: Sequence[bytes]) -> int:
    """Return how many lines are the same, after a look at whether they are, and come in order."""
    blocks = matching_blocks(a, b)
    assert blocks[-1] == (len(a), len(b), 0)
    for (i, j, length), (next_i, next_j, _) in pairwise(blocks):
        assert length > 0 and a[i : i + length] == b[j : j + length]
        assert i + length <= next_i and j + length <= next_j
    return sum(length for _, _, length in blocks)


def most(a: Sequence[bytes], b: Sequence[bytes]) -> int:
    """Return the length of the longest common subsequence, the slow way."""
    row = [0] * (len(b) + 1)
    for line in a:
        last = row
        row = [0]
        for j, other in enumerate(b):
            row.append(last[j] + 1 if line == other else max(row[j], last[j + 1]))
    return row[-1]


@given(LINES, LINES)
def test_the_runs_are_equal_and_in_order(a: list[bytes], b: list[bytes]) -> None:
    assert kept(a, b) <= most(a, b)


@given(LINES, st.data())
def test_what_only_one_text_has_is_all_that_differs(a: list[bytes], data: st.DataObject) -> None:
    """Lines that are put in where they stand for themselves cost no line that both texts have."""
    b = [*a]
    for number in range(data.draw(st.integers(0, 3))):
        b.insert(data.draw(st.integers(0, len(b))), b"new %d" % number)
    assert kept(a, b) == kept(b, a) == len(a)


@pytest.mark.parametrize(
    ("a", "b", "runs"),
    [
        ([], [], []),
        ([b"a"], [], []),
        ([b"a", b"b"], [b"a", b"b"], [(0, 0, 2)]),
        ([b"a", b"x", b"b"], [b"a", b"y", b"b"], [(0, 0, 1), (2, 2, 1)]),
        ([b"", b"a", b"", b"b"], [b"a", b"", b"b", b""], [(1, 0, 3)]),
        ([b"a", b"b", b"c"], [b"c", b"a", b"b"], [(0, 1, 2)]),
    ],
)
def test_small_texts(a: list[bytes], b: list[bytes], runs: list[tuple[int, int, int]]) -> None:
    assert matching_blocks(a, b) == [*runs, (len(a), len(b), 0)]


SAME = [b"same\n"] * 40_000


@pytest.mark.parametrize(
    ("a", "b", "least"),
    [
        (SAME, [*SAME[:9], b"new\n", *SAME[9:]], 40_000),
        (SAME, [b"new\n", *SAME[:20_000], b"newer\n", *SAME[20_000:], b"newest\n"], 40_000),
        ([b"old\n", *SAME, b"old\n"], [b"new\n", *SAME[7:], b"new\n"], 39_993),
        ([b"x\n", b"y\n"] * 20_000, [b"y\n", b"x\n"] * 20_000, 39_999),
        ([b"x\n", b"y\n", b"z\n"] * 9_000, [b"z\n", b"x\n", b"x\n", b"y\n"] * 9_000, 0),
        ([b"%d\n" % n for n in range(40_000)], [b"%d\n" % n for n in range(40_000, 0, -1)], 1),
    ],
    ids=["one edit", "three edits", "at both ends", "shifted", "no anchor", "reversed"],
)
def test_many_equal_lines_take_little_time(a: list[bytes], b: list[bytes], least: int) -> None:
    started = time.process_time()
    assert kept(a, b) >= least
    assert time.process_time() - started < 5

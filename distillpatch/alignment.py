"""Which lines of two texts are the same lines, in time that does not grow with the square of the texts.

Lines that occur once in both texts are anchors, as in patience diff (Bram Cohen); between them, and where there are
none, the fewest insertions and deletions are looked for (E. Myers, "An O(ND) Difference Algorithm and Its Variations",
1986) as long as that is cheap. What is left is taken for replaced, which is never wrong, only coarse.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import Match, SequenceMatcher

_Pairs = list[tuple[int, int]]

# How much the search for the fewest changes may take between two anchors: a second, and some 20 MB.
_MOST_COMPARISONS = 2_000_000
_MOST_CHANGES = 500


class LineMatcher(SequenceMatcher[bytes]):
    """difflib's matcher, which by itself takes the square of the number of equal lines."""

    def __init__(self, isjunk: None, a: Sequence[bytes], b: Sequence[bytes]) -> None:
        self._texts = a, b
        super().__init__(isjunk, a, b, autojunk=False)

    def get_matching_blocks(self) -> list[Match]:
        """Return the runs of equal lines."""
        return [Match(*block) for block in matching_blocks(*self._texts)]


def matching_blocks(a: Sequence[bytes], b: Sequence[bytes]) -> list[tuple[int, int, int]]:
    """Return the runs of equal lines, as ``difflib.SequenceMatcher.get_matching_blocks`` does.

    Returns:
        For each run, where it begins in ``a`` and in ``b``, and its length; the last one is empty and at their ends.
    """
    numbers: dict[bytes, int] = {}
    first, second = ([numbers.setdefault(line, len(numbers)) for line in lines] for lines in (a, b))
    blocks: list[list[int]] = []
    for i, j in sorted(_pairs(first, second)):
        if blocks and (i, j) == (blocks[-1][0] + blocks[-1][2], blocks[-1][1] + blocks[-1][2]):
            blocks[-1][2] += 1
        else:
            blocks.append([i, j, 1])
    return [*((i, j, length) for i, j, length in blocks), (len(a), len(b), 0)]


def _pairs(a: Sequence[int], b: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the places of equal lines, in no order."""
    gaps = [(0, len(a), 0, len(b))]
    while gaps:
        i, i_end, j, j_end = gaps.pop()
        while i < i_end and j < j_end and a[i] == b[j]:
            yield i, j
            i, j = i + 1, j + 1
        while i < i_end and j < j_end and a[i_end - 1] == b[j_end - 1]:
            i_end, j_end = i_end - 1, j_end - 1
            yield i_end, j_end
        if i == i_end or j == j_end:
            continue
        anchors = [(i + x, j + y) for x, y in _anchors(a[i:i_end], b[j:j_end])]
        if anchors:
            yield from anchors
            starts = [(i, j), *((x + 1, y + 1) for x, y in anchors)]
            ends = [*anchors, (i_end, j_end)]
            gaps += [(x, x_end, y, y_end) for (x, y), (x_end, y_end) in zip(starts, ends, strict=True)]
        else:
            yield from ((i + x, j + y) for x, y in _fewest_changes(a[i:i_end], b[j:j_end]))


def _anchors(a: Sequence[int], b: Sequence[int]) -> _Pairs:
    """Return the longest run of lines that differ from each other, and come in the same order in both.

    They are those that occur once in both or, if there are none, equally often, the first with the first and so on.
    """
    in_a, in_b = Counter(a), Counter(b)
    for most in (1, len(a)):
        same = {line for line, count in in_a.items() if count == in_b[line] and count <= most}
        if same:
            places = _numbered(b, same)
            return _increasing([(i, places[key]) for key, i in _numbered(a, same).items()])
    return []


def _numbered(lines: Sequence[int], wanted: set[int]) -> dict[tuple[int, int], int]:
    """Return the places of some lines by the line and how often it came before."""
    seen: Counter[int] = Counter()
    places = {}
    for place, line in enumerate(lines):
        if line in wanted:
            places[line, seen[line]] = place
            seen[line] += 1
    return places


def _increasing(pairs: _Pairs) -> _Pairs:
    """Return a longest run of pairs, whose first numbers increase, in which the second ones do as well."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int | None] = []
    for index, (_, j) in enumerate(pairs):
        at = bisect_left(ends, j)
        before.append(last[at - 1] if at else None)
        ends[at : at + 1] = [j]
        last[at : at + 1] = [index]
    run = []
    index_or_none = last[-1] if last else None
    while index_or_none is not None:
        run.append(pairs[index_or_none])
        index_or_none = before[index_or_none]
    return run[::-1]


def _fewest_changes(a: Sequence[int], b: Sequence[int]) -> _Pairs:
    """Return the lines that are kept by the fewest insertions and deletions, or none if finding these takes too long.

    ``furthest[k]`` is how far in ``a`` one gets on the diagonal ``k``, the lines of ``a`` less those of ``b``.
    """
    furthest = {1: 0}
    history = []
    comparisons = 0
    for changes in range(len(a) + len(b) + 1):
        history.append(dict(furthest))
        for k in range(-changes, changes + 1, 2):
            down = k == -changes or (k != changes and furthest[k - 1] < furthest[k + 1])
            x = furthest[k + 1] if down else furthest[k - 1] + 1
            start = x
            while x < len(a) and x - k < len(b) and a[x] == b[x - k]:
                x += 1
            comparisons += x - start + 1
            furthest[k] = x
            if x >= len(a) and x - k >= len(b):
                return _kept(history, len(a), len(b))
        if comparisons > _MOST_COMPARISONS or changes > _MOST_CHANGES:
            break
    return []


def _kept(history: Sequence[dict[int, int]], x: int, y: int) -> _Pairs:
    """Follow the way of the fewest changes back from its end; return the lines that it keeps."""
    kept = []
    for changes in range(len(history) - 1, -1, -1):
        furthest = history[changes]
        k = x - y
        down = k == -changes or (k != changes and furthest[k - 1] < furthest[k + 1])
        previous = k + 1 if down else k - 1
        start = furthest[previous] if down else furthest[previous] + 1
        while x > start:
            x, y = x - 1, y - 1
            kept.append((x, y))
        x, y = furthest[previous], furthest[previous] - previous
    return kept

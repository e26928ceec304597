"""The breaks of promises are of the program as it is: `make breaks` makes them, and takes an hour."""

from __future__ import annotations

import subprocess
import sys

import breaks
import pytest

CHANGES = breaks.breaks()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.promise)
def test_a_break_changes_what_is_there(change: breaks.Break) -> None:
    assert change.old in (breaks.PROJECT / change.file).read_text(encoding="utf-8")
    assert change.old != change.new
    assert (breaks.PROJECT / f"tests/test_{change.test.partition('::')[0]}.py").is_file()


def test_each_promise_has_words_of_its_own() -> None:
    promises = [change.promise for change in CHANGES]
    assert sorted(promises) == sorted(set(promises))


def test_no_break_is_made_twice_for_one_test() -> None:
    made = [change[1:] for change in CHANGES]
    assert sorted(made) == sorted(set(made))


@pytest.mark.one_python
def test_the_test_that_has_to_notice_a_break_is_there() -> None:
    collect = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests"]
    collected = subprocess.run(collect, cwd=breaks.PROJECT, capture_output=True, text=True, check=True).stdout
    tests = [line.lower() for line in collected.splitlines() if "::" in line]
    missing = [change.test for change in CHANGES if not any(chosen_by(change.test, test) for test in tests)]
    assert missing == []


def chosen_by(wanted: str, test: str) -> bool:
    """Tell whether a test, by its node, is one of those that a break names: of a module, by a `-k` without brackets."""
    module, _, chosen = wanted.lower().partition("::")
    ways = [way.split(" and ") for way in chosen.split(" or ")]
    return f"test_{module}.py::" in test and any(all(word.strip() in test for word in way) for way in ways)

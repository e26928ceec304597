"""The breaks of promises are of the program as it is: `make breaks` makes them, and takes an hour."""

from __future__ import annotations

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

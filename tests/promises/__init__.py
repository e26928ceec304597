"""What is promised, and how each promise is broken once to see that a test notices.

A module here is about one part of the program. What is promised of a modification is beside the rest that is known of
it, in `modifications`. `make breaks` (tools/breaks.py) makes each break in a copy of the project.
"""

from __future__ import annotations

from typing import NamedTuple


class Break(NamedTuple):
    """A promise, the change that breaks it, and the test that has to notice.

    Attributes:
        promise: What is promised.
        file: The file that is changed.
        old: The text that is replaced in it.
        new: What it is replaced by.
        test: A test module without `test_` and, after `::`, a `-k`.
    """

    promise: str
    file: str
    old: str
    new: str
    test: str

"""Which cases of a test `make test` tries; the others are for `make thorough`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], *tried: Any) -> list[Any]:
    """Return cases as parameters of a test, those that `make test` does not try marked as slow."""
    cases = list(cases)
    assert set(tried) <= set(cases), "what is tried is a case"
    return [case if case in tried else pytest.param(case, marks=pytest.mark.slow) for case in cases]

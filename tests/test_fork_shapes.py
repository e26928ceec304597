"""Checkouts in the shapes of public forks meet the fate that is right for them."""

from __future__ import annotations

import pytest
from fork_shapes import SHAPES
from test_variants import assert_fate
from variants import RELEASES, files_of

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("release", RELEASES)
def test_a_fork_of_that_shape(release: str, name: str) -> None:
    edited = SHAPES[name].change(files_of(release))
    if edited == files_of(release):
        pytest.skip("nothing to edit in this release")
    assert_fate(edited, SHAPES[name].fate, SHAPES[name].number)


def test_every_shape_is_of_some_release() -> None:
    idle = [n for n, shape in SHAPES.items() if all(shape.change(files_of(r)) == files_of(r) for r in RELEASES)]
    assert idle == []

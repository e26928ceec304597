"""Checkouts in the shapes of public forks meet the fate that is right for them."""

from __future__ import annotations

import matrix
import pytest
from edits import RELEASES, files_of
from fork_shapes import OWN, SHAPES
from hunks import pristine
from statements import TRAINER
from variants import SHARES, assert_fates

from distillpatch.engine.plan import make_plan, paths

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize("is_sample", SHARES)
@pytest.mark.parametrize("name", SHAPES)
def test_forks_of_that_shape(name: str, is_sample: bool) -> None:
    assert_fates(name, SHAPES[name], is_sample)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("release", RELEASES)
def test_a_loss_of_the_owner_is_told(release: str, name: str) -> None:
    edited = SHAPES[name].change(files_of(release))
    plan = make_plan(matrix.patch_set(), {path: edited.get(path) for path in paths(matrix.patch_set())}, release)
    (note,) = plan.notes
    line = edited[TRAINER].decode().splitlines()[note.place.line - 1].strip()
    assert (note.place.path, note.code) == (TRAINER, line)
    assert line.startswith("self.loss += self.compare(")


@pytest.mark.parametrize("release", RELEASES)
def test_no_release_has_anything_to_tell(release: str) -> None:
    assert make_plan(matrix.patch_set(), pristine(release), release).notes == ()

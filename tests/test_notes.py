"""Code of the owner's that does what a modification does is left as it is, and shown."""

from __future__ import annotations

import matrix
import modifications
import pytest
from edits import RELEASES, files_of
from hunks import pristine
from statements import TRAINER

from distillpatch.engine.plan import make_plan, paths

pytestmark = pytest.mark.one_python

OWN = {
    "a distillation of one's own": "self.loss += self.compare(self.model(batch['img']), theirs)",
    "a term of the loss": "self.loss = self.loss + 0.1 * self.penalty(batch)",
    "a term of the loss before backward": "self.loss += 0.1 * self.penalty(batch)",
    "a weighted sum of losses": "self.loss = 0.7 * self.loss + 0.3 * self.penalty(batch)",
}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("release", RELEASES)
def test_a_loss_of_the_owner_is_shown(release: str, name: str) -> None:
    edited = modifications.ALL[9].EDITS[name].change(files_of(release))
    if edited == files_of(release):
        pytest.skip("nothing to edit in this release")
    plan = make_plan(matrix.patch_set(), {path: edited.get(path) for path in paths(matrix.patch_set())}, release)
    (note,) = plan.notes
    assert (note.place.path, note.code) == (TRAINER, OWN[name])
    assert edited[TRAINER].decode().splitlines()[note.place.line - 1].strip() == OWN[name]


@pytest.mark.parametrize("release", RELEASES)
def test_no_release_has_anything_to_show(release: str) -> None:
    assert make_plan(matrix.patch_set(), pristine(release), release).notes == ()

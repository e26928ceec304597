"""A run has the teacher that it is given, and no other."""

from __future__ import annotations

import re

from edits import Edit, removed, renamed
from promises import Break
from spelling import Place, Spelling
from statements import MODEL, TRAINER, Patched, Sabotage, fail, function_of, in_order


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    _resumed_teacher(checkout)
    checkout.imports(MODEL, "expect_teacher")
    scope = checkout.scope(MODEL, "Model.train", "YOLO.train")
    expected = scope.one(r"expect_teacher\(self\.trainer\)$")
    if expected.around or not re.match(r"self\.trainer = .*overrides=", made := expected.beside(-1)):
        fail(f"expected expect_teacher directly after the trainer is made, not after {made!r}")
    in_order(("expect_teacher", expected.line), ("the training", scope.one(r"self\.trainer\.train\(\)").line))
    reset = checkout.scope(MODEL, "Model._reset_ckpt_args", "YOLO._reset_ckpt_args")
    if "model_t" in function_of(reset)({"imgsz": 640, "model_t": "t.pt"}):
        fail("expected a loaded model not to remember its teacher")
    return f"{scope.name}: {made}"


def _resumed_teacher(checkout: Patched) -> None:
    """Require the teacher that is given to be among the arguments that a resumed run takes from its checkpoint."""
    resume = checkout.trainer("check_resume")
    given = resume.one(r"ckpt_args\.update\(given_teacher\(self\.args\)\)$")
    if given.beside(1) != "self.args = get_cfg(ckpt_args)":
        fail(f"expected given_teacher directly before the arguments are made, not before {given.beside(1)!r}")
    made = resume.one(r"ckpt_args = ")
    in_order(("the checkpoint's arguments", made.line), ("given_teacher", given.line))
    if [spot.text for spot in given.around if spot.text != "try:"] != ["if resume:"]:
        fail("expected given_teacher in 'if resume:'")


SABOTAGE = {
    "the teacher that is given is not expected": Sabotage(MODEL, r" +expect_teacher\(self\.trainer\)\n", ""),
    "a loaded model remembers its teacher": Sabotage(MODEL, r"(include = \{)", r'\1"model_t", '),
    "the teacher that has moved is not found": Sabotage(TRAINER, r" +ckpt_args\.update\(given_teacher[^\n]*\n", ""),
}

_KEYS = Place(MODEL, r"include = \{['\"]imgsz['\"],(?P<here>)")

BY_HAND = {"the tutorial's": Spelling(_KEYS, " 'model_t',")}

EDITS: dict[str, Edit] = {
    "train renamed": renamed(MODEL, "train"),
    "no trainer": removed(MODEL, r"self\.trainer = \(trainer or"),
}

PATCH = "patches/15-given-teacher.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "a copy of a trainer that would ignore its teacher is refused",
        PATCH,
        "+ expect_teacher(self.trainer)\n",
        "+ self.trainer = self.trainer\n",
        "trainers::ignore_its_teacher and DetectionTrainer and 8.2.50",
    ),
    Break(
        "a run is resumed with a teacher that has moved",
        PATCH,
        "ckpt_args.update(given_teacher(self.args))",
        "given_teacher(self.args)",
        "resume::teacher_that_has_moved and 8.2.50",
    ),
    Break(
        "a student that is trained on is not taught unasked",
        PATCH,
        "# A trainer of the user's own, which may be a copy of a pristine one.\n",
        '--- ultralytics/engine/model.py  Model._reset_ckpt_args\n  include = {\n      ...,\n+     "model_t",\n  }\n\n',
        "resume::only_if_asked_for and 8.4.190",
    ),
)

"""What `make learning` compares: the regimes, the arms, and the order in which they are run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

# Stand for paths in the arguments of an arm.
TEACHER, FIRST_TEACHER, FIRST_GENERATION, IMAGES = "TEACHER", "FIRST TEACHER", "FIRST GENERATION", "IMAGES"
BATCH = 16
FIRST_TUNING_SEED = 100


class Regime(NamedTuple):
    """What the student is given: the part of the data set with labels, and whether there is one without."""

    part: str
    images: int
    unlabelled: bool = False
    augmented: bool = True
    steps: int = 1280
    teacher_epochs: int = 16
    pair: str = ""  # the regime of the runs alone that its runs are compared with; itself, unless it is given

    @property
    def epochs(self) -> int:
        """Return the epochs that make the steps."""
        return self.steps * BATCH // self.images


REGIMES = {
    "few": Regime("few", 128),
    "unlabelled": Regime("few", 128, unlabelled=True, pair="few"),
    "all": Regime("all", 1024),
    "long": Regime("few", 128, steps=3840),
    "long all": Regime("all", 1024, steps=3840),
    "long unlabelled": Regime("few", 128, unlabelled=True, steps=3840, pair="long"),
    "plain": Regime("few", 128, augmented=False),
}

# What `make learning-check` does: a shorter lesson, from a teacher that was trained shorter.
CHECK = "check"
LESSONS = {**REGIMES, CHECK: Regime("few", 128, steps=320, teacher_epochs=5)}

# Arms that learn without the patches, in the pristine release.
PRISTINE: dict[str, dict[str, Any]] = {
    "alone": {},
    "alone again": {},
    "upstream's distill_model": {"distill_model": TEACHER},
}
OURS = {"model_t": TEACHER}
TUTORIAL = {**OURS, "distill_recipe": "tutorial"}
CWD = {"distill_feat_type": "cwd", "distill_feat_weight": 0.3}
FRS, FRS_10 = ({"distill_feat_type": "frs", "distill_feat_weight": weight} for weight in (3.0, 10.0))
UNLABELLED = {"distill_images": IMAGES}
EIGHT = {"distill_layers": [2, 4, 6, 8, 12, 15, 18, 21]}  # the tutorial's, of a YOLOv8; else those that feed the head


def features(loss: dict[str, Any]) -> dict[str, Any]:
    """Return an arm that learns by features alone, every setting spelled out."""
    return {**OURS, "distill_schedule": "constant", **loss, "logit_loss": False}


def soft(weight: float, **more: Any) -> dict[str, Any]:
    """Return an arm with soft targets, every setting spelled out: what an arm is does not change with a default."""
    alone = {"distill_feat_type": "none", "distill_logit_type": "soft", "logit_loss": True}
    return {**OURS, **alone, "distill_schedule": "constant", "distill_logit_weight": weight, **more}


PATCHED: dict[str, dict[str, Any]] = {
    "tutorial": TUTORIAL,
    "tutorial, logits": {**TUTORIAL, "logit_loss": True},
    "soft 1": soft(1.0),
    "soft 3": soft(3.0),
    "soft 10": soft(10.0),
    "soft 3, first teacher": soft(3.0, model_t=FIRST_TEACHER),
    "soft 3, cosine": soft(3.0, distill_schedule="cosine"),
    "soft 3, images": soft(3.0, **UNLABELLED),
    "soft 3, images times 2": soft(3.0, **UNLABELLED, distill_images_ratio=2.0),
    "soft 3, cwd 0.3": soft(3.0, **CWD),
    "soft 1, frs 3": soft(1.0, **FRS),
    "soft 3, frs 3": soft(3.0, **FRS),
    "soft 1, frs 3, images": soft(1.0, **FRS, **UNLABELLED),
    "soft 3, frs 10": soft(3.0, **FRS_10),
    "soft 1, frs 10, images": soft(1.0, **FRS_10, **UNLABELLED),
    "soft 3, frs 10, images": soft(3.0, **FRS_10, **UNLABELLED),
    "soft 1, frs 10, images times 2": soft(1.0, **FRS_10, **UNLABELLED, distill_images_ratio=2.0),
    "soft 1, frs 10, images times 3": soft(1.0, **FRS_10, **UNLABELLED, distill_images_ratio=3.0),
    "soft 1, frs 10": soft(1.0, **FRS_10),
    "soft 1, frs 10, cosine": soft(1.0, **FRS_10, distill_schedule="cosine"),
    "soft 1, frs 10, cosine, images": soft(1.0, **FRS_10, **UNLABELLED, distill_schedule="cosine"),
    "soft 1, frs 10, second half": soft(1.0, **FRS_10, distill_schedule="late"),
    "soft 1, frs 10, eight layers": soft(1.0, **FRS_10, **EIGHT),
    "soft 1, frs 3, eight layers": soft(1.0, **FRS, **EIGHT),
    "frs 10": features(FRS_10),
    "frs 3": features(FRS),
    # Variants: learning_variants.py says what they are.
    "soft 3, difference": soft(3.0),
    "soft 3, difference times 5": soft(3.0),
    "soft 3, teacher's assignment": soft(3.0),
    "soft 1, frs 10, ramp": soft(1.0, **FRS_10),
    "soft 1, frs 10, crossed": soft(1.0, **FRS_10),
    "soft 1, frs 10, cosine to 0.3": soft(1.0, **FRS_10),
    "soft 1, frs 10, cosine to 0.3, images": soft(1.0, **FRS_10, **UNLABELLED),
    "soft 1, frs 10, late": soft(1.0, **FRS_10),
    "soft 1, frs 10, late, images": soft(1.0, **FRS_10, **UNLABELLED),
    "soft 1, frs 10, close 10": soft(1.0, **FRS_10, distill_close=10),
    # The default with other teachers, and with each of the other feature losses of the weight that it has by default.
    "online": soft(1.0, **FRS_10, distillonline=True),
    "ema, soft 0.3": soft(0.3, model_t="ema"),
    "ema, soft 1": soft(1.0, model_t="ema"),
    "ema": soft(1.0, **FRS_10, model_t="ema"),
    "born again": soft(1.0, **FRS_10, model_t=FIRST_GENERATION),
    "soft 1, cwd 0.3": soft(1.0, **CWD),
    "soft 1, mimic 0.5": soft(1.0, distill_feat_type="mimic", distill_feat_weight=0.5),
    "soft 1, mgd 0.1": soft(1.0, distill_feat_type="mgd", distill_feat_weight=0.1),
    "soft 1, pkd 1": soft(1.0, distill_feat_type="pkd", distill_feat_weight=1.0),
    "soft 1, relation 10": soft(1.0, distill_feat_type="relation", distill_feat_weight=10.0),
}
ARMS = {**PRISTINE, **PATCHED}

# The arms that use the arguments which the patches give a student with a teacher and nothing else, with images without
# labels as well, or with its own average as the teacher; a test requires that they do.
DEFAULT, DEFAULT_UNLABELLED, DEFAULT_AVERAGE = "soft 1, frs 10", "soft 1, frs 10, images", "ema, soft 0.3"

# The rows of a teacher's own exam: no student learns in them.
MASTER, FIRST_MASTER = "teacher", "first teacher"


class Job(NamedTuple):
    """One training: a row once it is done."""

    data: str
    regime: str
    arm: str
    seed: int

    @property
    def slug(self) -> str:
        """Return the name of its folder."""
        return re.sub(r"[^a-z0-9.]+", "-", "-".join(map(str, self)))

    @property
    def lesson(self) -> Regime:
        """Return what its regime is."""
        return LESSONS[self.regime]

    @property
    def tuning(self) -> bool:
        """Return whether this run is for choosing, and so never reported."""
        return self.seed >= FIRST_TUNING_SEED

    @property
    def part(self) -> str:
        """Return the part of the data set that has labels."""
        return f"tuning/{self.lesson.part}" if self.tuning else self.lesson.part

    @property
    def exam(self) -> str:
        """Return the part of the data set that the student is examined on."""
        return "tuning/exam" if self.tuning else "exam"


def plan(data: list[str], regimes: list[str], arms: list[str], seeds: list[int]) -> Iterator[Job]:
    """Yield the jobs, seed by seed, so that whenever it is stopped the arms can be compared."""
    for seed in seeds:
        for name in data:
            for regime in regimes:
                for arm in arms:
                    if LESSONS[regime].unlabelled == (IMAGES in ARMS[arm].values()):
                        yield Job(name, regime, arm, seed)

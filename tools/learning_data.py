"""The images of `make learning`: made once, from packages alone; no object of the exams is on any other image.

Each data set is a folder with one `data.yaml` per part:

    start       the images on which the common start of all students is trained, without classes
    teacher     the images of the teacher
    few         128 images with labels
    many        896 more, whose labels only the regime "all" is given
    all         few and many together
    exam        1,000 images of objects that nobody was trained on

Tuning has its own images, "tuning/few", "tuning/many" and "tuning/exam", of other objects than the reported exam.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from digits import CLASSES as DIGITS
from digits import paint_images, read_handwriting
from learning_stamps import CLASSES as STAMPS
from learning_stamps import paste_images

SIZE = 96
FEW, MANY, EXAM = 128, 896, 1000
# Upstream validates after the last epoch whatever it is told: on a few images, since nobody looks at the result.
GLANCE = 8

# The images of each part, and the objects that are on them: a share of all digits, or of the stamps of each class.
PARTS: dict[str, tuple[int, tuple[float, float]]] = {
    "start": (1024, (0.0, 0.8)),
    "teacher": (4096, (0.0, 0.8)),
    "few": (FEW, (0.0, 0.8)),
    "many": (MANY, (0.0, 0.8)),
    "tuning/few": (FEW, (0.0, 0.8)),
    "tuning/many": (MANY, (0.0, 0.8)),
    "tuning/exam": (EXAM, (0.8, 0.9)),
    "exam": (EXAM, (0.9, 1.0)),
    "glance": (GLANCE, (0.8, 0.9)),
}


def make_data(name: str, folder: Path) -> Path:
    """Make a data set unless it is there, and return its folder."""
    if not folder.exists():
        unfinished = folder.with_name(f"{folder.name}-unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        MAKERS[name](unfinished)
        unfinished.rename(folder)
    return folder


def _digits(folder: Path) -> None:
    for number, (part, (count, share)) in enumerate(PARTS.items()):
        paint_images(folder, part, count, SIZE, read_handwriting(*share), np.random.default_rng([1, number]))
    _describe(folder, list(map(str, range(DIGITS))))


def _stamps(folder: Path) -> None:
    for number, (part, (count, share)) in enumerate(PARTS.items()):
        paste_images(folder, part, count, SIZE, share, [2, number])
    _describe(folder, list(STAMPS))


def _describe(folder: Path, names: list[str]) -> None:
    """Write a description of each part to train on, with a few images to validate on, and of each exam."""
    for part in [*PARTS, "all", "tuning/all"]:
        images = [part.replace("all", "few"), part.replace("all", "many")] if part.endswith("all") else [part]
        train = "".join(f"  - images/{name}\n" for name in images)
        validation = f"images/{part}" if part.endswith("exam") else "images/glance"
        text = f"path: {folder.with_name(folder.name.removesuffix('-unfinished'))}\n"
        text += f"train:\n{train}val: {validation}\nnames: {names}\n"
        (folder / f"{part.replace('/', '-')}.yaml").write_text(text, encoding="utf-8")


MAKERS: dict[str, Callable[[Path], None]] = {"digits": _digits, "stamps": _stamps}

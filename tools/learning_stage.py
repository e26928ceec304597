"""What every run of `make learning` shares, made once in the cache folder: releases, data, teacher and start."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from demo import HALVE, ONE_THREAD, RELEASE, SHORT, TEACHER
from filelock import FileLock
from learning_data import SIZE, make_data
from releases import cache_home, unpack
from training import execute

CLONE = Path(__file__).resolve().parent.parent
HOME = cache_home() / "learning"
PATCHES = CLONE / "patches"

# How the images of students are changed, beside upstream's changes of colour: without it, 160 epochs of 128 images are
# learned by heart. No mosaic: it shows objects in sizes and cuts that are in no exam.
AUGMENTATION = {"translate": 0.1, "scale": 0.3}
TEACHER_MOVED = 5  # epochs

SETTINGS = {**SHORT, "imgsz": SIZE, "cos_lr": True, "cache": "ram"}

TRAIN = """
from ultralytics import YOLO
YOLO({model!r}).train(**{arguments!r})
"""


class Code(NamedTuple):
    """The patches that a run uses."""

    digest: str
    commit: str


def code() -> Code:
    """Return what identifies the patches of this clone."""
    digest = hashlib.sha256()
    for path in sorted(PATCHES.glob("*")):
        if path.suffix in (".patch", ".py"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    commit = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--", "patches", "distillpatch")
    return Code(digest.hexdigest()[:12], commit + ("+" if changed else ""))


def _git(*arguments: str) -> str:
    """Return what git says; nothing if this is a copy without a repository, whose digest still tells what ran."""
    try:
        return subprocess.run(["git", *arguments], cwd=CLONE, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def pristine_tree() -> Path:
    """Return the release as it was published."""
    return _tree("pristine", patched=False)


def patched_tree(code: Code) -> Path:
    """Return the release, patched by this clone's `apply`."""
    return _tree(code.digest, patched=True)


def _tree(name: str, patched: bool) -> Path:
    tree = HOME / "trees" / f"{RELEASE}-{name}"
    tree.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{tree}.lock"):
        if not tree.exists():
            unfinished = tree.with_name(f"{tree.name}-unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            unpack(RELEASE, unfinished)
            if patched:
                apply = [sys.executable, "-m", "distillpatch", "apply", "--ultralytics-path", str(unfinished)]
                subprocess.run(apply, check=True, stdout=subprocess.DEVNULL)
            unfinished.rename(tree)
    return tree


def data(name: str) -> Path:
    """Return the folder of a data set."""
    HOME.mkdir(parents=True, exist_ok=True)
    with FileLock(HOME / f"{name}.lock"):
        return make_data(name, HOME / name)


def student() -> Path:
    """Return the description of the student: a YOLOv8n of half the width."""
    path = HOME / "half/yolov8n-half.yaml"
    if not path.exists():
        execute(pristine_tree(), path.parent, HALVE)
    return path


def teacher(name: str, epochs: int) -> Path:
    """Return the weights of a data set's teacher: trained on its images as they are, then moved and scaled."""
    first = first_teacher(name, epochs)
    images = _part(name, "teacher")
    return model(name, f"teacher-{epochs}-moved", str(first), data=images, epochs=TEACHER_MOVED, **AUGMENTATION)


def first_teacher(name: str, epochs: int) -> Path:
    """Return the weights of the teacher before it has seen moved and scaled images, which the first runs had."""
    return model(name, f"teacher-{epochs}", TEACHER, data=_part(name, "teacher"), epochs=epochs)


def start(name: str) -> Path:
    """Return the weights that all students of a data set start from: it knows where things are, not what they are."""
    return model(name, "start", str(student()), data=_part(name, "start"), epochs=20, single_cls=True)


def _part(name: str, part: str) -> str:
    """Return the description of a part of a data set."""
    return str(data(name) / f"{part}.yaml")


def model(name: str, role: str, begin: str, /, **options: Any) -> Path:
    """Return the weights of a model that some runs of a data set need: trained in the pristine release, once."""
    folder = HOME / f"{name}-models" / role
    weights = folder / "run/weights/last.pt"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "complete").exists():
            script = TRAIN.format(model=begin, arguments={**SETTINGS, "project": str(folder), **options})
            execute(pristine_tree(), folder, script, python=sys.executable, limit=7200, variables=ONE_THREAD)
            (folder / "complete").touch()
    return weights

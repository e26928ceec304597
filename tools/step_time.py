"""Measure what the patched code costs in seconds: `python tools/step_time.py [RELEASE [SCALES [KINDS]]]`.

With a teacher, a step is compared with the floor: a plain step and one forward pass of the teacher under no_grad. Both
kinds of step alternate within one training of a patched release, so that what else the machine does meets both, and
the medians are compared. Without a teacher, a step of the patched release is compared with one of the pristine release,
which takes two processes: they alternate.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import releases
from digits import make_digits
from lessons import lesson

STEPS = 30
ROUNDS = 3
SIZE = 320
BATCH = 4

ALONE = """
import time


def start(trainer):
    trainer.started = time.perf_counter()


def end(trainer):
    seconds.append(time.perf_counter() - trainer.started)


seconds = []
model = YOLO("yolov8n.yaml")
model.add_callback("on_train_batch_start", start)
model.add_callback("on_train_batch_end", end)
model.train(**SETTINGS)
report(seconds=seconds[2:])
"""

TAUGHT = """
import time
from statistics import median
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel


class Alternating(DetectionTrainer):
    def preprocess_batch(self, batch):
        batch = super().preprocess_batch(batch)
        if self.hidden is not None:
            with torch.no_grad():
                self.hidden(batch["img"])
        return batch


def start(trainer):
    trainer.hidden = None
    if trainer.number % 2:
        trainer.hidden, trainer.model_t = trainer.model_t, None
    trainer.started = time.perf_counter()


def end(trainer):
    trainer.seconds[trainer.number % 2].append(time.perf_counter() - trainer.started)
    trainer.model_t = trainer.hidden or trainer.model_t
    trainer.number += 1


def begin(trainer):
    trainer.number, trainer.seconds = 0, ([], [])


def measure(scale, kind):
    torch.manual_seed(1)
    kind_of_features, _, logits = kind.partition("+")
    options = {"distill_feat_type": kind_of_features, "logit_loss": bool(logits)}
    model = YOLO("yolov8n.yaml")
    for event, function in {"on_train_start": begin, "on_train_batch_start": start, "on_train_batch_end": end}.items():
        model.add_callback(event, function)
    teacher = DetectionModel(f"yolov8{scale}.yaml", nc=10, verbose=False)
    name = f"yolov8{scale}-{kind}"
    model.train(trainer=Alternating, **{**SETTINGS, "name": name, "model_t": teacher, **options})
    distilled, floor = (median(seconds[2:]) for seconds in model.trainer.seconds)
    report(**{name: [distilled, floor]})


for scale in SCALES:
    for kind in KINDS:
        measure(scale, kind)
"""


def main(version: str = "8.4.190", scales: str = "sl", kinds: str = "frs+logits,cwd,mgd,mimic") -> None:
    """Measure with a yolov8n as the student and teachers of some scales, by some feature losses, or both losses."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        trees = {name: releases.unpack(version, folder / name) for name in ("pristine", "patched")}
        apply = [sys.executable, "-m", "distillpatch", "apply", "--ultralytics-path", str(trees["patched"])]
        subprocess.run(apply, check=True, capture_output=True)
        data = make_digits(folder / "digits", images=round(STEPS * BATCH / 0.8), size=SIZE)
        settings = {"imgsz": SIZE, "batch": BATCH, "nbs": BATCH, "val": False, "warmup_epochs": 0.0, "mosaic": 0.0}
        code = f"SCALES, KINDS = {list(scales)}, {kinds.split(',')}\n{TAUGHT}"
        taught = lesson(trees["patched"], folder / "taught", data, code, limit=3600, **settings).facts
        alone: dict[str, list[float]] = {name: [] for name in trees}
        for _ in range(ROUNDS):
            for name, tree in trees.items():
                alone[name] += lesson(tree, folder / name / "runs", data, ALONE, limit=3600, **settings).facts[
                    "seconds"
                ]
    print(f"ultralytics {version}, steps of {BATCH} images of {SIZE} px, yolov8n as the student")
    for name, (distilled, floor) in taught.items():
        print(f"{name:20} step {distilled:.3f} s, floor    {floor:.3f} s, ratio {distilled / floor:.3f}")
    patched, pristine = (median(alone[name]) for name in ("patched", "pristine"))
    print(f"{'no teacher':20} step {patched:.3f} s, pristine {pristine:.3f} s, ratio {patched / pristine:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""One part of `make gpu`, in a process that imports one release: `python gpu_run.py PART JSON`; see gpu.py.

It needs PyTorch and what ultralytics imports, and prints one line of JSON for each thing that it has measured.
"""

from __future__ import annotations

import gc
import json
import math
import sys
import time
from statistics import median
from typing import Any

import torch
from ultralytics import YOLO
from ultralytics.engine import trainer as upstream
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.AddLoss import FEATURE_LOSSES
from ultralytics.utils.distill_response import RESPONSE_LOSSES

# Before each fact, as gpu.py expects it.
MARK = "::measured:: "


def main(part: str, options: dict[str, Any]) -> None:
    """Measure one part."""
    # Upstream looks whether AMP is sound here with weights that it downloads; whether it is, is measured.
    upstream.check_amp = lambda _: True
    PARTS[part](**options)


def finite(settings: dict[str, Any], teacher: str) -> None:
    """Train some steps under AMP with every loss, and look at each number that the loss and the weights become."""
    save(model_of(teacher), "teacher.pt")
    for name, arguments in ways().items():
        losses: list[float] = []
        model = YOLO("yolov8n.yaml")
        model.add_callback("on_train_batch_end", lambda trainer, kept=losses: kept.append(float(trainer.loss)))
        model.train(**{**settings, "model_t": "teacher.pt", "name": slug(name), **arguments})
        weights = all(bool(value.isfinite().all()) for value in model.trainer.ema.ema.state_dict().values())
        scaled = bool(model.trainer.amp)
        tell(loss=name, steps=len(losses), amp=scaled, finite=weights and all(map(math.isfinite, losses)))


def ways() -> dict[str, dict[str, Any]]:
    """Return the arguments of each loss that this release was given, by name."""
    found: dict[str, dict[str, Any]] = {"default": {}, "tutorial": {"distill_recipe": "tutorial"}}
    for name in FEATURE_LOSSES:
        if name != "none":
            found[name] = {"distill_feat_type": name, "logit_loss": False}
    for name in RESPONSE_LOSSES:
        found[f"{name} logits"] = {"distill_feat_type": "none", "logit_loss": True, "distill_logit_type": name}
    return {**found, "online": {"distillonline": True}}


def cost(settings: dict[str, Any], teacher: str, student: str, kinds: dict[str, dict[str, Any]]) -> None:
    """Measure the seconds of a step and the peak of memory: plain, then each kind, then the teacher's forward pass."""
    save(model_of(teacher), "teacher.pt")
    for kind, arguments in {"plain": {}, **kinds}.items():
        clock: list[float] = []
        model = YOLO(student)
        # From one to the other, so that loading images does not count.
        for event in ("on_train_batch_start", "on_train_batch_end"):
            model.add_callback(event, lambda trainer, kept=clock: kept.append(now(trainer.device)))
        reset(settings["device"])
        model.train(**{**settings, "name": slug(kind), **arguments})
        steps = [end - start for start, end in zip(clock[::2], clock[1::2], strict=True)]
        tell(teacher=teacher, student=student, kind=kind, seconds=median(steps[2:]), memory=peak(settings["device"]))
    seconds = forward(model_of(teacher), settings)
    tell(teacher=teacher, student=student, kind="teacher's forward pass", seconds=seconds, memory=None)


def layouts(settings: dict[str, Any], teacher: str, compiled: bool) -> None:
    """Measure the teacher's forward pass as it is, with channels last, and compiled."""
    tell(teacher=teacher, layout="as it is", seconds=forward(model_of(teacher), settings))
    last = model_of(teacher).to(memory_format=torch.channels_last)
    tell(teacher=teacher, layout="channels_last", seconds=forward(last, settings, torch.channels_last))
    if compiled:
        try:
            seconds = forward(torch.compile(model_of(teacher)), settings)
        except Exception as error:  # there may be no compiler, which is an answer too
            print(error, file=sys.stderr)
            seconds = None
        tell(teacher=teacher, layout="compiled", seconds=seconds)


def forward(model: Any, settings: dict[str, Any], layout: Any = torch.contiguous_format) -> float:
    """Return the median seconds of a forward pass in eval mode, as the teacher makes it in a step."""
    device = device_of(settings["device"])
    model = model.to(device).eval()
    shape = (settings["batch"], 3, settings["imgsz"], settings["imgsz"])
    images = torch.rand(shape, device=device).to(memory_format=layout)
    seconds = []
    with torch.no_grad(), torch.autocast(device.type, enabled=bool(settings["amp"])):
        for _ in range(3 + 10):
            start = now(device)
            model(images)
            seconds.append(now(device) - start)
    return median(seconds[3:])


def model_of(config: str) -> Any:
    """Return a teacher of random weights: what is measured does not depend on what it knows."""
    torch.manual_seed(1)
    return DetectionModel(config, nc=10, verbose=False)


def save(model: Any, path: str) -> None:
    """Save a model as a checkpoint that every release opens."""
    model.names = {i: str(i) for i in range(10)}
    torch.save({"model": model, "epoch": -1, "train_args": {"task": "detect"}}, path)


def slug(name: str) -> str:
    """Return a name as a folder is called."""
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def device_of(name: Any) -> torch.device:
    """Return the device that ultralytics means by a name, where "0" is the first GPU."""
    return torch.device("cpu" if name == "cpu" else f"cuda:{name}")


def now(device: torch.device) -> float:
    """Return the time once the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def reset(device: Any) -> None:
    """Begin to watch the peak of memory."""
    if device != "cpu":
        gc.collect()  # what trained before is a circle of references
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak(device: Any) -> int | None:
    """Return the peak of memory in bytes; None on a CPU."""
    return None if device == "cpu" else torch.cuda.max_memory_allocated()


def tell(**facts: Any) -> None:
    """Print what was measured."""
    print(MARK + json.dumps(facts), flush=True)


PARTS = {"finite": finite, "cost": cost, "layouts": layouts}

if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))

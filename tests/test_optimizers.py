"""What distillation trains joins the optimizer's groups as if it were a part of the student."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lessons import lesson

pytestmark = pytest.mark.training

# Groups as lists, as dicts by name with one for Muon, with names of their own, and (8.4.190) with rates by identity.
RELEASES = ("8.0.136", "8.4.0", "8.4.30", "8.4.190")

OPTIMIZERS = ("Adam", "Adamax", "AdamW", "NAdam", "RAdam", "RMSProp", "SGD", "auto", "MuSGD")

CODE = """
class Enough(Exception):
    pass

def stop(trainer):
    raise Enough

def train_until(event, **arguments):
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_start", lambda trainer: before.append(parameters(trainer)))
    model.add_callback(event, stop)
    before = []
    try:
        model.train(**{**SETTINGS, "name": "run", "warmup_epochs": 0, "nbs": 8, "fraction": 0.5, **arguments})
    except Enough:
        return model.trainer, before[0]

def roots(trainer):
    return {"student": trainer.model, "loss": trainer.distillloss, "teacher": trainer.model_t}

def parameters(trainer):
    return {
        f"{root}.{k}": v.detach().clone()
        for root, module in roots(trainer).items() if module is not None
        for k, v in module.named_parameters()
    }

def groups(trainer):
    names = {
        id(v): f"{root}.{k}"
        for root, module in roots(trainer).items() if module is not None
        for k, v in module.named_parameters()
    }
    return [
        {"options": {k: v for k, v in g.items() if k != "params"}, "names": [names[id(p)] for p in g["params"]]}
        for g in trainer.optimizer.param_groups
    ]

def observe(optimizer):
    options = dict(model_t=teacher, distill_feat_type="mgd")
    alone, _ = train_until("on_train_start", optimizer=optimizer)
    offline = alone
    if optimizer == OPTIMIZERS[-1]:  # of the other optimizers, an online teacher says it all
        offline, _ = train_until("on_train_start", optimizer=optimizer, **options)
    online, before = train_until("on_train_epoch_end", optimizer=optimizer, distillonline=True, **options)
    now = parameters(online)
    weights = {name for name, v in now.items() if v.ndim == 4 and ".dfl." not in name}  # the dfl is a constant
    report(**{optimizer: {
        "alone": groups(alone),
        "offline": groups(offline),
        "online": groups(online),
        "shapes": {name: v.ndim for name, v in now.items()},
        "unmoved": sorted(name for name in weights if torch.equal(now[name], before[name])),
    }})

def rates(optimizer, **options):
    "Return the rate and the momentum of each group at each batch of the warm-up."
    seen = []

    def look(trainer):
        seen.append([[g["lr"], g.get("momentum", 0)] for g in trainer.optimizer.param_groups])

    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_batch_end", look)
    model.train(**{**SETTINGS, "name": "run", "optimizer": optimizer, "epochs": 2, "val": False, **options})
    return seen

teacher = save_teacher()
for optimizer in OPTIMIZERS:
    observe(optimizer)
last = OPTIMIZERS[-1]
report(warmup=[rates(last), rates(last, model_t=teacher, distillonline=True)])
"""


@pytest.mark.parametrize("release", RELEASES)
def test_the_groups_are_upstreams_and_what_is_trained_joins_them(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    known = OPTIMIZERS if release.startswith("8.4") else OPTIMIZERS[:-1]
    facts = lesson(patched(release), tmp_path, digits, f"OPTIMIZERS = {known!r}\n{CODE}", limit=900).facts
    for optimizer in known:
        found = facts[optimizer]
        check_groups(found["alone"], found["online"], {"loss", "teacher"}, found["shapes"])
        assert found["unmoved"] == []
    last = facts[known[-1]]
    check_groups(last["alone"], last["offline"], {"loss"}, last["shapes"])
    alone, online = facts["warmup"]
    assert alone == online
    assert len({tuple(map(tuple, groups)) for groups in alone}) > 2


def check_groups(
    alone: list[dict[str, Any]], mine: list[dict[str, Any]], joined: set[str], shapes: dict[str, int]
) -> None:
    """Compare the groups with those of a run without a teacher, and see where the parameters that join them are."""
    assert [group["options"] for group in mine] == [group["options"] for group in alone]
    names = [[name for name in group["names"] if name.startswith("student.")] for group in mine]
    assert names == [group["names"] for group in alone]

    placed = [name for group in mine for name in group["names"]]
    assert sorted(placed) == sorted(name for name in shapes if name.split(".")[0] in {"student", *joined})

    # Each sort is where the student's of that sort is; weights decay, biases and normalization layers do not.
    for group, students in zip(mine, names, strict=True):
        present = {kind(name, shapes[name]) for name in group["names"]}
        assert present == {kind(name, shapes[name]) for name in students}
        assert len(present) <= 1
        if present:
            assert (group["options"]["weight_decay"] > 0) == (present == {"weight"})


def kind(name: str, dimensions: int) -> str:
    """Return of what sort a parameter is."""
    if name.endswith("bias"):
        return "bias"
    return "weight" if dimensions > 1 else "norm"

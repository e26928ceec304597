"""What upstream handles on the way through a training, it handles with a teacher as well."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from lessons import COLUMNS, Table, lesson, results
from training import Run

pytestmark = pytest.mark.training

Patched = Callable[[str], Path]


def check(run: Run, name: str, epochs: int) -> Table:
    """Check that a training has come to its end with figures that are numbers, and return them."""
    table = results(run, name)
    assert table.column("epoch")[-1] % epochs in (0, epochs - 1)  # old releases count from 0
    assert len(table.rows) == epochs
    assert all(math.isfinite(figure) for row in table.rows for figure in row)
    assert min(table.column(COLUMNS[0])) > 0
    return table


# Out of memory --------------------------------------------------------------------------------------------------------

# The first pass through a module runs out of memory, once. 8.4.30 builds the optimizer anew, later releases keep it.
OUT_OF_MEMORY = """
teacher = save_teacher()

def exhaust(module):
    def fail(module, inputs):
        handle.remove()
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")
    handle = module.register_forward_pre_hook(fail)

def in_optimizer(trainer, module):
    counted = [id(p) for group in trainer.optimizer.param_groups for p in group["params"]]
    return sorted({counted.count(id(p)) for p in module.parameters()})

for online in (False, True):
    for place in ("model", "model_t", "distillloss"):
        name = f"{place} {'online' if online else 'offline'}"
        model = YOLO("yolov8n.yaml")
        model.add_callback("on_train_start", lambda trainer: exhaust(getattr(trainer, place)))
        options = {"model_t": teacher, "distillonline": online, "distill_recipe": "tutorial", "logit_loss": True}
        model.train(**{**SETTINGS, "name": name, **options})
        trainer = model.trainer
        modules = [*trainer.model.modules(), *trainer.model_t.modules()]
        report(**{name: {
            "batch": trainer.batch_size,
            "steps": len(trainer.train_loader),
            "hooks": sum(len(m._forward_hooks) for m in modules),
            "counts": [in_optimizer(trainer, m) for m in (trainer.model, trainer.distillloss, trainer.model_t)],
        }})
"""


@pytest.mark.parametrize("release", ["8.4.30", "8.4.190"])
def test_out_of_memory_the_batch_is_halved(release: str, patched: Patched, digits: Path, tmp_path: Path) -> None:
    run = lesson(patched(release), tmp_path, digits, OUT_OF_MEMORY, limit=900, fraction=0.5)
    for mode, in_optimizer in (("offline", [0]), ("online", [1])):
        for place in ("model", "model_t", "distillloss"):
            name = f"{place} {mode}"
            assert run.facts[name] == {"batch": 4, "steps": 2, "hooks": 0, "counts": [[1], [1], in_optimizer]}
            check(run, name, epochs=1)


# NaN ------------------------------------------------------------------------------------------------------------------

# In the second of three epochs a model is poisoned, once. The epoch is trained again from the last good state.
POISON = """
teacher = save_teacher()

def state(trainer):
    modules = [trainer.distillloss] + [trainer.model_t] * trainer.distillonline
    return {f"{i} {key}": v.clone() for i, m in enumerate(modules) for key, v in m.state_dict().items()}

def run(name, place, value, **options):
    steps = []

    def start(trainer):
        steps.append(trainer.epoch)
        if steps == [0, 0, 1, 1]:
            for tensor in value(getattr(trainer, place)):
                tensor.data.fill_(float("nan"))
            trainer.best_fitness = 1.0  # releases up to 8.4.80 recover if the fitness has collapsed as well
        if len(steps) == 5:
            report(**{name + " restored": all(torch.equal(v, good[0][k]) for k, v in state(trainer).items())})

    good = []
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_batch_start", start)
    model.add_callback("on_model_save", lambda trainer: good.append(state(trainer)))
    model.train(**{**SETTINGS, "name": name, "epochs": 3, "model_t": teacher, "distill_recipe": "tutorial", **options})
    report(**{name: steps})
    report(**{name + " finite": all(v.isfinite().all().item() for v in state(model.trainer).values())})

run("feature loss", "distillloss", lambda m: m.parameters())
run("student", "model", lambda m: m.parameters())
run("online", "model_t", lambda m: m.parameters(), distillonline=True)
"""


@pytest.mark.parametrize("release", ["8.4.60", "8.4.190"])
def test_after_nan_the_epoch_is_trained_again_from_the_last_good_state(
    release: str, patched: Patched, digits: Path, tmp_path: Path
) -> None:
    run = lesson(patched(release), tmp_path, digits, POISON, limit=900)
    for name in ("feature loss", "student", "online"):
        assert run.facts[name] == [0, 0, 1, 1, 1, 1, 2, 2], name
        assert run.facts[f"{name} restored"], name
        assert run.facts[f"{name} finite"], name
        check(run, name, epochs=3)


# The rest -------------------------------------------------------------------------------------------------------------

ORDINARY = """
from ultralytics.utils import DEFAULT_CFG_DICT

teacher = save_teacher()
DISTILL = {"model_t": teacher, "logit_loss": True, "distillonline": True, "distill_recipe": "tutorial"}

# Early stopping, after an epoch that cannot be outdone.
def outdo(trainer):
    trainer.stopper.best_fitness = 2.0

model = YOLO("yolov8n.yaml")
model.add_callback("on_train_start", outdo)
model.train(**{**SETTINGS, **DISTILL, "name": "patience", "epochs": 9, "patience": 2})

# A limit of time that is over within the first epoch, which takes longer than 0.1 s.
train("time", **DISTILL, epochs=50, time=0.1 / 3600)

train("mosaic", **DISTILL, epochs=2, close_mosaic=1)

# Frozen layers stay as they are.
def backbone(model):
    return {k: v.clone() for k, v in model.named_parameters() if int(k.split(".")[1]) < 5}

model = YOLO("yolov8n.yaml")
model.add_callback("on_train_start", lambda trainer: before.update(backbone(trainer.model)))
before = {}
model.train(**{**SETTINGS, **DISTILL, "name": "freeze", "freeze": 5})
after = backbone(model.trainer.model)
report(frozen=len(before), same=all(torch.equal(v, after[k]) for k, v in before.items()))

# Images of other sizes in each batch.
sizes = set()

def measure(module, inputs):
    sizes.add(inputs[0].shape[-1])

model = YOLO("yolov8n.yaml")
model.add_callback("on_train_start", lambda trainer: trainer.model_t.model[0].register_forward_pre_hook(measure))
multi_scale = 0.5 if isinstance(DEFAULT_CFG_DICT["multi_scale"], float) else True
model.train(**{**SETTINGS, **DISTILL, "name": "multi_scale", "multi_scale": multi_scale, "imgsz": 128, "batch": 2})
report(sizes=len(sizes))

# Gradient accumulation: four batches a step. The teacher and the feature loss move with the student, and no more often.
moves = {"model": [], "model_t": [], "distillloss": []}
last = {}

def look(trainer):
    for name, seen in moves.items():
        now = torch.cat([p.detach().flatten() for p in getattr(trainer, name).parameters()])
        if name in last:
            seen.append(not torch.equal(now, last[name]))
        last[name] = now

model = YOLO("yolov8n.yaml")
model.add_callback("on_train_batch_start", look)
model.add_callback("on_train_epoch_end", look)
model.train(**{**SETTINGS, **DISTILL, "name": "nbs", "batch": 4, "nbs": 16, "warmup_epochs": 0})
report(moves=moves)
"""


@pytest.mark.parametrize("release", ["8.1.24", "8.3.200", "8.4.190"])
def test_training_goes_its_ordinary_ways(release: str, patched: Patched, digits: Path, tmp_path: Path) -> None:
    run = lesson(patched(release), tmp_path, digits, ORDINARY, limit=900)

    check(run, "patience", epochs=2)
    check(run, "mosaic", epochs=2)
    check(run, "freeze", epochs=1)
    assert run.facts["frozen"] > 0
    assert run.facts["same"]
    check(run, "time", epochs=1)
    check(run, "multi_scale", epochs=1)
    assert run.facts["sizes"] > 1
    check(run, "nbs", epochs=1)
    assert run.facts["moves"] == {name: [False] * 3 + [True] for name in ("model", "model_t", "distillloss")}

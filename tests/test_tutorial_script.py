"""The ways to start a distillation: the tutorial's own script as it stands, a path, and the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")

import yaml
from lessons import COLUMNS, lesson, results, yolo
from training import QUICK

pytestmark = pytest.mark.training

RELEASES = ("8.0.136", "8.2.50", "8.3.100", "8.4.190")

# The tutorial's script with paths and sizes that fit here. Everything about the caller's teacher is looked at.
CODE = """
import warnings
import numpy as np

save_teacher("teacher.pt")
warnings.filterwarnings("ignore")

def everything(model):
    return {
        "weights": {k: v.clone() for k, v in model.state_dict().items()},
        "learning": {k: v.requires_grad for k, v in model.named_parameters()},
        "modes": [m.training for m in model.modules()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        "attributes": {k: str(v) for k, v in vars(model).items()},
        "head": model.model[-1].set_Distillation,
    }

def same(before, after):
    weights = zip(before.pop("weights").items(), after.pop("weights").items())
    return before == after and all(k == l and torch.equal(v, w) for (k, v), (l, w) in weights)

def tutorial(name, **options):
    model_t = YOLO(r"teacher.pt")
    model_t.model.model[-1].set_Distillation = True
    before = everything(model_t.model)
    model_s = YOLO(r"yolov8n.yaml")
    model_s.train(data=SETTINGS["data"],
                  cache=False,
                  imgsz=64,
                  epochs=1,
                  single_cls=False,
                  batch=8,
                  close_mosaic=10,
                  workers=0,
                  device="cpu",
                  optimizer="SGD",
                  amp=True,
                  project=SETTINGS["project"],
                  name=name,
                  model_t=model_t.model,
                  **options)
    report(**{name: same(before, everything(model_t.model))})

tutorial("offline")
tutorial("online", distillonline=True, logit_loss=True)

train("object", model_t=YOLO("teacher.pt"))
changed = YOLO("teacher.pt")
changed.model.model[0].conv.weight.data.mul_(2)
train("changed", model_t=changed)
report(kept=torch.equal(YOLO("changed_teacher.pt").model.model[0].conv.weight, changed.model.model[0].conv.weight))
train("array", model_t="teacher.pt", distill_feat_type="cwd", distill_layers=np.array([[2, 4], [4, 2]]))
train("numbers", model_t="teacher.pt", distill_feat_type="cwd", distill_layers=[np.int64(15), 2])
train("half", model_t=YOLO("teacher.pt").model.half(), distill_feat_type="cwd")
"""


@pytest.mark.parametrize("release", RELEASES)
def test_the_tutorials_script_runs_unchanged_and_leaves_its_teacher_alone(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    run = lesson(patched(release), tmp_path, digits, CODE)
    assert run.facts == {"offline": True, "online": True, "kept": True}
    assert f"model_t: {tmp_path}/changed_teacher.pt" in (tmp_path / "changed/args.yaml").read_text(encoding="utf-8")
    assert min(results(run, "half").column(column)[0] for column in (COLUMNS[0], COLUMNS[2])) > 0
    for name, layers in (("array", [[2, 4], [4, 2]]), ("numbers", [15, 2])):
        assert yaml.safe_load((tmp_path / name / "args.yaml").read_text(encoding="utf-8"))["distill_layers"] == layers
        assert results(run, name).column(COLUMNS[0])[0] > 0
    for name in ("offline", "online", "object"):
        _, teacher, logit = (results(run, name).column(column)[0] for column in COLUMNS)
        assert logit > 0
        assert (teacher > 0) == (name == "online")
        settings = (tmp_path / name / "args.yaml").read_text(encoding="utf-8").splitlines()
        assert f"model_t: {tmp_path}/teacher.pt" in settings


@pytest.mark.parametrize("release", ["8.0.136", "8.3.200", "8.4.190"])
def test_the_command_line_takes_the_arguments_of_distillation(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    tree = patched(release)
    lesson(tree, tmp_path, digits, "save_teacher()")
    common = [f"{key}={value}" for key, value in {**QUICK, "data": digits, "project": tmp_path}.items()]
    # The recipe has no logit loss by itself.
    options = ["model_t=teacher.pt", "distill_recipe=tutorial", "logit_loss", "distill_layers=[2,4]"]
    run = yolo(tree, tmp_path, "model=yolov8n.yaml", *options, *common)

    assert (
        "teaches offline by cwd feature loss (weight 1) on layers [2, 4], channels [32, 64] -> [64, 128] and mse "
        "response loss (weight 1); recipe tutorial, schedule epoch" in run.log
    )
    feature, teacher, logit = (results(run, "run").column(column)[0] for column in COLUMNS)
    assert feature > 0 and logit > 0
    assert teacher == 0


@pytest.mark.parametrize("release", ["8.0.136", "8.4.190"])
def test_a_value_that_is_missing_on_the_command_line_is_told(
    release: str, patched: Callable[[str], Path], tmp_path: Path
) -> None:
    run = yolo(patched(release), tmp_path, "model=yolov8n.yaml", "--distillonline,", "model_t", fails=True)
    assert "SyntaxError: 'model_t': expected a value, model_t=..." in run.log
    run = yolo(patched(release), tmp_path, "model=yolov8n.yaml", "distill_schedule=none", fails=True)
    assert "SyntaxError: distill_schedule='none': expected one of constant, cosine, epoch, late" in run.log

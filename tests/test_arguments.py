"""The arguments of distillation: known wherever upstream makes the arguments of a run, and in a training only."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lessons import lesson, results

pytestmark = pytest.mark.training

# Upstream's tuner trains by the command line, in processes of its own.
TUNED = """
import os, sys
from pathlib import Path

script = Path("bin/yolo")
script.parent.mkdir()
script.write_text(f"#!{sys.executable}\\nfrom ultralytics.cfg import entrypoint\\nentrypoint()\\n")
script.chmod(0o755)
os.environ["PATH"] = f"{script.parent.resolve()}{os.pathsep}{os.environ['PATH']}"

space = {"distill_feat_weight": (0.1, 2.0), "lr0": (0.001, 0.1)}
quick = {**SETTINGS, "val": False, "name": "tuned"}
YOLO("yolov8n.yaml").tune(space=space, iterations=2, model_t=save_teacher(), distill_feat_type="cwd", **quick)
from ultralytics.cfg import DISTILL_ARGS, get_cfg

report(vars=[k for k in vars(get_cfg()) if k in DISTILL_ARGS], weight=get_cfg().distill_logit_weight)
"""


@pytest.mark.parametrize("release", ["8.2.50", "8.4.190"])
def test_an_argument_that_is_not_given_can_be_tuned(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    run = lesson(patched(release), tmp_path, digits, TUNED)
    assert run.facts == {"vars": [], "weight": 1.0}
    weights = [float(weight) for weight in re.findall(r"'distill_feat_weight': ([\d.]+)", run.log)]
    assert len(weights) > 1 and weights[0] == 0.3, "the recipe's comes first"
    assert run.log.count(" teaches offline by ") == 2
    assert "training failure" not in run.log


OUTSIDE = """
def attempted(name, call):
    try:
        call()
    except Exception as error:
        report(**{name: f"{type(error).__name__}: {error}"})

import numpy as np

model = YOLO(save_teacher("student.pt", "yolov8n.yaml"))
image = np.zeros((64, 64, 3), np.uint8)
attempted("val", lambda: model.val(data=SETTINGS["data"], model_t="student.pt"))
attempted("predict", lambda: model.predict(image, distill_layers=[2, 4]))
attempted("export", lambda: model.export(logit_loss=True))
model.predict(image, imgsz=64, verbose=False)
train("taught", model_t=save_teacher())
"""


@pytest.mark.parametrize("release", ["8.0.136", "8.2.50", "8.4.190"])
def test_arguments_of_distillation_outside_of_a_training_are_refused(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    facts = lesson(patched(release), tmp_path, digits, OUTSIDE).facts
    given = {"val": "model_t", "predict": "distill_layers", "export": "logit_loss"}
    assert facts == {
        mode: f"ValueError: {key}: expected in a training only, not in mode={mode}; leave out what is given"
        for mode, key in given.items()
    }


# A teacher is named, or was saved, in every way that upstream takes a model.
# (8.0.136 opens nothing of torch.save(model).)
TEACHERS = """
import shutil
from ultralytics.utils.distill_setup import read_model

save_teacher()
whole = YOLO("teacher.pt").model
torch.save(whole, "whole.pt")
shutil.copy("teacher.pt", "yolov8s.pt")
for name in ("whole.pt", "yolov8s"):
    trainer = train("run", model_t=name)
    same = read_model(trainer.args.model_t).state_dict()
    report(**{name: all(torch.equal(v, same[k]) for k, v in whole.float().state_dict().items())})
"""


@pytest.mark.parametrize("release", ["8.2.50", "8.4.190"])
def test_a_teacher_that_is_named_or_saved_in_another_way(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    assert lesson(patched(release), tmp_path, digits, TEACHERS).facts == {"whole.pt": True, "yolov8s": True}


@pytest.mark.parametrize("release", ["8.2.50", "8.3.200"])
def test_a_yolov10_teacher_of_a_later_release_learns_online(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    later = lesson(patched("8.4.190"), tmp_path / "later", digits, "save_teacher('later.pt', 'yolov10s.yaml')")
    code = f"train('run', model_t={str(later.folder / 'later.pt')!r}, distillonline=True)"
    run = lesson(patched(release), tmp_path / "run", digits, code)
    assert results(run, "run").column("train/dlineLoss")[0] > 0


MIXED = """
import shutil
from pathlib import Path
from matplotlib.figure import Figure
from ultralytics.utils.plotting import plot_results

train("alone", epochs=2)
train("taught", epochs=2, model_t=save_teacher(), distill_feat_type="cwd")
Path("both").mkdir()
shutil.copy("alone/results.csv", "both/results.csv")
shutil.copy("taught/results.csv", "both/results2.csv")
drawn = {}

def look(figure, *args, **kwargs):
    for axes in figure.axes:
        lines = [line for line in axes.lines if line.get_marker() == "."]
        drawn[axes.get_title()] = {line.get_label(): list(map(float, line.get_ydata())) for line in lines}

Figure.savefig = look
plot_results("both/results.csv")
report(drawn=drawn)
"""


@pytest.mark.parametrize("release", ["8.2.50", "8.3.197", "8.4.190"])
def test_the_curves_of_several_runs_in_one_folder_are_their_own(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    run = lesson(patched(release), tmp_path, digits, MIXED)
    tables = {"results": results(run, "alone"), "results2": results(run, "taught")}
    assert "Plotting error" not in run.log
    assert {"train/box_loss", "val/box_loss", "train/dfeaLoss"} <= set(run.facts["drawn"])
    for title, lines in run.facts["drawn"].items():
        assert set(lines) == {name for name, table in tables.items() if title in table.columns}
        for name, values in lines.items():
            assert values == pytest.approx(tables[name].column(title)), title

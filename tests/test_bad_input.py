"""What makes no sense is refused before the first batch, by one error that names the argument and says what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from lessons import COLUMNS, lesson, results, yolo
from releases import version_key

pytestmark = pytest.mark.training

# 8.0.136 checks its arguments in a function of another name; 8.4.80 has `distill_model`.
RELEASES = ("8.0.136", "8.2.50", "8.4.190")


class Case(NamedTuple):
    """Arguments of a training, as they are written, and the error that they meet."""

    arguments: str
    error: str
    message: str
    since: str = "8.0.136"


FEATURES = "a feature loss, distill_feat_type=cwd for example"

CASES = {
    # The teacher.
    "missing": Case(
        "model_t='none.pt'", "FileNotFoundError", r"model_t=none\.pt: there is no such file; .+ model_t=None to .+"
    ),
    "a folder": Case("model_t='.'", "FileNotFoundError", r"model_t=\.: there is no such file; .+"),
    "a text": Case("model_t='text.pt'", "ValueError", r"model_t=\S*text\.pt does not hold a YOLO model: .+"),
    "a pickle": Case("model_t='pickle.pt'", "ValueError", r"model_t=\S*pickle\.pt does not hold a YOLO model: .+"),
    "a layer": Case("model_t='linear.pt'", "ValueError", r"model_t=\S*linear\.pt does not hold a YOLO model: .+"),
    "a number": Case("model_t=3", "TypeError", r"model_t: expected a YOLO object, its \.model, or a path, not int"),
    "any module": Case("model_t=torch.nn.Linear(1, 1)", "TypeError", r"model_t: expected .+, not Linear"),
    "a description": Case(
        "model_t='yolov8s.yaml'", "ValueError", r"model_t=yolov8s\.yaml: expected trained weights, .+"
    ),
    "the text of a model": Case(
        "model_t=str(YOLO('yolov8n.yaml').model)",
        "ValueError",
        r"model_t: expected a path, not the text of a model; give the path where other processes train, .+",
    ),
    "other channels": Case(
        "model_t='grey.pt'", "ValueError", r"model_t: expected the student's number of image channels, 3, not 1"
    ),
    # Tasks.
    "other task": Case(
        "model_t='segment.pt'", "ValueError", r"model_t: expected the student's task, detect, not segment"
    ),
    "classifying teacher": Case("model_t='classify.pt'", "ValueError", r"model_t: .+ head Classify .+"),
    "classifying student": Case(
        "student='yolov8n-cls.yaml', model_t=teacher",
        "ValueError",
        r"model_t: distillation is for the tasks detect, segment, pose, obb, not for classify",
    ),
    "semantic student": Case(
        "student='yolo26n-sem.yaml', model_t=teacher",
        "ValueError",
        r"model_t: distillation is for the tasks detect, segment, pose, obb, not for semantic",
        since="8.4.190",
    ),
    "RT-DETR as student": Case(
        "student='rtdetr-l.yaml', kind=RTDETR, model_t=teacher",
        "ValueError",
        r"model: a model with the head RTDETRDecoder cannot be distilled",
        since="8.2.50",
    ),
    "RT-DETR as teacher": Case(
        "model_t='rtdetr.pt'", "ValueError", r"model_t: a model with the head RTDETRDecoder cannot .+"
    ),
    "prompted teacher": Case(
        "model_t=save_teacher('world.pt', 'yolov8s-worldv2.yaml')",
        "ValueError",
        r"model_t: a model with the head WorldDetect cannot be distilled",
        since="8.2.50",
    ),
    # The classes.
    "other classes": Case(
        "model_t='classes.pt', distill_logit_type='mse'",
        "ValueError",
        r"logit_loss: expected a teacher with the student's 10 classes, not 5; train with a teacher that has them, "
        r"or with distill_logit_type=soft",
    ),
    "other bins": Case(
        "model_t=save_teacher('other_bins.pt', 'yolo26s.yaml'), distill_logit_type='mse'",
        "ValueError",
        r"logit_loss: expected a teacher with the student's 16 box distribution bins, not 1; train with .+ or with "
        r"distill_logit_type=soft",
        since="8.4.190",
    ),
    "other strides": Case(
        "student='yolov8n-p2.yaml', model_t=save_teacher('p6.pt', 'yolov8s-p6.yaml'), logit_loss=True",
        "ValueError",
        r"logit_loss: expected a teacher with the student's \[4, 8, 16, 32\] strides, not \[8, 16, 32, 64\]; "
        r"train with .+ or with logit_loss=False and a feature loss, .+",
    ),
    "fused": Case(
        "model_t=fused, distillonline=True",
        "ValueError",
        r"distillonline: expected a teacher that can learn, not one that was fused to predict with; give the path .+",
    ),
    "too few classes to learn": Case(
        "model_t='classes.pt', distillonline=True",
        "ValueError",
        r"distillonline: expected a teacher of at least 10 classes, as in the data, not 5",
    ),
    # The options.
    "feature loss": Case(
        "model_t=teacher, distill_feat_type='cdw'",
        "ValueError",
        r"distill_feat_type='cdw': expected one of cwd, frs, mgd, mimic, none, pkd, relation",
    ),
    "no loss at all": Case(
        "model_t=teacher, logit_loss=False, distill_feat_type='none'",
        "ValueError",
        r"logit_loss=False and no feature loss: nothing is taught; expected one of them",
    ),
    "recipe": Case(
        "model_t=teacher, distill_recipe='tutorials'",
        "ValueError",
        r"distill_recipe='tutorials': expected one of default, tutorial",
    ),
    "schedule": Case(
        "model_t=teacher, distill_schedule='linear'",
        "ValueError",
        r"distill_schedule='linear': expected one of constant, cosine, epoch, late",
    ),
    "images that do not exist": Case(
        "model_t=teacher, distill_images='nowhere'",
        "FileNotFoundError",
        r"distill_images=nowhere: expected a folder, an image or a list of images",
    ),
    "images that are none": Case(
        "model_t=teacher, distill_images='teacher.pt'",
        "ValueError",
        r"distill_images='teacher.pt': expected images, in a folder or a list, with names that end in .bmp, .jpeg, .+",
    ),
    "share of images": Case(
        "model_t=teacher, distill_images='.', distill_images_ratio=0",
        "ValueError",
        r"distill_images_ratio=0: expected a number above 0",
    ),
    "average that learns": Case(
        "model_t='ema', distillonline=True",
        "ValueError",
        r"distillonline: expected a teacher that learns, not the student's average, model_t=ema",
    ),
    "a weight that no float holds": Case(
        "model_t=teacher, distill_logit_weight=10**400", "ValueError", r"distill_logit_weight=10+: expected a number .+"
    ),
    "end": Case("model_t=teacher, distill_close=-1", "ValueError", r"distill_close=-1: expected a number of epochs"),
    "an end before the beginning": Case(
        "model_t=teacher, epochs=3, distill_close=3",
        "ValueError",
        r"distill_close=3: expected less than epochs=3, or .+",
    ),
    "an end that nobody knows": Case(
        "model_t=teacher, time=1, distill_close=3",
        "ValueError",
        r"distill_close: expected epochs=\.\.\., with .+",
        since="8.1.0",
    ),
    "no images": Case(
        "model_t=teacher, distill_images=[]",
        "ValueError",
        r"distill_images=\[\]: expected images, in a folder or a list.*",
    ),
    **{
        f"{argument} without its loss": Case(
            f"model_t=teacher, {argument}={value}, {others}",
            "ValueError",
            rf"{argument}: without effect, it needs {needed}",
        )
        for argument, value, others, needed in (
            ("distill_layers", "[2]", "distill_feat_type=None", FEATURES),
            ("distill_feat_weight", "1.0", "distill_feat_type='none'", FEATURES),
            ("distill_logit_type", "'soft'", "distill_recipe='tutorial'", "logit_loss=True"),
            ("distill_logit_weight", "1.0", "distill_recipe='tutorial'", "logit_loss=True"),
            ("distill_online_weight", "1.0", "logit_loss=True", "distillonline=True"),
            ("distill_images_ratio", "2.0", "logit_loss=True", "images, distill_images=..."),
        )
    },
    "online": Case(
        "model_t=teacher, distillonline='yes'", "ValueError", r"distillonline='yes': expected True or False"
    ),
    "logit": Case("model_t=teacher, logit_loss=2", "ValueError", r"logit_loss=2: expected True or False"),
    **{
        f"weight {value}": Case(
            f"model_t=teacher, distill_{kind}_weight={value}",
            "ValueError",
            rf"distill_{kind}_weight={re.escape(shown)}: expected a number that is not negative",
        )
        for kind, value, shown in (
            ("feat", "-1", "-1"),
            ("online", "True", "True"),
            ("logit", "'1'", "'1'"),
            ("feat", "float('nan')", "nan"),
        )
    },
    "other distillation": Case(
        "model_t=teacher, distill_model='teacher.pt'",
        "ValueError",
        r"model_t and distill_model are two ways to distill, expected one of them",
        since="8.4.190",
    ),
    # Misspelt arguments.
    "misspelt teacher": Case(
        "model_tt=teacher",
        "SyntaxError",
        r".*model_tt.* is not a valid YOLO argument\. Similar arguments are i\.e\. \[.*'model_t'.*",
    ),
    "misspelt option": Case(
        "model_t=teacher, distill_layer=[2]",
        "SyntaxError",
        r".*distill_layer.* is not a valid YOLO argument\. Similar arguments are i\.e\. \['distill_layers'.*",
    ),
    "misspelt argument of upstream": Case(
        "model_t=teacher, epoch=1",
        "SyntaxError",
        r".*epoch.* is not a valid YOLO argument\. Similar arguments are i\.e\. \['epochs=100'.*",
    ),
    # The layers.
    **{
        f"layers {value}": Case(
            f"model_t=teacher, distill_layers={value}",
            "ValueError",
            rf"distill_layers={re.escape(value)}: expected a list of layer numbers for both models, or a pair of .+",
        )
        for value in ("4", "[]", "'2,4'", "['2', '4']", "[2.0]", "[True]", "[[2, 4], [2]]", "[[], []]", "[[2], 4]")
    },
    "no such layer": Case(
        "model_t=teacher, distill_layers=[2, 99], distill_feat_type='cwd'",
        "ValueError",
        r"distill_layers: the student has no layer 99 before its head, expected 0 to 21",
    ),
    "no such layer of the teacher": Case(
        "model_t=teacher, distill_layers=[[2], [-1]], distill_feat_type='cwd'",
        "ValueError",
        r"distill_layers: the teacher has no layer -1 before its head, expected 0 to 21",
    ),
    "the head": Case(
        "model_t=teacher, distill_layers=[22], distill_feat_type='cwd'",
        "ValueError",
        r"distill_layers: the student has no layer 22 before its head, expected 0 to 21",
    ),
    "no feature map": Case(
        "model_t=save_teacher('columns.pt', 'columns.yaml'), distill_layers=[[2], [1]], distill_feat_type='cwd'",
        "ValueError",
        r"distill_layers: layer 1 of the teacher puts out no feature map",
        since="8.2.50",
    ),
}

# Layer 1 puts out several feature maps, as those of yolov9e do.
COLUMNS_YAML = """\
nc: 10
backbone:
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, CBLinear, [[16]]]
  - [0, 1, Conv, [16, 3, 2]]
head:
  - [[2], 1, Detect, [nc]]
"""

TEACHERS = f"""
import pickle
from pathlib import Path

teacher = save_teacher()
Path("text.pt").write_text("model: yolov8s")
Path("pickle.pt").write_bytes(pickle.dumps([1, 2]))
torch.save(torch.nn.Linear(1, 1), "linear.pt")
fused = YOLO(teacher)
fused.fuse()
save_teacher("segment.pt", "yolov8n-seg.yaml")
save_teacher("classify.pt", "yolov8n-cls.yaml")
save_teacher("classes.pt", classes=5)
save_teacher("rtdetr.pt", "rtdetr-l.yaml")
grey = type(YOLO("yolov8n.yaml").model)("yolov8n.yaml", ch=1, nc=10, verbose=False)
torch.save({{"model": grey, "epoch": -1, "train_args": {{"task": "detect"}}}}, "grey.pt")
Path("columns.yaml").write_text({COLUMNS_YAML!r})
"""


@pytest.mark.parametrize("release", RELEASES)
def test_what_makes_no_sense_is_refused_before_the_first_batch(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    cases = {name: case for name, case in CASES.items() if version_key(case.since) <= version_key(release)}
    attempts = (f"report(**{{{name!r}: attempt({case.arguments})}})" for name, case in cases.items())
    facts = lesson(patched(release), tmp_path, digits, "\n".join([TEACHERS, *attempts]), limit=900).facts
    assert {name: facts[name] for name, case in cases.items() if not is_refused(case, **facts[name])} == {}


def is_refused(case: Case, error: str | None, message: str, started: bool) -> bool:
    """Tell whether an attempt has met the error that it should, before the first batch."""
    return error == case.error and bool(re.fullmatch(case.message, message, re.DOTALL)) and not started


@pytest.mark.parametrize("release", ["8.0.136", "8.4.190"])
def test_a_misspelt_argument_on_the_command_line_is_refused_with_suggestions(
    release: str, patched: Callable[[str], Path], tmp_path: Path
) -> None:
    run = yolo(patched(release), tmp_path, "model=yolov8n.yaml", "distil_layers=[2,4]", fails=True)
    assert re.search(r"SyntaxError: .*distil_layers.* is not a valid YOLO argument\..+'distill_layers'", run.log)


@pytest.mark.parametrize("release", ["8.0.136", "8.4.190"])
def test_options_without_a_teacher_are_said_to_have_no_effect(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    run = lesson(patched(release), tmp_path, digits, "train('run', distillonline=True, distill_layers=[2])")
    assert "distill_layers, distillonline: without effect, no teacher is given (model_t=...)" in run.log
    assert not set(COLUMNS) & set(results(run, "run").columns)


@pytest.mark.parametrize("release", ["8.3.200", "8.4.190"])
def test_compilation_is_switched_off_with_a_warning(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    code = "train('run', model_t=save_teacher(), logit_loss=True, compile=True)"
    run = lesson(patched(release), tmp_path, digits, code)
    assert run.log.count("'compile' is not supported with a teacher (model_t) and will be disabled.") == 1
    assert "torch.compile" not in run.log
    assert min(results(run, "run").column("train/dlogitLoss")) > 0


@pytest.mark.parametrize("release", ["8.2.50", "8.4.190"])
def test_what_auto_batch_does_not_know_of_is_told(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    code = "train('taught', model_t=save_teacher(), batch=-1)\nprint('::alone::')\ntrain('alone', batch=-1)"
    taught, alone = lesson(patched(release), tmp_path, digits, code).log.split("::alone::")
    warning = "batch=-1: AutoBatch measures the student's steps alone."
    assert [taught.count(warning), alone.count(warning)] == [1, 0]

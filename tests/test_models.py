"""Any student learns from any teacher: every family, scale and task, whatever the layers' numbers and sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from lessons import lesson
from releases import NEWEST, version_key

pytestmark = pytest.mark.training

RELEASES = ("8.0.136", "8.2.50", "8.3.200", "8.4.60", "8.4.190")

YOLOV8_LAYERS = [2, 4, 6, 8, 12, 15, 18, 21]

# The two convolutions of each branch of a head.
ONE_TO_MANY, ONE_TO_ONE = {"cv2", "cv3"}, {"one2one_cv2", "one2one_cv3"}


class Pair(NamedTuple):
    """A student and a teacher, the layers that are compared, and the branches of the student's head that imitate."""

    student: str
    teacher: str
    layers: list[int] | tuple[list[int], list[int]]
    imitating: set[str] = ONE_TO_MANY
    since: str = "8.0.136"
    given: Any = None
    task: str = "detect"


PAIRS = (
    # Families, each with a teacher that is wider or deeper.
    Pair("yolov5n.yaml", "yolov5s.yaml", [17, 20, 23]),
    Pair("yolov6n.yaml", "yolov6s.yaml", [19, 23, 27]),
    Pair("yolov8n.yaml", "yolov8l.yaml", YOLOV8_LAYERS),
    Pair("yolov9t.yaml", "yolov9s.yaml", YOLOV8_LAYERS, since="8.2.50"),
    Pair("yolov10n.yaml", "yolov10s.yaml", [16, 19, 22], ONE_TO_MANY | ONE_TO_ONE, since="8.2.50"),
    Pair("yolo11n.yaml", "yolo11m.yaml", [16, 19, 22], since="8.3.200"),
    Pair("yolo12n.yaml", "yolo12s.yaml", [14, 17, 20], since="8.3.200"),
    Pair("yolo26n.yaml", "yolo26s.yaml", [16, 19, 22], ONE_TO_MANY | ONE_TO_ONE, since="8.4.60"),
    # Four levels.
    Pair("yolov8n-p6.yaml", "yolov8s-p6.yaml", [20, 23, 26, 29]),
    # Families that learn from others: the layers that feed the heads. YOLO26 has other bins, so no logit loss.
    Pair("yolov8n.yaml", "yolov5s.yaml", ([15, 18, 21], [17, 20, 23])),
    Pair("yolov8n.yaml", "yolov10s.yaml", ([15, 18, 21], [16, 19, 22]), since="8.2.50"),
    Pair("yolov10n.yaml", "yolov8s.yaml", ([16, 19, 22], [15, 18, 21]), since="8.2.50"),
    Pair("yolo11n.yaml", "yolo12s.yaml", ([16, 19, 22], [14, 17, 20]), since="8.3.200"),
    Pair("yolo26n.yaml", "yolo11s.yaml", [16, 19, 22], set(), since="8.4.60"),
    # Layers by choice: for both, by pairs, in any order, and of other sizes than the student's, larger and smaller.
    Pair("yolov8n.yaml", "yolov8s.yaml", [21, 15], given=[21, 15]),
    Pair("yolov8n.yaml", "yolov5s.yaml", ([4, 9], [4, 9]), given=[[4, 9], [4, 9]]),
    Pair("yolov8n.yaml", "yolov8s.yaml", ([4, 6], [2, 8]), given=[[4, 6], [2, 8]]),
    # Models of the user's own: too short for the tutorial's layers, and with a head that counts from where it is.
    Pair("short.yaml", "short.yaml", [2, 4]),
    Pair("short.yaml", "counted.yaml", [2, 4]),
    # Tasks.
    Pair("yolov8n-seg.yaml", "yolov8s-seg.yaml", YOLOV8_LAYERS, task="segment"),
    Pair("yolov8n-pose.yaml", "yolov8s-pose.yaml", YOLOV8_LAYERS, task="pose"),
    Pair("yolov8n-obb.yaml", "yolov8s-obb.yaml", YOLOV8_LAYERS, since="8.2.50", task="obb"),
    *(
        Pair(
            f"yolo26n-{name}.yaml",
            f"yolo26s-{name}.yaml",
            [16, 19, 22],
            ONE_TO_MANY | ONE_TO_ONE,
            "8.4.60",
            None,
            task,
        )
        for name, task in (("seg", "segment"), ("pose", "pose"), ("obb", "obb"))
    ),
)

SHORT_YAML = """\
nc: 10
backbone:
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Conv, [32, 3, 2]]
  - [-1, 1, Conv, [32, 3, 1]]
head:
  - [[2, 4], 1, Detect, [nc]]
"""

# One step of the losses of distillation alone: those of the task weigh nothing, and the gradient is left to look at.
CODE = """
from ultralytics.utils.AddLoss import get_fpn_features

class Enough(Exception):
    pass

def size(module):
    return sum(p.grad.abs().sum().item() for p in module.parameters() if p.grad is not None)

def upstreams_maps(model, x):
    maps = {}
    handles = [m.register_forward_hook(lambda m, _, output: maps.update({m.i: output})) for m in model.model[:-1]]
    model(x)
    for handle in handles:
        handle.remove()
    return maps

@torch.no_grad()
def look(trainer):
    student, teacher, x = trainer.model.model, trainer.model_t, torch.rand(2, 3, 64, 64)
    maps = upstreams_maps(teacher, x)
    ours = get_fpn_features(x, teacher, list(maps))
    report(**{key: {
        "losses": {k: float(v) for k, v in trainer.distill_items.items()},
        "gradients": [size(student[i]) for i in layers],
        "align": [size(m) for m in trainer.distillloss.align_module],
        "head": [k for k, m in student[-1].named_children() if size(m) > 0],
        "maps": [torch.equal(a, b) for a, b in zip(ours, maps.values())],
    }})
    raise Enough

def step(student, **options):
    model = YOLO(student)
    model.add_callback("on_train_batch_end", look)
    weightless = dict(box=0.0, cls=0.0, dfl=0.0, nbs=64, warmup_epochs=0, epochs=9, fraction=0.25, batch=4, imgsz=128)
    try:
        model.train(**{**SETTINGS, **weightless, **options})
    except Enough:
        pass
"""

ALL_PAIRS = f"""
from pathlib import Path

Path("short.yaml").write_text({SHORT_YAML!r})
Path("counted.yaml").write_text({SHORT_YAML.replace("[2, 4]", "[2, -1]")!r})
"""
ALL_PAIRS += """
for key, student, teacher, layers, given, logit, data, task in PAIRS:
    points = {"kpt_shape": [4, 3]} if task == "pose" else {}
    save_teacher("teacher.pt", teacher, **points)
    print(f"::{key}::")
    step(student, model_t="teacher.pt", logit_loss=logit, distill_layers=given, data=data,
         distill_recipe="tutorial")
"""

SWITCHED_OFF = """
key, layers = "off", [16, 19, 22]
teacher = YOLO(save_teacher("teacher.pt", "yolo26s.yaml")).model
teacher.model[-1].end2end = False
before = {k: str(v) for k, v in vars(teacher.model[-1]).items()}
step("yolo26n.yaml", model_t=teacher, logit_loss=True, distill_recipe="tutorial")
report(untouched=before == {k: str(v) for k, v in vars(teacher.model[-1]).items()})
"""


@pytest.mark.training(core=(NEWEST,))
@pytest.mark.parametrize("release", RELEASES)
def test_a_step_reaches_all_layers_and_branches(release: str, patched: Callable[[str], Path], tmp_path: Path) -> None:
    from digits import make_digits

    pairs = {str(i): p for i, p in enumerate(PAIRS) if version_key(p.since) <= version_key(release)}
    data = {t: str(make_digits(tmp_path / t, images=20, size=64, task=t)) for t in {p.task for p in pairs.values()}}
    rows = [
        (key, p.student, p.teacher, layers_of(p)[0], p.given, bool(p.imitating), data[p.task], p.task)
        for key, p in pairs.items()
    ]
    run = lesson(patched(release), tmp_path, tmp_path, f"PAIRS = {rows!r}\n{CODE}{ALL_PAIRS}", limit=900)
    for key, pair in pairs.items():
        check(pair, run.facts[key], run.log.split(f"::{key}::")[1])


def layers_of(pair: Pair) -> tuple[list[int], list[int]]:
    """Return the student's layers and the teacher's."""
    return pair.layers if isinstance(pair.layers, tuple) else (pair.layers, pair.layers)


def check(pair: Pair, found: dict[str, Any], log: str) -> None:
    """Check that each layer and each branch learns from its counterpart."""
    student, teacher = layers_of(pair)
    layers = (
        f"layers {student}" if student == teacher else f"layers {student} of the student and {teacher} of the teacher"
    )
    (line,) = re.findall(r"^Distillation: .* teaches .*", log.split("\n::")[0], re.MULTILINE)
    assert f"on {layers}, channels [" in line, pair

    losses = found["losses"]
    assert losses["dfeaLoss"] > 0, pair
    assert (losses["dlogitLoss"] > 0) == bool(pair.imitating), pair
    assert all(map(math.isfinite, losses.values())), pair

    assert min(found["gradients"]) > 0, pair
    assert len(found["align"]) == len(student)
    assert min(found["align"]) > 0, pair
    assert set(found["head"]) & (ONE_TO_MANY | ONE_TO_ONE) == pair.imitating, pair

    # Without the logit loss the teacher's pass is AddLoss's own, which ends before the head.
    assert len(found["maps"]) > max(teacher), pair
    assert all(found["maps"]), pair


@pytest.mark.parametrize(("release", "imitating"), [("8.4.60", ONE_TO_MANY), ("8.4.190", ONE_TO_MANY | ONE_TO_ONE)])
def test_a_branch_that_the_teacher_does_not_go_through_does_not_imitate(
    release: str, imitating: set[str], patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    facts = lesson(patched(release), tmp_path, digits, CODE + SWITCHED_OFF).facts
    assert facts["off"]["losses"]["dlogitLoss"] > 0
    assert set(facts["off"]["head"]) & (ONE_TO_MANY | ONE_TO_ONE) == imitating
    assert facts["untouched"]


OFFICIAL = """
from pathlib import Path
from ultralytics.utils import SETTINGS

weights = Path("weights").resolve()
weights.mkdir()
SETTINGS["weights_dir"] = str(weights)
save_teacher("weights/yolov8l.pt")
report(teacher=train("taught", model_t="yolov8l.pt").args.model_t, weights=str(weights))
"""


@pytest.mark.parametrize("release", ["8.0.150", "8.4.190"])
def test_an_official_teacher_is_where_every_process_finds_it(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    facts = lesson(patched(release), tmp_path, digits, OFFICIAL).facts
    assert facts["teacher"] == f"{facts['weights']}/yolov8l.pt"


CLASS_WEIGHTS = """
def weights(model):
    return None if model.class_weights is None else model.class_weights.flatten().tolist()


stale = torch.load(save_teacher(), weights_only=False)
stale["model"].class_weights = torch.full((10,), 7.0)
torch.save(stale, "stale.pt")
for name, power in (("weighted", 0.5), ("plain", 0.0)):
    trainer = train(name, model_t="stale.pt", distillonline=True, cls_pw=power)
    trained = None if name == "plain" else weights(trainer.model)
    report(**{name: [trained, weights(trainer.model_t.criterion)]})
"""


def test_an_online_teacher_learns_by_the_students_class_weights(
    patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    facts = lesson(patched("8.4.190"), tmp_path, digits, CLASS_WEIGHTS).facts
    student, teacher = facts["weighted"]
    assert student == teacher and len(set(student)) > 1
    assert facts["plain"] == [None, None]

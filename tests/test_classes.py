"""A teacher with other classes than the data: those that share a name are taught, whatever their numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lessons import lesson
from releases import NEWEST

pytestmark = pytest.mark.training(core=(NEWEST,))

# One teacher several times, with its classes in another order, with some more, and with other names. Of each the loss
# of the first step is looked at.
CODE = """
from ultralytics.nn.tasks import DetectionModel

class Enough(Exception):
    pass

def look(trainer):
    losses[name] = [float(trainer.logitloss), float(trainer.featureloss)]
    raise Enough

def step(teacher, **arguments):
    torch.manual_seed(0)
    print(f"::{name}::")
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_batch_end", look)
    try:
        model.train(**SETTINGS, model_t=teacher, distill_feat_type="cwd", **arguments)
    except Enough:
        pass

def changed(names, rows, count):
    # The teacher with as many classes: those in the order of the names are its own, in the order of the rows.
    torch.manual_seed(2)
    teacher = DetectionModel("yolov8s.yaml", nc=count, verbose=False)
    state, own = teacher.state_dict(), base.state_dict()
    for key, value in own.items():
        if "cv3" in key and key.split(".")[4] == "2":  # the last convolution of a level
            state[key][:] = 3.0  # it is sure of what the data does not have
            state[key][rows] = value
        else:
            state[key] = value
    teacher.load_state_dict(state)
    teacher.names = names
    return teacher

base = YOLO(save_teacher()).model
for bias in (layer[-1].bias for layer in base.model[-1].cv3):
    bias.data = 2 * torch.randn(10)  # an untrained model is equally sure of all classes
losses, order = {}, [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]
placed = [order.index(i) for i in range(10)]
name = "same"
step(base)
name = "permuted"
step(changed({i: f" {order[i]} " for i in range(10)}, placed, 10))
name = "superset"
more = {0: "person", 1: "car", 12: "tree", **{i + 2: str(n) for i, n in enumerate(order)}}
step(changed({i: more[i] for i in range(13)}, [i + 2 for i in placed], 13))
name = "unnamed"
step(changed({i: f"digit {i}" for i in range(10)}, list(range(10)), 10))
name = "chosen"
step(base, classes=[3, 1])
name = "single"
step(base, single_cls=True)
report(losses=losses)
"""


@pytest.mark.parametrize("release", ["8.0.136", "8.4.190"])
def test_the_classes_of_a_teacher_are_found_by_name(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    run = lesson(patched(release), tmp_path, digits, CODE, warmup_epochs=0)
    losses = run.facts["losses"]
    for name in ("permuted", "superset"):
        assert losses[name] == pytest.approx(losses["same"], rel=1e-4), name
    response, features = losses["unnamed"]
    assert 0 < response < 0.9 * losses["same"][0], "boxes teach, classes do not"
    assert features == pytest.approx(losses["same"][1], rel=1e-4)

    logs = dict(zip(losses, re.split(r"::\w+::$", run.log, flags=re.MULTILINE)[1:], strict=True))
    starts = {name: re.findall(r"^Distillation: .+ recipe .+", log, re.MULTILINE) for name, log in logs.items()}
    notes = {name: line.partition("; recipe ")[2].partition("; ")[2] for name, (line,) in starts.items()}
    assert notes == {
        "same": "",
        "permuted": "10 of 10 classes of the teacher share a name with the 10 that are trained: 0, 1, 2, 3, 4, ...",
        "superset": "10 of 13 classes of the teacher share a name with the 10 that are trained: 0, 1, 2, 3, 4, ...",
        "unnamed": "none of the 10 classes of the teacher shares a name with the data",
        "chosen": "2 of 10 classes of the teacher share a name with the 2 that are trained: 1, 3",
        "single": "none of the 10 classes of the teacher is the one that is trained",
    }
    assert [name for name, log in logs.items() if "expected one that was trained with single_cls" in log] == ["single"]


@pytest.mark.parametrize("release", ["8.2.50", "8.4.190"])
def test_classes_of_other_names_are_told(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    code = """
    teacher = YOLO(save_teacher(called="digit {}")).model
    number = dict(model_t=teacher, distill_logit_type="mse")
    print("::by number::")
    train("number", **number)
    print("::by number, learning::")
    train("learning", model_t=teacher, distillonline=True)
    print("::by name::")
    train("name", model_t=teacher)
    print("::features::")
    train("features", model_t=teacher, logit_loss=False, distill_feat_type="cwd")
    teacher.names = [str(i) for i in range(10)]
    print("::same::")
    train("same", **number)
    """
    _, *logs = re.split("::.+::", lesson(patched(release), tmp_path, digits, code).log)
    by_number = "logit_loss: class 0 is '0' in the data and 'digit 0' to the teacher."
    by_name = "logit_loss: no class of the data (0, 1, 2, 3, 4, ...) has the name of one of the teacher (digit 0, "
    assert [log.count(by_number) for log in logs] == [1, 1, 0, 0, 0]
    assert [log.count(by_name) for log in logs] == [0, 0, 1, 0, 0]
    assert "logit_loss: class" not in logs[-1]

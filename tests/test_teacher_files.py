"""The file of a teacher: what workers and resumed runs load is the teacher that was given, whatever becomes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lessons import COLUMNS, results, said

pytestmark = pytest.mark.training

RELEASES = ("8.0.150", "8.2.50", "8.3.200", "8.4.0", "8.4.190")

SCRIPT = """
import shutil
from pathlib import Path


def total(model):
    return float(sum(p.double().sum() for p in model.parameters()))


def weights(path):
    return total(YOLO(str(path)).model)


def named(name, **names):
    teacher = YOLO("teacher.pt")
    teacher.model.names = {**teacher.model.names, **{int(k[1:]): v for k, v in names.items()}}
    trainer = train(name, model_t=teacher)
    path = Path(trainer.args.model_t)
    report(**{name: [path.name, YOLO(str(path)).model.names[3]]})


def interrupt(trainer):
    raise KeyboardInterrupt


from ultralytics import __version__
report(adds=tuple(map(int, __version__.split("."))) < (8, 4))
save_teacher()
named("unchanged")
shutil.copy("teacher.pt", "teacher.pth")
report(other_suffix=[weights("teacher.pt"), total(train("suffix", model_t="teacher.pth").model_t)])
named("renamed", _3="three")
kept = YOLO("teacher.pt")
teacher_file = Path("teacher.pt").read_bytes()
Path("teacher.pt").write_bytes(b"another download, half done")
report(replaced=Path(train("replaced", model_t=kept).args.model_t).name)
Path("teacher.pt").write_bytes(teacher_file)

# Born again in the same folder, which upstream keeps on request and writes its checkpoints to.
train("same")
try:
    train("same", model_t="nowhere.pt")
except FileNotFoundError:
    report(untouched=Path("same/results.csv").is_file())
before = weights("same/weights/best.pt")
model = YOLO("yolov8n.yaml")
model.add_callback("on_fit_epoch_end", interrupt)
try:
    model.train(**{**SETTINGS, "name": "same", "epochs": 2}, model_t="same/weights/best.pt")
except KeyboardInterrupt:
    pass
taught_by = Path(model.trainer.args.model_t)
report(same=[taught_by.name, weights(taught_by) == before, weights("same/weights/best.pt") == before])
try:
    YOLO("same/weights/last.pt").train(resume=True, model_t="same/weights/best.pt")
except ValueError as error:
    report(refused=str(error))
YOLO("same/weights/last.pt").train(resume=True)
for options in ({}, {"model_t": "teacher.pt"}, {}):
    train("same", **options)
"""

FUSED = """
save_teacher("teacher.pt", "yolo26n.yaml")
fused = YOLO("teacher.pt")
fused.fuse()
for name, teacher in (("whole", "teacher.pt"), ("fused", fused)):
    print(f"TRAINING {name}")
    train(name, student="yolo26n.yaml", model_t=teacher)
"""


@pytest.fixture(scope="module", params=RELEASES)
def run(request: pytest.FixtureRequest, teach: Callable[..., Any]) -> Any:
    return teach(request.param, SCRIPT)


def test_a_teacher_whose_file_has_other_names_is_saved_with_its_own(run: Any) -> None:
    assert run.facts["unchanged"] == ["teacher.pt", "3"]
    assert run.facts["renamed"] == ["renamed_teacher.pt", "three"]


def test_a_checkpoint_is_read_whatever_its_name_ends_in(run: Any) -> None:
    expected, teacher = run.facts["other_suffix"]
    assert teacher == pytest.approx(expected, rel=1e-9)


def test_a_teacher_whose_file_was_replaced_is_saved(run: Any) -> None:
    assert run.facts["replaced"] == "replaced_teacher.pt"


def test_a_teacher_that_its_student_would_replace_is_copied(run: Any) -> None:
    assert run.facts["same"] == ["same_teacher.pt", True, False]
    assert run.log.count("same_teacher.pt teaches offline by ") == 2, "also once it is resumed"


def test_results_with_other_columns_are_set_aside(run: Any) -> None:
    """Up to 8.3; later releases remove the results of an earlier run. Of the five, the second and fourth are taught."""
    assert run.facts["untouched"], "by a run that was refused"
    assert COLUMNS[0] not in results(run, "same").columns
    names = [f"earlier_results{n}.csv" for n in ("", 2, 3, 4)] if run.facts["adds"] else []
    assert re.findall(r"results.csv is of a run \w+ a teacher, it is now (\S+)", run.log) == names
    taught = []
    for name in names:
        header = (run.folder / "same" / name).read_text(encoding="utf-8").partition("\n")[0]
        taught.append(COLUMNS[0] in header)
    assert taught == [False, True, False, True][: len(names)]


def test_a_student_that_is_resumed_is_not_its_own_teacher(run: Any) -> None:
    path = run.folder / "same/weights/best.pt"
    assert run.facts["refused"] == f"model_t={Path(path)}: expected the teacher, this is the student that is resumed"


@pytest.mark.parametrize(("release", "lost"), [("8.4.60", "one2many"), ("8.4.190", "one2one")])
def test_a_branch_that_a_fused_teacher_has_lost_is_told(release: str, lost: str, teach: Callable[..., Any]) -> None:
    """Releases up to 8.4.130 leave a YOLO26 so that has predicted. Later ones drop the branch that is not asked for."""
    logs = said(teach(release, FUSED))
    warning = f"the student's branch {lost} is not taught, the teacher has none: it was fused to predict with; give the"
    assert [name for name, log in logs.items() if warning in log] == ["fused"]

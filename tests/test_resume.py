"""Checkpoints hold the student alone, and an interrupted run goes on as if nothing had happened."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("torch")

import releases
import yaml
from lessons import COLUMNS, lesson, results
from releases import version_key
from training import Run, execute

pytestmark = pytest.mark.training

RELEASES = ("8.0.150", "8.2.50", "8.3.200", "8.4.190")
MODES = ("offline", "online")
EPOCHS = 4

# Of a run that was interrupted, kept aside as <mode>.pt, and of one that was not.
CHECKPOINTS = [
    *(f"{mode}.pt" for mode in MODES),
    *(f"{mode}-whole/weights/{name}.pt" for mode in MODES for name in ("best", "last")),
    "online-whole/weights/last_teacher.pt",
]

# All images in one batch and none of them augmented: the order in which they come, which a resumed run does not
# restore, makes no difference.
SETTINGS: dict[str, Any] = {
    **dict.fromkeys(("mosaic", "hsv_h", "hsv_s", "hsv_v", "translate", "scale", "fliplr", "warmup_epochs"), 0.0),
    "batch": 16,
    "nbs": 16,
    "optimizer": "SGD",
    "lr0": 0.001,
    "epochs": EPOCHS,
}

# Trains twice in each mode, once to the end and once until the second epoch is saved.
INTERRUPTED = """
from copy import deepcopy
from ultralytics.nn.tasks import DetectionModel

torch.manual_seed(1)
TEACHER = DetectionModel("yolov8s.yaml", nc=10, verbose=False)  # which no file holds


def interrupt(trainer):
    if trainer.epoch == 1:
        state = {"distillloss": trainer.distillloss.state_dict(), "teacher": trainer.model_t.state_dict()}
        state["optimizer"] = trainer.optimizer.state_dict()
        torch.save(state, trainer.save_dir / "interrupted.pt")
        raise KeyboardInterrupt


for mode, options in MODES.items():
    for name in ("whole", "part"):
        model = YOLO("yolov8n.yaml")
        if name == "part":
            model.add_callback("on_fit_epoch_end", interrupt)
        try:
            model.train(**{**SETTINGS, "name": f"{mode}-{name}", **options}, model_t=TEACHER, distill_recipe="tutorial")
        except KeyboardInterrupt:
            report(**{f"{mode} interrupted": True})
"""

# Resumes from Python, and from the command line.
RESUMED = """
import sys
from pathlib import Path
from ultralytics.cfg import entrypoint
from ultralytics.utils import callbacks

HALF = dict(rtol=2e-3, atol=1e-5)  # later releases keep the optimizer's state in half precision


def start(trainer):
    saved = torch.load(trainer.save_dir / "interrupted.pt", weights_only=False)
    now = {"distillloss": trainer.distillloss.state_dict(), "teacher": trainer.model_t.state_dict()}
    for part, state in now.items():
        same = all(torch.equal(v, saved[part][k]) for k, v in state.items())
        report(**{f"{trainer.args.name} {part}": same and len(state) == len(saved[part])})
    optimizers = saved["optimizer"], trainer.optimizer.state_dict()
    momenta = [[x["momentum_buffer"] for x in o["state"].values()] for o in optimizers]
    close = all(torch.allclose(a, b, **HALF) for a, b in zip(*momenta))
    report(**{f"{trainer.args.name} optimizer": close, f"{trainer.args.name} momenta": [len(m) for m in momenta]})
    report(**{f"{trainer.args.name} model_t": trainer.args.model_t})


callbacks.default_callbacks["on_train_start"].append(start)
YOLO("offline-part/weights/last.pt").train(resume=True)
sys.argv[:] = ["yolo", "train", "resume", "model=online-part/weights/last.pt"]
entrypoint()
"""

# Looks at checkpoints as somebody who has never heard of distillation.
OPENED = """
import sys
import numpy as np
from ultralytics import YOLO

for path in sys.argv[1:]:
    model = YOLO(path)
    size = sum(p.numel() for p in model.model.parameters())
    boxes = model.predict(np.zeros((64, 64, 3), np.uint8), imgsz=64, verbose=False)[0].boxes
    report(**{path: [size, boxes.shape[1]]})
report(AddLoss=any("AddLoss" in name or "utils.distill" in name for name in sys.modules))
"""


class Story(NamedTuple):
    """What happened: a process that was interrupted, a look with the pristine release, a process that resumed."""

    interrupted: Run
    opened: Run
    resumed: Run

    @property
    def folder(self) -> Path:
        """Return where all the trainings lie."""
        return self.interrupted.folder


@pytest.fixture(scope="module", params=RELEASES)
def story(
    request: pytest.FixtureRequest,
    patched: Callable[[str], Path],
    digits: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Story:
    """Train, interrupt, look at what lies there, and resume."""
    folder, tree = tmp_path_factory.mktemp(request.param), patched(request.param)
    pristine = releases.unpack(request.param, tmp_path_factory.mktemp("pristine"))
    modes = {"offline": {}, "online": {"distillonline": True, "logit_loss": True}}
    interrupted = lesson(tree, folder, digits, f"MODES = {modes!r}\n{INTERRUPTED}", **SETTINGS)
    for mode in MODES:  # the resumed run will overwrite it
        shutil.copy(folder / f"{mode}-part/weights/last.pt", folder / f"{mode}.pt")
    opened = execute(pristine, folder, OPENED, *CHECKPOINTS)
    return Story(interrupted, opened, lesson(tree, folder, digits, RESUMED))


# Checkpoints ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_a_checkpoint_knows_nothing_of_distillation(story: Story, checkpoint: str) -> None:
    with zipfile.ZipFile(story.folder / checkpoint) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
        pickled = archive.read(name)
    assert b"DetectionModel" in pickled
    assert not [word for word in (b"AddLoss", b"utils.distill", b"FeatureLoss", b"align_module") if word in pickled]


def test_checkpoints_open_in_the_pristine_release(story: Story) -> None:
    student, teacher = 3_012_798, 11_139_470
    for checkpoint in CHECKPOINTS:
        size, columns = story.opened.facts[checkpoint]
        assert size == (teacher if checkpoint.endswith("teacher.pt") else student), checkpoint
        assert columns == 6, "boxes were predicted"
    assert not story.opened.facts["AddLoss"]


def test_the_arguments_stay_small_and_name_the_teacher(story: Story) -> None:
    for mode in MODES:
        file = story.folder / f"{mode}-part/args.yaml"
        arguments = yaml.safe_load(file.read_text(encoding="utf-8"))
        assert file.stat().st_size < 10_000
        assert Path(arguments["model_t"]) == story.folder / f"{mode}-part_teacher.pt"
        assert Path(arguments["model_t"]).is_file()
        assert arguments.get("distillonline", False) == (mode == "online")


def test_a_finished_run_leaves_nothing_that_only_a_resumed_one_needs(story: Story) -> None:
    left = {folder.parent.name: {file.name for file in folder.iterdir()} for folder in story.folder.glob("*/weights")}
    for run in ("whole", "part"):
        assert left[f"offline-{run}"] == {"best.pt", "last.pt"}
        assert left[f"online-{run}"] == {"best.pt", "last.pt", "last_teacher.pt"}


# Resuming -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_resumed_run_has_the_same_teacher(story: Story, mode: str) -> None:
    assert story.interrupted.facts[f"{mode} interrupted"]
    assert story.resumed.facts[f"{mode}-part teacher"]
    assert Path(story.resumed.facts[f"{mode}-part model_t"]) == story.folder / f"{mode}-part_teacher.pt"


@pytest.mark.parametrize("mode", MODES)
def test_a_resumed_run_has_the_same_feature_loss_and_optimizer_state(story: Story, mode: str) -> None:
    facts = story.resumed.facts
    assert facts[f"{mode}-part distillloss"]
    assert facts[f"{mode}-part optimizer"]
    before, after = facts[f"{mode}-part momenta"]
    assert before == after > 100


@pytest.mark.parametrize("mode", MODES)
def test_a_resumed_run_ends_as_the_uninterrupted_one(story: Story, mode: str) -> None:
    whole, part = (results(story.resumed, f"{mode}-{name}") for name in ("whole", "part"))
    assert part.column("epoch") == whole.column("epoch")
    losses = [column for column in whole.columns if column.startswith("train/")]
    assert set(COLUMNS) <= set(losses)
    for column in losses:
        assert part.column(column) == pytest.approx(whole.column(column), rel=0.03), column


# From elsewhere -------------------------------------------------------------------------------------------------------

# A run is interrupted after its third epoch, and its folder is moved. Each way to resume it has a copy.
MOVED = """
import os, shutil
from pathlib import Path

class Enough(Exception):
    pass

def interrupt(trainer):
    if trainer.epoch == 2:
        raise KeyboardInterrupt

def interrupted(name, **options):
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_fit_epoch_end", interrupt)
    try:
        model.train(**{**SETTINGS, "name": name, "save_period": 1, **options})
    except KeyboardInterrupt:
        pass

def resume(name, checkpoint="last.pt", without=(), **options):
    shutil.copytree("kept", name)
    weights = Path(name, "weights")
    saved = [torch.load(weights / "last_distill.pt", weights_only=False)["distillloss"]]
    saved.append(YOLO(weights / "last_teacher.pt").model.state_dict())
    for file in without:
        (weights / file).unlink()
    look_at(name, weights / checkpoint, saved, **options)

def look_at(name, checkpoint, saved=(), **options):
    found = {"error": None}

    def look(trainer):
        modules = [m.state_dict() for m in (trainer.distillloss, trainer.model_t) if m is not None]
        found["same"] = [all(torch.equal(v, s[k]) for k, v in m.items()) for m, s in zip(modules, saved)]
        found["model_t"] = getattr(trainer.args, "model_t", None)
        raise Enough

    print(f"::{name}::")
    model = YOLO(checkpoint)
    model.add_callback("on_train_start", look)
    try:
        model.train(resume=True, **options)
    except Enough:
        pass
    except Exception as error:
        found["error"] = f"{type(error).__name__}: {error}"
    report(**{name: found})

save_teacher()
interrupted("run", model_t="teacher.pt", distillonline=True, distill_recipe="tutorial")
interrupted("plain")
shutil.copytree("run", "reused")  # for a run without a teacher
interrupted("reused")
os.rename("run", "kept")
resume("moved")
resume("earlier", "epoch1.pt")
resume("bare", without=["last_distill.pt"])
resume("half", without=["last_teacher.pt"])
look_at("reused", Path("reused/weights/last.pt"))
look_at("late", Path("plain/weights/last.pt"), model_t="teacher.pt")
os.rename("teacher.pt", "elsewhere.pt")
resume("lost")
resume("found", model_t="elsewhere.pt")
save_teacher("other.pt", "yolov8m.yaml")
resume("other", model_t="other.pt")
if SAVE_DIR:
    resume("apart", model_t="elsewhere.pt", save_dir=os.path.abspath("another"))
print("::end::")
"""


@pytest.fixture(scope="module", params=RELEASES)
def moved(
    request: pytest.FixtureRequest,
    patched: Callable[[str], Path],
    digits: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """Interrupt a run, and begin to resume it in each way."""
    folder = tmp_path_factory.mktemp(request.param)
    # Releases from 8.3 on need no leave to load more than weights, so that they run as users run them.
    strict = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "0"} if version_key(request.param) >= (8, 3, 200) else {}
    code = f"SAVE_DIR = {request.param == '8.4.190'}\n{MOVED}"
    return lesson(patched(request.param), folder, digits, code, variables=strict, **SETTINGS)


def said(run: Run, name: str) -> str:
    """Return what a resumed run has printed."""
    return run.log.split(f"::{name}::")[1].split("\n::")[0]


def test_a_run_in_another_folder_is_resumed_with_what_lies_beside_the_checkpoint(moved: Run) -> None:
    for name in {"moved", "apart"} & set(moved.facts):
        assert moved.facts[name]["error"] is None
        assert moved.facts[name]["same"] == [True, True], name
        assert "starts again" not in said(moved, name)
        assert "resumed as it was" not in said(moved, name)


def test_an_earlier_checkpoint_is_resumed_with_a_warning(moved: Run) -> None:
    assert moved.facts["earlier"]["same"] == [True, True]
    said_of = "epoch1.pt is of epoch 2, what distillation trains is resumed as it was after epoch 3"
    assert said(moved, "earlier").count(said_of) == 1


def test_a_checkpoint_alone_is_resumed_with_a_warning(moved: Run) -> None:
    for name in ("bare", "half"):
        assert moved.facts[name]["same"] == [False, False]
        assert Path(moved.facts[name]["model_t"]).name == "teacher.pt"
        missing = "is resumed without last_distill.pt and last_teacher.pt beside it: what distillation trains starts"
        assert said(moved, name).count(missing) == 1


def test_a_run_without_a_teacher_is_resumed_without(moved: Run) -> None:
    assert moved.facts["reused"] == {"error": None, "same": [], "model_t": None}
    late = moved.facts["late"]["error"]
    assert late.startswith("ValueError: model_t: ")
    assert late.endswith("last.pt was trained without a teacher and cannot be resumed with one")


def test_a_run_is_resumed_with_a_teacher_that_has_moved(moved: Run) -> None:
    lost = moved.facts["lost"]["error"]
    assert lost.startswith("FileNotFoundError: model_t=")
    assert "there is no such file; give the place where it is now" in lost
    assert "model_t=None" not in lost
    assert moved.facts["found"]["error"] is None
    assert Path(moved.facts["found"]["model_t"]) == moved.folder / "elsewhere.pt"
    assert moved.facts["found"]["same"] == [True, True]
    assert "Resume ignores" not in said(moved, "found")


def test_a_run_is_not_resumed_with_a_teacher_of_another_shape(moved: Run) -> None:
    assert moved.facts["other"]["error"].startswith("ValueError: model_t: expected the teacher that ")


# The schedule ---------------------------------------------------------------------------------------------------------

SCHEDULE = """
def interrupt(trainer):
    if trainer.epoch == 1:
        raise KeyboardInterrupt

def look(trainer):
    shares = [[c.o2m, c.o2o] for c in (trainer.model.criterion, trainer.model_t.criterion)]
    seen.append([trainer.epoch, *shares])

model = YOLO("yolo26n.yaml")
model.add_callback("on_train_batch_end", look)
model.add_callback("on_fit_epoch_end", interrupt)
seen = []
try:
    model.train(**SETTINGS, model_t=save_teacher("teacher.pt", "yolo26s.yaml"), distillonline=True)
except KeyboardInterrupt:
    model = YOLO("run/weights/last.pt")
    model.add_callback("on_train_batch_end", look)
    model.train(resume=True)
report(seen=seen)
"""


@pytest.mark.parametrize("release", ["8.4.60", "8.4.190"])
def test_an_online_teacher_goes_from_branch_to_branch_with_the_student(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    seen = lesson(patched(release), tmp_path, digits, SCHEDULE, **SETTINGS).facts["seen"]
    assert [epoch for epoch, *_ in seen] == [0, 1, 2, 3]
    assert all(student == teacher for _, student, teacher in seen)
    assert [share for _, _, (share, _) in seen] == pytest.approx([0.8, 0.8 - 0.7 / 3, 0.1 + 0.7 / 3, 0.1])


# Trained on -----------------------------------------------------------------------------------------------------------

# Every checkpoint that a taught run leaves, finished or interrupted, and the object that the user still has.
TRAINED_ON = """
def interrupt(trainer):
    if trainer.epoch == 0:
        raise KeyboardInterrupt

def look(name, trainer):
    report(**{name: getattr(trainer.args, "model_t", None)})
    report(**{f"{name} columns": (trainer.save_dir / "results.csv").read_text()})

options = {"model_t": save_teacher(), "distillonline": True, "logit_loss": True, "save_period": 1, "epochs": 2}
train("finished", **options)
part = YOLO("yolov8n.yaml")
part.add_callback("on_fit_epoch_end", interrupt)
try:
    part.train(**{**SETTINGS, "name": "interrupted", **options})
except KeyboardInterrupt:
    pass
torch.save(torch.nn.Linear(1, 1), "teacher.pt")  # which nobody must miss
for path in ("finished/weights/last.pt", "finished/weights/epoch1.pt", "interrupted/weights/last.pt"):
    look(path, train("on", path))
again = YOLO("interrupted/weights/last.pt")
for name in ("once", "twice"):
    again.train(**{**SETTINGS, "name": name})
    look(name, again.trainer)
"""


@pytest.mark.parametrize("release", ["8.0.136", "8.2.50", "8.4.190"])
def test_a_student_that_is_trained_on_is_taught_only_if_asked_for(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    run = lesson(patched(release), tmp_path, digits, TRAINED_ON)
    checkpoints = ("finished/weights/last.pt", "finished/weights/epoch1.pt", "interrupted/weights/last.pt")
    for name in (*checkpoints, "once", "twice"):
        assert run.facts[name] is None, name
        assert not [column for column in COLUMNS if column in run.facts[f"{name} columns"]], name
    assert run.log.count(" teaches online by ") == 2

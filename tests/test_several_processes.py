"""Training in two processes: every one distills, they stay in step, and together they make one process's gradient.

See `isolated/gloo.py` for how ultralytics is brought to do that without GPUs.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
import yaml
from digits import make_digits
from lessons import lesson
from training import QUICK, Run, execute

pytestmark = pytest.mark.training

# Processes that run side by side get in each other's way if each of them uses all processors.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

# The joined gradient --------------------------------------------------------------------------------------------------

# Two trainings of one step over all images, which one process sees as one batch and two as half a batch each. For the
# sum to be the same, no term may depend on which images come together:
#   - "parts", from images that all differ: the batch statistics are fixed, and the task's loss, which upstream divides
#     by a figure of the batch, is off;
#   - "copies" and "default", from one image many times over: all losses are on, an online teacher's as well, or those
#     that are by default.
JOINED = '''
import sys
from pathlib import Path
from torch import nn
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel


def build(config, seed):
    """Return a model whose features tell images apart, and whose boxes have about the size of a digit.

    Where boxes hit nothing, upstream's loss is a sum over the batch and not a mean.
    """
    torch.manual_seed(seed)
    model = DetectionModel(config, nc=10, verbose=False)
    normalizations = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momentum = normalizations[0].momentum
    for module in normalizations:
        module.momentum = None
    with torch.no_grad():
        model.train()(torch.rand(8, 3, 64, 64))
    for module in normalizations:
        module.momentum = momentum
    for box in model.model[-1].cv2:
        box[-1].bias.data.view(4, 16)[:, 1:3] += 5  # the distances of an edge, in strides
    return model


class Observed(DetectionTrainer):
    def optimizer_step(self):
        models = {"student": self.model, "teacher": self.model_t, "distillloss": self.distillloss}
        models = {name: getattr(model, "module", model) for name, model in models.items()}
        self.gradients = {n: {k: p.grad for k, p in m.named_parameters()} for n, m in models.items()}
        self.gradients["losses"] = [float(x) for x in (self.featureloss, self.teacherloss, self.logitloss)]
        torch.save(self.gradients, f"{self.args.name}-gradients.pt")
        super().optimizer_step()


def begin(trainer):
    student = getattr(trainer.model, "module", trainer.model)
    student.load_state_dict(build("yolov8n.yaml", 2).state_dict())
    torch.manual_seed(3)
    for parameter in trainer.distillloss.parameters():
        nn.init.normal_(parameter, std=0.1)


def fix_statistics(trainer):
    for module in (*trainer.model.modules(), *trainer.distillloss.modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def train(name, data, *callbacks, **options):
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_pretrain_routine_end", begin)
    for callback in callbacks:
        model.add_callback("on_train_batch_start", callback)
    options = {**SETTINGS, "name": name, "data": data, "model_t": "teacher.pt", "logit_loss": True, **options}
    model.train(trainer=Observed, **options)


OFF = dict(box=0.0, cls=0.0, dfl=0.0)  # the task's own loss
torch.save({"model": build("yolov8s.yaml", 1), "epoch": -1, "train_args": {"task": "detect"}}, "teacher.pt")
train("parts", PARTS, fix_statistics, distill_feat_type="mimic", distill_logit_type="mse", **OFF)
train("tutorial", PARTS, fix_statistics, distill_recipe="tutorial", distill_feat_type="mimic", **OFF)
train("copies", COPIES, distillonline=True, distill_feat_type="cwd")
train("default", COPIES)
train("images", PARTS, fix_statistics, distill_feat_type="mimic", distill_images=FRAMES, **OFF)
'''

# No image is augmented, and all are in one batch.
UNTOUCHED = dict.fromkeys(("mosaic", "hsv_h", "hsv_s", "hsv_v", "translate", "scale", "fliplr", "warmup_epochs"), 0.0)
IMAGES = 16

JOINS = ("8.0.150", "8.3.200", "8.4.190")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def copies_of_one(data: Path, folder: Path) -> Path:
    """Make a data set like another, but with the first of its images in the place of each."""
    copied = make_digits(folder, images=20, size=64)
    for kind, suffix in (("images", ".png"), ("labels", ".txt")):
        first = (data.parent / kind / f"train/00000{suffix}").read_bytes()
        for file in (folder / kind / "train").glob(f"*{suffix}"):
            file.write_bytes(first)
    return copied


def two_ranks() -> dict[str, dict[str, str]]:
    """Return what is in the environment of two processes that train together, by a name of each."""
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    return {f"rank{rank}": {"RANK": str(rank), "LOCAL_RANK": str(rank), **world} for rank in (0, 1)}


def side_by_side(tree: Path, folder: Path, data: Path, code: str, processes: dict[str, dict[str, str]]) -> list[Run]:
    """Run a lesson in several processes at the same time, each in a folder of its own."""

    def start(name: str) -> Run:
        settings = {**UNTOUCHED, "batch": IMAGES, "nbs": IMAGES, "val": False}
        return lesson(tree, folder / name, data, code, variables={**ONE_THREAD, **processes[name]}, **settings)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(start, processes))


@pytest.fixture(scope="module", params=JOINS)
def gradients(
    request: pytest.FixtureRequest,
    patched: Callable[[str], Path],
    digits: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, list[dict[str, Any]]]:
    """Train as one process and as two; return what each found, the one process first."""
    folder, tree = tmp_path_factory.mktemp(request.param), patched(request.param)
    copies = copies_of_one(digits, folder / "copies")
    names = f"PARTS, COPIES, FRAMES = {str(digits)!r}, {str(copies)!r}, {str(digits.parent / 'images/train')!r}"
    code = f"{names}\n{JOINED}"
    runs = side_by_side(tree, folder, digits, code, {"alone": {}, **two_ranks()})
    return {
        training: [torch.load(run.folder / f"{training}-gradients.pt", weights_only=False) for run in runs]
        for training in ("parts", "tutorial", "copies", "default", "images")
    }


def difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Return how much two gradients differ, as a share of the first's length."""
    first, second = (torch.cat([g.flatten() for g in model.values() if g is not None]) for model in (one, other))
    assert first.norm() > 0
    return float((first - second).norm() / first.norm())


@pytest.mark.parametrize(
    ("training", "models"), [("parts", 2), ("tutorial", 2), ("copies", 3), ("default", 2), ("images", 2)]
)
def test_two_processes_make_the_gradient_of_one_on_the_joined_batch(
    gradients: dict[str, list[dict[str, Any]]], training: str, models: int
) -> None:
    alone, *ranks = gradients[training]
    for model in ("student", "distillloss", "teacher")[:models]:
        assert difference(ranks[0][model], ranks[1][model]) == 0
        assert difference(alone[model], ranks[0][model]) < 1e-3, model


def test_the_halves_of_a_batch_have_losses_of_their_own(gradients: dict[str, list[dict[str, Any]]]) -> None:
    """The test above would be worth nothing if both processes had seen the same.

    Untrained models hardly tell images apart (in 8.0.150 by 3e-4 and 6e-6), but one image has one loss.
    """
    _, first, second = (found["losses"] for found in gradients["parts"])
    assert first[0] != pytest.approx(second[0], rel=1e-4)
    assert first[2] != second[2]


# Background ---------------------------------------------------------------------------------------------------------

BACKGROUND = """
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import RANK


class Emptied(DetectionTrainer):
    def preprocess_batch(self, batch):
        batch = super().preprocess_batch(batch)
        if RANK == 1:
            batch.update({key: batch[key][:0] for key in ("cls", "bboxes", "batch_idx")})
        return batch

    def optimizer_step(self):
        boxes = getattr(self.model, "module", self.model).model[-1].cv2
        report(boxes=max(float(p.grad.abs().max()) for p in boxes.parameters()), logitloss=float(self.logitloss))
        super().optimizer_step()


YOLO("yolov8n.yaml").train(trainer=Emptied, **SETTINGS, model_t=save_teacher(), logit_loss=True)
"""


# Without objects the task's loss has no gradient for the boxes in these, and DDP believes to be done with them.
@pytest.mark.training(core=("8.4.130",))
@pytest.mark.parametrize("release", ["8.4.0", "8.4.130"])
def test_the_logit_loss_reaches_boxes_that_the_task_does_not(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    first, second = (run.facts for run in side_by_side(patched(release), tmp_path, digits, BACKGROUND, two_ranks()))
    assert first["boxes"] == second["boxes"] > 0
    assert second["logitloss"] > 0


# Upstream's launcher --------------------------------------------------------------------------------------------------

# Releases by how they tell their workers what to do: by running the user's script again, by writing the arguments into
# a script, and by a pickled state.
LAUNCHED = """
import gloo
import torch
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel

if __name__ == "__main__":
    torch.manual_seed(1)
    teacher = DetectionModel("yolov8s.yaml", nc=10, verbose=False)  # which no file holds
    YOLO("yolov8n.yaml").train(**OPTIONS, model_t=teacher, distill_recipe="tutorial")
    if gloo.RANK == -1:
        torch.save(teacher.state_dict(), "taught.pt")
        saved = YOLO("run_teacher.pt").model.state_dict()
        report(saved=all(torch.equal(v, saved[k]) for k, v in teacher.state_dict().items()))
"""
LAUNCHES = {"8.0.150": False, "8.2.50": True, "8.3.150": False, "8.3.200": True, "8.4.60": False, "8.4.190": True}


def saved(folder: Path, moment: str) -> list[dict[str, Any]]:
    """Return what the processes have saved at the start or at the end of a training, by rank."""
    return [torch.load(folder / f"{moment}{rank}.pt", weights_only=False) for rank in (0, 1)]


def assert_in_step(states: list[dict[str, Any]]) -> None:
    """Assert that what is trained is the same in all processes."""
    for model in ("student", "distillloss", "teacher"):
        one, other = (state[model] for state in states)
        learned = [key for key in one if key.endswith(("weight", "bias"))]
        assert learned
        assert all(torch.equal(one[key], other[key]) for key in learned), model


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Tell whether two states are equal, bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize(("version", "online"), LAUNCHES.items())
def test_upstreams_launcher_starts_workers_that_distill(
    version: str, online: bool, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    options = {"distillonline": online, "logit_loss": True, "distill_feat_type": "mgd", "distill_layers": [15, 18]}
    quick = {**QUICK, "data": str(digits), "project": str(tmp_path), "device": "0,1", "epochs": 2, "nbs": 8}
    code = f"OPTIONS = {quick | options!r}\n{LAUNCHED}"
    run = execute(patched(version), tmp_path, code, variables=ONE_THREAD)
    assert run.facts == {"saved": True}

    states = saved(tmp_path, "end")
    teacher = tmp_path / "run_teacher.pt"
    for state in states:
        assert Path(state["args"]["model_t"]) == teacher
        assert {key: state["args"][key] for key in options} == options
        alive = [value > 0 for value in state["items"].values()]
        assert alive == [True, online, True]
    assert states[0]["items"] != states[1]["items"], "each has its own part of the images"
    assert_in_step(states)
    assert run.log.count(" teaches ") == 1, "one process says who teaches whom"
    taught = torch.load(tmp_path / "taught.pt")
    assert same(states[0]["teacher"], taught) != online

    arguments = yaml.safe_load((tmp_path / "run/args.yaml").read_text(encoding="utf-8"))
    assert arguments["model_t"] == str(teacher)
    assert arguments["distill_layers"] == [15, 18]


# A run of which both processes died goes on in two new ones.
RESUMED = """
import gloo
from ultralytics import YOLO

if __name__ == "__main__":
    YOLO("run/weights/last.pt").train(resume=True)
"""


@pytest.mark.slow  # nine processes, each with imports of its own: as long as ten other trainings
@pytest.mark.parametrize("version", ["8.0.205", "8.2.50", "8.4.180"])
def test_a_run_in_two_processes_is_resumed_in_two(
    version: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    one_batch = {**UNTOUCHED, "batch": IMAGES, "nbs": IMAGES, "optimizer": "SGD", "lr0": 0.001}
    options = {**QUICK, **one_batch, "data": str(digits), "device": "0,1", "epochs": 2}
    options |= {"distillonline": True, "logit_loss": True, "distill_feat_type": "mgd"}
    whole, part = tmp_path / "whole", tmp_path / "part"
    launched = {folder: f"OPTIONS = {options | {'project': str(folder)}!r}\n{LAUNCHED}" for folder in (whole, part)}
    execute(patched(version), whole, launched[whole], variables=ONE_THREAD)
    execute(patched(version), part, launched[part], variables={**ONE_THREAD, "STOP_AT": "1"}, fails=True)
    fresh = saved(part, "start")
    kept = torch.load(part / "run/weights/last_distill.pt", weights_only=False)["distillloss"]
    execute(patched(version), part, RESUMED, variables=ONE_THREAD)

    for rank, state in enumerate(saved(part, "start")):
        assert same(state["distillloss"], kept)
        for model in ("student", "teacher", "distillloss"):
            assert not same(state[model], fresh[rank][model]), f"{model}: the first epoch is not lost"
    ends = saved(part, "end")
    assert_in_step(ends)
    for resumed, uninterrupted in zip(ends, saved(whole, "end"), strict=True):
        assert resumed["items"] == pytest.approx(uninterrupted["items"], rel=0.03)

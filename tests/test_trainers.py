"""Trainers of the user's own: they train as ever without a teacher, and with one they use it or are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import releases
from lessons import lesson
from training import Run

pytestmark = pytest.mark.training

RELEASES = ("8.0.150", "8.2.50", "8.4.190")

# People copy a method, or a whole trainer, from the release that they know. PRISTINE is the folder of one.
TRAINERS = """
import importlib.util, sys
from pathlib import Path
from ultralytics.models.yolo.detect import DetectionTrainer

ENGINE, DETECT = "ultralytics/engine/trainer.py", "ultralytics/models/yolo/detect/train.py"

def copy_of(name, path, **replaced):
    code = Path(PRISTINE, path).read_text(encoding="utf-8")
    for old, new in replaced.items():
        code = code.replace(f"ultralytics.engine.{old} ", f"{new} ")
    Path(f"{name}.py").write_text(code, encoding="utf-8")
    return importlib.import_module(name)

sys.path.insert(0, "")
Pristine = copy_of("own_engine", ENGINE).BaseTrainer
OwnModule = copy_of("own_detect", DETECT, trainer="own_engine").DetectionTrainer

class OwnInit(DetectionTrainer):
    __init__ = Pristine.__init__

class OwnSetup(DetectionTrainer):
    _setup_train = Pristine._setup_train

class OwnLoop(DetectionTrainer):
    _do_train = Pristine._do_train

class OwnEverything(DetectionTrainer):
    _setup_train, _do_train = Pristine._setup_train, Pristine._do_train
    optimizer_step, build_optimizer = Pristine.optimizer_step, Pristine.build_optimizer
    if hasattr(Pristine, "_build_train_pipeline"):
        _build_train_pipeline = Pristine._build_train_pipeline

class OwnRun(DetectionTrainer):
    train, _do_train = Pristine.train, Pristine._do_train

class OwnOptimizer(DetectionTrainer):
    def build_optimizer(self, model, name="auto", lr=0.001, momentum=0.9, decay=1e-5, iterations=1e5):
        return super().build_optimizer(model, name, lr, momentum, decay, iterations)

class ForgetfulOptimizer(DetectionTrainer):
    def build_optimizer(self, model, name="auto", lr=0.001, momentum=0.9, decay=1e-5, iterations=1e5, **kwargs):
        return super().build_optimizer(model, name, lr, momentum, decay, iterations)

class GivingOptimizer(DetectionTrainer):
    def build_optimizer(self, model, **kwargs):
        return super().build_optimizer(model, **kwargs)

class KnowingOptimizer(DetectionTrainer):
    def build_optimizer(self, model, *args, model_t=None, **kwargs):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
        if self.distillloss is not None:
            optimizer.add_param_group({"params": list(self.distillloss.parameters())})
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        return optimizer

class Calling(DetectionTrainer):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    def _setup_train(self, *args, **kwargs):
        super()._setup_train(*args, **kwargs)

    def _do_train(self, *args, **kwargs):
        super()._do_train(*args, **kwargs)

    def optimizer_step(self):
        super().optimizer_step()

def attempt(trainer, **arguments):
    batches = []
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_batch_start", lambda trainer: batches.append(1))
    try:
        model.train(**{**SETTINGS, "trainer": trainer, "name": f"{trainer.__name__} {len(arguments)}", **arguments})
    except Exception as error:
        return [type(error).__name__, str(error), len(batches)]
    return [None, "", len(batches)]

again = YOLO("yolov8n.yaml")

def attempt_again(**arguments):
    try:
        again.train(**{**SETTINGS, "name": "again", "val": False, **arguments})
    except Exception as error:
        return str(error)

def attempt_directly(trainer, **arguments):
    name = f"{trainer.__name__} directly"
    try:
        trainer(overrides={**SETTINGS, "model": "yolov8n.yaml", "name": name, "val": False, **arguments}).train()
    except Exception as error:
        return str(error)

teacher = save_teacher()
OWN = (OwnInit, OwnSetup, OwnLoop, OwnRun, OwnEverything, OwnModule, OwnOptimizer, ForgetfulOptimizer)
for trainer in (*OWN, GivingOptimizer, KnowingOptimizer, Calling):
    taught = {"model_t": teacher, "distill_feat_type": "cwd"}
    report(**{trainer.__name__: [attempt(trainer, val=False), attempt(trainer, val=False, **taught)]})
report(directly=attempt_directly(OwnRun, **taught))
report(again=[error for _ in range(2) for error in (attempt_again(model_t=teacher), attempt_again())])
report(otherwise=attempt_again(trainer=OwnModule))
"""

# Who is refused, by which method of its own, and after how many batches at most.
IGNORED = {
    "OwnInit": ("__init__", 0),
    "DetectionTrainer": ("__init__", 0),
    "OwnSetup": ("_setup_train", 0),
    "OwnLoop": ("_do_train", 1),
    "OwnRun": ("_do_train", 1),
    "OwnEverything": ("_do_train", 1),
}


@pytest.fixture(scope="module", params=RELEASES)
def run(
    request: pytest.FixtureRequest,
    patched: Callable[[str], Path],
    digits: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    """Train with each trainer, without a teacher and with one."""
    pristine = releases.unpack(request.param, tmp_path_factory.mktemp("pristine"))
    folder = tmp_path_factory.mktemp(request.param)
    return lesson(patched(request.param), folder, digits, f"PRISTINE = {str(pristine)!r}\n{TRAINERS}", limit=900)


def test_without_a_teacher_each_trains_as_ever(run: Run) -> None:
    for name in (*IGNORED, "OwnOptimizer", "ForgetfulOptimizer", "GivingOptimizer", "KnowingOptimizer", "Calling"):
        alone, _ = run.facts[name]
        assert alone[0] is None, (name, alone)
        assert alone[2] > 1


@pytest.mark.parametrize("name", IGNORED)
def test_a_trainer_that_would_ignore_its_teacher_is_refused(run: Run, name: str) -> None:
    method, most = IGNORED[name]
    error, message, batches = run.facts[name][1]
    assert error == "TypeError", message
    assert re.match(
        rf"model_t: {name} trains without its teacher, expected its {method} to call the {method} of ", message
    )
    assert batches <= most


def test_a_trainer_that_would_ignore_its_teacher_is_refused_without_a_model_as_well(run: Run) -> None:
    assert run.facts["directly"].startswith("model_t: OwnRun trains without its teacher, expected its _do_train to ")


def test_a_model_is_trained_again_with_and_without_a_teacher(run: Run) -> None:
    assert run.facts["again"] == [None] * 4


def test_a_model_that_was_taught_is_trained_again_by_a_trainer_that_knows_no_teacher(run: Run) -> None:
    assert run.facts["otherwise"] is None


@pytest.mark.parametrize("name", ["OwnOptimizer", "ForgetfulOptimizer"])
def test_an_optimizer_without_the_feature_loss_is_refused(run: Run, name: str) -> None:
    error, message, batches = run.facts[name][1]
    assert (error, batches) == ("TypeError", 0), message
    assert message.startswith(
        f"model_t: expected {name}.build_optimizer to put each parameter of the feature loss into "
    )


@pytest.mark.parametrize("name", ["GivingOptimizer", "KnowingOptimizer", "Calling"])
def test_a_trainer_that_uses_its_teacher_is_taught(run: Run, name: str) -> None:
    assert run.facts[name][1][0] is None, run.facts[name][1]

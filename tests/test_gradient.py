"""Who learns from what: the student from every loss, an offline teacher from none, an online one from its own alone.

Each release trains for real, with the weights of the losses set so that one loss is alive at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from releases import NEWEST, TRAINING_LOOPS

pytestmark = pytest.mark.training

# Trains a yolov8n under a yolov8s, twelve images in two steps, and reports what each step was made of.
SCRIPT = """
from torch import nn
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import DetectionModel

OFF = dict(box=0.0, cls=0.0, dfl=0.0)  # the task's own loss: the student's and, as it takes these over, the teacher's


def size(parameters):
    return sum(p.grad.abs().sum().item() for p in parameters if p.grad is not None)


def norm(parameters):
    return torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]).norm().item()


class Observed(DetectionTrainer):
    def optimizer_step(self):
        student, loss = self.model.model, self.distillloss
        teacher = list(self.model_t.parameters())
        mgd = getattr(loss.feature_loss, "generation", None)
        self.steps.append({
            "student": size(student.parameters()),
            "backbone": [size(student[i].parameters()) for i in range(9)],
            "align": [size(m.parameters()) for m in loss.align_module],
            "generation": [size(m.parameters()) for m in mgd or ()],
            "teacher": size(teacher),
            "places": getattr(loss.feature_loss, "places", None),
            "frozen": not any(p.requires_grad for p in teacher),
            "losses": [float(x) for x in (self.featureloss, self.teacherloss, self.logitloss)],
            "modes": [self.model.training, loss.training, self.model_t.training],
        })
        trained = [list(module.parameters()) for module in (self.model, self.model_t, loss)]
        trained = [parameters for parameters in trained if parameters and parameters[0].requires_grad]
        unclipped = [norm(parameters) for parameters in trained]

        def look(*_):
            self.steps[-1]["norms"] = [unclipped, [norm(parameters) for parameters in trained]]

        handle = self.optimizer.register_step_post_hook(look)
        self.step()
        handle.remove()

    def step(self):
        super().optimizer_step()


class Own(Observed):
    "Has a step of its own, as people write them who know nothing of distillation."

    def step(self):
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), max_norm=10.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()


def observe(name, teacher, trainer=Observed, **options):
    state = lambda model: {k: v.clone() for k, v in model.state_dict().items()}

    def start(trainer):
        trainer.steps, trainer.before = [], [state(m) for m in (trainer.model, trainer.model_t, trainer.distillloss)]

    def end(trainer):
        after = [state(m) for m in (trainer.model, trainer.model_t, trainer.distillloss)]
        changed = [[k for k, v in b.items() if not torch.equal(a[k], v)] for a, b in zip(after, trainer.before)]
        report(**{name: {"steps": trainer.steps, "changed": dict(zip(("student", "teacher", "loss"), changed))}})

    torch.manual_seed(0)
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_start", start)
    model.add_callback("on_train_end", end)
    options = {"distill_recipe": "tutorial", **options}
    model.train(trainer=trainer, **{**SETTINGS, "name": name, **options}, model_t=teacher)


torch.manual_seed(1)
TEACHER = DetectionModel("yolov8s.yaml", nc=10, verbose=False)
"""

# One loss alive at a time, and a task's loss that is large enough to be clipped.
MODES = """
report(kinds=KINDS)
for kind in KINDS:
    observe(kind, TEACHER, distill_feat_type=kind, **OFF)
imitating = dict(logit_loss=True, distill_feat_weight=0.0, **OFF)
observe("logit", TEACHER, **imitating)
observe("logit, three times", TEACHER, distill_logit_weight=3.0, **imitating)
imitated = dict(distillonline=True, logit_loss=True)
observe("imitated online", TEACHER, **imitated, **OFF)
large = dict(distill_feat_weight=1e4, box=75.0, **imitated)
observe("default", TEACHER, distill_recipe="default")
observe("mgd by default", TEACHER, distill_recipe="default", distill_feat_type="mgd", logit_loss=False, **OFF)
observe("online", TEACHER, **large)
observe("own step", TEACHER, Own, **large)
observe("online, half", TEACHER, distill_online_weight=0.5, **large)
"""

# The feature losses go the same way through the trainer: on the newest release all of them, elsewhere the largest.
ALL_KINDS = ("cwd", "frs", "mgd", "mimic", "pkd", "relation")
KINDS = dict.fromkeys(TRAINING_LOOPS, ("mgd",)) | {TRAINING_LOOPS[-1]: ALL_KINDS}


@pytest.fixture(scope="module", params=TRAINING_LOOPS)
def facts(request: pytest.FixtureRequest, teach: Callable[..., Any]) -> dict[str, Any]:
    """Train in each mode, in one process."""
    code = f"KINDS = {KINDS[request.param]}\n{SCRIPT}{MODES}"
    return teach(request.param, code, nbs=8, warmup_epochs=0).facts


def test_the_feature_loss_alone_teaches_the_student_and_itself(facts: dict[str, Any]) -> None:
    for kind in facts["kinds"]:
        for step in facts[kind]["steps"]:
            assert min(step["backbone"]) > 0
            assert len(step["align"]) == (0 if kind == "relation" else 8)
            assert all(size > 0 for size in step["align"])
            assert step["losses"][0] > 0
            assert step["losses"][1:] == [0, 0]
            assert len(step["generation"]) == (8 if kind == "mgd" else 0)
            assert all(size > 0 for size in step["generation"])
        trained = set() if kind == "relation" else {"align_module.0.weight", "align_module.7.weight"}
        if kind == "mgd":
            trained |= {"feature_loss.generation.0.0.weight", "feature_loss.generation.7.2.bias"}
        assert trained <= set(facts[kind]["changed"]["loss"])


def test_mgd_is_scaled_to_the_published_size_but_in_the_tutorials_recipe(facts: dict[str, Any]) -> None:
    assert facts["mgd"]["steps"][0]["places"] is None
    assert facts["mgd by default"]["steps"][0]["places"] == 21_950


def test_an_offline_teacher_is_bit_identical_after_an_epoch(facts: dict[str, Any]) -> None:
    for mode in (*facts["kinds"], "logit"):
        assert facts[mode]["changed"]["student"]
        assert not facts[mode]["changed"]["teacher"]
        for step in facts[mode]["steps"]:
            assert step["frozen"]
            assert step["teacher"] == 0
            assert step["modes"] == [True, True, False]


def test_the_logit_loss_alone_teaches_the_student(facts: dict[str, Any]) -> None:
    for step in facts["logit"]["steps"]:
        assert step["losses"][:2] == [0, 0]
        assert step["losses"][2] > 0
        assert min(step["backbone"]) > 0


def test_an_online_teacher_learns_nothing_from_being_imitated(facts: dict[str, Any]) -> None:
    for step in facts["imitated online"]["steps"]:
        assert step["losses"][0] > 0
        assert step["losses"][1] == 0
        assert step["losses"][2] > 0
        assert step["student"] > 0
        assert step["teacher"] == 0


def test_an_online_teacher_learns_its_task(facts: dict[str, Any]) -> None:
    online = facts["online"]
    for step in online["steps"]:
        assert step["losses"][1] > 0
        assert step["teacher"] > 0
        assert step["modes"] == [True, True, True]
    assert online["changed"]["student"]
    learned = {"model.0.conv.weight", "model.21.cv1.conv.weight", "model.0.bn.running_mean"}
    assert learned <= set(online["changed"]["teacher"])
    assert {"align_module.0.weight", "align_module.7.weight"} <= set(online["changed"]["loss"])


@pytest.mark.parametrize("name", ["online", "own step"])
def test_what_distillation_trains_is_clipped_as_the_student_is(facts: dict[str, Any], name: str) -> None:
    for step in facts[name]["steps"]:
        unclipped, clipped = step["norms"]
        assert min(unclipped) > 10
        assert clipped == pytest.approx([10, 10, 10], rel=0.01)


@pytest.mark.parametrize(
    ("mode", "weighted", "loss", "learner", "weight"),
    [("logit", "logit, three times", 2, "student", 3), ("online", "online, half", 1, "teacher", 0.5)],
)
def test_a_loss_and_its_gradient_have_the_weight_that_is_set(
    facts: dict[str, Any], mode: str, weighted: str, loss: int, learner: str, weight: float
) -> None:
    one, other = (facts[name]["steps"][0] for name in (mode, weighted))
    assert one["losses"][loss] > 0
    assert other["losses"][loss] == pytest.approx(weight * one["losses"][loss], rel=1e-3)
    assert other[learner] == pytest.approx(weight * one[learner], rel=1e-3)


# The scale -----------------------------------------------------------------------------------------------------------

# One image many times over, so that a batch of any size has the same mean losses; what differs is the scale alone.
SHARES = """
from pathlib import Path
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.distiller import Distiller

data = Path(SETTINGS["data"]).parent
images, labels = (sorted((data / kind / "train").glob("*")) for kind in ("images", "labels"))
for i in range(64):
    for kind, files in (("images", images), ("labels", labels)):
        place = Path("copies", kind, "train", f"{i:05}{files[0].suffix}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(files[0].read_bytes())
text = Path(SETTINGS["data"]).read_text().splitlines()
text = [line for line in text if not line.startswith(("path:", "train:", "val:"))]
root = Path("copies").resolve()
Path("copies.yaml").write_text("\\n".join([f"path: {root}", "train: images/train", "val: images/train", *text]))
shares, summed, original = {}, {}, Distiller.loss


class Enough(Exception):
    pass


def measured(self, batch):
    added = original(self, batch)
    parameters = list(self.trainer.model.model[:22].parameters())
    parts = [torch.autograd.grad(x, parameters, retain_graph=True) for x in (added, self.trainer.loss)]
    ours, task = (torch.cat([g.flatten() for g in part]).norm().item() for part in parts)
    shares.setdefault(CASE, {})[len(batch["img"])] = ours / task
    raise Enough


def widen(trainer):
    # Boxes of about the size of a digit: where they hit nothing, upstream's loss is a sum over the batch.
    for box in trainer.model.model[-1].cv2:
        box[-1].bias.data.view(4, 16)[:, 1:3] += 5  # the distances of a side, in strides
    if trainer.model_t is not None:
        for classes in trainer.model_t.model[-1].cv3:
            classes[-1].bias.data += 6  # an untrained teacher is sure of nothing
        trainer.distillloss.feature_loss.lambda_mgd = 0.0  # masks differ from batch to batch


class Summing(DetectionTrainer):
    def optimizer_step(self):
        gradients.append(torch.cat([p.grad.flatten() for p in self.model.model[:22].parameters()]))
        raise Enough


def begin(size, trainer=None, **options):
    torch.manual_seed(0)
    try:
        model = YOLO("yolov8n.yaml")
        model.add_callback("on_train_start", widen)
        model.train(trainer=trainer, **{**SETTINGS, "data": "copies.yaml", "batch": size, **UNTOUCHED, **options})
    except Enough:
        pass


teacher, gradients = save_teacher(), []
for CASE in ("default", "tutorial"):
    for size in (4, 16):  # in four steps that are summed, and in one
        for options in ({"model_t": teacher, "distill_recipe": CASE}, {}):
            begin(size, Summing, nbs=16, **options)
        taught, alone = gradients[-2:]
        summed.setdefault(CASE, {})[size] = ((taught - alone).norm() / alone.norm()).item()
Distiller.loss = measured
for CASE, options in CASES.items():
    for size in (4, 16, 64):
        begin(size, nbs=64, model_t=teacher, **options)
report(shares=shares, summed=summed)
"""

CASES: dict[str, dict[str, Any]] = {
    "soft": {"distill_feat_type": "none"},
    **{kind: {"logit_loss": False, "distill_feat_type": kind} for kind in ("cwd", "frs", "mgd", "pkd", "relation")},
    "mimic and mse": {"distill_feat_type": "mimic", "distill_logit_type": "mse"},
    "tutorial": {"distill_recipe": "tutorial"},
}


@pytest.fixture(scope="module", params=("8.0.136", "8.2.50", "8.4.190"))
def shares(request: pytest.FixtureRequest, teach: Callable[..., Any]) -> Any:
    """Measure by how much longer the task's gradient is than that of distillation, for batches of three sizes."""
    untouched = dict.fromkeys(("mosaic", "hsv_h", "hsv_s", "hsv_v", "translate", "scale", "fliplr", "warmup_epochs"), 0)
    code = f"CASES, UNTOUCHED = {CASES!r}, {untouched!r}\n{SHARES}"
    return teach(request.param, code, limit=600).facts


@pytest.mark.training(core=(NEWEST,))
def test_the_share_of_the_gradient_is_the_same_at_any_batch_size(shares: Any) -> None:
    for case in CASES:
        small, middle, large = (shares["shares"][case][size] for size in ("4", "16", "64"))
        if case == "tutorial":
            assert small / large == pytest.approx(16, rel=0.1), "the tutorial's recipe is kept as it was"
        else:
            assert [small, large] == pytest.approx([middle, middle], rel=0.1), case


@pytest.mark.training(core=(NEWEST,))
def test_the_share_of_the_gradient_is_the_same_when_steps_are_summed(shares: Any) -> None:
    """With nbs=16, upstream takes four steps of four images for one of sixteen."""
    default, tutorial = (shares["summed"][case] for case in ("default", "tutorial"))
    assert default["16"] > 0
    assert default["4"] == pytest.approx(default["16"], rel=0.1)
    assert tutorial["4"] == pytest.approx(4 * tutorial["16"], rel=0.1), "the tutorial's recipe is kept as it was"

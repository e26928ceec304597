"""Images without labels: they teach the student what the teacher says of them, and change nothing else of a run."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lessons import lesson
from releases import TRAINING_LOOPS

pytestmark = pytest.mark.training

SCRIPT = """
import random
from pathlib import Path
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils.distiller import Distiller

compare = Distiller._compare


class Observed(DetectionTrainer):
    def preprocess_batch(self, batch):
        batch = super().preprocess_batch(batch)
        self.seen.append([[Path(path).name for path in batch["im_file"]], float(batch["img"].double().sum())])
        return batch

    def optimizer_step(self):
        self.losses.append([float(x) for x in (self.featureloss, self.logitloss, self.loss.sum(), self.task)])
        super().optimizer_step()


def observe(name, **options):
    def start(trainer):
        trainer.seen, trainer.losses, trainer.compared = [], [], []

        def recorded(features_s, logits_s, features_t, logits_t):
            terms = compare(trainer.distiller, features_s, logits_s, features_t, logits_t)
            size = len(next(iter(logits_s.values()))[0]) if logits_s else len(features_s[0])
            trainer.compared.append([size, float(terms["feature"]), float(terms["logit"])])
            return terms

        def added(batch, loss=trainer.distiller.loss):
            trainer.task = float(trainer.loss.sum())
            return loss(batch)

        trainer.distiller._compare, trainer.distiller.loss = recorded, added

    def end(trainer):
        state = trainer.model.state_dict()
        weights = [float(p.detach().double().sum()) for p in trainer.model.parameters()]
        statistics = [float(v.double().sum()) for k, v in state.items() if "running_mean" in k]
        report(**{name: {
            "seen": trainer.seen, "losses": trainer.losses, "compared": trainer.compared,
            "weights": weights, "statistics": statistics,
            "tracked": [int(v) for k, v in trainer.model_t.state_dict().items() if "num_batches_tracked" in k],
        }})

    torch.manual_seed(0)
    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_start", start)
    model.add_callback("on_train_end", end)
    model.train(trainer=Observed, **{**SETTINGS, "name": name, "model_t": "teacher.pt", **options})


def refused():
    from types import SimpleNamespace
    from ultralytics.utils.distill_images import ImageStream

    model = type(YOLO("yolov8n.yaml").model)("yolov8n.yaml", ch=1, nc=10, verbose=False)
    try:
        ImageStream(SimpleNamespace(model=model, args=None))
    except ValueError as error:
        report(refused=str(error))


refused()
save_teacher()
train("first")  # in 8.3.200 to 8.4.60 the first training of a process draws other random numbers
both = dict(distill_feat_type="cwd")
observe("labels", **both)
observe("images", **both, distill_images="frames")
observe("twice", **both, distill_images=["frames", "list.txt"], distill_images_ratio=2.0)
observe("online", distill_images="frames", distillonline=True)
nothing = dict(distill_logit_weight=0.0, distill_feat_weight=0.0)
observe("nothing", **nothing)
observe("nothing, images", **nothing, distill_images="frames", workers=2)
observe("few", **both, distill_images="frames", distill_images_ratio=0.1)
observe("size", distill_images="frames", imgsz=50)
observe("small", distill_images="frames", distill_images_ratio=0.13, imgsz=32)


def interrupt(trainer):
    if trainer.args.name == "part" and trainer.epoch == 0:
        raise KeyboardInterrupt


def take(what, model, **arguments):
    taken = []

    def start(trainer):
        take = trainer.distiller.images.take

        def observed(labelled):
            images = take(labelled)
            taken.append(float(images.double().sum()))
            return images

        trainer.distiller.images.take = observed

    model.add_callback("on_train_start", start)
    model.add_callback("on_fit_epoch_end", interrupt)
    try:
        model.train(**arguments)
    except KeyboardInterrupt:
        pass
    report(**{what: taken})


options = {**SETTINGS, "model_t": "teacher.pt", "epochs": 3, "distill_images": "frames", "distill_images_ratio": 0.3}
for name in ("whole", "part"):
    take(name, YOLO("yolov8n.yaml"), **{**options, "name": name})
take("resumed", YOLO("part/weights/last.pt"), resume=True)
"""


def spread(digits: Path, folder: Path) -> None:
    """Put images without labels into a folder of the run: four below `frames`, one of them broken, and one more."""
    from PIL import Image  # which is there only where there is something to train with

    images = sorted((digits.parent / "images/train").glob("*.*"))
    (folder / "frames/deeper").mkdir(parents=True)
    (folder / "more").mkdir()
    shutil.copy(images[0], folder / "frames/ä.png")
    shutil.copy(images[1], folder / "frames/deeper/one.png")
    Image.new("RGB", (1000, 1)).save(folder / "frames/thin.png")
    (folder / "frames/broken.jpg").write_bytes(b"not an image")
    shutil.copy(images[2], folder / "more/two.png")
    (folder / "list.txt").write_text("more/two.png\n", encoding="utf-8")


@pytest.fixture(scope="module", params=TRAINING_LOOPS)
def run(
    request: pytest.FixtureRequest,
    patched: Callable[[str], Path],
    digits: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """Train with images and without, in one process."""
    folder = tmp_path_factory.mktemp(request.param)
    spread(digits, folder)
    return lesson(patched(request.param), folder, digits, SCRIPT, nbs=8, warmup_epochs=0)


def test_an_image_without_labels_counts_as_much_as_one_with_them(run: Any) -> None:
    for name, more in (("images", 8), ("twice", 16)):
        facts = run.facts[name]
        compared = facts["compared"]
        assert [size for size, *_ in compared] == [8, more] * 2
        for step, (feature, logit, total, task) in enumerate(facts["losses"]):
            with_labels, without = compared[2 * step], compared[2 * step + 1]
            means = [(8 * a + more * b) / (8 + more) for a, b in zip(with_labels[1:], without[1:], strict=True)]
            assert [feature, logit] == pytest.approx([0.3 * means[0], means[1]], rel=1e-4)
            assert total - task == pytest.approx((8 + more) * (feature + logit), rel=1e-3)


def test_images_with_labels_come_as_they_would_alone(run: Any) -> None:
    for name in ("images", "twice", "nothing, images"):
        assert run.facts[name]["seen"] == run.facts["labels"]["seen"]


def test_no_task_loss_takes_an_image_without_labels_for_one_that_shows_nothing(run: Any) -> None:
    alone, beside = run.facts["nothing"], run.facts["nothing, images"]
    assert len(beside["compared"]) == 2 * len(alone["compared"])
    assert beside["weights"] == pytest.approx(alone["weights"], abs=1e-4)
    assert beside["statistics"] != pytest.approx(alone["statistics"], abs=1e-4)


def test_an_online_teacher_does_not_learn_from_them(run: Any) -> None:
    facts = run.facts["online"]
    assert [size for size, *_ in facts["compared"]] == [8, 8] * 2
    frozen = run.facts["images"]["tracked"]  # up to 8.2, a model that was built has seen a blank image
    assert {after - before for before, after in zip(frozen, facts["tracked"], strict=True)} == {2}


def test_there_are_fewer_of_them_than_one_a_step_where_that_is_asked_for(run: Any) -> None:
    assert [size for size, *_ in run.facts["few"]["compared"]] == [8, 8, 1]


def test_no_image_comes_alone_where_it_is_too_small_for_its_statistics(run: Any) -> None:
    assert [size for size, *_ in run.facts["small"]["compared"]] == [8, 8, 2]


def test_they_have_the_size_that_upstream_makes_of_the_argument(run: Any) -> None:
    assert [size for size, *_ in run.facts["size"]["compared"]] == [8, 8] * 2


def test_a_resumed_run_goes_on_with_those_that_come_next(run: Any) -> None:
    whole, part, resumed = (run.facts[name] for name in ("whole", "part", "resumed"))
    assert len(part) == len(resumed) / 2 > 0
    assert part + resumed == pytest.approx(whole)
    assert len(set(whole)) > len(part)


def test_what_is_used_and_what_cannot_be_read_is_said(run: Any) -> None:
    lines = [line for line in run.log.splitlines() if re.match(r"Distillation: .* teaches ", line)]
    counts = [re.findall(r"also on (\d+) images without labels", line) for line in lines]
    assert counts == [[], ["4"], ["5"], ["4"], [], ["4"], ["4"], ["4"], ["4"], ["4"], ["4"], ["4"]]
    assert "broken.jpg cannot be read, another image is taken instead" in run.log


def test_a_student_that_sees_no_colours_is_refused(run: Any) -> None:
    assert run.facts["refused"] == "distill_images: expected a model of 3 image channels, not 1"

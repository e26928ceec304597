"""Models of the user's own: their own forward pass is used, and facts about them are not guessed from one layer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from commanded import invoke
from lessons import lesson, results
from releases import NEWEST

pytestmark = pytest.mark.training(core=(NEWEST,))

OWN = """
from pathlib import Path
import torch.nn as nn
import torch.nn.functional as F
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.distill_features import get_channels, get_features

class Normalizing(DetectionModel):
    def forward(self, x, *args, **kwargs):
        return super().forward((x - 0.5) * 4 if isinstance(x, torch.Tensor) else x, *args, **kwargs)

def seed(kind):
    torch.manual_seed(1)
    return kind("yolov8s.yaml", nc=10, verbose=False).eval()

plain, normalizing = seed(DetectionModel), seed(Normalizing)
image = torch.rand(2, 3, 64, 64)
layers, caught = [21, 2, 15, 2], {}
handles = [normalizing.model[i].register_forward_hook(lambda m, _, out: caught.update({m.i: out})) for i in layers]
with torch.no_grad():
    normalizing(image)
    for handle in handles:
        handle.remove()
    report(same=all(torch.equal(a, caught[i]) for a, i in zip(get_features(image, normalizing, layers), layers)))
report(channels=get_channels(normalizing, (15, 2)))
for name, model in (("plain", plain), ("normalizing", normalizing)):
    # An untrained model hardly tells images apart in its last layers.
    train(name, model_t=model, distill_feat_type="cwd", distill_layers=[2, 4, 6])

# A stem that rearranges the image, and a layer that needs more than four pixels.
class Padded(nn.Module):
    def forward(self, x):
        return F.pad(x, (3, 3, 3, 3), mode="reflect")[..., 3:-3, 3:-3]

convs = "".join(f"  - [-1, 1, Conv, [{c}, 3, 2]]\\n" for c in (16, 32, 32, 32))
head = "head:\\n  - [[2, 3, 4], 1, Detect, [nc]]\\n"
Path("focus.yaml").write_text(f"nc: 10\\nbackbone:\\n  - [-1, 1, Focus, [16, 3]]\\n{convs}{head}")
pairs = [[2, 3, 4], [15, 18, 21]]
train("focus", "focus.yaml", model_t=save_teacher(), distill_layers=pairs, distill_feat_type="cwd", logit_loss=False)
padded = seed(DetectionModel)
padded.model[9] = nn.Sequential(padded.model[9], Padded())
padded.model[9].i, padded.model[9].f = 9, -1
report(padded=get_channels(padded, (21,)))
"""


@pytest.mark.parametrize("release", ["8.2.50", "8.4.190"])
def test_a_models_own_forward_pass_is_used(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    run = lesson(patched(release), tmp_path, digits, OWN)
    assert run.facts == {"same": True, "channels": [64, 128], "padded": [512]}
    plain, normalizing = (results(run, name).column("train/dfeaLoss")[0] for name in ("plain", "normalizing"))
    assert plain != pytest.approx(normalizing, rel=1e-3)
    assert results(run, "focus").column("train/dfeaLoss")[0] > 0


# A fork whose loss depends on the epoch: its trainer says it to the model, and its model to the loss.
FORK = {
    "ultralytics/engine/trainer.py": {
        r"( +)(.*= self\.model\(batch)\)": r"\1self.model.epoch_now = epoch\n\1\2, epoch=epoch)",
    },
    "ultralytics/nn/tasks.py": {
        r"def loss\(self, batch, preds=None\):": "def loss(self, batch, preds=None, epoch=None):\n"
        "        if self.training:\n"
        "            LOGGER.info(f'loss {self.yaml[\"scale\"]} {epoch} {self.epoch_now}')",
    },
}


@pytest.mark.parametrize("release", ["8.2.50", "8.4.190"])
def test_an_online_teacher_of_a_fork_whose_loss_depends_on_the_epoch_gets_it(
    release: str, checkout: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    fork = checkout(release)
    for path, edits in FORK.items():
        text = (fork / path).read_text(encoding="utf-8")
        for old, new in edits.items():
            text, found = re.subn(old, new, text)
            assert found
        (fork / path).write_text(text, encoding="utf-8")
    assert invoke("apply", fork).exit_code == 0
    quick = {"batch": 2, "fraction": 0.125, "val": False, "epochs": 2}
    run = lesson(fork, tmp_path / "run", digits, "train('run', model_t=save_teacher(), distillonline=True)", **quick)
    told = dict.fromkeys(re.findall(r"loss (\w) (\w+) (\w+)", run.log))
    assert list(told) == [(model, str(epoch), str(epoch)) for epoch in range(2) for model in "ns"]


FORKS = """
import torch.nn as nn
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.modules import Detect
from ultralytics.nn.tasks import DetectionModel

class Stages(nn.Module):
    "A backbone that puts out its stages as a list."
    backbone, type, np = True, "Stages", 0

    def __init__(self, layers):
        super().__init__()
        self.layers, self.i, self.f = layers, 4, -1

    def forward(self, x):
        stages = []
        for layer in self.layers:
            x = layer(x)
            if layer.i in (2, 4, 6, 9):
                stages.append(x)
        return stages

class Staged(DetectionModel):
    def _predict_once(self, x, *args, **kwargs):
        y = []
        for m in self.model:
            if m.f != -1:
                x = y[m.f] if isinstance(m.f, int) else [x if j == -1 else y[j] for j in m.f]
            x = m(x)
            if hasattr(m, "backbone"):
                y += [None, *x]
                x = x[-1]
            else:
                y.append(x)
        return x

def staged(model):
    number = lambda i: {2: 1, 4: 2, 6: 3, 9: 4}.get(i, i if i < 0 else i - 5)
    rest = list(model.model[10:])
    for layer in rest:
        layer.i = number(layer.i)
        layer.f = number(layer.f) if isinstance(layer.f, int) else [number(j) for j in layer.f]
    model.model = nn.Sequential(Stages(model.model[:10]), *rest)
    model.__class__ = Staged
    return model

class SharedDetect(Detect):
    "The convolutions of its outputs are those of all levels."

    def forward(self, x):
        x = [adapt(level) for adapt, level in zip(self.adapt, x)]
        boxes, scores = ([convolution(level) for level in x] for convolution in (self.cv2, self.cv3))
        if hasattr(self, "forward_head"):  # later releases
            boxes, scores = (torch.cat([level.flatten(2) for level in levels], 2) for levels in (boxes, scores))
            return {"boxes": boxes, "scores": scores, "feats": x}
        return [torch.cat(pair, 1) for pair in zip(boxes, scores)]

def shared(model):
    head = model.model[-1]
    head.adapt = nn.ModuleList(nn.Conv2d(convs[0].conv.in_channels, 32, 1) for convs in head.cv2)
    head.cv2, head.cv3 = nn.Conv2d(32, 4 * head.reg_max, 1), nn.Conv2d(32, head.nc, 1)
    head.__class__ = SharedDetect
    return model

class Enough(Exception):
    pass

def stop(trainer):
    report(**{trainer.args.name: float(trainer.featureloss)})
    raise Enough

def attempt(name, change, **options):
    class Own(DetectionTrainer):
        def get_model(self, *args, **kwargs):
            return change(super().get_model(*args, **kwargs))

    model = YOLO("yolov8n.yaml")
    model.add_callback("on_train_batch_end", stop)
    try:
        model.train(trainer=Own, model_t=teacher, **{**SETTINGS, "name": name, "val": False, **options})
    except Enough:
        pass
    except Exception as error:
        report(**{name: f"{type(error).__name__}: {error}"})

teacher = save_teacher()
features = dict(distill_feat_type="cwd", logit_loss=False)
attempt("stages", staged, **features)
attempt("a stage", staged, distill_layers=[[4], [9]], **features)
attempt("shared", shared, **features)
attempt("shared logits", shared, logit_loss=True)
"""


@pytest.mark.parametrize("release", ["8.2.50", "8.4.190"])
def test_backbones_of_stages_and_heads_that_share_convolutions_are_taught_or_refused(
    release: str, patched: Callable[[str], Path], digits: Path, tmp_path: Path
) -> None:
    facts = lesson(patched(release), tmp_path, digits, FORKS, batch=2, fraction=0.125).facts
    assert facts.pop("stages") > 0 and facts.pop("shared") > 0
    for name, what in (("a stage", "distill_layers"), ("shared logits", "logit_loss")):
        assert re.match(f"ValueError: {what}", facts[name]), facts

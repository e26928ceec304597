"""Models of the user's own: their own forward pass is used, and facts about them are not guessed from one layer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from commanded import invoke
from lessons import lesson, results

pytestmark = pytest.mark.training

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

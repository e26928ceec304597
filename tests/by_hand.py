"""The tutorial's edits as people make them by hand, for tests that have to recognise them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

TRAINER = "ultralytics/engine/trainer.py"
CFG = "ultralytics/cfg/__init__.py"
DETECT = "ultralytics/models/yolo/detect/train.py"
MODEL = "ultralytics/engine/model.py"
ADDED = "ultralytics/utils/AddLoss.py"

# For each modification: the file, the line or lines to find, and what they become.
EDITS: Mapping[int, tuple[str, str, str]] = {
    2: (
        TRAINER,
        r"( +)self\.plot_idx = \[0, 1, 2\]\n",
        r'\g<0>\1self.featureloss = 0\n\1self.model_t = overrides.get("model_t", None)\n\1self.distillonline = False\n',
    ),
    3: (
        TRAINER,
        r"( +)self\.model = self\.model\.to\(self\.device\)\n",
        r"\g<0>\1if self.model_t is not None:\n\1    self.model_t = self.model_t.to(self.device)\n",
    ),
    4: (
        TRAINER,
        r"( +)self\.model = (?:nn\.parallel\.DistributedDataParallel|DDP)\(.*\n(?:\1 .*\n)*(?:\1\)\n)?",
        r"\g<0>\1if self.model_t is not None:\n"
        r"\1    self.model_t = nn.parallel.DistributedDataParallel(self.model_t, device_ids=[RANK])\n",
    ),
    5: (
        TRAINER,
        r"build_optimizer\(\s*model=self\.model,",
        r"\g<0> model_t=self.model_t, distillloss=self.distillloss, distillonline=self.distillonline,",
    ),
    6: (
        TRAINER,
        r"( +)if (?:self\.)?world_size > 1:\n\1    self\._setup_ddp",
        r"\1self.model = de_parallel(self.model)\n\1if self.model_t is not None:\n"
        r"\1    self.distillloss = FeatureLoss(channels_s=self.channels_s, channels_t=self.channels_t)\n\g<0>",
    ),
    7: (
        TRAINER,
        r"(?<=\n)(            )self\.(?:model\.train|_model_train)\(\)\n",
        r"\1if self.model_t is not None:\n\1    self.model_t.eval()\n\g<0>",
    ),
    8: (
        TRAINER,
        r"( +)(?=self\.tloss = (?!None))",
        r"\1pred_s = self.model(batch['img'])\n"
        r"\1stu_features = get_fpn_features(batch['img'], self.model, fpn_layers=self.distill_layers)\n\1",
    ),
    9: (
        TRAINER,
        r"(\n +)# Backward\n",
        r"\1if self.model_t is not None:\1    with torch.no_grad():"
        r"\1        tea_features = get_fpn_features(batch['img'], self.model_t, fpn_layers=self.distill_layers)"
        r"\1        self.featureloss = self.distillloss(stu_features, tea_features) * distill_weight"
        r"\1        self.loss += self.featureloss"
        r"\1    if self.logit_loss:\1        self.logitloss = Distill_LogitLoss(pred_s, pred_t_offline)()\g<0>",
    ),
    10: (
        TRAINER,
        r"\*losses,|\*\(self\.tloss .*,|\*self\.tloss\.values\(\),",
        r"\g<0> self.featureloss, self.teacherloss, self.logitloss,",
    ),
    11: (TRAINER, r"def build_optimizer\(self, model", r"\g<0>, model_t, distillloss, distillonline=False"),
    12: (
        TRAINER,
        r"( +)for (?:module_name|\w+), (?:module|\w+) in (?:unwrap_model\(model\)|model)\.named_modules\(\):\n",
        r"\1for k, v in distillloss.named_modules():\n\1    g[0].append(v.weight)\n\g<0>",
    ),
    13: (CFG, r"raise SyntaxError\(string.*", r"# \g<0>"),
    14: (DETECT, r"\*self\.loss_names,", r"\g<0> 'dfeaLoss', 'dlineLoss', 'dlogitLoss',"),
    15: (MODEL, r"""include = \{"imgsz", |include = \{'imgsz', """, r'\g<0>"model_t", '),
}


def make(root: Path, modifications: Iterable[int]) -> None:
    """Make some of the tutorial's edits in a checkout."""
    for number in modifications:
        if number == 1:
            (root / ADDED).write_text("class FeatureLoss:\n    pass\n")
            continue
        path, found, becomes = EDITS[number]
        text, count = re.subn(found, becomes, (root / path).read_text(), count=1)
        assert count == 1, f"modification {number} has no place in {root}"
        compile(text, path, "exec")
        (root / path).write_text(text)

"""The tutorial's edits as people make them by hand, for tests that have to recognise them.

People retype code from a page: they leave lines out, put two on one line, name things anew, and write for their release
what the tutorial writes for another. Each modification is here in several such spellings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

TRAINER = "ultralytics/engine/trainer.py"
CFG = "ultralytics/cfg/__init__.py"
DETECT = "ultralytics/models/yolo/detect/train.py"
MODEL = "ultralytics/engine/model.py"
ADDED = "ultralytics/utils/AddLoss.py"

Files = Mapping[str, bytes | None]


@dataclass(frozen=True)
class Place:
    """Where people edit.

    Attributes:
        path: The file.
        found: A regular expression, in which ``^`` and ``$`` are those of a line. Its group ``here`` is replaced, with
            lines if there is a group ``indent``.
    """

    path: str
    found: str

    def search(self, files: Files) -> re.Match[str] | None:
        """Return the place in a release, None if the release has no such place."""
        return re.search(self.found, (files[self.path] or b"").decode(), re.MULTILINE)


@dataclass(frozen=True)
class Edit:
    """What people put at a place."""

    place: Place
    code: str


_ADDED = Place(ADDED, r"\A(?P<here>)")
_IMPORTS = Place(TRAINER, r"^(?P<indent>)(?P<here>)from ultralytics\.utils import ")
_ATTRIBUTES = Place(TRAINER, r"^(?P<indent> +)self\.plot_idx = \[0, 1, 2\]\n(?P<here>)")
_DEVICE = Place(TRAINER, r"^(?P<indent> +)self\.model = self\.model\.to\(self\.device\)\n(?P<here>)")
_DDP = Place(
    TRAINER,
    r"^(?P<indent> +)self\.model = (?:nn\.parallel\.DistributedDataParallel|DDP)\("
    r"(?:.*\)\n|\n(?:.*,\n)+(?P=indent)\)\n)(?P<here>)",
)
_CALL = Place(TRAINER, r"self\.build_optimizer\(\s*(?P<here>model=self\.model,)")
_HEAD = Place(TRAINER, r"^(?P<here>)(?P<indent> +)if (?:self\.)?world_size > 1:\n +self\._setup_ddp\(")
_EPOCH = Place(TRAINER, r"^(?P<here>)(?P<indent>            )self\.(?:model\.train|_model_train)\(\)\n")
_MODEL_TRAIN = Place(TRAINER, r"def _model_train\(self.*\n(?:.*\n)*?(?P<here>)(?P<indent> +)self\.model\.train\(\)\n")
_FORWARD = Place(TRAINER, r"^(?P<here>)(?P<indent> +)self\.tloss = (?!None)")
_BACKWARD = Place(TRAINER, r"^(?P<here>)(?P<indent> +)# Backward\n")
_ROW = Place(
    TRAINER, r"pbar\.set_description\([^*]*\*[^*]*\*[^*]*\*(?:losses|\(self\.tloss.*\)|self\.tloss.*),(?P<here>)"
)
_ROW_PLACES = Place(TRAINER, r"['\"]%11\.4g['\"] \* \((?P<here>2) \+")
_SIGNATURE = Place(TRAINER, r"def build_optimizer\(self, model(?P<here>),")
_SIGNATURE_MIDDLE = Place(TRAINER, r"def build_optimizer\(self, model, name=['\"]auto['\"](?P<here>),")
_SIGNATURE_END = Place(TRAINER, r"def build_optimizer\([^)]*(?P<here>)\)")
_GROUPS = Place(
    TRAINER, r"^(?P<here>)(?P<indent> +)for \w+, \w+ in (?:unwrap_model\(model\)|model)\.named_modules\(\):\n"
)
_MISMATCHED = Place(CFG, r"if [kx] not in base(?:_keys)?(?P<here>)")
_RAISE = Place(
    CFG, r"^ +if (?:mismatched|\(?mismatched := .*):\n(?:.*\n)+?(?P<here>(?P<indent> +)raise SyntaxError\(string.*\n)"
)
_COMPARED = Place(CFG, r"^(?P<here>)(?P<indent> +)(?:mismatched = |if \(?mismatched := )")
_OVERRIDES = Place(CFG, r"^(?P<indent> +)overrides = cfg2dict\(overrides\)\n(?P<here>)")
_HEADER_PLACES = Place(DETECT, r"(?P<here>\(['\"]\\n['\"] \+ ['\"]%11s['\"] \*\s*\(4) \+ len\(self\.loss_names\)")
_HEADER = Place(DETECT, r"['\"]GPU_mem['\"],\s*\*self\.loss_names,(?P<here>)")
_KEYS = Place(MODEL, r"include = \{['\"]imgsz['\"],(?P<here>)")

TUTORIAL = "the tutorial's"
"""How the names of the spellings start that make up the tutorial's own."""

SPELLINGS: Mapping[int, Mapping[str, Edit]] = {
    1: {"the tutorial's": Edit(_ADDED, "class FeatureLoss:\n    pass\n")},
    2: {
        "the tutorial's imports": Edit(
            _IMPORTS, "from ultralytics.utils.AddLoss import get_fpn_features, Distill_LogitLoss, FeatureLoss"
        ),
        "the tutorial's attributes": Edit(
            _ATTRIBUTES,
            """
            self.featureloss = 0
            self.logitloss = 0
            self.teacherloss = 0
            self.distillloss =None
            self.model_t = overrides.get("model_t", None)
            self.distill_feat_type = "cwd"  # "cwd","mgd","mimic"
            self.distillonline = False  # False or True
            self.logit_loss = False # False or True
            self.distill_layers = [2, 4, 6, 8, 12, 15, 18, 21]
            """,
        ),
        "a relative import": Edit(_IMPORTS, "from ..utils.AddLoss import FeatureLoss"),
        "an import of the module": Edit(_IMPORTS, "import ultralytics.utils.AddLoss as losses"),
        "an import from the package": Edit(_IMPORTS, "from ultralytics.utils import AddLoss"),
        "an if on one line": Edit(_ATTRIBUTES, 'if "model_t" in overrides: self.model_t = overrides.pop("model_t")'),
        "chained": Edit(_ATTRIBUTES, "self.featureloss = x = 0"),
        "a tuple": Edit(_ATTRIBUTES, "self.logitloss, x = 0, 1"),
        "two on one line": Edit(_ATTRIBUTES, "x = 1; self.teacherloss = 0"),
        "a type hint": Edit(_ATTRIBUTES, "self.distillloss: nn.Module = None"),
        "only the kind": Edit(_ATTRIBUTES, 'self.distill_feat_type = "mgd"'),
        "only the online switch": Edit(_ATTRIBUTES, "self.distillonline = True"),
        "only the logit switch": Edit(_ATTRIBUTES, "self.logit_loss = False"),
        "only the layers": Edit(_ATTRIBUTES, "self.distill_layers = [15, 18, 21]"),
        "something of one's own by our name": Edit(_ATTRIBUTES, "self.distill_items = {}"),
    },
    3: {
        "the tutorial's": Edit(
            _DEVICE,
            """
            if self.model_t is not None:
                for k, v in self.model_t.model.named_parameters():
                    v.requires_grad = True
                self.model_t = self.model_t.to(self.device)
            """,
        ),
        "only the loop": Edit(
            _DEVICE, "for k, v in self.model_t.model.named_parameters():\n    v.requires_grad = True"
        ),
        "in place": Edit(_DEVICE, "self.model_t.to(self.device)"),
        "and into its mode": Edit(_DEVICE, "self.model_t = self.model_t.to(self.device).eval()"),
        "an if on one line": Edit(_DEVICE, "if self.model_t: self.model_t = self.model_t.to(self.device)"),
        "cuda": Edit(_DEVICE, "self.model_t = self.model_t.cuda()"),
        "something of one's own by our name": Edit(_DEVICE, "self.distiller = None"),
    },
    4: {
        "the tutorial's": Edit(
            _DDP,
            """
            if self.model_t is not None:
                self.model_t = nn.parallel.DistributedDataParallel(self.model_t, device_ids=[RANK])
            """,
        ),
        "the short name": Edit(_DDP, "self.model_t = DDP(self.model_t, device_ids=[RANK])"),
        "the bare name": Edit(_DDP, "self.model_t = DistributedDataParallel(self.model_t)"),
        "the full name": Edit(_DDP, "self.model_t = torch.nn.parallel.DistributedDataParallel(self.model_t)"),
        "by keyword": Edit(_DDP, "self.model_t = DDP(device_ids=[RANK], module=self.model_t)"),
        "an if on one line": Edit(_DDP, "if self.model_t: self.model_t = DDP(self.model_t, device_ids=[RANK])"),
    },
    5: {
        "the tutorial's": Edit(
            _CALL,
            "model=self.model, model_t=self.model_t, distillloss=self.distillloss, distillonline=self.distillonline,",
        ),
        "by position": Edit(_CALL, "self.model, self.model_t,"),
        "only the teacher": Edit(_CALL, "model=self.model, model_t=teacher,"),
        "only the loss": Edit(_CALL, "model=self.model, distillloss=self.distillloss,"),
        "only the loss, by position": Edit(_CALL, "self.model, None, self.distillloss,"),
        "only the switch": Edit(_CALL, "model=self.model, distillonline=True,"),
        "only the switch, by position": Edit(_CALL, "self.model, None, None, self.distillonline,"),
    },
    6: {
        "the tutorial's": Edit(
            _HEAD,
            """
            self.model = de_parallel(self.model)
            if self.model_t is not None:
                self.model_t = de_parallel(self.model_t)
                self.channels_s = get_channels(self.model,self.distill_layers)
                self.channels_t = get_channels(self.model_t,self.distill_layers)
                self.distillloss = FeatureLoss(channels_s=self.channels_s, channels_t=self.channels_t)
            """,
        ),
        "without the loss": Edit(_HEAD, "self.channels_s = get_channels(self.model, self.distill_layers)"),
        "only the student": Edit(_HEAD, "self.model = de_parallel(self.model)"),
        "only the teacher": Edit(_HEAD, "if self.model_t is not None:\n    self.model_t = de_parallel(self.model_t)"),
        "the loss on its device": Edit(_HEAD, "self.distillloss = FeatureLoss(s, t).to(self.device)"),
        "the loss by the module's name": Edit(_HEAD, "self.distillloss = AddLoss.FeatureLoss(s, t)"),
        "in the set-up": Edit(_DEVICE, "self.distillloss = FeatureLoss(s, t)"),
    },
    7: {
        "the tutorial's": Edit(_EPOCH, "if self.model_t is not None:\n    self.model_t.eval()"),
        "train(False)": Edit(_EPOCH, "self.model_t.train(False)"),
        "train(mode=False)": Edit(_EPOCH, "self.model_t.train(mode=False)"),
        "an if on one line": Edit(_EPOCH, "if self.model_t: self.model_t.eval()"),
        "where the student is": Edit(_MODEL_TRAIN, "if self.model_t is not None:\n    self.model_t.eval()"),
    },
    8: {
        "the tutorial's": Edit(
            _FORWARD,
            """
            pred_s= self.model(batch['img'])
            stu_features = get_fpn_features(batch['img'], self.model,fpn_layers=self.distill_layers)
            """,
        ),
        "only the outputs": Edit(_FORWARD, 'pred_s = self.model(batch["img"])'),
        "only the features": Edit(_FORWARD, "stu_features = self.features(batch)"),
        "another name": Edit(_FORWARD, 'feats = get_fpn_features(batch["img"], self.model)'),
        "by keyword": Edit(_FORWARD, 'feats = get_fpn_features(model=self.model, x=batch["img"])'),
    },
    9: {
        "the tutorial's": Edit(
            _BACKWARD,
            """
            if self.model_t is not None:
                distill_weight = ((1 - math.cos(i * math.pi / len(self.train_loader))) / 2) * (0.1 - 1) + 1
                with torch.no_grad():
                    pred_t_offline = self.model_t(batch['img'])
                    tea_features = get_fpn_features(batch['img'], self.model_t,
                                                    fpn_layers=self.distill_layers)  # forward
                    self.featureloss = self.distillloss(stu_features, tea_features) * distill_weight
                    self.loss += self.featureloss
                if self.distillonline:
                    self.model_t.train()
                    self.teacherloss, _ = self.model_t(batch, self.model_t(batch['img']))
                    self.loss += self.teacherloss
                if self.logit_loss:
                    self.logitloss = Distill_LogitLoss(pred_s, pred_t_offline)()
                    self.loss += self.logitloss
            """,
        ),
        "only the logit part": Edit(
            _BACKWARD,
            """
            if self.logit_loss:
                distill_logit = Distill_LogitLoss(pred_s, pred_t_offline)
                self.logitloss = distill_logit()
                self.loss += self.logitloss
            """,
        ),
        "only the online part": Edit(
            _BACKWARD,
            """
            if self.distillonline:
                self.model_t.train()
                pred_t_online = self.model_t(batch['img'])
                self.teacherloss, _ = self.model_t(batch, pred_t_online)
                self.loss += self.teacherloss
            """,
        ),
        "only the features": Edit(_BACKWARD, "tea_features = get_fpn_features(batch['img'], self.model_t)"),
        "the features by keyword": Edit(_BACKWARD, "t = get_fpn_features(x=batch['img'], model=self.model_t)"),
        "the loss by keyword": Edit(_BACKWARD, "self.loss += self.distillloss(y_s=s, y_t=t)"),
    },
    10: {
        "the tutorial's": Edit(_ROW, " self.featureloss, self.teacherloss, self.logitloss,"),
        **{
            f"only {loss}": Edit(_ROW, f" {loss},")
            for name in ("self.featureloss", "self.teacherloss", "self.logitloss")
            for loss in (name, f"float({name})", f"{name}.item()")
        },
        "only the places": Edit(_ROW_PLACES, "5"),
    },
    11: {
        "the tutorial's": Edit(_SIGNATURE, ", model_t, distillloss, distillonline=False"),
        "defaults": Edit(_SIGNATURE, ", model_t=None, distillloss=None, distillonline=False"),
        "type hints": Edit(_SIGNATURE, ", model_t: nn.Module = None"),
        "in the middle": Edit(_SIGNATURE_MIDDLE, ", model_t=None, distillloss=None, distillonline=False"),
        "at the end": Edit(_SIGNATURE_END, ", model_t=None, distillloss=None, distillonline=False"),
        "by keyword": Edit(_SIGNATURE_END, ", *, model_t, gain=1"),
        "only the loss": Edit(_SIGNATURE, ", distillloss"),
        "only the loss, at the end": Edit(_SIGNATURE_END, ", distillloss=None"),
        "only the switch": Edit(_SIGNATURE, ", distillonline"),
        "only the switch, at the end": Edit(_SIGNATURE_END, ", distillonline=False"),
    },
    12: {
        "the tutorial's teacher": Edit(
            _GROUPS,
            """
            if model_t is not None and distillonline:
                for v in model_t.modules():
                    if isinstance(v, bn):  # weight (no decay)
                        g[1].append(v.weight)
            """,
        ),
        "the tutorial's feature loss": Edit(
            _GROUPS,
            """
            if model_t is not None and distillloss is not None:
                for k, v in distillloss.named_modules():
                    if isinstance(v, bn) or 'bn' in k:  # weight (no decay)
                        g[1].append(v.weight)
            """,
        ),
        "the teacher without a condition": Edit(_GROUPS, "g[0].extend(model_t.parameters())"),
        "the loss without a condition": Edit(_GROUPS, "for v in distillloss.modules():\n    g[0].append(v.weight)"),
        "parameters": Edit(_GROUPS, "for p in distillloss.parameters(): g[0].append(p)"),
        "the trainer's teacher": Edit(_GROUPS, "g[0].extend(self.model_t.parameters())"),
        "the trainer's loss": Edit(_GROUPS, "g[0].extend(self.distillloss.parameters())"),
        "another function's": Edit(_GROUPS, "if model_t is not None:\n    group(g, model_t)"),
    },
    13: {
        "the tutorial's": Edit(_RAISE, "# raise SyntaxError(string + CLI_HELP_MSG) from e"),
        "pass": Edit(_RAISE, "pass"),
        "return": Edit(_RAISE, "return"),
        "print": Edit(_RAISE, "print(string)"),
        "a warning": Edit(_RAISE, "LOGGER.warning(string)"),
        "a warning, and return": Edit(_RAISE, "LOGGER.warning(string)\nreturn"),
        "a loop over warnings": Edit(_RAISE, "for line in string.splitlines(): LOGGER.warning(line)\npass"),
        "a warning, and return None": Edit(_RAISE, "LOGGER.warning(string)\nreturn None"),
        "a condition that never holds": Edit(_RAISE, "if False:\n    raise SyntaxError(string)"),
        "an early return": Edit(_COMPARED, "return"),
        "the teacher taken out before": Edit(_OVERRIDES, 'overrides.pop("model_t", None)'),
        "the teacher let through": Edit(_MISMATCHED, ' and {"model_t"}.isdisjoint(custom)'),
    },
    14: {
        "the tutorial's": Edit(_HEADER, " 'dfeaLoss', 'dlineLoss', 'dlogitLoss',"),
        "a list": Edit(_HEADER, ' *["dfeaLoss", "dlineLoss", "dlogitLoss"],'),
        "only the features' loss": Edit(_HEADER, ' *("dfeaLoss",),'),
        "only the teacher's loss": Edit(_HEADER, ' "dlineLoss",'),
        "only the logit loss": Edit(_HEADER, ' "dlogitLoss",'),
        "only the places": Edit(_HEADER_PLACES, '("\\n" + "%11s" * (7'),
    },
    15: {"the tutorial's": Edit(_KEYS, " 'model_t',")},
}


def tutorial(numbers: Iterable[int]) -> list[Edit]:
    """Return the edits of some of the tutorial's modifications, as the tutorial writes them."""
    written = [(name, edit) for number in numbers for name, edit in SPELLINGS[number].items()]
    return [edit for name, edit in written if name.startswith(TUTORIAL)]


def hand(number: int) -> dict[int, str]:
    """Return how the person of a number, from 0 to ``HANDS``, spells each modification."""
    return {modification: list(names)[number % len(names)] for modification, names in SPELLINGS.items()}


HANDS = max(map(len, SPELLINGS.values()))
"""How many people it takes for every spelling to be used."""


def make(root: Path, numbers: Iterable[int]) -> None:
    """Make some of the tutorial's modifications in a checkout."""
    edits = tutorial(numbers)
    places = {edit.place.path: root / edit.place.path for edit in edits}
    files = {path: file.read_bytes() if file.exists() else None for path, file in places.items()}
    for path, content in edited(files, edits)[0].items():
        places[path].write_bytes(content or b"")


def edited(files: Files, edits: Iterable[Edit]) -> tuple[Files, dict[Edit, range]]:
    """Return files with edits made, and the lines of each edit."""
    found = [(edit, match) for edit in edits if (match := edit.place.search(files))]
    changed = dict(files)
    lines = {}
    for path in {edit.place.path for edit, _ in found}:
        text, at = "", 0
        here = [(edit, match) for edit, match in found if edit.place.path == path]
        for edit, match in sorted(here, key=lambda pair: pair[1].span("here")):
            start, behind = match.span("here")
            text += match.string[at:start]
            first = text.count("\n") - match.string.count("\n", match.start(), start) + 1
            text += _lines(edit.code, match["indent"]) if "indent" in match.groupdict() else edit.code
            lines[edit] = range(first, text.rstrip("\n").count("\n") + 2)
            at = behind
        text += match.string[at:]
        compile(text, path, "exec")
        changed[path] = text.encode()
    return changed, lines


def _lines(code: str, with_indent: str) -> str:
    return indent(f"{dedent(code).strip()}\n", with_indent)

"""The process that trains loads the teacher, before it sets anything up."""

from __future__ import annotations

from edits import Edit, Fate, removed, renamed, sub
from promises import Break
from spelling import Place, Spelling
from statements import GUARDED, TRAINER, Patched, Sabotage, fail, in_order

from modifications.m03_teacher_to_device import DEVICE


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    train = checkout.trainer("_do_train")
    load = train.one(r"self\.model_t = load_teacher\(self\.model_t\)$")
    guard = load.guarded()
    ddp, setup = train.one(r"self\._setup_ddp\("), train.one(r"self\._setup_train\(")
    in_order(("load_teacher", load.line), ("_setup_ddp", ddp.line), ("_setup_train", setup.line))
    if guard.around:
        fail(f"expected load_teacher at the top level of _do_train, line {load.line}")
    return f"... {guard.beside(1)} {ddp.text}"


SABOTAGE = {
    "the teacher is loaded after the set-up": Sabotage(
        TRAINER, rf"({GUARDED}[^\n]*load_teacher\([^\n]*\n)((?:[^\n]*\n){{3}})", r"\2\1"
    ),
}

_HEAD = Place(TRAINER, r"^(?P<here>)(?P<indent> +)if (?:self\.)?world_size > 1:\n +self\._setup_ddp\(")

BY_HAND = {
    "the tutorial's": Spelling(
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
    "without the loss": Spelling(_HEAD, "self.channels_s = get_channels(self.model, self.distill_layers)"),
    "only the student": Spelling(_HEAD, "self.model = de_parallel(self.model)"),
    "only the teacher": Spelling(_HEAD, "if self.model_t is not None:\n    self.model_t = de_parallel(self.model_t)"),
    "the loss on its device": Spelling(_HEAD, "self.distillloss = FeatureLoss(s, t).to(self.device)"),
    "the loss by the module's name": Spelling(_HEAD, "self.distillloss = losses.FeatureLoss(s, t)"),
    "in the set-up": Spelling(DEVICE, "self.distillloss = FeatureLoss(s, t)"),
}


EDITS = {
    "_do_train renamed": renamed(TRAINER, "_do_train"),
    "no set-up of processes": removed(TRAINER, r"self\._setup_ddp\("),
    "logging above the set-up of processes": Edit(
        sub(TRAINER, r"^( +)(self\._setup_ddp\(.*)$", r"\1LOGGER.info('mine')\n\1\2"), Fate.PATCHED
    ),
}

PATCH = "patches/06-load-teacher.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "the process that trains loads the teacher",
        PATCH,
        "load_teacher(self.model_t)\n",
        "self.model_t\n",
        "modifications::lands and m06",
    ),
)

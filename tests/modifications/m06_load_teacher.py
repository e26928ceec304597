"""The training process makes sure that the teacher is used."""

from __future__ import annotations

import ast

from edits import Edit, Fate, removed, renamed, sub
from promises import Break
from spelling import Place, Spelling
from statements import GUARDED, TRAINER, Patched, Sabotage, fail, head_of

from modifications.m03_teacher_to_device import DEVICE


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    watched = checkout.trainer("train").one(r"with distillation\(self\):$")
    (trained, *others) = [head_of(statement) for statement in ast.iter_child_nodes(watched.statement)][1:]
    if others or not trained.startswith("self._do_train("):
        fail("expected the training, and nothing else, in 'with distillation(self):'")
    if len(checkout.scope(TRAINER, "BaseTrainer").calls("self._do_train")) != 1:
        fail("expected the training to be begun in one place")
    train = checkout.trainer("_do_train")
    check, setup = train.one(r"check_setup\(self\)$").guarded(), train.one(r"self\._setup_train\(")
    if check.around or setup.around or check.beside(-1) != setup.text:
        fail(f"expected check_setup directly after _setup_train, not after {check.beside(-1)!r}")
    return f"{watched.around[-1].text} {trained}; {check.beside(-1)}"


SABOTAGE = {
    "the training is not watched over": Sabotage(
        TRAINER, r" +with distillation\(self\):\n    ( +self\._do_train\(\)\n)", r"\1"
    ),
    "the set-up is checked before it is made": Sabotage(
        TRAINER, rf"( +self\._setup_train\(\)\n)({GUARDED} +check_setup[^\n]*\n)", r"\2\1"
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

BREAKS: tuple[Break, ...] = (
    Break(
        "a trainer that would ignore its teacher is refused",
        "patches/distill_run.py",
        '        trainer.add_callback("on_train_batch_end", _confirm)\n',
        "        pass\n",
        "trainers::ignore_its_teacher and 8.2.50",
    ),
    Break(
        "a model that was taught once is trained without a teacher as ever",
        "patches/distill_run.py",
        '    if getattr(trainer, "model_t", None) is not None and trainer.distill_items',
        "    if trainer.distill_items",
        "trainers::with_and_without_a_teacher and 8.2.50",
    ),
    Break(
        "an interrupted training leaves no hooks",
        "patches/distill_run.py",
        "            trainer.distiller.release()\n",
        "            pass\n",
        "interrupted::leaves_nothing and 8.2.50",
    ),
)

"""What distillation trains is kept in step on several GPUs."""

from __future__ import annotations

import re

from edits import removed
from promises import Break
from spelling import Place, Spelling
from statements import GUARDED, TRAINER, Patched, Sabotage, fail, in_order

from modifications.m03_teacher_to_device import ddp_lines, optimizer_lines


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    setup = checkout.trainer("_setup_train")
    wrap = setup.one(r"self\.distiller\.wrap_ddp\(\)")
    guard = wrap.guarded()
    several = guard.around[-1] if guard.around else guard
    if several.text not in ("if world_size > 1:", "if self.world_size > 1:"):
        fail("expected wrap_ddp directly under 'if world_size > 1:'")
    lines = ddp_lines(setup)
    if len(lines) != 1 or not several.line < lines[0] < guard.line:
        fail(f"expected the student to be wrapped once, above wrap_ddp, found lines {lines}")
    built = setup.one(r"self\.distiller = ")
    for line in optimizer_lines(setup):
        places = (
            ("Distiller(self)", built.line),
            ("DDP(self.model)", lines[0]),
            ("wrap_ddp", wrap.line),
            ("optimizer", line),
        )
        in_order(*places)
    wrapper = re.sub(r"\(.*", "(...)", guard.beside(-1).partition(" = ")[2])
    return f"{several.text} {wrapper}"


SABOTAGE = {
    "the teacher is wrapped on one GPU, too": Sabotage(
        TRAINER, rf"    ({GUARDED})    ( +self\.distiller\.wrap_ddp)", r"\1\2"
    ),
}

_DDP = Place(
    TRAINER,
    r"^(?P<indent> +)self\.model = (?:nn\.parallel\.DistributedDataParallel|DDP)\("
    r"(?:.*\)\n|\n(?:.*,\n)+(?P=indent)\)\n)(?P<here>)",
)

BY_HAND = {
    "the tutorial's": Spelling(
        _DDP,
        """
        if self.model_t is not None:
            self.model_t = nn.parallel.DistributedDataParallel(self.model_t, device_ids=[RANK])
        """,
    ),
    "the short name": Spelling(_DDP, "self.model_t = DDP(self.model_t, device_ids=[RANK])"),
    "the bare name": Spelling(_DDP, "self.model_t = DistributedDataParallel(self.model_t)"),
    "the full name": Spelling(_DDP, "self.model_t = torch.nn.parallel.DistributedDataParallel(self.model_t)"),
    "by keyword": Spelling(_DDP, "self.model_t = DDP(device_ids=[RANK], module=self.model_t)"),
    "an if on one line": Spelling(_DDP, "if self.model_t: self.model_t = DDP(self.model_t, device_ids=[RANK])"),
}


EDITS = {
    "no wrapping of the student": removed(TRAINER, r"self\.model = (nn\.parallel\.Distributed|DDP\()"),
}

PATCH = "patches/04-teacher-on-every-gpu.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "what distillation trains is wrapped only with a teacher",
        PATCH,
        "      self.model = nn.parallel.DistributedDataParallel(self.model, ...)\n+     if self.model_t is not None:\n",
        "      self.model = nn.parallel.DistributedDataParallel(self.model, ...)\n+     if self.distillloss:\n",
        "modifications::lands and m04",
    ),
)

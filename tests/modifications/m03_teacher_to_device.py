"""Teacher and feature loss go to the student's device."""

from __future__ import annotations

import ast

from edits import Edit, Fate, removed, renamed, sub
from promises import Break
from spelling import Place, Spelling
from statements import GUARDED, TRAINER, Patched, Sabotage, Scope, fail, head_of, in_order, text_of


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    setup = checkout.trainer("_setup_train")
    moved, built = setup.one(r"self\.model_t = "), setup.one(r"self\.distiller = ")
    loaded = "self.model_t = load_teacher(self)"
    if moved.text != loaded or built.text != "self.distiller = Distiller(self)":
        fail(f"expected the teacher on the device and a Distiller, found {moved.text} and {built.text}")
    guard = built.guarded(statements=2)
    if moved.around != built.around or moved.index > built.index:
        fail("expected the teacher on the device before the Distiller is built")
    if guard.around or not guard.index or not _moves_student(guard.block[guard.index - 1]):
        fail(f"expected it directly after the student's move to the device, not after {guard.beside(-1)!r}")
    later = [(f"line {line}", line) for line in (*optimizer_lines(setup), *ddp_lines(setup))]
    for place in later:
        in_order(("Distiller(self)", built.line), place)
    return f"{guard.beside(-1)} ... {guard.beside(1)}"


def _moves_student(statement: ast.stmt) -> bool:
    """Return whether a statement moves the student to its device, in both branches if it has such."""
    if isinstance(statement, ast.If):
        return all(any(map(_moves_student, branch)) for branch in (statement.body, statement.orelse))
    return head_of(statement).startswith("self.model = self.model.to(self.device")


def optimizer_lines(setup: Scope) -> list[int]:
    """Return the lines of ``_setup_train`` at which the optimizer is built, in it or in a method that it calls."""
    lines = [
        node.lineno for name in ("build_optimizer", "_build_train_pipeline") for node in setup.calls(f"self.{name}")
    ]
    return lines or fail("_setup_train builds no optimizer")


def ddp_lines(setup: Scope) -> list[int]:
    """Return the lines of ``_setup_train`` at which the student is wrapped for several GPUs."""
    names = ("DDP", "nn.parallel.DistributedDataParallel")
    return [node.lineno for name in names for node in setup.calls(name) if text_of(node.args[0]) == "self.model"]


SABOTAGE = {
    "the feature loss comes after the optimizer": Sabotage(
        TRAINER,
        rf"(?s)({GUARDED} +self\.model_t = load_teacher[^\n]*\n[^\n]*\n)(.*?self\._build_train_pipeline\(\)\n)",
        r"\2\1",
    ),
}

DEVICE = Place(TRAINER, r"^(?P<indent> +)self\.model = self\.model\.to\(self\.device\)\n(?P<here>)")

BY_HAND = {
    "the tutorial's": Spelling(
        DEVICE,
        """
        if self.model_t is not None:
            for k, v in self.model_t.model.named_parameters():
                v.requires_grad = True
            self.model_t = self.model_t.to(self.device)
        """,
    ),
    "only the loop": Spelling(DEVICE, "for k, v in self.model_t.model.named_parameters():\n    v.requires_grad = True"),
    "in place": Spelling(DEVICE, "self.model_t.to(self.device)"),
    "and into its mode": Spelling(DEVICE, "self.model_t = self.model_t.to(self.device).eval()"),
    "an if on one line": Spelling(DEVICE, "if self.model_t: self.model_t = self.model_t.to(self.device)"),
    "cuda": Spelling(DEVICE, "self.model_t = self.model_t.cuda()"),
    "something of one's own by our name": Spelling(DEVICE, "self.distiller = None"),
}


EDITS = {
    "_setup_train renamed": renamed(TRAINER, "_setup_train"),
    "no move to the device": removed(TRAINER, r"self\.model = self\.model\.to\(self"),
    "the model moves without waiting": Edit(
        sub(TRAINER, r"^( +self\.model = self\.model\.to\(self\.device)\)", r"\1, non_blocking=True)"), Fate.PATCHED
    ),
    "the model moves in a branch": Edit(
        sub(
            TRAINER,
            r"^( +)(self\.model = self\.model\.to\(self\.device\))$",
            r"\1if self.device.type != 'cpu':\n\1    \2",
        ),
        Fate.EITHER,
    ),
    "a pruned model moves by itself": Edit(
        sub(
            TRAINER,
            r"^( +)(self\.model = self\.model\.to\(self\.device\))$",
            r"\1if getattr(self, 'pruned', False):\n\1    \2\n\1    LOGGER.info('pruned')\n\1else:\n\1    \2",
        ),
        Fate.PATCHED,
    ),
    "a distiller of one's own": Edit(
        sub(TRAINER, r"^( +)(self\.plot_idx = .*)$", r"\1\2\n\1self.distiller = None"), Fate.REFUSED
    ),
}

PATCH = "patches/03-teacher-to-device.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "a distiller of the owner's is not replaced",
        PATCH,
        "  self.distiller\n",
        "  self.no_such_distiller\n",
        "modifications::around_it and distiller",
    ),
    Break(
        "the teacher is where the student is",
        PATCH,
        "+     self.model_t = load_teacher(self)\n",
        "",
        "modifications::lands and m03",
    ),
)

"""The trainer knows its teacher and the options."""

from __future__ import annotations

import re

from edits import Edit, Fate, append, removed, sub
from promises import Break
from spelling import Place, Spelling
from statements import TRAINER, Patched, Sabotage, fail, in_order, spots_in

_NAMES = (
    "featureloss",
    "logitloss",
    "teacherloss",
    "distillloss",
    "distill_feat_type",
    "distillonline",
    "logit_loss",
    "distill_layers",
    "distill_items",
)


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    functions = ("claim_teacher", "given_teacher", "group_distillation_parameters", "load_teacher")
    checkout.imports(
        TRAINER,
        *("Distiller", "DistillItems", "optimizer_arguments"),
        *("check_setup", "distillation", "expect_teacher"),
        *functions,
    )
    _defaults(checkout)
    init = checkout.trainer("__init__")
    claim = init.one(r"self\.model_t = ")
    if claim.text != "self.model_t = claim_teacher(self)":
        fail(f"expected the teacher to be claimed, found {claim.text}")
    if claim.around or not re.match(r"self\.wdir = ", claim.beside(-1)):
        fail(f"expected claim_teacher directly after self.wdir, not after {claim.beside(-1)!r}")
    written = [spot.line for spot in init.spots if "args.yaml" in spot.text or spot.text.startswith("print_args(")]
    if not written:
        fail("the arguments are written nowhere, so nothing can come before it")
    in_order(
        ("self.args", init.all(r"self\.args = ")[0].line), ("claim_teacher", claim.line), ("args.yaml", written[0])
    )

    block = [init.one(rf"self\.{name} = ") for name in _NAMES]
    anchor = init.one(r"self\.plot_idx = ")
    if [(spot.around, spot.index) for spot in block] != [
        (anchor.around, anchor.index + 1 + i) for i in range(len(block))
    ]:
        fail(f"expected the attributes directly after self.plot_idx, one below the other, line {block[0].line}")
    expect = init.one(r"expect_teacher\(self\)$")
    if expect.around or not re.match(r"self\.callbacks = ", expect.beside(-1)):
        fail(f"expected expect_teacher directly after self.callbacks, not after {expect.beside(-1)!r}")
    places = (f"{claim.beside(-1)} ... {claim.beside(1)}", f"{anchor.text} ... {block[-1].beside(1)}")
    return "; ".join((*places, expect.beside(-1)))


def _defaults(checkout: Patched) -> None:
    """Require what code reads that subclasses inherit to have a value in the class, before anything is trained."""
    spots = spots_in(checkout.scope(TRAINER, "BaseTrainer").node.body, ())
    given = [spot.text for spot in spots if not spot.around and spot.text.startswith(("model_t", "distill"))]
    if given != ["model_t = None", "distiller = None", "distill_items = DistillItems()"]:
        fail(f"expected BaseTrainer to have what a run without a teacher has, found {given}")


SABOTAGE = {
    "the teacher is claimed after args.yaml": Sabotage(
        TRAINER, r"(?s)( +self\.model_t = claim_teacher[^\n]*\n)(.*?args\.yaml[^\n]*\n)", r"\2\1"
    ),
    "a subclass has no value without a teacher": Sabotage(TRAINER, r"    model_t = None[^\n]*\n", ""),
    "an attribute is missing": Sabotage(TRAINER, r" +self\.teacherloss = 0\n", ""),
    "the teacher is expected before there are callbacks": Sabotage(
        TRAINER, r"( +self\.callbacks = [^\n]*\n)( +expect_teacher\(self\)\n)", r"\2\1"
    ),
    "an import is missing": Sabotage(TRAINER, r"from ultralytics\.utils\.distiller import Distiller\n", ""),
}

_IMPORTS = Place(TRAINER, r"^(?P<indent>)(?P<here>)from ultralytics\.utils import ")
_ATTRIBUTES = Place(TRAINER, r"^(?P<indent> +)self\.plot_idx = \[0, 1, 2\]\n(?P<here>)")

BY_HAND = {
    "the tutorial's imports": Spelling(
        _IMPORTS, "from ultralytics.utils.AddLoss import get_fpn_features, Distill_LogitLoss, FeatureLoss"
    ),
    "the tutorial's attributes": Spelling(
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
    "a relative import": Spelling(_IMPORTS, "from ..utils.AddLoss import FeatureLoss"),
    "an import of the module": Spelling(_IMPORTS, "import ultralytics.utils.AddLoss as losses"),
    "an import beside another": Spelling(_IMPORTS, "from ultralytics.utils import loss, AddLoss"),
    "an import from the package": Spelling(_IMPORTS, "from ultralytics.utils import AddLoss"),
    "an if on one line": Spelling(_ATTRIBUTES, 'if "model_t" in overrides: self.model_t = overrides.pop("model_t")'),
    "chained": Spelling(_ATTRIBUTES, "self.featureloss = x = 0"),
    "a tuple": Spelling(_ATTRIBUTES, "self.logitloss, x = 0, 1"),
    "two on one line": Spelling(_ATTRIBUTES, "x = 1; self.teacherloss = 0"),
    "a type hint": Spelling(_ATTRIBUTES, "self.distillloss: nn.Module = None"),
    "only the kind": Spelling(_ATTRIBUTES, 'self.distill_feat_type = "mgd"'),
    "only the online switch": Spelling(_ATTRIBUTES, "self.distillonline = True"),
    "only the logit switch": Spelling(_ATTRIBUTES, "self.logit_loss = False"),
    "only the layers": Spelling(_ATTRIBUTES, "self.distill_layers = [15, 18, 21]"),
    "something of one's own by our name": Spelling(_ATTRIBUTES, "self.distill_items = {}"),
}


EDITS = {
    "no folder of weights": removed(TRAINER, r"self\.wdir = "),
    "no plot_idx": removed(TRAINER, r"self\.plot_idx = "),
    "a function of the name of ours": Edit(append(TRAINER, "def load_teacher(path):\n    pass\n"), Fate.REFUSED),
    "no callbacks": removed(TRAINER, r"self\.callbacks = "),
    "two times plot_idx": Edit(sub(TRAINER, r"^( +)(self\.plot_idx = .*)$", r"\1\2\n\1\2"), Fate.REFUSED),
    "more attributes": Edit(
        sub(
            TRAINER,
            r"^( +)(self\.plot_idx = .*)$",
            r"\1self.gain = self.more = 0.5\n\1\2\n\1self.mine = {}\n\1self.teacher = None",
        ),
        Fate.PATCHED,
    ),
    "more batches to draw": Edit(sub(TRAINER, r"(self\.plot_idx = )\[0, 1, 2\]", r"\1[0, 1, 2, 3]"), Fate.PATCHED),
    "the attributes come in a branch": Edit(
        sub(TRAINER, r"^( +)(self\.plot_idx = .*)$", r"\1if self.args.plots:\n\1    \2"), Fate.EITHER
    ),
    "the teacher's folder in a branch": Edit(
        sub(TRAINER, r"^( +)(self\.wdir = .*)$", r"\1if self.args.save:\n\1    \2"), Fate.EITHER
    ),
}

PATCH = "patches/02-attributes.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "a subclass that does not call the __init__ of BaseTrainer trains as ever without a teacher",
        PATCH,
        "+ model_t = None  # teacher",
        "+ # model_t = None  # teacher",
        "trainers::trains_as_ever and 8.2.50",
    ),
    Break(
        "a trainer with a train and a training loop of its own does not ignore its teacher",
        PATCH,
        "+ expect_teacher(self)\n",
        "+ pass\n",
        "trainers::without_a_model and 8.2.50",
    ),
    Break(
        "without a teacher the columns are the pristine release's",
        PATCH,
        "+ self.distill_items = DistillItems()",
        "+ self.distill_items = DistillItems(dfeaLoss=0.0)",
        "no_teacher::8.4.190",
    ),
)

"""The teacher is among the arguments that a loaded model remembers."""

from __future__ import annotations

import re

from edits import Edit, Fate, on_text, removed, renamed, sub
from promises import Break
from spelling import Place, Spelling
from statements import MODEL, Patched, Sabotage, fail, function_of


def landing(checkout: Patched) -> str:
    """Check where it landed, and return the code that it hangs on."""
    scope = checkout.scope(MODEL, "Model._reset_ckpt_args", "YOLO._reset_ckpt_args")
    reset = function_of(scope)
    kept = {"imgsz": 640, "data": "d.yaml", "task": "detect", "single_cls": False, "model_t": "t.pt"}
    remembered = reset({**kept, "epochs": 3, "batch": 2})
    if remembered != kept:
        fail(f"expected {', '.join(kept)} to be remembered, found {', '.join(remembered)}")
    return scope.name


SABOTAGE = {
    "the teacher is forgotten": Sabotage(MODEL, r' +"model_t",\n', ""),
}

_KEYS = Place(MODEL, r"include = \{['\"]imgsz['\"],(?P<here>)")

BY_HAND = {"the tutorial's": Spelling(_KEYS, " 'model_t',")}

_REMEMBERED = r"\{(['\"]imgsz['\"], ['\"]data['\"], ['\"]task['\"], ['\"]single_cls['\"])\}(?=  #)"

EDITS = {
    "_reset_ckpt_args renamed": renamed(MODEL, "_reset_ckpt_args"),
    "no remembered keys": removed(MODEL, r"include = \{"),
    "more remembered keys": Edit(sub(MODEL, _REMEMBERED, r"{\1, 'augmentations'}"), Fate.PATCHED),
    "the remembered keys in a tuple": Edit(sub(MODEL, _REMEMBERED, r"(\1)"), Fate.PATCHED),
    "the remembered keys in a list": Edit(sub(MODEL, _REMEMBERED, r"[\1,]"), Fate.PATCHED),
    "the remembered keys in a frozen set": Edit(sub(MODEL, _REMEMBERED, r"frozenset({\1})"), Fate.PATCHED),
    "the remembered keys one below the other": Edit(
        on_text(lambda text: re.sub(_REMEMBERED, lambda keys: f"{{\n{keys[1]},\n}}".replace(", ", ",\n"), text), MODEL),
        Fate.PATCHED,
    ),
    "a remembered key in front": Edit(sub(MODEL, _REMEMBERED, r"{'augmentations', \1}"), Fate.PATCHED),
}

PATCH = "patches/15-remembered-argument.patch"

BREAKS: tuple[Break, ...] = (
    Break(
        "a loaded model remembers its teacher",
        PATCH,
        '+     "model_t",\n',
        '+     "teacher",\n',
        "modifications::lands and m15",
    ),
)

"""Checkouts as people really have them: releases that somebody has edited or reformatted.

Edits that are about one modification are in its file in `modifications`; here are those of all files, and of several.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import landings
import matrix
import modifications
import pytest
from edits import RELEASES, Edit, Fate, Files, append, both, files_of, insert_above, on_text, statement_lines, sub
from releases import choose
from statements import CFG, DETECT, MODEL, TRAINER

from distillpatch.engine.plan import make_plan, paths
from distillpatch.engine.refusal import require
from distillpatch.errors import DistillpatchError


def _comment_everywhere(text: str) -> str:
    for line in reversed(statement_lines(text)):
        text = insert_above(text, line, "# what follows is interesting")
    return text


def _reverse_imports(text: str) -> str:
    """Turn round the order of the imports of ultralytics at the head of a file."""
    from_imports = [node for node in ast.parse(text).body if isinstance(node, ast.ImportFrom)]
    imports = [node for node in from_imports if (node.module or "").startswith("ultralytics")]
    lines = text.splitlines(keepends=True)
    blocks = ["".join(lines[node.lineno - 1 : node.end_lineno]) for node in imports]
    for node, block in zip(reversed(imports), blocks, strict=True):
        lines[node.lineno - 1 : node.end_lineno] = [block]
    return "".join(lines)


def formatted(line_length: int = 120, quotes: str = "double", indent: str = "space", width: int = 4) -> Edit:
    """Return an edit that reformats all files, in the style of ruff and black."""
    options = {
        "line-length": f"{line_length}",
        "format.quote-style": f'"{quotes}"',
        "format.indent-style": f'"{indent}"',
        "indent-width": f"{width}",
    }
    settings = [f"--config={key}={value}" for key, value in options.items()]

    @cache
    def change(text: str) -> str:
        command = ["ruff", "format", "--isolated", *settings, "-"]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout

    return Edit(on_text(change), Fate.PATCHED)


def with_crlf(files: Files) -> Files:
    """Give all files the line endings of Windows."""
    return {path: content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") for path, content in files.items()}


def with_mark(files: Files) -> Files:
    """Give all files a byte order mark."""
    return {path: b"\xef\xbb\xbf" + content.removeprefix(b"\xef\xbb\xbf") for path, content in files.items()}


FORMATS = {
    "79 columns": formatted(79),
    "120 columns": formatted(120),
    "200 columns": formatted(200),
    "single quotes": formatted(quotes="single"),
    "2 spaces": formatted(width=2),
    "tabs": formatted(indent="tab"),
}


ENDINGS = {
    "CRLF": Edit(with_crlf, Fate.PATCHED),
    "a byte order mark": Edit(with_mark, Fate.PATCHED),
    "no line ending at the end": Edit(on_text(str.rstrip), Fate.PATCHED),
}


_ANCHORS = (
    r"^( +)(self\.model = self\.model\.to|batch = self\.preprocess_batch|self\.plot_idx = |self\.scaler\.step"
    r"|self\.wdir = |self\.tloss = |self\.optimizer = self|self\.model\.train\(\)|self\._model_train\(\))"
)
_ONE_LINE = (
    r"^( +)(self\.model = self\.model\.to\(self\.device\)|batch = self\.preprocess_batch\(batch\)|self\.plot_idx = .*"
    r"|self\.scaler\.step\(.*|self\.wdir = .*|self\.model\.train\(\)|self\._model_train\(\))$"
)
_SUBCLASS = '''class MyTrainer(BaseTrainer):
    """Mine."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.plot_idx = [0, 1, 2]

    def _setup_train(self, *args):
        self.model = self.model.to(self.device)
        super()._setup_train(*args)

    def build_optimizer(self, model, name="auto", lr=0.001, momentum=0.9, decay=1e-5, iterations=1e5, **kwargs):
        for module_name, module in model.named_modules():
            print(module_name)
        return super().build_optimizer(model, name, lr, momentum, decay, iterations, **kwargs)
'''
_OTHER_CLASS = '''class Helper:
    """Has methods of the same names."""

    def _do_train(self, batch):
        batch = self.preprocess_batch(batch)
        self.model.train()
        return batch

    def optimizer_step(self):
        self.scaler.step(self.optimizer)

    def progress_string(self):
        return ("%11s" * (4 + len(self.loss_names))) % ("Epoch", "GPU_mem", *self.loss_names, "Instances", "Size")
'''

SEVERAL = {
    "a comment above every statement": Edit(on_text(_comment_everywhere), Fate.PATCHED),
    "comments above the anchors": Edit(sub(TRAINER, _ANCHORS, r"\1# mine\n\1\2"), Fate.PATCHED),
    "logging above the anchors": Edit(sub(TRAINER, _ANCHORS, r'\1LOGGER.info("mine")\n\1\2'), Fate.PATCHED),
    "logging below the anchors": Edit(sub(TRAINER, _ONE_LINE, r'\1\2\n\1LOGGER.info("mine")'), Fate.PATCHED),
    "comments at the end of the anchors": Edit(sub(TRAINER, _ONE_LINE, r"\1\2  # mine"), Fate.PATCHED),
    "blank lines below the anchors": Edit(sub(TRAINER, _ONE_LINE, r"\1\2\n\n"), Fate.PATCHED),
    "hints on the parameters": Edit(
        both(
            sub(
                TRAINER,
                r"(def build_optimizer\(self, model)(, [^)]*iterations)=1e5\)",
                r"\1: nn.Module\2: float = 1e5)",
            ),
            sub(MODEL, r"(def _reset_ckpt_args\(args)[^)]*\)[^:]*:", r"\1: dict[str, object]) -> dict[str, object]:"),
        ),
        Fate.PATCHED,
    ),
    "hints on the attributes": Edit(
        both(
            sub(TRAINER, r"^( +self\.plot_idx) = ", r"\1: list[int] = "),
            sub(TRAINER, r"^( +self\.wdir) = ", r"\1: Path = "),
            sub(TRAINER, r"^( +self\.model) = self\.model\.to\(", r"\1: nn.Module = self.model.to("),
        ),
        Fate.PATCHED,
    ),
    "parentheses": Edit(
        both(
            sub(TRAINER, r"^( +self\.wdir) = (\S+ / \S+)", r"\1 = (\2)"),
            sub(TRAINER, r"if (self\.)?world_size > 1:", r"if (\1world_size > 1):"),
        ),
        Fate.PATCHED,
    ),
    "imports turned round": Edit(on_text(_reverse_imports, TRAINER, CFG), Fate.PATCHED),
    "a subclass that overrides": Edit(append(TRAINER, _SUBCLASS), Fate.PATCHED),
    "a class with methods of the same names": Edit(
        both(append(TRAINER, _OTHER_CLASS), append(DETECT, _OTHER_CLASS)), Fate.PATCHED
    ),
    "another name for the number of a batch": Edit(sub(TRAINER, r"\bi\b", "number"), Fate.PATCHED),
    "the trainer renamed": Edit(sub(TRAINER, r"class BaseTrainer\b", "class MyBaseTrainer"), Fate.REFUSED),
    "two methods of one name": Edit(
        sub(
            TRAINER,
            r"^    def build_optimizer\(",
            "    def build_optimizer(self):\n        pass\n\n    def build_optimizer(",
        ),
        Fate.REFUSED,
    ),
    "a subclass that takes the trainer's name": Edit(
        append(TRAINER, "class BaseTrainer(BaseTrainer):\n    pass\n"), Fate.REFUSED
    ),
    "two trainers of one name": Edit(
        append(TRAINER, "class BaseTrainer:\n    def _setup_train(self):\n        pass\n"), Fate.REFUSED
    ),
    "a function above the imports": Edit(
        sub(CFG, r"\A(?!(?s:.*)from __future__)", "def first():\n    pass\n\n\n"), Fate.EITHER
    ),
    "a syntax error": Edit(sub(TRAINER, r"^class BaseTrainer:", "class BaseTrainer"), Fate.REFUSED),
}
"""Edits that are about several modifications, or about none in particular."""

EDITS: Mapping[str, Edit] = {
    **FORMATS,
    **ENDINGS,
    **SEVERAL,
    **{
        name: replace(edit, number=number)
        for number, modification in modifications.ALL.items()
        for name, edit in modification.EDITS.items()
    },
}

KEPT = [name for name, edit in EDITS.items() if edit.fate is not Fate.REFUSED and name not in {**FORMATS, **ENDINGS}]
"""The edits that leave every anchor what it was, so that they go together."""


# What becomes of them ------------------------------------------------------------------------------------------------


def patch(files: Files) -> tuple[Mapping[str, bytes] | None, str]:
    """Return the patched files, or None and the error that refuses them."""
    wanted = {path: files.get(path) for path in paths(matrix.patch_set())}
    try:
        changes = require(make_plan(matrix.patch_set(), wanted, "edited")).changes
    except DistillpatchError as error:
        return None, str(error)
    return {change.path: change.after for change in changes if change.after is not None}, ""


SHARES = [pytest.param(True, id="one"), pytest.param(False, id="others", marks=pytest.mark.slow)]
"""Whether an edit is made to one release, or to the others."""


def assert_fates(name: str, edit: Edit, is_one: bool) -> None:
    """Assert that edited releases meet their fate: one of those that can be edited in this way, or the others."""
    able = [release for release in RELEASES if edit.change(files_of(release)) != files_of(release)]
    assert able, "no release has what this edits"
    for release in able:
        if (release == choose(name, able)) == is_one:
            assert_fate(edit.change(files_of(release)), edit.fate, edit.number)


def assert_fate(edited: Files, fate: Fate, number: int | None = None) -> None:
    """Assert that edited files meet their fate, and in no case a wrong one."""
    after, error = patch(edited)
    if after is None:
        assert fate is not Fate.PATCHED, error
        assert f"modification {number or ''}" in error or re.search("cannot be parsed|does not (parse|compile)", error)
        return
    assert fate is not Fate.REFUSED
    assert landings.examine(after).failures == ()

"""Checkouts as people really have them: releases that somebody has edited or reformatted.

An edit is a function from files to files. Each says what distillpatch has to make of it: some have to be patched, some
have to be refused, and some may be either, as long as nothing is ever patched wrongly.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

from landings import CFG, DETECT, MODEL, PLOTTING, TRAINER
from releases import read

RELEASES = ("8.0.150", "8.2.50", "8.3.200", "8.4.0", "8.4.190")
"""Five shapes, see docs/releases.md."""

EDITED = (TRAINER, CFG, DETECT, MODEL, PLOTTING)

Files = Mapping[str, bytes]


class Fate(Enum):
    """What distillpatch has to make of an edited checkout."""

    PATCHED = "patched"
    REFUSED = "refused"
    EITHER = "patched correctly, or refused"


@dataclass(frozen=True)
class Edit:
    """What somebody did to a checkout.

    Attributes:
        change: The files before to the files after; the same files if it cannot be done to this release.
        fate: What distillpatch has to make of it.
        number: The modification that a refusal has to name, where the edit is about one.
    """

    change: Callable[[Files], Files]
    fate: Fate
    number: int | None = None


@cache
def files_of(release: str) -> Files:
    """Return the files of a release that get edited."""
    return {path: content for path, content in read(release, EDITED).items() if content is not None}


# Kinds of edits -------------------------------------------------------------------------------------------------------


def on_text(change: Callable[[str], str], *paths: str) -> Callable[[Files], Files]:
    """Make an edit of a function on texts, for some files or all."""

    def edit(files: Files) -> Files:
        return {
            path: change(content.decode()).encode() if path in (paths or EDITED) else content
            for path, content in files.items()
        }

    return edit


def sub(path: str, pattern: str, replacement: str, count: int = 0) -> Callable[[Files], Files]:
    """Make an edit of a regular expression, in which ``^`` and ``$`` are those of a line."""
    return on_text(lambda text: re.sub(pattern, replacement, text, count=count, flags=re.MULTILINE), path)


def append(path: str, code: str) -> Callable[[Files], Files]:
    """Make an edit that adds code at the end of a file."""
    return on_text(lambda text: f"{text}\n\n{code}", path)


def both(*changes: Callable[[Files], Files]) -> Callable[[Files], Files]:
    """Make one edit of several."""

    def edit(files: Files) -> Files:
        for change in changes:
            files = change(files)
        return files

    return edit


def on_statements(path: str, start: str, change: Callable[[str, list[str]], list[str]]) -> Callable[[Files], Files]:
    """Make an edit of a function on the lines of each statement that starts with a regular expression.

    The function is given the statement's indentation as well.
    """

    def edit(text: str) -> str:
        lines = text.splitlines(keepends=True)
        nodes = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt))
        found = [node for node in nodes if re.match(start, lines[node.lineno - 1].strip())]
        for node in sorted(found, key=lambda node: node.lineno, reverse=True):
            span = slice(node.lineno - 1, node.end_lineno)
            lines[span] = change(" " * node.col_offset, lines[span])
        return "".join(lines)

    return on_text(edit, path)


def wrapped(path: str, start: str, header: str) -> Callable[[Files], Files]:
    """Make an edit that puts statements under a header."""
    return on_statements(path, start, lambda indent, lines: [f"{indent}{header}\n", *(f"    {line}" for line in lines)])


def insert_above(text: str, line: int, code: str) -> str:
    """Insert a line of code above a line (from 1), with its indentation."""
    lines = text.splitlines(keepends=True)
    indent = lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
    return "".join([*lines[: line - 1], f"{indent}{code}\n", *lines[line - 1 :]])


def statement_lines(text: str) -> list[int]:
    """Return the lines at which a statement of a function starts, docstrings and ``elif`` left out."""
    tree = ast.parse(text)
    lines = text.splitlines()
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    nodes = {node for function in functions for node in ast.walk(function) if isinstance(node, ast.stmt)}
    nodes -= set(functions)
    nodes -= {function.body[0] for function in functions if ast.get_docstring(function)}
    return sorted({node.lineno for node in nodes if not lines[node.lineno - 1].lstrip().startswith("elif ")})


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


# Formats --------------------------------------------------------------------------------------------------------------


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

# Edits that leave every anchor what it was ----------------------------------------------------------------------------

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
_LAST_PARAMETER = r"(def build_optimizer\([^)]*iterations=1e5)\)"
_LAST_ARGUMENT = r"(iterations=iterations)(,?\s*\))"
_KEYS = r"\{(['\"]imgsz['\"], ['\"]data['\"], ['\"]task['\"], ['\"]single_cls['\"])\}(?=  #)"

KEPT = {
    "a comment above every statement": Edit(on_text(_comment_everywhere), Fate.PATCHED),
    "comments above the anchors": Edit(sub(TRAINER, _ANCHORS, r"\1# mine\n\1\2"), Fate.PATCHED),
    "logging above the anchors": Edit(sub(TRAINER, _ANCHORS, r'\1LOGGER.info("mine")\n\1\2'), Fate.PATCHED),
    "logging below the anchors": Edit(sub(TRAINER, _ONE_LINE, r'\1\2\n\1LOGGER.info("mine")'), Fate.PATCHED),
    "comments behind the anchors": Edit(sub(TRAINER, _ONE_LINE, r"\1\2  # mine"), Fate.PATCHED),
    "blank lines below the anchors": Edit(sub(TRAINER, _ONE_LINE, r"\1\2\n\n"), Fate.PATCHED),
    "more attributes": Edit(
        sub(
            TRAINER,
            r"^( +)(self\.plot_idx = .*)$",
            r"\1self.gain = self.more = 0.5\n\1\2\n\1self.mine = {}\n\1self.teacher = None",
        ),
        Fate.PATCHED,
    ),
    "a term of the loss": Edit(
        sub(
            TRAINER,
            r"^( +)(self\.loss = loss\.sum\(\)|self\.loss, self\.loss_items = self\.model\(batch\))$",
            r"\1\2\n\1self.loss = self.loss + 0.1 * self.penalty(batch)",
        ),
        Fate.PATCHED,
    ),
    "a term of the loss before backward": Edit(
        sub(TRAINER, r"^( +)(# Backward)$", r"\1self.loss += 0.1 * self.penalty(batch)\n\n\1\2"), Fate.PATCHED
    ),
    "an argument of the optimizer": Edit(
        sub(TRAINER, r"(self\.build_optimizer\(\s*model=self\.model),", r"\1, gain=self.gain,"), Fate.PATCHED
    ),
    "a last argument of the optimizer": Edit(sub(TRAINER, _LAST_ARGUMENT, r"\1, more=self.more\2"), Fate.PATCHED),
    "arguments in a dict": Edit(sub(TRAINER, _LAST_ARGUMENT, r"\1, **self.gains\2"), Fate.PATCHED),
    "a parameter": Edit(sub(TRAINER, _LAST_PARAMETER, r"\1, gain=0.1)"), Fate.PATCHED),
    "a parameter by keyword": Edit(sub(TRAINER, _LAST_PARAMETER, r"\1, *, gain=0.1)"), Fate.PATCHED),
    "any parameters by keyword": Edit(sub(TRAINER, _LAST_PARAMETER, r"\1, **gains)"), Fate.PATCHED),
    "any parameters": Edit(sub(TRAINER, _LAST_PARAMETER, r"\1, *gains, **more)"), Fate.EITHER),
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
    "more remembered keys": Edit(sub(MODEL, _KEYS, r"{\1, 'augmentations'}"), Fate.PATCHED),
    "the remembered keys in a tuple": Edit(sub(MODEL, _KEYS, r"(\1)"), Fate.PATCHED),
    "the remembered keys in a list": Edit(sub(MODEL, _KEYS, r"[\1,]"), Fate.PATCHED),
    "the remembered keys in a frozen set": Edit(sub(MODEL, _KEYS, r"frozenset({\1})"), Fate.PATCHED),
    "the remembered keys one below the other": Edit(
        on_text(lambda text: re.sub(_KEYS, lambda keys: f"{{\n{keys[1]},\n}}".replace(", ", ",\n"), text), MODEL),
        Fate.PATCHED,
    ),
    "imports turned round": Edit(on_text(_reverse_imports, TRAINER, CFG), Fate.PATCHED),
    "a subclass that overrides": Edit(append(TRAINER, _SUBCLASS), Fate.PATCHED),
    "a class with methods of the same names": Edit(
        both(append(TRAINER, _OTHER_CLASS), append(DETECT, _OTHER_CLASS)), Fate.PATCHED
    ),
    "a train mode of one's own": Edit(
        sub(
            TRAINER,
            r"^( +)(self\.run_callbacks\(['\"]on_train_(batch|epoch)_end['\"]\))$",
            r"\1self.model.train()\n\1\2",
        ),
        Fate.EITHER,
    ),
    "logging above the loop over the modules": Edit(
        sub(TRAINER, r"^( +)(for .* in .*named_modules\(\):)$", r"\1LOGGER.info('mine')\n\1\2"), Fate.PATCHED
    ),
    "logging above the set-up of processes": Edit(
        sub(TRAINER, r"^( +)(self\._setup_ddp\(.*)$", r"\1LOGGER.info('mine')\n\1\2"), Fate.PATCHED
    ),
    "another name for the number of a batch": Edit(sub(TRAINER, r"\bi\b", "number"), Fate.PATCHED),
    "the keys in lists": Edit(
        sub(CFG, r"(base_keys, custom_keys = \()(?:frozen)?set\(x\.keys\(\)\)", r"\1list(x.keys())"), Fate.PATCHED
    ),
    "the model moves without waiting": Edit(
        sub(TRAINER, r"^( +self\.model = self\.model\.to\(self\.device)\)", r"\1, non_blocking=True)"), Fate.PATCHED
    ),
    "more batches to draw": Edit(sub(TRAINER, r"(self\.plot_idx = )\[0, 1, 2\]", r"\1[0, 1, 2, 3]"), Fate.PATCHED),
    "a remembered key in front": Edit(sub(MODEL, _KEYS, r"{'augmentations', \1}"), Fate.PATCHED),
    "another figure in the row": Edit(
        both(
            sub(TRAINER, r"(['\"]%11\.4g['\"] \* \()2 \+", r"\g<1>3 +"),
            sub(TRAINER, r"(batch\[['\"]img['\"]\]\.shape\[-1\])(,?(?:  #.*)?\s*\))", r"0.5, \1\2"),
        ),
        Fate.PATCHED,
    ),
    "another column in the header": Edit(
        sub(
            DETECT, r"\(4( \+ len\(self\.loss_names\))(?s:(.*?))\*self\.loss_names,", r"(5\1\2*self.loss_names, 'mine',"
        ),
        Fate.PATCHED,
    ),
}

# Edits that take an anchor away, or leave it in doubt -----------------------------------------------------------------


def renamed(path: str, name: str, number: int) -> Edit:
    """Return an edit that renames a function."""
    return Edit(sub(path, rf"\bdef {name}\b", f"def my_{name}"), Fate.REFUSED, number)


def removed(path: str, start: str, number: int) -> Edit:
    """Return an edit that removes statements."""
    return Edit(on_statements(path, start, lambda indent, _: [f"{indent}pass\n"]), Fate.REFUSED, number)


LOST = {
    **{
        f"{name} renamed": renamed(path, name, number)
        for path, name, number in (
            (TRAINER, "_setup_train", 3),
            (TRAINER, "_do_train", 6),
            (TRAINER, "build_optimizer", 11),
            (TRAINER, "optimizer_step", 12),
            (CFG, "check_dict_alignment", 13),
            (DETECT, "progress_string", 14),
            (MODEL, "_reset_ckpt_args", 15),
            (PLOTTING, "plot_results", 14),
        )
    },
    "the trainer renamed": Edit(sub(TRAINER, r"class BaseTrainer\b", "class MyBaseTrainer"), Fate.REFUSED),
    "no folder of weights": removed(TRAINER, r"self\.wdir = ", 2),
    "no plot_idx": removed(TRAINER, r"self\.plot_idx = ", 2),
    "no move to the device": removed(TRAINER, r"self\.model = self\.model\.to\(self", 3),
    "no wrapping of the student": removed(TRAINER, r"self\.model = (nn\.parallel\.Distributed|DDP\()", 4),
    "no optimizer": removed(TRAINER, r"self\.optimizer = self\.build_optimizer", 5),
    "no set-up of processes": removed(TRAINER, r"self\._setup_ddp\(", 6),
    "no train mode": removed(TRAINER, r"self\.(model\.|_model_)train\(\)", 7),
    "no preprocess_batch": removed(TRAINER, r"batch = self\.preprocess_batch\(", 8),
    "no mean": removed(TRAINER, r"self\.tloss = (?!None)", 9),
    "no row": removed(TRAINER, r"pbar\.set_description\(", 10),
    "no step": removed(TRAINER, r"self\.scaler\.step\(", 12),
    "no keys to compare": removed(CFG, r"base_keys, custom_keys = ", 13),
    "no axes": removed(PLOTTING, r"ax = ax\.ravel\(\)", 14),
    "no remembered keys": removed(MODEL, r"include = \{", 15),
    "the loop over modules in a function": Edit(
        sub(TRAINER, r"in (unwrap_model\(model\)|model)\.named_modules\(\)", "in modules_of(model)"), Fate.REFUSED, 12
    ),
    "other groups": Edit(sub(TRAINER, r"\bg\b(?!<)", "groups"), Fate.REFUSED, 12),
    "the mean without a gradient": Edit(
        wrapped(TRAINER, r"self\.tloss = (?!None)", "with torch.no_grad():"), Fate.REFUSED, 9
    ),
    "the batch without a gradient": Edit(
        wrapped(TRAINER, r"batch = self\.preprocess_batch", "with torch.no_grad():"), Fate.REFUSED, 9
    ),
    "the step in a function": Edit(wrapped(TRAINER, r"self\.scaler\.step\(", "def step():"), Fate.REFUSED, 12),
    "a function of the name of ours": Edit(append(TRAINER, "def load_teacher(path):\n    pass\n"), Fate.REFUSED, 2),
    "two times plot_idx": Edit(sub(TRAINER, r"^( +)(self\.plot_idx = .*)$", r"\1\2\n\1\2"), Fate.REFUSED, 2),
    "two methods of one name": Edit(
        sub(
            TRAINER,
            r"^    def optimizer_step\(",
            "    def optimizer_step(self):\n        pass\n\n    def optimizer_step(",
        ),
        Fate.REFUSED,
    ),
    "a subclass that takes the trainer's name": Edit(
        append(TRAINER, "class BaseTrainer(BaseTrainer):\n    pass\n"), Fate.PATCHED
    ),
    "two trainers of one name": Edit(
        append(TRAINER, "class BaseTrainer:\n    def _setup_train(self):\n        pass\n"), Fate.REFUSED
    ),
    "a function above the imports": Edit(sub(CFG, r"\A", "def first():\n    pass\n\n\n"), Fate.EITHER),
    "a syntax error": Edit(sub(TRAINER, r"^class BaseTrainer:", "class BaseTrainer"), Fate.REFUSED),
    "the batch is prepared in a branch": Edit(
        sub(
            TRAINER,
            r"^( +)(batch = self\.preprocess_batch\(batch\))$",
            r"\1if not self.args.rect:\n\1    \2\n\1else:\n\1    batch = self.prepare(batch)",
        ),
        Fate.EITHER,
    ),
    "the attributes come in a branch": Edit(
        sub(TRAINER, r"^( +)(self\.plot_idx = .*)$", r"\1if self.args.plots:\n\1    \2"), Fate.EITHER
    ),
    "the model moves in a branch": Edit(
        sub(
            TRAINER,
            r"^( +)(self\.model = self\.model\.to\(self\.device\))$",
            r"\1if self.device.type != 'cpu':\n\1    \2",
        ),
        Fate.EITHER,
    ),
    "the teacher's folder in a branch": Edit(
        sub(TRAINER, r"^( +)(self\.wdir = .*)$", r"\1if self.args.save:\n\1    \2"), Fate.EITHER
    ),
    "the mean in a branch": Edit(wrapped(TRAINER, r"self\.tloss = (?!None)", "if self.args.plots:"), Fate.REFUSED, 9),
    "the student in train mode in a branch": Edit(
        sub(TRAINER, r"^( +)(self\.model\.train\(\)|self\._model_train\(\))$", r"\1if epoch % 2:\n\1    \2"),
        Fate.EITHER,
    ),
    "the step in a branch": Edit(
        sub(TRAINER, r"^( +)(self\.scaler\.step\(.*)$", r"\1if self.accumulate:\n\1    \2"), Fate.EITHER
    ),
}

EDITS = {**FORMATS, **ENDINGS, **KEPT, **LOST}

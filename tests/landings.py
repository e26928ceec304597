"""Where the fifteen modifications have to land, said a second time and without the engine.

The patch set says which code a modification hangs on; the checks here say what it means to the program: before what,
behind what, inside what, with how many values. They read the patched files with :mod:`ast` alone, and try out three
small functions (the labels of the losses, the remembered keys, the format strings) rather than to read them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

_PATCHES = Path(__file__).resolve().parent.parent / "patches"

_UTILS = "ultralytics/utils"
ADDLOSS = f"{_UTILS}/AddLoss.py"
TRAINER = "ultralytics/engine/trainer.py"
CFG = "ultralytics/cfg/__init__.py"
DETECT = "ultralytics/models/yolo/detect/train.py"
MODEL = "ultralytics/engine/model.py"
PLOTTING = "ultralytics/utils/plotting.py"

Files = Mapping[str, bytes]

_GUARD = "self.model_t is not None"
_COLUMNS = {"dfeaLoss": 1.0, "dlineLoss": 2.0, "dlogitLoss": 3.0}
_ATTRIBUTES = (
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
_PUBLIC = {
    "is_parallel",
    "de_parallel",
    "MimicLoss",
    "CWDLoss",
    "MGDLoss",
    "Distill_LogitLoss",
    "get_fpn_features",
    "get_channels",
    "FeatureLoss",
}


class Misplaced(AssertionError):
    """A modification is not where it has to be."""


@dataclass(frozen=True)
class Landings:
    """What the checks found.

    Attributes:
        neighbours: For each modification, the code that it hangs on: what tells one shape of releases from another.
        failures: What is wrong, each naming its modification.
    """

    neighbours: Mapping[int, str]
    failures: tuple[str, ...]


def examine(files: Files) -> Landings:
    """Check all modifications in the patched files of a release."""
    neighbours: dict[int, str] = {}
    failures: list[str] = []
    try:
        checkout = Patched({path: ast.parse(content) for path, content in files.items()})
        for path, content in files.items():
            compile(content, path, "exec", dont_inherit=True)  # which refuses more than the grammar does
    except SyntaxError as error:
        return Landings({}, (f"does not compile: {error}",))
    for module in sorted(_PATCHES.glob("*.py")):
        if files.get(f"{_UTILS}/{module.name}") != module.read_bytes():
            failures.append(f"modification 1: {module.name} is not the one of the patch set")
    for number, check in CHECKS.items():
        try:
            neighbours[number] = check(checkout)
        except Misplaced as error:
            failures.append(f"modification {number}: {error}")
    return Landings(neighbours, tuple(failures))


# Finding one's way in a tree ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Spot:
    """A statement, with the block that it stands in and the statements around it, the innermost last."""

    block: tuple[ast.stmt, ...]
    index: int
    around: tuple[Spot, ...]

    @property
    def statement(self) -> ast.stmt:
        """The statement itself."""
        return self.block[self.index]

    @cached_property
    def text(self) -> str:
        """The statement's first line, normalized: single quotes, no comments, one line."""
        return _head(self.statement)

    @property
    def line(self) -> int:
        """The statement's line."""
        return self.statement.lineno

    def beside(self, offset: int) -> str:
        """Return the first line of a neighbour in the block, "" if there is none."""
        index = self.index + offset
        return _head(self.block[index]) if 0 <= index < len(self.block) else ""

    def within(self, pattern: str) -> Spot | None:
        """Return the innermost statement around this one whose first line matches."""
        return next((spot for spot in reversed(self.around) if re.match(pattern, spot.text)), None)

    def guarded(self, statements: int = 1) -> Spot:
        """Return the ``if self.model_t is not None:`` that this statement must stand in.

        Args:
            statements: How many statements it has, this one included; an else it has not.
        """
        guard = self.around[-1] if self.around else self
        if guard.text != f"if {_GUARD}:" or len(self.block) != statements or getattr(guard.statement, "orelse", None):
            _fail(f"expected {self.text!r} directly in 'if {_GUARD}:', line {self.line}")
        return guard


@dataclass(frozen=True)
class Scope:
    """A function or a class."""

    name: str
    node: ast.FunctionDef | ast.ClassDef

    @cached_property
    def spots(self) -> list[Spot]:
        """Every statement in it, those in nested blocks included, in order."""
        return list(_spots(self.node.body, ()))

    def all(self, pattern: str) -> list[Spot]:
        """Return the statements whose first line matches a regular expression from its start."""
        return [spot for spot in self.spots if re.match(pattern, spot.text)]

    def one(self, pattern: str) -> Spot:
        """Return the one statement whose first line matches."""
        found = self.all(pattern)
        if len(found) != 1:
            lines = ", ".join(str(spot.line) for spot in found) or "none"
            _fail(f"expected {pattern!r} once in {self.name}, found it at lines: {lines}")
        return found[0]

    def calls(self, function: str) -> list[ast.Call]:
        """Return the calls of a function, by the text of its name."""
        return [node for node in ast.walk(self.node) if isinstance(node, ast.Call) and _text(node.func) == function]


@dataclass(frozen=True)
class Patched:
    """The patched files of one release."""

    trees: Mapping[str, ast.Module]

    def scope(self, path: str, *names: str) -> Scope:
        """Return the class or function that has the first of the names that is there."""
        for name in names:
            node: Any = self.trees[path]
            for part in name.split("."):
                body = node.body if node else []
                kinds = (ast.ClassDef, ast.FunctionDef)
                node = next((child for child in body if isinstance(child, kinds) and child.name == part), None)
            if node:
                return Scope(name, node)
        _fail(f"{path} has no {' or '.join(names)}")

    def trainer(self, method: str) -> Scope:
        """Return a method of the base trainer."""
        return self.scope(TRAINER, f"BaseTrainer.{method}")

    def imports(self, path: str, *names: str) -> None:
        """Require names of the added modules to be imported at the head of a file."""
        added = {f"ultralytics.utils.{module.stem}" for module in _PATCHES.glob("*.py")}
        body = self.trees[path].body
        head = body[: next((i for i, node in enumerate(body) if isinstance(node, (ast.ClassDef, ast.FunctionDef))), 0)]
        modules = [node for node in head if isinstance(node, ast.ImportFrom) and node.module in added]
        imported = [alias.name for node in modules for alias in node.names if alias.asname is None]
        if sorted(imported) != sorted(names):
            _fail(f"expected {path} to import {', '.join(sorted(names))}, not {imported}")


def _spots(statements: Iterable[ast.stmt], around: tuple[Spot, ...]) -> Iterator[Spot]:
    block = tuple(statements)
    for index, statement in enumerate(block):
        spot = Spot(block, index, around)
        yield spot
        for part in (statement, *getattr(statement, "handlers", ())):
            for name in ("body", "orelse", "finalbody"):
                yield from _spots(getattr(part, name, ()), (*around, spot))


def _head(statement: ast.stmt) -> str:
    """Return a statement's first line, compound or not, as :mod:`ast` would write it; hints of types left out."""
    if isinstance(statement, ast.AnnAssign) and statement.value:
        return f"{_text(statement.target)} = {_text(statement.value)}"
    if isinstance(statement, (ast.For, ast.While, ast.If, ast.With, ast.Try, ast.FunctionDef, ast.ClassDef)):
        header = type(statement)(**{**dict(ast.iter_fields(statement)), **_emptied(statement)})
        statement = ast.copy_location(header, statement)
    # Python 3.10 writes "for (i, batch) in" and "(a, b) = ".
    return re.sub(r"^(for |)\(([^()]*)\)( in | = )", r"\1\2\3", ast.unparse(statement).split("\n", 1)[0])


def _emptied(statement: ast.stmt) -> dict[str, list[ast.stmt]]:
    blocks: dict[str, list[ast.stmt]] = {"body": [ast.Pass()], "orelse": [], "finalbody": [], "decorator_list": []}
    return {name: block for name, block in blocks.items() if name in statement._fields}


def _text(node: ast.AST) -> str:
    return ast.unparse(node)


def _fail(message: str) -> NoReturn:
    raise Misplaced(message)


def _in_order(*spots: tuple[str, int]) -> None:
    """Require named lines to follow each other."""
    for (earlier, line), (later, line_of_later) in pairwise(spots):
        if line >= line_of_later:
            _fail(f"expected {earlier} (line {line}) before {later} (line {line_of_later})")


def _call(scope: Scope, **names: Any) -> Callable[..., Any]:
    """Return a function of a release, on its own: no decorators, no hints, and only these global names."""
    assert isinstance(scope.node, ast.FunctionDef)
    function = ast.parse(ast.unparse(scope.node)).body[0]
    assert isinstance(function, ast.FunctionDef)
    function.decorator_list, function.returns = [], None
    for argument in ast.walk(function.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    exec(compile(ast.Module([function], []), scope.name, "exec"), names)
    result: Callable[..., Any] = names[function.name]
    return result


# The modifications ----------------------------------------------------------------------------------------------------


def _added_module(checkout: Patched) -> str:
    body = checkout.trees[ADDLOSS].body
    defined = {node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    defined |= {alias.name for node in body if isinstance(node, ast.ImportFrom) for alias in node.names}
    if missing := _PUBLIC - defined:
        _fail(f"AddLoss.py lacks {', '.join(sorted(missing))}")
    return ""


def _attributes(checkout: Patched) -> str:
    functions = ("claim_teacher", "given_teacher", "group_distillation_parameters", "load_teacher")
    checkout.imports(TRAINER, "Distiller", "DistillItems", "optimizer_arguments", *functions)
    init = checkout.trainer("__init__")
    claim = init.one(r"self\.model_t = ")
    if claim.text != "self.model_t = claim_teacher(self)":
        _fail(f"expected the teacher to be claimed, found {claim.text}")
    if claim.around or not re.match(r"self\.wdir = ", claim.beside(-1)):
        _fail(f"expected claim_teacher directly behind self.wdir, not behind {claim.beside(-1)!r}")
    written = [spot.line for spot in init.spots if "args.yaml" in spot.text or spot.text.startswith("print_args(")]
    if not written:
        _fail("the arguments are written nowhere, so nothing can come before it")
    _in_order(
        ("self.args", init.all(r"self\.args = ")[0].line), ("claim_teacher", claim.line), ("args.yaml", written[0])
    )

    block = [init.one(rf"self\.{name} = ") for name in _ATTRIBUTES]
    anchor = init.one(r"self\.plot_idx = ")
    if [(spot.around, spot.index) for spot in block] != [
        (anchor.around, anchor.index + 1 + i) for i in range(len(block))
    ]:
        _fail(f"expected the attributes directly behind self.plot_idx, one below the other, line {block[0].line}")
    _resumed_teacher(checkout)
    return f"{claim.beside(-1)} ... {claim.beside(1)}; {anchor.text} ... {block[-1].beside(1)}"


def _resumed_teacher(checkout: Patched) -> None:
    """Require the teacher that is given to be among the arguments that a resumed run takes from its checkpoint."""
    resume = checkout.trainer("check_resume")
    given = resume.one(r"ckpt_args\.update\(given_teacher\(self\.args\)\)$")
    if given.beside(1) != "self.args = get_cfg(ckpt_args)":
        _fail(f"expected given_teacher directly before the arguments are made, not before {given.beside(1)!r}")
    made = resume.one(r"ckpt_args = ")
    _in_order(("the checkpoint's arguments", made.line), ("given_teacher", given.line))
    if [spot.text for spot in given.around if spot.text != "try:"] != ["if resume:"]:
        _fail("expected given_teacher in 'if resume:'")


def _teacher_to_device(checkout: Patched) -> str:
    setup = checkout.trainer("_setup_train")
    moved, built = setup.one(r"self\.model_t = "), setup.one(r"self\.distiller = ")
    if moved.text != "self.model_t = self.model_t.to(self.device)" or built.text != "self.distiller = Distiller(self)":
        _fail(f"expected the teacher on the device and a Distiller, found {moved.text} and {built.text}")
    guard = built.guarded(statements=2)
    if moved.around != built.around or moved.index > built.index:
        _fail("expected the teacher on the device before the Distiller is built")
    if guard.around or not guard.index or not _moves_student(guard.block[guard.index - 1]):
        _fail(f"expected it directly behind the student's move to the device, not behind {guard.beside(-1)!r}")
    later = [(f"line {line}", line) for line in (*_optimizer_lines(setup), *_ddp_lines(setup))]
    for place in later:
        _in_order(("Distiller(self)", built.line), place)
    return f"{guard.beside(-1)} ... {guard.beside(1)}"


def _moves_student(statement: ast.stmt) -> bool:
    """Return whether a statement moves the student to its device, in both branches if it has such."""
    if isinstance(statement, ast.If):
        return all(any(map(_moves_student, branch)) for branch in (statement.body, statement.orelse))
    return _head(statement).startswith("self.model = self.model.to(self.device")


def _optimizer_lines(setup: Scope) -> list[int]:
    """Return the lines of ``_setup_train`` at which the optimizer is built, in it or in a method that it calls."""
    lines = [
        node.lineno for name in ("build_optimizer", "_build_train_pipeline") for node in setup.calls(f"self.{name}")
    ]
    return lines or _fail("_setup_train builds no optimizer")


def _ddp_lines(setup: Scope) -> list[int]:
    names = ("DDP", "nn.parallel.DistributedDataParallel")
    return [node.lineno for name in names for node in setup.calls(name) if _text(node.args[0]) == "self.model"]


def _teacher_on_every_gpu(checkout: Patched) -> str:
    setup = checkout.trainer("_setup_train")
    wrap = setup.one(r"self\.distiller\.wrap_ddp\(\)")
    guard = wrap.guarded()
    several = guard.around[-1] if guard.around else guard
    if several.text not in ("if world_size > 1:", "if self.world_size > 1:"):
        _fail("expected wrap_ddp directly under 'if world_size > 1:'")
    lines = _ddp_lines(setup)
    if len(lines) != 1 or not several.line < lines[0] < guard.line:
        _fail(f"expected the student to be wrapped once, above wrap_ddp, found lines {lines}")
    built = setup.one(r"self\.distiller = ")
    for line in _optimizer_lines(setup):
        places = (
            ("Distiller(self)", built.line),
            ("DDP(self.model)", lines[0]),
            ("wrap_ddp", wrap.line),
            ("optimizer", line),
        )
        _in_order(*places)
    wrapper = re.sub(r"\(.*", "(...)", guard.beside(-1).partition(" = ")[2])
    return f"{several.text} {wrapper}"


def _optimizer_call(checkout: Patched) -> str:
    trainer = checkout.scope(TRAINER, "BaseTrainer")
    calls = trainer.calls("self.build_optimizer")
    if not calls:
        _fail("expected self.build_optimizer to be called")
    call = calls[-1]  # of several, which are in a row, the last is used
    if not (given := call.keywords) or _text(given[-1]) != "**optimizer_arguments(self)":
        _fail(f"expected build_optimizer(..., **optimizer_arguments(self)), found {_text(call)}")
    methods = [node for node in ast.iter_child_nodes(trainer.node) if isinstance(node, ast.FunctionDef)]
    within = next(node.name for node in methods if call in ast.walk(node))
    if any(other not in ast.walk(next(node for node in methods if node.name == within)) for other in calls):
        _fail("expected self.build_optimizer to be called in one method")
    if within not in ("_setup_train", "_build_train_pipeline"):
        _fail(f"expected the call in _setup_train or _build_train_pipeline, not in {within}")
    return f"{within}: {', '.join(_text(item) for item in (*call.args, *given[:-1]))}"


def _load_teacher(checkout: Patched) -> str:
    train = checkout.trainer("_do_train")
    load = train.one(r"self\.model_t = load_teacher\(self\.model_t\)$")
    guard = load.guarded()
    ddp, setup = train.one(r"self\._setup_ddp\("), train.one(r"self\._setup_train\(")
    _in_order(("load_teacher", load.line), ("_setup_ddp", ddp.line), ("_setup_train", setup.line))
    if guard.around:
        _fail(f"expected load_teacher at the top level of _do_train, line {load.line}")
    return f"... {guard.beside(1)} {ddp.text}"


def _teacher_mode(checkout: Patched) -> str:
    train = checkout.trainer("_do_train")
    start = train.one(r"self\.distiller\.start_epoch\(\)")
    guard = start.guarded()
    if guard.beside(1) not in ("self.model.train()", "self._model_train()"):
        _fail(f"expected start_epoch directly before the student's train(), not before {guard.beside(1)!r}")
    loops = [spot for spot in guard.around if isinstance(spot.statement, (ast.For, ast.While))]
    batches = train.one(r"for \w+, batch in ")
    if len(loops) != 1 or loops[0] not in batches.around or guard.around != (loops[0],):
        _fail("expected start_epoch in the loop over the epochs, outside of that over the batches")
    _in_order(("start_epoch", start.line), ("the batches", batches.line))
    return f"{loops[0].text} ... {guard.beside(1)}"


def _forward(train: Scope) -> tuple[Spot, Spot, Spot]:
    """Return the autocast block of the batch loop, the watch() in it, and the loss that is added in it."""
    watch = train.one(r"self\.distiller\.watch\(\)").guarded()
    loss = train.one(r"self\.loss = self\.loss \+ self\.distiller\.loss\(batch\)$").guarded()
    autocast = watch.within(r"with .*autocast\(")
    if autocast is None or watch.around[-1] is not autocast or loss.around != watch.around:
        _fail("expected watch() and the loss in the same block, directly under 'with autocast(...):'")
    if watch.within(r"for \w+, batch in ") is None:
        _fail("expected the losses in the loop over the batches")
    return autocast, watch, loss


def _student_features(checkout: Patched) -> str:
    train = checkout.trainer("_do_train")
    _, watch, _ = _forward(train)
    if watch.beside(-1) != "batch = self.preprocess_batch(batch)":
        _fail(f"expected watch() directly behind preprocess_batch, not behind {watch.beside(-1)!r}")
    forwards = [node.lineno for node in train.calls("self.model")]
    for line in forwards or [0]:
        _in_order(("watch()", watch.line), ("the student's forward pass", line))
    return f"{watch.beside(-1)} ... {watch.beside(1)}"


def _distillation_losses(checkout: Patched) -> str:
    train = checkout.trainer("_do_train")
    autocast, watch, loss = _forward(train)
    inner = [spot for spot in train.spots if autocast in spot.around]
    means = [spot.line for spot in inner if spot.text.startswith("self.tloss = ")]
    sums = [
        spot for spot in inner if re.match(r"self\.loss( = |, | \*= | \+= )", spot.text) and loss not in spot.around
    ]
    scaled = [spot.line for spot in sums if spot.text.startswith("self.loss *= ")]
    for line in (*means, *(spot.line for spot in sums if not _adds(spot)), *scaled):
        _in_order(("the student's own loss and mean", line), ("the losses of distillation", loss.line))
    if not means or not scaled or not sums:
        _fail("expected the student's loss, its mean and its scaling in the autocast block")
    backward = train.one(r"self\.scaler\.scale\(self\.loss\)\.backward\(\)")
    _in_order(("the losses of distillation", loss.line), ("backward", backward.line))
    if autocast in backward.around:
        _fail("expected backward() outside of autocast")
    between = [spot.text for spot in inner if watch.line + 1 < spot.line < loss.line]
    return f"{autocast.text} {'; '.join(between)}"


def _adds(spot: Spot) -> bool:
    """Return whether a statement only adds to the loss, so that it may stand behind ours as well."""
    return bool(re.match(r"self\.loss (\+= |= self\.loss \+ )", spot.text))


def _progress_row(checkout: Patched) -> str:
    train = checkout.trainer("_do_train")
    calls = train.calls("pbar.set_description")
    if len(calls) != 1:
        _fail(f"expected one row, found {len(calls)}")
    row = calls[0].args[0]
    _check_format(row, "self.distill_items.values()")
    return re.sub(r", \*self\.distill_items\.values\(\)| \+ len\(self\.distill_items\)", "", _text(row))


def _check_format(row: ast.expr, ours: str) -> None:
    """Require a %-format to have as many places as values, without a teacher and with one, ours behind the losses."""
    if not isinstance(row, ast.BinOp) or not isinstance(row.op, ast.Mod) or not isinstance(row.right, ast.Tuple):
        _fail(f"expected a format of a tuple, found {_text(row)}")
    values = row.right.elts
    starred = [i for i, value in enumerate(values) if isinstance(value, ast.Starred)]
    if len(starred) != 2 or starred[1] != starred[0] + 1 or _text(values[starred[1]]) != f"*{ours}":
        _fail(f"expected *{ours} directly behind the losses, found {_text(row.right)}")
    for items in ({}, _COLUMNS):
        names = {node.id: 3 for node in ast.walk(row.left) if isinstance(node, ast.Name)}
        trainer = SimpleNamespace(loss_names=("a", "b", "c"), tloss=(1, 2, 3), distill_items=items)
        template = eval(compile(ast.Expression(row.left), "row", "eval"), {**names, "len": len, "self": trainer})
        places, given = template.count("%"), len(values) - 2 + 3 + len(items)
        if places != given:
            _fail(f"the row has {places} places for {given} values")


def _optimizer_signature(checkout: Patched) -> str:
    function = checkout.trainer("build_optimizer").node
    assert isinstance(function, ast.FunctionDef)
    args = function.args
    names = [argument.arg for argument in (*args.args, *args.kwonlyargs)]
    defaults = ["" if default is None else _text(default) for default in (*args.defaults, *args.kw_defaults)]
    if names[-3:] != ["model_t", "distillloss", "distillonline"] or defaults[-3:] != ["None", "None", "False"]:
        _fail(f"expected model_t=None, distillloss=None, distillonline=False last, found {_text(args)}")
    return f"({', '.join(names[:-3])})"


def _optimizer_groups(checkout: Patched) -> str:
    build = checkout.trainer("build_optimizer")
    group = build.one(r"group_distillation_parameters\(")
    grouped = build.one(r"for .* in (\w+\.)*(unwrap_model\()?model\)?\.named_modules\(\)")
    muon = build.all(r"use_muon = ")
    expected = ["g", "model_t", "distillloss", "distillonline", *(["use_muon"] if muon else [])]
    if not isinstance(group.statement, ast.Expr) or not isinstance(group.statement.value, ast.Call):
        _fail("expected a call")
    given = [_text(argument) for argument in group.statement.value.args]
    if given != expected:
        _fail(f"expected group_distillation_parameters({', '.join(expected)}), found {given}")
    if group.around or group.block[group.index - 1] is not grouped.statement:
        _fail(f"expected it directly behind the loop over the student's modules, not behind {group.beside(-1)!r}")
    if not [spot for spot in build.all(r"g = ") if spot.line < grouped.line and not spot.around]:
        _fail("expected the groups, g, to be there before they are filled")
    made = [spot.line for spot in build.all(r"(optimizer|optim_args) = |g = ") if spot.line > grouped.line]
    _in_order(("the groups", group.line), ("the optimizer", min(made, default=0)))

    step = checkout.trainer("optimizer_step")
    clip = step.one(r"self\.distiller\.clip_gradients\(\)")
    stepped, unscaled = step.one(r"self\.scaler\.step\("), step.one(r"self\.scaler\.unscale_\(")
    if clip.guarded().around != stepped.around:
        _fail("expected the clipping in the same block as the step")
    _in_order(("unscale_", unscaled.line), ("clip_gradients", clip.line), ("step", stepped.line))
    return f"{grouped.text} ... {group.beside(1)}; {clip.guarded().beside(-1)} ... {clip.guarded().beside(1)}"


def _train_arguments(checkout: Patched) -> str:
    checkout.imports(CFG, "DISTILL_ARGS", "complete_argument")
    _bare_arguments(checkout)
    check = checkout.scope(CFG, "check_dict_alignment", "check_cfg_mismatch")
    joined = check.one(r"(\w+) = \{\*\1, \*DISTILL_ARGS\}$")
    base, place = joined.text.split()[0], joined
    if check.name != "check_cfg_mismatch":  # which is for the arguments of runs alone
        place = joined.around[-1] if joined.around else joined
        if place.text != "if 'mode' in base:" or len(joined.block) != 1:
            _fail(f"expected the settings of ultralytics to be left alone, line {joined.line}")
    mismatched = [node for node in ast.walk(check.node) if isinstance(node, ast.comprehension) and node.ifs]
    tests = [test for node in mismatched for test in node.ifs if re.search(rf"not in {base}\b", _text(test))]
    if place.around or not tests:
        _fail(f"expected {base} to be what the arguments are compared with")
    _in_order(("DISTILL_ARGS", joined.line), ("the comparison", min(test.lineno for test in tests)))
    if not re.match(rf"{base}, \w+ = ", place.beside(-1)):
        _fail(f"expected it directly behind the keys, not behind {place.beside(-1)!r}")
    return f"{check.name}: {place.beside(-1)} ... {place.beside(1)}"


def _bare_arguments(checkout: Patched) -> None:
    """Require an argument of the command line to be completed before it is split at its equals sign."""
    entrypoint = checkout.scope(CFG, "entrypoint")
    completed, split = entrypoint.one(r"a = complete_argument\(a\)$"), entrypoint.one(r"if '=' in a:")
    if completed.around != split.around or completed.index > split.index:
        _fail(f"expected complete_argument before \"if '=' in a\", not before {completed.beside(1)!r}")


def _progress_header(checkout: Patched) -> str:
    header = checkout.scope(DETECT, "DetectionTrainer.progress_string")
    row = header.one("return ").statement
    assert isinstance(row, ast.Return) and row.value
    _check_format(row.value, "self.distill_items")
    return f"{_labels(checkout)}; {_curves(checkout)}"


class _Items(dict[str, float]):
    """Stands in for what AddLoss.py gives the trainer."""

    def labeled(self, prefix: str) -> dict[str, float]:
        return {f"{prefix}/{key}": value for key, value in self.items()}


def _labels(checkout: Patched) -> str:
    """Ask a trainer for its labels: the losses of distillation follow upstream's, and their names stay apart."""
    detect = checkout.scope(DETECT, "DetectionTrainer")
    own = any(isinstance(node, ast.FunctionDef) and node.name == "label_loss_items" for node in detect.node.body)
    scope = checkout.scope(DETECT, "DetectionTrainer.label_loss_items") if own else checkout.trainer("label_loss_items")
    label = _call(scope)
    trainer = SimpleNamespace(loss_names=["box", "cls"], distill_items=_Items(_COLUMNS))
    losses: Any = [1.0, 2.0] if own else {"box": 1.0, "cls": 2.0}
    expected = {"train/box": 1.0, "train/cls": 2.0, **trainer.distill_items.labeled("train")}
    labeled = label(trainer, losses, prefix="train")
    if list(labeled.items()) != list(expected.items()) or label(trainer, prefix="val") != ["val/box", "val/cls"]:
        _fail(f"expected {scope.name} to give {expected}, not {labeled}")
    return f"{scope.name}: {scope.spots[-1].text if not own else 'dict(zip(...))'}"


def _curves(checkout: Patched) -> str:
    plot = checkout.scope(PLOTTING, "plot_results")
    curves = plot.one(r"fig, ax, (\w+) = add_distill_curves\(fig, ax, \1, save_dir\)$")
    name = curves.text.split(" = ")[0].rpartition(" ")[2]
    checkout.imports(PLOTTING, "add_distill_curves")
    if curves.beside(1) != "ax = ax.ravel()":
        _fail(f"expected it directly before the axes become a list, not before {curves.beside(1)!r}")
    made = [spot.line for spot in plot.all(r"fig, ax = plt\.subplots\(")]
    used = plot.one(rf"for \w+, \w+ in enumerate\({name}\)")
    _in_order(("the figure", max(made, default=0)), ("the curves", curves.line), ("the drawing", used.line))
    return f"plot_results: {name}"


def _remembered_argument(checkout: Patched) -> str:
    scope = checkout.scope(MODEL, "Model._reset_ckpt_args", "YOLO._reset_ckpt_args")
    reset = _call(scope)
    kept = {"imgsz": 640, "data": "d.yaml", "task": "detect", "single_cls": False, "model_t": "t.pt"}
    remembered = reset({**kept, "epochs": 3, "batch": 2})
    if remembered != kept:
        _fail(f"expected {', '.join(kept)} to be remembered, found {', '.join(remembered)}")
    return scope.name


CHECKS: Mapping[int, Callable[[Patched], str]] = {
    1: _added_module,
    2: _attributes,
    3: _teacher_to_device,
    4: _teacher_on_every_gpu,
    5: _optimizer_call,
    6: _load_teacher,
    7: _teacher_mode,
    8: _student_features,
    9: _distillation_losses,
    10: _progress_row,
    11: _optimizer_signature,
    12: _optimizer_groups,
    13: _train_arguments,
    14: _progress_header,
    15: _remembered_argument,
}

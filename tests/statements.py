"""The patched files of a release, read with :mod:`ast` alone: where a statement is, and what is around it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

PATCHES = Path(__file__).resolve().parent.parent / "patches"

UTILS = "ultralytics/utils"
ADDLOSS = f"{UTILS}/AddLoss.py"
TRAINER = "ultralytics/engine/trainer.py"
CFG = "ultralytics/cfg/__init__.py"
DETECT = "ultralytics/models/yolo/detect/train.py"
MODEL = "ultralytics/engine/model.py"
INIT = "ultralytics/utils/__init__.py"
PLOTTING = "ultralytics/utils/plotting.py"

Files = Mapping[str, bytes]

GUARD = "self.model_t is not None"
GUARDED = r" +if self\.model_t is not None:\n"
"""A regular expression for the line that most of the added code is under."""


class Misplaced(AssertionError):
    """A modification is not where it has to be."""


@dataclass(frozen=True)
class Sabotage:
    """A modification moved to a wrong place.

    Attributes:
        path: The patched file.
        found: A regular expression, found once or more; its first occurrence is replaced.
        replaced: By what.
    """

    path: str
    found: str
    replaced: str


@dataclass(frozen=True, eq=False)
class Spot:
    """A statement, with the block that it is in and the statements around it, the innermost last."""

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
        return head_of(self.statement)

    @property
    def line(self) -> int:
        """The statement's line."""
        return self.statement.lineno

    def beside(self, offset: int) -> str:
        """Return the first line of a neighbour in the block, "" if there is none."""
        index = self.index + offset
        return head_of(self.block[index]) if 0 <= index < len(self.block) else ""

    def within(self, pattern: str) -> Spot | None:
        """Return the innermost statement around this one whose first line matches."""
        return next((spot for spot in reversed(self.around) if re.match(pattern, spot.text)), None)

    def guarded(self, condition: str = GUARD, statements: int = 1) -> Spot:
        """Return the ``if`` with this condition that this statement must be in.

        Args:
            condition: By default, that there is a teacher.
            statements: How many statements it has, this one included; an else it has not.
        """
        guard = self.around[-1] if self.around else self
        if (
            guard.text != f"if {condition}:"
            or len(self.block) != statements
            or getattr(guard.statement, "orelse", None)
        ):
            fail(f"expected {self.text!r} directly in 'if {condition}:', line {self.line}")
        return guard


@dataclass(frozen=True)
class Scope:
    """A function or a class."""

    name: str
    node: ast.FunctionDef | ast.ClassDef

    @cached_property
    def spots(self) -> list[Spot]:
        """Every statement in it, those in nested blocks included, in order."""
        return list(spots_in(self.node.body, ()))

    def all(self, pattern: str) -> list[Spot]:
        """Return the statements whose first line matches a regular expression from its start."""
        return [spot for spot in self.spots if re.match(pattern, spot.text)]

    def one(self, pattern: str) -> Spot:
        """Return the one statement whose first line matches."""
        found = self.all(pattern)
        if len(found) != 1:
            lines = ", ".join(str(spot.line) for spot in found) or "none"
            fail(f"expected {pattern!r} once in {self.name}, found it at lines: {lines}")
        return found[0]

    def calls(self, function: str) -> list[ast.Call]:
        """Return the calls of a function, by the text of its name."""
        return [node for node in ast.walk(self.node) if isinstance(node, ast.Call) and text_of(node.func) == function]


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
        fail(f"{path} has no {' or '.join(names)}")

    def trainer(self, method: str) -> Scope:
        """Return a method of the base trainer."""
        return self.scope(TRAINER, f"BaseTrainer.{method}")

    def imports(self, path: str, *names: str) -> None:
        """Require names of the added modules to be imported at the head of a file."""
        added = {f"ultralytics.utils.{module.stem}" for module in PATCHES.glob("*.py")}
        body = self.trees[path].body
        head = body[: next((i for i, node in enumerate(body) if isinstance(node, (ast.ClassDef, ast.FunctionDef))), 0)]
        modules = [node for node in head if isinstance(node, ast.ImportFrom) and node.module in added]
        imported = [alias.name for node in modules for alias in node.names if alias.asname is None]
        if sorted(imported) != sorted(names):
            fail(f"expected {path} to import {', '.join(sorted(names))}, not {imported}")


def spots_in(statements: Iterable[ast.stmt], around: tuple[Spot, ...]) -> Iterator[Spot]:
    block = tuple(statements)
    for index, statement in enumerate(block):
        spot = Spot(block, index, around)
        yield spot
        for part in (statement, *getattr(statement, "handlers", ())):
            for name in ("body", "orelse", "finalbody"):
                yield from spots_in(getattr(part, name, ()), (*around, spot))


def head_of(statement: ast.stmt) -> str:
    """Return a statement's first line, compound or not, as :mod:`ast` would write it; hints of types left out."""
    if isinstance(statement, ast.AnnAssign) and statement.value:
        return f"{text_of(statement.target)} = {text_of(statement.value)}"
    if isinstance(statement, (ast.For, ast.While, ast.If, ast.With, ast.Try, ast.FunctionDef, ast.ClassDef)):
        header = type(statement)(**{**dict(ast.iter_fields(statement)), **_emptied(statement)})
        statement = ast.copy_location(header, statement)
    # Python 3.10 writes "for (i, batch) in" and "(a, b) = ".
    return re.sub(r"^(for |)\(([^()]*)\)( in | = )", r"\1\2\3", ast.unparse(statement).split("\n", 1)[0])


def _emptied(statement: ast.stmt) -> dict[str, list[ast.stmt]]:
    blocks: dict[str, list[ast.stmt]] = {"body": [ast.Pass()], "orelse": [], "finalbody": [], "decorator_list": []}
    return {name: block for name, block in blocks.items() if name in statement._fields}


def text_of(node: ast.AST) -> str:
    return ast.unparse(node)


def fail(message: str) -> NoReturn:
    raise Misplaced(message)


def in_order(*spots: tuple[str, int]) -> None:
    """Require named lines to follow each other."""
    for (earlier, line), (later, line_of_later) in pairwise(spots):
        if line >= line_of_later:
            fail(f"expected {earlier} (line {line}) before {later} (line {line_of_later})")


def function_of(scope: Scope, **names: Any) -> Callable[..., Any]:
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

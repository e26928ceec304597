"""Classes that have their own version of a patched method, so that what a modification adds there does not run.

A subclass may override the method without calling it, or come by it through a mixin; a class may be a copy of the
patched one under another name; or the classes that the patch set relies on may inherit from such a class. All of it is
found by reading: a file that does not define a method of that name is parsed only if a class in question inherits from
one in it, or may be combined with one.
"""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import PurePosixPath

from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.scope import MODULE
from distillpatch.syntax import parse

# How many of the patched methods a class that inherits none of them must define, to be a copy and not a namesake.
_COPY = 2


@dataclass(frozen=True, order=True)
class OwnVersion:
    """A class with its own version of patched methods.

    Attributes:
        path: Its file.
        line: The line of the first of the methods.
        name: Its name.
        methods: The methods that it has its own version of.
        used_by: The class of the patch set that is, or inherits from, this one; "" if none does.
    """

    path: str
    line: int
    name: str
    methods: tuple[str, ...]
    used_by: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.name} ({', '.join(self.methods)})"


def own_versions(
    patch_set: PatchSet, texts: Mapping[str, bytes], parsed: Mapping[str, ast.Module] | None = None
) -> tuple[OwnVersion, ...]:
    """Return the classes of a package that have their own version of a method that they have to inherit.

    Args:
        patch_set: Its modifications name these methods, and its hunks the classes that have to inherit them.
        texts: The package's modules by path.
        parsed: Those of them that have been parsed already.
    """
    methods = [method for modification in patch_set.modifications for method in modification.inherited]
    if not methods:
        return ()
    package = _Package(texts, {(method.path, method.class_name) for method in methods}, parsed or {})
    used_by: dict[tuple[str, str], str] = {}
    for path, name in sorted(_edited_classes(patch_set) - package.owners):
        if edited := package.definition(path, name):
            used_by |= {used.key: name for used in package.used_before_an_owner(edited)}
    names = {method.name for method in methods}
    found = []
    for definition in package.defining(names):
        own = definition.replaced(names)
        used = used_by.get(definition.key, "")
        if own and (used or len(own) >= _COPY or package.inherits(definition) or package.is_mixed_in(definition)):
            line = min(node.lineno for node in own.values())
            found.append(OwnVersion(definition.path, line, definition.node.name, tuple(own), used))
    return tuple(sorted(found))


def _edited_classes(patch_set: PatchSet) -> set[tuple[str, str]]:
    """Return the file and the name of each class that hunks edit."""
    alternatives = [a for m in patch_set.modifications for hunk in m.hunks for a in hunk.alternatives]
    return {(a.path, a.scope.partition(".")[0]) for a in alternatives if a.scope != MODULE}


@dataclass(frozen=True)
class _Class:
    """A class of the package."""

    path: str
    node: ast.ClassDef

    @property
    def key(self) -> tuple[str, str]:
        """The file and the name that it is known by."""
        return self.path, self.node.name

    def replaced(self, methods: Collection[str]) -> dict[str, ast.stmt]:
        """Return the methods of those names that it has from elsewhere, or defines without a call of the inherited."""
        found: dict[str, ast.stmt] = {}
        for node in self.node.body:
            if isinstance(node, ast.FunctionDef) and not any(_calls_inherited(n, node.name) for n in ast.walk(node)):
                found[node.name] = node
            elif isinstance(node, ast.Assign):  # method = Other.method
                found |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
        return {name: node for name, node in found.items() if name in methods}


def _calls_inherited(node: ast.AST, method: str) -> bool:
    """Return whether a node is ``super().method(...)``, or ``Base.method(self, ...)``."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method):
        return False
    owner = node.func.value
    if isinstance(owner, ast.Call):
        return isinstance(owner.func, ast.Name) and owner.func.id == "super"
    return bool(node.args) and isinstance(node.args[0], ast.Name) and node.args[0].id == "self"


@dataclass
class _Module:
    """What a module defines and imports, wherever in it: what is outside comes before what is inside."""

    classes: list[_Class] = field(default_factory=list)
    imports: list[ast.ImportFrom] = field(default_factory=list)


def _look_into(path: str, tree: ast.Module) -> _Module:
    """Return what a module defines and imports. Only statements are looked at, which takes a tenth of the time."""
    module = _Module()
    blocks: deque[ast.AST] = deque([tree])
    while blocks:
        node = blocks.popleft()
        if isinstance(node, ast.ClassDef):
            module.classes.append(_Class(path, node))
        elif isinstance(node, ast.ImportFrom):
            module.imports.append(node)
        for name in ("body", "handlers", "orelse", "finalbody", "cases"):
            blocks.extend(getattr(node, name, ()))
    return module


class _Package:
    """The modules of a package, each parsed when it is needed.

    Attributes:
        owners: The file and the name of each class whose methods have to be inherited.
    """

    def __init__(
        self, texts: Mapping[str, bytes], owners: set[tuple[str, str]], parsed: Mapping[str, ast.Module]
    ) -> None:
        self.owners = owners
        self._texts = texts
        self._modules = {path: _look_into(path, tree) for path, tree in parsed.items()}

    def defining(self, methods: Collection[str]) -> Iterator[_Class]:
        """Yield the classes in files that define a method of one of these names, but for the owners."""
        for path in self._containing(r"(?:def|^)[ \t]+", methods):
            yield from (found for found in self._module(path).classes if found.key not in self.owners)

    def inherits(self, definition: _Class) -> bool:
        """Return whether a class inherits from an owner."""
        return any(looked_up.key in self.owners for looked_up in self._looked_up(definition))

    def used_before_an_owner(self, definition: _Class) -> list[_Class]:
        """Return the class, and those that it inherits from, whose methods it has in place of an owner's."""
        return [*takewhile(lambda looked_up: looked_up.key not in self.owners, self._looked_up(definition))]

    def is_mixed_in(self, definition: _Class) -> bool:
        """Return whether a class that inherits from an owner has the methods of a class in place of the owner's."""
        heirs = [definition]
        for known in heirs:  # which grows
            heirs += [heir for heir in self._heirs(known) if heir.key not in {other.key for other in heirs}]
        keys = ({used.key for used in self.used_before_an_owner(heir)} for heir in heirs if self.inherits(heir))
        return any(definition.key in used for used in keys)

    def _looked_up(self, definition: _Class, within: frozenset[tuple[str, str]] = frozenset()) -> list[_Class]:
        """Return the classes in which the methods of a class are looked up, in that order, up to the owners.

        Python's order: depth first, from left to right, but a class comes after all that inherit from it.
        """
        within |= {definition.key}
        order = [definition]
        for base in self._bases(definition) if definition.key not in self.owners else ():
            order += self._looked_up(base, within) if base.key not in within else []
        last = {each.key: each for each in reversed(order)}
        return [*last.values()][::-1]

    def _heirs(self, definition: _Class) -> Iterator[_Class]:
        """Yield the classes that name a class among their bases."""
        named = re.compile(rf"\b{re.escape(definition.node.name)}\b".encode())
        for path in [path for path, text in self._texts.items() if named.search(text)]:
            for heir in self._module(path).classes:
                if any(base.key == definition.key for base in self._bases(heir)):
                    yield heir

    def definition(self, path: str, name: str, depth: int = 8) -> _Class | None:
        """Return the class that a module has by a name: its own, or one that it imports."""
        own = next((own for own in self._module(path).classes if own.node.name == name), None)
        if own:
            return own
        for node in self._module(path).imports if depth else ():
            for alias in node.names:
                for module in _files(path, node) if name in (alias.asname, alias.name) else ():
                    if found := self.definition(module, alias.name, depth - 1):
                        return found
        return None

    def _bases(self, definition: _Class) -> Iterator[_Class]:
        for base in definition.node.bases:
            if isinstance(base, ast.Name) and (found := self.definition(definition.path, base.id)):
                yield found
            elif isinstance(base, ast.Attribute):  # package.module.Name: by its name alone
                for path in self._containing("class ", [base.attr]):
                    yield from (found for found in self._module(path).classes if found.node.name == base.attr)

    def _containing(self, before: str, names: Collection[str]) -> list[str]:
        """Return the files that contain one of some names after what a pattern fits, found without parsing."""
        found = re.compile(rf"{before}(?:{'|'.join(map(re.escape, names))})\b".encode(), re.MULTILINE)
        words = [name.encode() for name in names]  # which are found ten times faster
        named = ((path, text) for path, text in self._texts.items() if any(word in text for word in words))
        return [path for path, text in named if found.search(text)]

    def _module(self, path: str) -> _Module:
        if path not in self._modules:
            try:
                tree = parse(self._texts.get(path, b""))
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                tree = ast.Module([], [])  # nor can Python import it
            self._modules[path] = _look_into(path, tree)
        return self._modules[path]


def _files(path: str, node: ast.ImportFrom) -> tuple[str, str]:
    """Return where the module of an import may be: a file, or the ``__init__.py`` of a folder."""
    folder = PurePosixPath(path).parents[node.level - 1] if node.level else PurePosixPath()
    module = folder.joinpath(*(node.module or "").split("."))
    return f"{module}.py", f"{module}/__init__.py"

"""Files that people add by hand in place of those that a modification adds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from distillpatch.engine.modification import Modification
from distillpatch.engine.source import look_at
from distillpatch.engine.text import SourceError
from distillpatch.engine.trees import digest
from distillpatch.syntax import parse


def is_hand_made(modification: Modification, path: str, content: bytes) -> bool:
    """Return whether a file is, layout and comments aside, what people add by hand."""
    digests = {hand_made.digest for hand_made in modification.hand_made_files if hand_made.path == path}
    try:
        return bool(digests) and digest(look_at(path, content).tree) in digests
    except SourceError:
        return False


def is_idle(modification: Modification, path: str, content: bytes, modules: Mapping[str, bytes]) -> bool:
    """Return whether a file was added by hand and no module of the package imports it: it may simply be replaced."""
    return is_hand_made(modification, path, content) and not any(_importers(path, modules))


def beside(path: str) -> str:
    """Return where a file of the user's own is kept when a modification's takes its place."""
    file = PurePosixPath(path)
    return str(file.with_name(f"{file.stem}_by_hand{file.suffix}"))


def missing_names(path: str, content: bytes, modules: Mapping[str, bytes]) -> Iterator[tuple[str, int, str]]:
    """Yield what modules import from a file, and that it would not have with other content: path, line and name."""
    try:
        body = parse(content).body
    except SyntaxError:
        return
    there = {node.name for node in body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    there |= {name.id for node in body for name in ast.walk(node) if isinstance(name, ast.Name)}
    for module in _importers(path, modules):
        try:
            tree = parse(modules[module])
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[-1] == PurePosixPath(path).stem:
                yield from ((module, node.lineno, a.name) for a in node.names if a.name not in {*there, "*"})


def _importers(path: str, modules: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the modules that import a file; a comment that reads like an import counts."""
    name = re.escape(PurePosixPath(path).stem.encode())
    imports = re.compile(rb"^[ \t]*(?:from|import)\b.*\b" + name + rb"\b", re.MULTILINE)
    yield from (other for other, text in modules.items() if other != path and imports.search(text))

"""What code means, as a digest: equal for code that differs in layout, comments and docstrings alone."""

from __future__ import annotations

import ast
import hashlib

from distillpatch.engine.scope import DEFINITIONS

# What the compiler of one Python notes and that of another does not, and what says nothing.
_LEFT_OUT = frozenset({"ctx", "kind", "type_comment", "type_ignores", "type_params"})


def digest(tree: ast.Module) -> str:
    """Return a digest of a syntax tree that is the same for every Python that distillpatch runs on."""
    return hashlib.sha256(_spelled(tree).encode("utf-8", "backslashreplace")).hexdigest()


def _spelled(value: object) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_spelled, value))}]"
    if not isinstance(value, ast.AST):
        return f"{type(value).__name__}:{value!r}"
    fields = {name: getattr(value, name, None) for name in value._fields if name not in _LEFT_OUT}
    if isinstance(value, (ast.Module, *DEFINITIONS)):
        fields["body"] = value.body[_has_docstring(value) :]
    spelled = (f"{name}={_spelled(part)}" for name, part in fields.items() if part not in (None, []))
    return f"{type(value).__name__}({','.join(spelled)})"


def _has_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return ast.get_docstring(node, clean=False) is not None

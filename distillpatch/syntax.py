"""Python is parsed by the compiler's own front end, without its warnings."""

from __future__ import annotations

import ast
import warnings


def parse(text: str | bytes) -> ast.Module:
    """Parse Python; what its compiler would warn of is no business of ours.

    Raises:
        SyntaxError: If it is not Python.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)

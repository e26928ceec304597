"""Which parts of a Python file's lines stand out, by Pygments, which comes with rich."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# By attributes alone: the colors say what is added and what is removed, and have to be readable on any background.
_STYLES = {"Keyword": "bold", "Operator.Word": "bold", "Comment": "dim italic", "Literal.String.Doc": "dim italic"}
_NAMES = {"Name.Function": "bold underline", "Name.Class": "bold underline"}


def python_styles(content: bytes) -> Mapping[int, Sequence[tuple[int, int, str]]]:
    """Return by line number, from 1, the columns that stand out: first, after the last, and their style for rich."""
    from pygments.lexers import PythonLexer

    styles: dict[int, list[tuple[int, int, str]]] = {}
    line, column = 1, 0
    for kind, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(content.decode("utf-8", "replace")):
        style = _style(str(kind).removeprefix("Token."))
        for number, part in enumerate(text.split("\n")):
            if number:
                line, column = line + 1, 0
            if style and part:
                styles.setdefault(line, []).append((column, column + len(part), style))
            column += len(part)
    return styles


def _style(kind: str) -> str:
    return next((style for name, style in {**_NAMES, **_STYLES}.items() if kind.startswith(name)), "")

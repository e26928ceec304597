"""The text of a pattern as Python: names stand for what is not Python in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

HOLE = re.compile(r"\$([A-Z][A-Z0-9_]*)")
"""A ``$NAME`` in the text of a line."""

GAP_NAME = "__gap__"
HOLE_PREFIX = "__hole_"

_TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    rf"|{HOLE.pattern.replace('(', '(?P<hole>')}"
    r"|(?P<gap>\.\.\.)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<mark>\*\*|[*=:,])|(?P<blank>\s+|\#.*)|(?P<word>\w+)|."
)


@dataclass
class _Bracket:
    """What was seen of an open bracket, and of the text around all brackets.

    Attributes:
        is_signature: Whether its items are the parameters of a ``def``.
        gaps: Where the pieces of text are that stand for its gaps, and whether a default comes before each.
        star: How many of these gaps come before a ``*`` of its own; None if it has none.
        has_default: Whether a parameter had a default so far.
        has_pairs: Whether its items are ``key: value``.
        lambdas: How many ``lambda`` are not followed by their colon so far.
    """

    is_signature: bool = False
    gaps: list[tuple[int, bool]] = field(default_factory=list)
    star: int | None = None
    has_default: bool = False
    has_pairs: bool = False
    lambdas: int = 0

    def see(self, mark: str, is_first: bool) -> None:
        """Take note of a punctuation mark; ``is_first`` if an item of the bracket begins with it."""
        if mark == ":" and self.lambdas:
            self.lambdas -= 1
        elif mark == ":" or (mark == "**" and is_first):
            self.has_pairs = True
        elif mark == "*" and is_first:
            self.star = len(self.gaps)
        elif mark == "=":
            self.has_default = True

    def spell(self, pieces: list[str], closing: str) -> None:
        """Spell its gaps as what Python allows between such brackets."""
        for number, (at, after_default) in enumerate(self.gaps):
            pieces[at] = f"{'**' if closing == '}' and self.has_pairs else '*'}{GAP_NAME}"
            if self.is_signature:
                pieces[at] = self._parameter(number, after_default)

    def _parameter(self, number: int, after_default: bool) -> str:
        """Return a parameter for a gap: after a star any order is allowed, before it no name after a default."""
        if self.star is None:
            return GAP_NAME if number else f"*{GAP_NAME}"
        return f"{GAP_NAME}=0" if after_default and number < self.star else GAP_NAME


def split_choices(text: str) -> tuple[str, ...]:
    """Return the expressions of ``A | B``; a ``|`` in brackets or in a string divides nothing."""
    choices = [""]
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"open": 1, "close": -1}.get(token.lastgroup or "", 0)
        if token[0] == "|" and depth == 0:
            choices.append("")
        else:
            choices[-1] += token[0]
    return tuple(map(str.strip, choices))


def required_words(text: str) -> frozenset[str]:
    """Return the words that code must contain to match a pattern of this text."""
    tokens = (token for token in _TOKEN.finditer(text) if token.lastgroup == "word")
    return frozenset(token[0] for token in tokens if token[0].isidentifier() and not _is_prefix(token))


def _is_prefix(token: re.Match[str]) -> bool:
    """Return whether a word is the prefix of a string."""
    return token.string[token.end() : token.end() + 1] in ("'", '"')


def as_python(text: str) -> str:
    """Return the text of a pattern with names for its holes, and for the gaps that are not statements."""
    pieces: list[str] = []
    brackets = [_Bracket()]
    previous, word = ",", ""
    for token in _TOKEN.finditer(text):
        piece, kind = token[0], token.lastgroup
        is_first = previous in ("(", "[", "{", ",") and len(pieces) > 0
        if kind == "hole":
            piece = f"{HOLE_PREFIX}{token['hole']}"
        elif kind == "gap" and previous == "import":
            piece = GAP_NAME
        elif kind == "gap" and is_first:
            brackets[-1].gaps.append((len(pieces), brackets[-1].has_default))
        elif kind == "open":
            brackets.append(_Bracket(is_signature=word == "def" and piece == "("))
        elif kind == "close" and len(brackets) > 1:
            brackets.pop().spell(pieces, piece)
        elif kind == "mark":
            brackets[-1].see(piece, is_first)
        elif piece == "lambda":
            brackets[-1].lambdas += 1
        if kind != "blank":
            word = previous if kind in ("word", "hole") else word if kind == "open" else ""
            previous = piece
        pieces.append(piece)
    for bracket in brackets:
        bracket.spell(pieces, "")
    return "".join(pieces)

"""A modification: hunks that all have to land, each with alternatives of which one must."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from distillpatch.engine.spelling import required_words


@dataclass(frozen=True)
class Line:
    """One line of a hunk: ``" "`` (context), ``"-"`` or ``"+"``, and its text."""

    kind: str
    text: str


@dataclass(frozen=True)
class Alternative:
    """One way for a hunk to fit.

    Attributes:
        path: The file, relative to the folder that holds the package.
        scope: Dotted name of the class or function in it, or ``<module>``.
        lines: The diff.
        origin: The patch file and line that it was read from.
        choices: What a ``$NAME`` may stand for.
        report: What to tell the user where it was applied, with a ``$NAME`` for code that was there; empty for nothing.
    """

    path: str
    scope: str
    lines: tuple[Line, ...]
    origin: str
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()
    report: str = ""

    @cached_property
    def pattern(self) -> str:
        """The text that has to match: context and ``-`` lines."""
        return "\n".join(line.text for line in self.lines if line.kind != "+")

    @cached_property
    def has_statements(self) -> bool:
        """Whether a lone expression is a statement: it is removed, or statements are added beside it."""
        kinds = {line.kind for line in self.lines}
        adds = any(line.kind == "+" and line.text[:1] not in ("", " ") for line in self.lines)
        return kinds == {"-"} or (adds and "-" not in kinds)

    @cached_property
    def added(self) -> str:
        """The text of the ``+`` lines."""
        return "\n".join(line.text for line in self.lines if line.kind == "+")

    def can_match(self, words: Collection[str]) -> bool:
        """Return whether code with these words, and no others, may match its pattern."""
        return self._words.issubset(words) and all(
            any(required_words(text).issubset(words) for text in texts) for _, texts in self.choices
        )

    @cached_property
    def _words(self) -> frozenset[str]:
        return required_words(self.pattern)

    @property
    def sought(self) -> str:
        """What to tell people that there is no place for: the pattern or, where it needs none, the import added."""
        return self.pattern or self.added


@dataclass(frozen=True)
class Hunk:
    """One place to edit."""

    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class NewFile:
    """A file to add."""

    path: str
    content: bytes


@dataclass(frozen=True)
class Method:
    """A method of a class in a file."""

    path: str
    class_name: str
    name: str


@dataclass(frozen=True)
class HandMadeFile:
    """A file as people add it by hand.

    Attributes:
        path: The file.
        digest: The digest of its syntax tree, see :func:`distillpatch.engine.trees.digest`.
    """

    path: str
    digest: str


@dataclass(frozen=True)
class Modification:
    """One modification of the tutorial.

    Attributes:
        number: Its place in the order, from 1.
        section: The tutorial's section.
        title: What it does, in one sentence.
        hunks: The places that it edits; each must land.
        new_files: The files that it adds.
        signs: Code that shows that somebody has made this modification by hand.
        notes: Code that is left as it is, and that the user should know to be.
        inherited: The methods that other classes have to inherit: one with its own version goes without it.
        hand_made: What the modification looks like when it is made by hand, and what was there before.
        hand_made_files: The files that it adds, as people add them by hand.
    """

    number: int
    section: str
    title: str
    hunks: tuple[Hunk, ...]
    new_files: tuple[NewFile, ...]
    signs: tuple[Alternative, ...]
    notes: tuple[Alternative, ...] = ()
    inherited: tuple[Method, ...] = ()
    hand_made: tuple[Alternative, ...] = ()
    hand_made_files: tuple[HandMadeFile, ...] = ()

    def __str__(self) -> str:
        return f"modification {self.number} (section {self.section}: {self.title})"

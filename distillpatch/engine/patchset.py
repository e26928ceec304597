"""The patch set: what to change, parsed from the files of a folder.

The notation is explained in ``patches/README.md``. In short: a modification is a file; it has hunks, all of which must
land; a hunk has alternatives, tried in order, of which one must; an alternative is a path, a scope, and a diff whose
context and ``-`` lines are a pattern. Files in, patch set out: where the files come from is not known here.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from distillpatch.engine.scope import MODULE
from distillpatch.engine.spelling import HOLE
from distillpatch.errors import DistillpatchError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DESCRIPTION = "patchset.toml"
"""The file in which a patch set may give its name, its title and the package that it changes."""

_TITLE = re.compile(r"# (?P<section>\S.*?)  (?P<title>\S.*)")
_HEADER = re.compile(r"(?P<kind>---|\+\+\+|!!!|>>>) (?P<path>\S+)(?:  (?P<rest>\S.*))?")
_FILE_NAME = re.compile(r"(?P<number>\d\d)-[a-z0-9-]+\.patch")
_BODY = re.compile(r"[-+]( |$)|  ")
# No part of a path leaves its folder, and none is special on any system.
_PATH_PART = re.compile(r"(?!\.{1,2}$)[\w.+-]+")
_OR = "or"


class PatchSetError(DistillpatchError):
    """A file of the patch set is not written in its notation."""


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
    """

    path: str
    scope: str
    lines: tuple[Line, ...]
    origin: str
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @cached_property
    def pattern(self) -> str:
        """The text that has to match: context and ``-`` lines."""
        return "\n".join(line.text for line in self.lines if line.kind != "+")

    @cached_property
    def has_statements(self) -> bool:
        """Whether it only adds statements beside those of the pattern, which are then statements too."""
        return all(line.kind != "-" for line in self.lines) and any(
            line.kind == "+" and line.text[:1] not in ("", " ") for line in self.lines
        )

    @cached_property
    def added(self) -> str:
        """The text of the ``+`` lines."""
        return "\n".join(line.text for line in self.lines if line.kind == "+")

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
class Modification:
    """One modification of the tutorial.

    Attributes:
        number: Its place in the order, from 1.
        section: The tutorial's section.
        title: What it does, in one sentence.
        hunks: The places that it edits; each must land.
        new_files: The files that it adds.
        signs: Code that shows that somebody has made this modification by hand.
        inherited: The methods that other classes have to inherit: one with its own version goes without it.
    """

    number: int
    section: str
    title: str
    hunks: tuple[Hunk, ...]
    new_files: tuple[NewFile, ...]
    signs: tuple[Alternative, ...]
    inherited: tuple[Method, ...] = ()

    def __str__(self) -> str:
        return f"modification {self.number} (section {self.section}: {self.title})"


@dataclass(frozen=True)
class PatchSet:
    """Modifications that are applied together.

    Attributes:
        name: What commands call it.
        title: What it does, in one sentence; the name if nothing says more.
        package: The package that it changes, in whose folder all its paths are; None for any.
        modifications: The modifications, in order.
        files: The files that it was parsed from: parsing them again, with the same name, gives the same patch set.
    """

    name: str
    title: str
    package: str | None
    modifications: tuple[Modification, ...]
    files: Mapping[str, bytes]

    @cached_property
    def digest(self) -> str:
        """A digest that changes when any of its files does."""
        digest = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()

    @cached_property
    def edited_files(self) -> tuple[str, ...]:
        """The files that hunks edit, in the order of their first mention."""
        paths = [
            alternative.path
            for modification in self.modifications
            for hunk in modification.hunks
            for alternative in hunk.alternatives
        ]
        return tuple(dict.fromkeys(paths))


def parse(files: Mapping[str, bytes], name: str, package: str | None = None) -> PatchSet:
    """Parse a patch set.

    Args:
        files: The content of each file of a folder: ``NN-name.patch``, the files that these add, and ``patchset.toml``
            if there is one. Others are not looked into.
        name: Its name, unless ``patchset.toml`` gives one.
        package: The package that it has to change, or None for any.

    Raises:
        PatchSetError: If a file breaks the notation.
    """
    found = {file: match for file in files if (match := _FILE_NAME.fullmatch(file))}
    if not found:
        raise PatchSetError(f"{name} has no NN-name.patch file")
    used = {DESCRIPTION: files[DESCRIPTION]} if DESCRIPTION in files else {}
    described = _described(used[DESCRIPTION]) if used else {}
    package = described.get("package", package)
    modifications = []
    for number, file in enumerate(sorted(found), start=1):
        if int(found[file]["number"]) != number:
            raise PatchSetError(f"{file}: expected number {number:02}, the modifications are numbered without gaps")
        reader = _Reader(files, file, package)
        modifications.append(reader.modification(number))
        used |= reader.used
    name = described.get("name", name)
    return PatchSet(name, described.get("title", name), package, tuple(modifications), used)


def _described(content: bytes) -> Mapping[str, str]:
    """Return what ``patchset.toml`` says."""
    try:
        described = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PatchSetError(f"{DESCRIPTION}: expected TOML in UTF-8: {error}") from error
    for key, value in described.items():
        if key not in ("name", "title", "package"):
            raise PatchSetError(f"{DESCRIPTION}: expected 'name', 'title' or 'package', found {key!r}")
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise PatchSetError(f'{DESCRIPTION}: expected {key} = "some text", on one line, found {value!r}')
    return described


class _Reader:
    """Reads one patch file.

    Attributes:
        used: The files that were needed: the patch file itself, and those that it adds.
    """

    def __init__(self, files: Mapping[str, bytes], name: str, package: str | None) -> None:
        self.used = {name: files[name]}
        self._files = files
        self._name = name
        self._package = package
        try:
            text = files[name].decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise PatchSetError(f"{name}: expected text in UTF-8: {error}") from error
        self._lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
        self._hunks: list[Hunk] = []
        self._new_files: list[NewFile] = []
        self._signs: list[Alternative] = []
        self._inherited: list[Method] = []

    def modification(self, number: int) -> Modification:
        title = _TITLE.fullmatch(self._lines[0])
        if title is None:
            raise self._error(0, "the first line is '# SECTION  What it does.'")
        at = self._next(1)
        while at < len(self._lines):
            at = self._next(self._block(at))
        return Modification(
            number,
            title["section"],
            title["title"],
            tuple(self._hunks),
            tuple(self._new_files),
            tuple(self._signs),
            tuple(self._inherited),
        )

    def _block(self, at: int) -> int:
        """Read what starts with a header at line ``at`` (from 0), and return the line behind it."""
        header = _HEADER.fullmatch(self._lines[at])
        if header is None:
            raise self._error(at, "expected a header: '--- PATH  SCOPE' (or '!!!', '>>>') or '+++ PATH  FILE'")
        self._check_path(at, header["path"])
        if header["kind"] == "+++":
            self._new_files.append(NewFile(header["path"], self._content(at, header["rest"] or "")))
            return at + 1
        if header["kind"] == ">>>":
            class_name, _, method = (header["rest"] or "").partition(".")
            if not (class_name.isidentifier() and method.isidentifier()):
                raise self._error(at, "expected a method of a class: '>>> PATH  CLASS.METHOD'")
            self._inherited.append(Method(header["path"], class_name, method))
            return at + 1
        alternative, at = self._alternative(at + 1, header)
        alternatives = [alternative]
        while at < len(self._lines) and self._lines[at] == _OR:
            at = self._next(at + 1)
            # What follows "or" is a header of its own, or goes by the one before.
            own = _HEADER.fullmatch(self._lines[at]) if at < len(self._lines) else None
            if own and own["kind"] != header["kind"]:
                raise self._error(at, f"expected an alternative of the kind that it stands for: '{header['kind']}'")
            if own:
                self._check_path(at, own["path"])
            header = own or header
            alternative, at = self._alternative(at + 1 if own else at, header)
            alternatives.append(alternative)
        if header["kind"] == "!!!":
            self._signs.extend(alternatives)
        else:
            self._hunks.append(Hunk(tuple(alternatives)))
        return at

    def _next(self, at: int) -> int:
        """Return the first line from ``at`` on that is neither blank nor a comment."""
        while at < len(self._lines) and (not self._lines[at].strip() or self._lines[at].startswith("#")):
            at += 1
        return at

    def _alternative(self, at: int, header: re.Match[str]) -> tuple[Alternative, int]:
        """Read the diff that starts at line ``at``; return it and the line behind it."""
        behind = at
        while behind < len(self._lines) and _BODY.match(self._lines[behind]):
            behind += 1
        if behind == at:
            raise self._error(at, "expected lines that start with two spaces, '- ' or '+ '")
        lines = tuple(Line(text[0], text[2:]) for text in self._lines[at:behind])
        alternative = Alternative(header["path"], header["rest"] or MODULE, lines, f"{self._name}:{at + 1}")
        if mistake := _mistake(alternative, is_sign=header["kind"] == "!!!"):
            raise self._error(at, mistake)
        return alternative, behind

    def _content(self, at: int, name: str) -> bytes:
        if name not in self._files:
            raise self._error(at, f"expected the file to add, {name!r}, beside this one: there is none of that name")
        self.used[name] = self._files[name]
        return self._files[name]

    def _check_path(self, at: int, path: str) -> None:
        parts = path.split("/")
        if not all(_PATH_PART.fullmatch(part) for part in parts):
            raise self._error(at, f"expected the path of a file, relative and with forward slashes, found {path!r}")
        if self._package and (len(parts) == 1 or parts[0] != self._package):
            raise self._error(at, f"expected a file in the package, {self._package}/..., found {path!r}")

    def _error(self, at: int, message: str) -> PatchSetError:
        return PatchSetError(f"{self._name}:{at + 1}: {message}")


def _mistake(alternative: Alternative, is_sign: bool) -> str | None:
    """Return what is wrong with a diff, if anything is."""
    changes = [[line.kind for line in run] for is_kept, run in _runs(alternative.lines) if not is_kept]
    if is_sign:
        return "a sign has context lines only" if changes else None
    if not changes:
        return "the hunk changes nothing: expected '+' lines"
    if not all("+" in kinds for kinds in changes):
        return "'-' lines are replaced by nothing: expected '+' lines behind them"
    if not alternative.pattern and not alternative.added.startswith("from "):
        return "the hunk has no pattern: only 'from MODULE import NAME' needs none"
    for hole in HOLE.findall(alternative.added):
        if hole not in HOLE.findall(alternative.pattern):
            return f"${hole} is used, and stands nowhere in the pattern"
    return None


def _runs(lines: Iterable[Line]) -> Iterator[tuple[bool, Iterator[Line]]]:
    """Yield runs of context lines, and of others, in turn."""
    return groupby(lines, key=lambda line: line.kind == " ")

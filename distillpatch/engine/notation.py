"""The notation of a patch file, as ``patches/README.md`` explains it: text in, modification out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from distillpatch.engine.modification import Alternative, HandMadeFile, Hunk, Line, Method, Modification, NewFile
from distillpatch.engine.scope import MODULE
from distillpatch.engine.spelling import HOLE, split_choices
from distillpatch.errors import DistillpatchError

_TITLE = re.compile(r"# (?P<section>\S.*?)  (?P<title>\S.*)")
KINDS = ("---", "===", "+++", "!!!", "???", ">>>", "<<<")
"""How the header of each kind of section starts."""

_HEADER = re.compile(rf"(?P<kind>{'|'.join(map(re.escape, KINDS))}) (?P<path>\S+)(?:  (?P<rest>\S.*))?")
_BODY = re.compile(r"[-+]( |$)|  ")
# No part of a path leaves its folder, and none is special on any system.
_PATH_PART = re.compile(r"(?!\.{1,2}$)[\w.+-]+")
_OR = "or"
_REPORT = "report "
_TREE = re.compile(r"tree (?P<digest>[0-9a-f]{64})")
_WHERE = re.compile(r"where \$(?P<hole>[A-Z][A-Z0-9_]*) is (?P<choices>\S.*)")


class PatchSetError(DistillpatchError):
    """A file of the patch set is not written in its notation."""


class Reader:
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
        self._others: dict[str, list[Alternative]] = {"!!!": [], "???": [], "<<<": []}
        self._inherited: list[Method] = []
        self._hand_made_files: list[HandMadeFile] = []

    def modification(self, number: int) -> Modification:
        title = _TITLE.fullmatch(self._lines[0])
        if title is None:
            raise self._error(0, "the first line is '# SECTION  What it does.'")
        at = self._next(1)
        while at < len(self._lines):
            at = self._next(self._block(at))
        if not self._hunks and not self._new_files:
            raise self._error(0, "expected a hunk, or a file to add, below the title")
        return Modification(
            number,
            title["section"],
            title["title"],
            tuple(self._hunks),
            tuple(self._new_files),
            tuple(self._others["!!!"]),
            tuple(self._others["???"]),
            tuple(self._inherited),
            tuple(self._others["<<<"]),
            tuple(self._hand_made_files),
        )

    def _block(self, at: int) -> int:
        """Read what starts with a header at line ``at`` (from 0), and return the line after it."""
        header = _HEADER.fullmatch(self._lines[at])
        if header is None:
            kinds = "'--- PATH  SCOPE' (or ===, !!!, ???, >>>, <<<) or '+++ PATH  FILE'"
            raise self._error(at, f"expected a header: {kinds}")
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
        if header["kind"] == "<<<" and (tree := _TREE.fullmatch(header["rest"] or "")):
            self._hand_made_files.append(HandMadeFile(header["path"], tree["digest"]))
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
        if header["kind"] in self._others:
            self._others[header["kind"]] += alternatives
        else:
            self._hunks.append(Hunk(tuple(alternatives)))
        return at

    def _next(self, at: int) -> int:
        """Return the first line from ``at`` on that is neither blank nor a comment."""
        while at < len(self._lines) and (not self._lines[at].strip() or self._lines[at].startswith("#")):
            at += 1
        return at

    def _alternative(self, at: int, header: re.Match[str]) -> tuple[Alternative, int]:
        """Read the diff that starts at line ``at``; return it and the line after it."""
        after = at
        while after < len(self._lines) and _BODY.match(self._lines[after]):
            after += 1
        if after == at:
            raise self._error(at, "expected lines that start with two spaces, '- ' or '+ '")
        lines = tuple(Line(text[0], text[2:]) for text in self._lines[at:after])
        choices, after = self._choices(after)
        report = ""
        if header["kind"] == "<<<" and after < len(self._lines) and self._lines[after].startswith(_REPORT):
            report, after = self._lines[after].removeprefix(_REPORT), after + 1
        origin = f"{self._name}:{at + 1}"
        alternative = Alternative(header["path"], header["rest"] or MODULE, lines, origin, choices, report)
        if mistake := _mistake(alternative, changes_nothing=header["kind"] not in ("---", "<<<")):
            raise self._error(at, mistake)
        return alternative, after

    def _choices(self, at: int) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], int]:
        """Read the lines that say what a hole may stand for; return what they say, and the line after them."""
        choices: list[tuple[str, tuple[str, ...]]] = []
        while at < len(self._lines) and self._lines[at].startswith("where "):
            where = _WHERE.fullmatch(self._lines[at])
            if where is None:
                raise self._error(at, "expected 'where $NAME is EXPRESSION | EXPRESSION'")
            used = {hole for text in split_choices(where["choices"]) for hole in HOLE.findall(text)}
            if said := used & {where["hole"], *(name for name, _ in choices)}:
                raise self._error(at, f"expected the line of ${min(said)} below those that use it")
            choices.append((where["hole"], split_choices(where["choices"])))
            at += 1
        return tuple(choices), at

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


def _mistake(alternative: Alternative, *, changes_nothing: bool) -> str | None:
    """Return what is wrong with a diff, if anything is."""
    changes = [[*run] for is_kept, run in _runs(alternative.lines) if not is_kept]
    holes = HOLE.findall(alternative.pattern)
    for hole, texts in alternative.choices:
        if hole not in holes:
            return f"${hole} has choices, and occurs nowhere in the pattern"
        holes += [used for text in texts for used in HOLE.findall(text)]
    if changes_nothing:
        return "expected context lines only: ===, !!! and ??? change nothing" if changes else None
    if not changes:
        return "the hunk changes nothing: expected '+' or '-' lines"
    if any(all(line.kind == "-" and line.text.strip() == "..." for line in run) for run in changes):
        return "the hunk removes '...', which may be nothing: expected what has to be there"
    if not alternative.pattern and not alternative.added.startswith("from "):
        return "the hunk has no pattern: only 'from MODULE import NAME' needs none"
    for hole in HOLE.findall(f"{alternative.added}\n{alternative.report}"):
        if hole not in HOLE.findall(alternative.pattern):
            return f"${hole} is used, and occurs nowhere in the pattern"
    return None


def _runs(lines: Iterable[Line]) -> Iterator[tuple[bool, Iterator[Line]]]:
    """Yield runs of context lines, and of others, in turn."""
    return groupby(lines, key=lambda line: line.kind == " ")

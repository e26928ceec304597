"""Edits made by hand are taken out, as the ``<<<`` patterns of a patch set say: texts in, texts out.

Three passes over each file: statements go, blocks with all that is in them; then expressions, arguments and elements
become what they were, one after the other until nothing more matches; at last imports go that nothing uses any more.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import libcst as cst

from distillpatch.engine import layout
from distillpatch.engine.draft import Draft
from distillpatch.engine.hand_made_files import beside, is_hand_made, missing_names
from distillpatch.engine.landing import Landing, Misfit, edits_at, everywhere, removes_statements
from distillpatch.engine.modification import Alternative, Modification, NewFile
from distillpatch.engine.names import unbound_names
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.pattern import PatternError
from distillpatch.engine.removal_marks import Rule, mark
from distillpatch.engine.source import Source, look_at
from distillpatch.engine.spelling import HOLE
from distillpatch.engine.text import SourceError

# A tutorial's worth of edits is below fifty.
_MOST_REWRITES = 500


@dataclass(frozen=True)
class HandEdit:
    """An edit that somebody has made by hand.

    Attributes:
        modification: The modification that it is of.
        path: The file.
        first_line: Its first line.
        last_line: Its last line.
        report: What the user should know of it, if anything.
        kept: Where a file is kept that is not simply the one that people copy.
    """

    modification: Modification
    path: str
    first_line: int
    last_line: int
    report: str = ""
    kept: str = ""


@dataclass(frozen=True)
class Obstacle:
    """A line for which edits cannot be taken out, and why."""

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.reason}"


@dataclass(frozen=True)
class Removal:
    """Files without the edits that somebody has made by hand.

    Attributes:
        files: The files without them.
        edits: What was taken out.
        obstacles: Why not all of it could be; the files are of no use then.
        drafts: The files that were edited, with where each line came from.
    """

    files: Mapping[str, bytes | None]
    edits: tuple[HandEdit, ...]
    obstacles: tuple[Obstacle, ...]
    drafts: Mapping[str, Draft]

    def original_line(self, path: str, line: int) -> int:
        """Return the line of a file as it was that a line without the edits came from."""
        draft = self.drafts.get(path)
        return draft.original_line(draft.source.offset(line, 0)) if draft else line

    def first_line(self, path: str, scope: str) -> int:
        """Return the first line of a scope of a file as it was."""
        scopes = self.drafts[path].original.scopes(scope) if path in self.drafts else []
        return scopes[0].first_line if scopes else 1

    def replaced(self, extent: Extent) -> list[str]:
        """Return the code that edits took the place of; none of a file in which something is in the way."""
        if extent.path not in self.drafts or any(obstacle.path == extent.path for obstacle in self.obstacles):
            return []
        return [text.strip() for text in self.drafts[extent.path].changed_lines(extent.lines)]


@dataclass(frozen=True)
class Extent:
    """All that was made by hand of one modification in one file.

    Attributes:
        modification: The modification.
        path: The file.
        lines: The numbers of its lines, in order.
    """

    modification: Modification
    path: str
    lines: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.path}:{_spans(self.lines)}: {self.modification}"


def extents(edits: Iterable[HandEdit]) -> list[Extent]:
    """Return where edits are, those of one modification in one file together, by modification."""
    found: dict[tuple[str, Modification], set[int]] = {}
    for edit in edits:
        lines = found.setdefault((edit.path, edit.modification), set())
        lines.update(range(edit.first_line, edit.last_line + 1))
    places = sorted(found.items(), key=lambda item: item[0][1].number)
    return [Extent(modification, path, tuple(sorted(lines))) for (path, modification), lines in places]


def _spans(lines: Iterable[int]) -> str:
    """Return line numbers, those that follow each other as a span: ``3, 7-9``."""
    runs = [[line for _, line in run] for _, run in groupby(enumerate(lines), key=lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def take_out(patch_set: PatchSet, files: Mapping[str, bytes | None], package: Mapping[str, bytes]) -> Removal:
    """Take out what somebody has made by hand of a patch set.

    Args:
        patch_set: The patch set.
        files: The files that it edits or adds.
        package: The modules of the package, to look in them for what imports a file that is replaced.

    Raises:
        SourceError: If a file is not Python.
        PatternError: If a pattern is malformed.
    """
    edits: list[HandEdit] = []
    obstacles: list[Obstacle] = []
    cleaned = dict(files)
    drafts: dict[str, Draft] = {}
    for path, rules in _rules(patch_set).items():
        if (content := files.get(path)) is not None:
            drafts[path] = Draft(look_at(path, content))
            found, in_the_way = _take_out(drafts[path], rules)
            cleaned[path] = drafts[path].source.encode(drafts[path].source.text)
            edits += found
            obstacles += in_the_way
    for modification in patch_set.modifications:
        hand_made = {known.path for known in modification.hand_made_files}
        for new in modification.new_files:
            if new.path in hand_made and (content := files.get(new.path)) is not None:
                edit, reasons = _set_aside(modification, new, content, cleaned, package)
                edits.append(edit)
                obstacles += reasons
    edits.sort(key=lambda edit: (edit.modification.number, edit.path, edit.first_line))
    return Removal(cleaned, tuple(edits), tuple(obstacles), drafts)


def _set_aside(
    modification: Modification,
    new: NewFile,
    content: bytes,
    cleaned: dict[str, bytes | None],
    package: Mapping[str, bytes],
) -> tuple[HandEdit, list[Obstacle]]:
    """Make room for a file that a modification adds; one that people do not simply copy is kept beside it."""
    edit = HandEdit(modification, new.path, 1, max(content.count(b"\n"), 1))
    cleaned[new.path] = None
    if is_hand_made(modification, new.path, content):
        return edit, []
    kept = beside(new.path)
    modules = {**package, **{path: text for path, text in cleaned.items() if text is not None}}
    obstacles = [
        Obstacle(path, line, f"imports {name}, which is yours, from {new.path}: move it to a module of another name")
        for path, line, name in missing_names(new.path, new.content, modules)
    ]
    if kept in package:
        obstacles.append(Obstacle(kept, 1, f"exists, and {new.path} would be kept under this name"))
    cleaned[kept] = content
    return replace(edit, kept=kept), obstacles


def _rules(patch_set: PatchSet) -> dict[str, list[Rule]]:
    """Return what edits made by hand look like, by file."""
    rules: dict[str, list[Rule]] = {}
    for modification in patch_set.modifications:
        for alternative in modification.hand_made:
            rules.setdefault(alternative.path, []).append((modification, alternative))
    return rules


def _take_out(draft: Draft, rules: Sequence[Rule]) -> tuple[list[HandEdit], list[Obstacle]]:
    """Take edits out of one file."""
    statements = [rule for rule in rules if removes_statements(rule[1])]
    imports = [rule for rule in statements if rule[1].pattern.startswith(("from ", "import "))]
    rewrites = [rule for rule in rules if rule not in statements]
    path = draft.source.path
    try:
        marks = mark(draft.source, [rule for rule in statements if rule not in imports])
        obstacles = [Obstacle(path, line, reason) for line, reason in marks.obstacles]
        edits = [
            HandEdit(found.modification, path, *found.lines, _report(found.candidate.landing, found.candidate.rule[1]))
            for found in marks.removed
        ]
        if obstacles:
            return edits, obstacles
        draft.make(found.edit for found in marks.removed)
        edits += _rewrite(draft, rewrites)
        edits += _remove_imports(draft, imports)
    except (Misfit, SourceError) as error:
        return [], [Obstacle(path, 1, f"it would be left broken: {error}")]
    return edits, []


def _rewrite(draft: Draft, rules: Sequence[Rule]) -> Iterator[HandEdit]:
    """Make expressions, arguments and elements what they were, until nothing more matches."""
    order = deque(rules)
    for _ in range(_MOST_REWRITES):
        found = next(
            ((n, landing) for n, rule in enumerate(order) for landing in everywhere(draft.source, rule[1])), None
        )
        if found is None:
            return
        number, landing = found
        order.rotate(-number)  # what comes before has nothing to match for now
        modification, alternative = order[0]
        made = edits_at(landing, alternative)
        lines = [draft.original_line(offset) for edit in made for offset in (edit.start, max(edit.start, edit.end - 1))]
        yield HandEdit(modification, draft.source.path, min(lines), max(lines), _report(landing, alternative))
        draft.make(made)
    raise PatternError(f"{rules[0][1].origin}: what this and what follows make of code matches again, for ever")


def _remove_imports(draft: Draft, rules: Sequence[Rule]) -> Iterator[HandEdit]:
    """Remove imports of which nothing is used any more, one after the other: places are those of the file before."""
    while found := next(_unused_imports(draft.source, rules), None):
        modification, landing, statement = found
        start, end = landing.scope.span(statement)
        yield HandEdit(modification, draft.source.path, draft.original_line(start), draft.original_line(end - 1))
        draft.make([layout.removed_statements(landing.scope, [statement])])


def _unused_imports(source: Source, rules: Sequence[Rule]) -> Iterator[tuple[Modification, Landing, cst.CSTNode]]:
    for modification, alternative in rules:
        for landing in everywhere(source, alternative):
            statement = landing.match.nodes[landing.pattern.first]
            if not _is_used(source, statement, source.line_of(landing.scope.span(statement)[0])):
                yield modification, landing, statement


def _is_used(source: Source, statement: cst.CSTNode, line: int) -> bool:
    """Return whether code needs an import: it uses a name of it that no other import at the head of the file brings."""
    names = [getattr(part, "names", ()) for part in getattr(statement, "body", ())]
    if any(isinstance(node, cst.ImportStar) for node in names):
        return bool(unbound_names(source.text))
    tree = source.tree
    others = (node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno != line)
    needed = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    needed -= {alias.asname or alias.name.split(".")[0] for node in others for alias in node.names}
    return any((alias.evaluated_alias or alias.evaluated_name) in needed for part in names for alias in part)


def _report(landing: Landing, alternative: Alternative) -> str:
    """Return what the user should know of a place that was found."""

    def code(name: str) -> str:
        start, end = landing.scope.outer_span(landing.match.holes[name])
        return landing.scope.source.text[start:end]

    return HOLE.sub(lambda hole: code(hole[1]), alternative.report)

"""Where a pattern matches code: trees are compared, not text.

Formatting, comments, kinds of quotes, parentheses that change nothing, trailing commas and type hints do not matter.

What a gap covers is found from left to right, the shortest first. How that went is kept for each gap, place and
meaning of the holes, so that the time it takes grows with the pattern times the block, and not with a power of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter

import libcst as cst

from distillpatch.engine.nodes import LITERALS, Items, canonical, children, fields, is_node, items, tree
from distillpatch.engine.pattern import Pattern, hole, is_gap

# What a pattern leaves open: a hint that it does not mention.
_HINTS = frozenset({"annotation", "returns", "decorators", "type_parameters"})

# What may not be run: inside a scope, a function that is defined there is a branch as well.
_BRANCHES = (cst.If, cst.Else, cst.ExceptHandler, cst.FunctionDef)


# The nodes in which blocks are nested.
_HOLDERS = (
    cst.BaseCompoundStatement,
    cst.Else,
    cst.ExceptHandler,
    cst.ExceptStarHandler,
    cst.Finally,
    cst.IndentedBlock,
    cst.MatchCase,
    cst.SimpleStatementLine,
)


# The pattern times the block is far less than this, in a block of a megabyte. Where code before a gap fills a hole in
# thousands of ways, and code after it has the hole again, it would be their product.
_MOST_COMPARISONS = 2_000_000


class TooRepetitive(Exception):
    """Looking for the pattern would take too long."""


@dataclass
class Match:
    """How a pattern is placed on the code that it matched.

    Attributes:
        nodes: The code's node for each node of the pattern.
        holes: The code's expression for each ``$NAME``.
        runs: For a pattern's node that has items and the index of one, the code's items and the range of them there.
        in_branch: Whether it is in a branch that the pattern does not show, so that it may not be run.
    """

    nodes: dict[cst.CSTNode, cst.CSTNode] = field(default_factory=dict)
    holes: dict[str, cst.BaseExpression] = field(default_factory=dict)
    runs: dict[tuple[cst.CSTNode, int], tuple[Items, int, int]] = field(default_factory=dict)
    in_branch: bool = False


class Code:
    """Statements to look in, with all that is nested in them.

    Args:
        statements: A scope's statements: those of a file, or one definition.

    Attributes:
        statements: The same.
        matches: What was found in them, by what was looked for.
    """

    def __init__(self, statements: Items) -> None:
        self.statements = statements
        self.matches: dict[object, list[Match]] = {}

    @cached_property
    def blocks(self) -> Sequence[tuple[Items, bool]]:
        """The runs of statements, outer ones first, and whether each is in a branch."""
        blocks: list[tuple[Items, bool]] = []
        nodes: list[tuple[cst.CSTNode, bool]] = [(statement, False) for statement in reversed(self.statements)]
        scopes = {node for node in self.statements if isinstance(node, cst.FunctionDef)}  # which are no branches
        blocks.append((self.statements, False))
        while nodes:
            node, in_branch = nodes.pop()
            in_branch = in_branch or (isinstance(node, _BRANCHES) and node not in scopes)
            if isinstance(node, cst.IndentedBlock):
                blocks.append((node.body, in_branch))
            if not isinstance(node, cst.SimpleStatementLine):
                nested = [child for child in children(node) if isinstance(child, _HOLDERS)]
                nodes += [(child, in_branch) for child in reversed(nested)]
        return blocks

    @cached_property
    def _nodes(self) -> dict[type[cst.CSTNode], list[tuple[int, cst.CSTNode]]]:
        """All nodes by their types, in the code's order, with their places in it."""
        found: dict[type[cst.CSTNode], list[tuple[int, cst.CSTNode]]] = {}
        for place, node in enumerate(node for statement in self.statements for node in tree(statement)):
            found.setdefault(type(node), []).append((place, node))
        return found

    def nodes(self, kinds: Collection[type[cst.CSTNode]]) -> list[cst.CSTNode]:
        """Return the nodes of some types, in the code's order."""
        found = [numbered for kind in kinds for numbered in self._nodes.get(kind, ())]
        return [node for _, node in sorted(found, key=itemgetter(0))]


def find(pattern: Pattern, code: Code) -> list[Match]:
    """Return every match of a pattern, in the code's order: at most one for each place at which it can begin."""
    search = _Search(pattern)
    if pattern.expression is not None:
        nodes = code.nodes(pattern.kinds)
        return [match for node in nodes if (match := search.expression(node))]
    return [
        match
        for block, in_branch in code.blocks
        for start in range(len(block))
        if (match := search.statements(block, start, in_branch))
    ]


class _Search:
    """A search for one pattern.

    What was compared is noted as it goes, and the notes are cut back where a comparison fails.
    """

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._nodes: list[tuple[cst.CSTNode, cst.CSTNode]] = []
        self._runs: list[tuple[tuple[cst.CSTNode, int], tuple[Items, int, int]]] = []
        self._holes: dict[str, cst.BaseExpression] = {}
        # Where each gap ends, by all that this depends on; None if there is no way to go on from there.
        self._ends: dict[object, int | None] = {}
        self._comparisons = 0
        self._meanings: dict[cst.CSTNode, object] = {}
        self._later: dict[tuple[int, int], list[str]] = {}
        # The items of the code's nodes: these are known by their lists.
        self._lists: dict[cst.CSTNode, Items] = {}

    def expression(self, node: cst.CSTNode) -> Match | None:
        assert self._pattern.expression is not None
        self._cut((0, 0, 0))
        return self._match(False) if self._node(self._pattern.expression, node) else None

    def statements(self, block: Items, start: int, in_branch: bool) -> Match | None:
        self._cut((0, 0, 0))
        matches = self._run(self._pattern.module, self._pattern.statements, 0, block, start, whole=False)
        return self._match(in_branch) if matches else None

    def _match(self, in_branch: bool) -> Match:
        return Match(dict(self._nodes), dict(self._holes), dict(self._runs), in_branch)

    def _mark(self) -> tuple[int, int, int]:
        return len(self._nodes), len(self._runs), len(self._holes)

    def _cut(self, mark: tuple[int, int, int]) -> None:
        del self._nodes[mark[0] :], self._runs[mark[1] :]
        while len(self._holes) > mark[2]:
            self._holes.popitem()

    def _node(self, pattern: object, code: object) -> bool:
        """Return whether a node (or a plain value) of the pattern matches one of the code."""
        if (name := hole(pattern)) is not None:
            return self._fill(name, code)
        kind = type(pattern)
        if kind is cst.Assign and type(code) is cst.AnnAssign:
            code = _without_hint(code)
        if kind is not type(code):
            return False
        if not is_node(pattern) or not is_node(code):
            return bool(pattern == code)
        self._nodes.append((pattern, code))
        if kind in LITERALS:
            return canonical(pattern) == canonical(code)
        for name in fields(type(pattern)):
            if not self._field(pattern, name, getattr(pattern, name), getattr(code, name)):
                return False
        return self._items(pattern, code)

    def _items(self, pattern: cst.CSTNode, code: cst.CSTNode) -> bool:
        wanted, found = items(pattern), items(code)
        if wanted is None or found is None:
            return True
        return self._run(pattern, wanted, 0, self._lists.setdefault(code, found), 0)

    def _field(self, owner: cst.CSTNode, name: str, pattern: object, code: object) -> bool:
        if not pattern and (name in _HINTS or (name == "star_kwarg" and _ends_open(owner))):
            return True
        if name in ("start", "end") and isinstance(pattern, str):  # an f-string's prefix and quotes
            return True
        if isinstance(pattern, (list, tuple)) and isinstance(code, (list, tuple)):
            return len(pattern) == len(code) and all(map(self._node, pattern, code))
        return self._node(pattern, code)

    def _fill(self, name: str, code: object) -> bool:
        if not isinstance(code, cst.BaseExpression):
            return False
        if name in self._holes:
            return self._meaning(self._holes[name]) == self._meaning(code)
        choices = self._pattern.choices.get(name)
        self._holes[name] = code
        if choices is None:
            return True
        mark = self._mark()
        for choice in choices:
            if self._node(choice, code):
                return True
            self._cut(mark)
        return False

    def _meaning(self, node: cst.CSTNode) -> object:
        if node not in self._meanings:
            self._meanings[node] = canonical(node)
        return self._meanings[node]

    def _run(self, owner: cst.CSTNode, pattern: Items, index: int, code: Items, start: int, whole: bool = True) -> bool:
        """Return whether items of the pattern, from an index on, match a run of the code's items (all, if ``whole``).

        Args:
            owner: The pattern's node whose items they are.
            pattern: Its items.
            index: The first of them that is left to match.
            code: The code's items.
            start: Where the run has to begin.
            whole: Whether the run has to end where the code's items do.
        """
        if index == len(pattern):
            return start == len(code) or not whole
        mark = self._mark()
        if id(pattern[index]) in self._pattern.gaps:
            if self._gap(owner, pattern, index, code, start, whole):
                return True
        elif start < len(code):
            self._runs.append(((owner, index), (code, start, start + 1)))
            matches = self._node(pattern[index], code[start])
            if matches and self._run(owner, pattern, index + 1, code, start + 1, whole):
                return True
        self._cut(mark)
        return False

    def _gap(self, owner: cst.CSTNode, pattern: Items, index: int, code: Items, start: int, whole: bool) -> bool:
        """Return whether a gap and what follows it match a run of the code's items; for arguments see :meth:`_run`."""
        is_last = index == len(pattern) - 1
        at = len(code) if is_last and whole else start
        meant = self._meant(owner, pattern, index)
        tried = []
        matches = False
        while at <= len(code) and not matches:
            key = (id(owner), index, id(code), at, meant)
            known = self._ends.get(key, at)
            if known is None:
                break
            at = known
            tried.append(key)
            self._comparisons += 1
            if self._comparisons > _MOST_COMPARISONS:
                raise TooRepetitive
            matches = self._run(owner, pattern, index + 1, code, at, whole)
            at += not matches
        self._ends.update(dict.fromkeys(tried, at if matches else None))
        if matches:
            self._runs.append(((owner, index), (code, start, at)))
        return matches

    def _meant(self, owner: cst.CSTNode, pattern: Items, index: int) -> tuple[tuple[str, object], ...]:
        """Return what is bound already of the holes that are in the items after an index."""
        later = self._later.get((id(owner), index))
        if later is None:
            names = {name for item in pattern[index:] for name in self._pattern.holes(item)}
            later = self._later[id(owner), index] = sorted(names)
        bound = (name for name in later if name in self._holes)
        return tuple((name, self._meaning(self._holes[name])) for name in bound)


def _ends_open(parameters: cst.CSTNode) -> bool:
    """Return whether the parameters of a pattern end with a gap, in which ``**kwargs`` may be."""
    return any(map(is_gap, (items(parameters) or ())[-1:]))


def _without_hint(code: cst.AnnAssign) -> object:
    """Return ``name: hint = value`` as ``name = value``, with the very nodes that have positions in the code."""
    return code if code.value is None else cst.Assign([cst.AssignTarget(code.target)], code.value)

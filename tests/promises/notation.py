"""The notation of patches: what can be said in it, and what is a mistake."""

from __future__ import annotations

from promises import Break

LAYOUT = "distillpatch/engine/layout.py"
MATCHING = "distillpatch/engine/matching.py"
NESTING = "distillpatch/engine/nesting.py"
NODES = "distillpatch/engine/nodes.py"
NOTATION = "distillpatch/engine/notation.py"
PATTERN = "distillpatch/engine/pattern.py"
POSITIONS = "distillpatch/engine/positions.py"
SPELLING = "distillpatch/engine/spelling.py"

BREAKS = (
    Break(
        "how a gap went is kept",
        MATCHING,
        "        self._ends.update(dict.fromkeys(tried, at if matches else None))\n",
        "",
        "pattern::power",
    ),
    Break(
        "a search that takes too long is given up",
        MATCHING,
        "                raise TooRepetitive\n",
        "                pass\n",
        "pattern::square",
    ),
    Break(
        "subscripts are items",
        NODES,
        '    cst.Subscript: ("slice",),\n',
        "",
        "pattern::matches_once",
    ),
    Break(
        "pairs of a dict are items",
        NODES,
        '    cst.Dict: ("elements",),\n',
        "",
        "pattern::matches_once",
    ),
    Break(
        "a gap between pairs is one of pairs",
        SPELLING,
        "'**' if closing == '}' and self.has_pairs else '*'",
        "'*'",
        "pattern::matches_once",
    ),
    Break(
        "gaps and defaults come in any order",
        SPELLING,
        'return f"{GAP_NAME}=0" if after_default and number < self.star else GAP_NAME',
        "return GAP_NAME",
        "pattern::matches_once",
    ),
    Break(
        "a hole that means nothing is a mistake",
        PATTERN,
        "if (name := hole(self.expression)) and name not in self.choices:",
        "if False:",
        "pattern::means_nothing",
    ),
    Break(
        "what is removed goes with its line",
        LAYOUT,
        "    is_alone = not text[source.line_start(first) : first].strip()\n",
        "    is_alone = False\n",
        "edit::removed",
    ),
    Break(
        "decorators go with their function",
        LAYOUT,
        'for part in (node, *getattr(node, "decorators", ())))',
        "for part in (node,))",
        "edit::removed",
    ),
    Break(
        "a gap alone is not removed",
        NOTATION,
        'line.kind == "-" and line.text.strip() == "..."',
        "False",
        "patchset::mistake",
    ),
    Break(
        "choices are read from above to below",
        NOTATION,
        '            if said := used & {where["hole"], *(name for name, _ in choices)}:',
        "            if said := frozenset[str]():",
        "patchset::mistake",
    ),
    Break(
        "a path is in the package",
        NOTATION,
        "if self._package and (len(parts) == 1 or parts[0] != self._package):",
        "if False:",
        "patchset::in_the_package",
    ),
    Break(
        "a statement with handlers is measured whole",
        POSITIONS,
        "    if isinstance(statement, (cst.Try, cst.TryStar)):\n        return statement\n",
        "",
        "positions::libcst",
    ),
    Break(
        "strings that follow each other are nested",
        NESTING,
        "    if isinstance(node, (ast.Constant, ast.JoinedStr)):\n",
        "    if False:\n",
        "source::nobody_writes",
    ),
)

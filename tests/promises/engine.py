"""The engine: what matches, where it lands, how it is laid out, what is planned."""

from __future__ import annotations

from promises import Break

EDIT = "distillpatch/engine/edit.py"
IMPORTS = "distillpatch/engine/imports.py"
LANDING = "distillpatch/engine/landing.py"
LAYOUT = "distillpatch/engine/layout.py"
MATCHING = "distillpatch/engine/matching.py"
NEAREST = "distillpatch/engine/nearest.py"
NESTING = "distillpatch/engine/nesting.py"
NOTATION = "distillpatch/engine/notation.py"
PATTERN = "distillpatch/engine/pattern.py"
PLAN = "distillpatch/engine/plan.py"
REFUSAL = "distillpatch/engine/refusal.py"
POSITIONS = "distillpatch/engine/positions.py"
SCOPE = "distillpatch/engine/scope.py"
SOURCE = "distillpatch/engine/source.py"
SPELLING = "distillpatch/engine/spelling.py"

BREAKS = (
    # Matching.
    Break(
        "a hole means the same wherever it is",
        MATCHING,
        "return self._meaning(self._holes[name]) == self._meaning(code)",
        "return True",
        "pattern::left_alone",
    ),
    Break(
        "a failed attempt leaves nothing in the holes",
        MATCHING,
        "        while len(self._holes) > mark[2]:\n            self._holes.popitem()\n",
        "",
        "pattern",
    ),
    Break(
        "a gap is tried again where a hole was filled in another way",
        MATCHING,
        "key = (id(owner), index, id(code), at, meant)",
        "key = (id(owner), index, id(code), at)",
        "pattern::tried_again",
    ),
    Break(
        "kinds of quotes do not matter",
        MATCHING,
        "        if kind in LITERALS:\n            return canonical(pattern) == canonical(code)\n",
        "",
        "pattern::matches_once",
    ),
    Break(
        "type hints do not matter",
        MATCHING,
        "        if kind is cst.Assign and type(code) is cst.AnnAssign:\n            code = _without_hint(code)\n",
        "",
        "pattern::matches_once",
    ),
    Break(
        "a choice stands for itself alone",
        MATCHING,
        "        if choices is None:\n            return True\n",
        "        return True\n",
        "pattern::may_stand_for",
    ),
    Break(
        "a gap where none can be is a mistake",
        PATTERN,
        "        _check_gaps(self.module, text)\n",
        "",
        "pattern::means_nothing",
    ),
    # Landing.
    Break(
        "a pattern that fits twice is refused",
        LANDING,
        "    if len(matches) > 1:\n",
        "    if False:\n",
        "edit::exactly_once",
    ),
    Break(
        "code in a branch is refused",
        LANDING,
        "    if matches[0].in_branch:\n",
        "    if False:\n",
        "edit::never_be_called",
    ),
    Break(
        "an alternative that fits twice is not passed over",
        PLAN,
        "            if isinstance(misfit, (Ambiguity, Repetition)):\n",
        "            if False:\n",
        "edit::passed_over",
    ),
    Break(
        "an alternative whose lines are there is not passed over",
        PLAN,
        "(Ambiguity, Repetition)",
        "Ambiguity",
        "edit::is_there_already",
    ),
    Break(
        "lines are not added twice after a statement or an item",
        LANDING,
        ", after[: len(new)]",
        "",
        "edit::is_there_already",
    ),
    Break(
        "lines are not added twice before a statement or an item",
        LANDING,
        "before[-len(new) :], ",
        "",
        "edit::is_there_already",
    ),
    Break(
        "items of a bracket are not added twice, wherever its lines break",
        LANDING,
        "        new = [item.translate(_RELEASED) for item in layout.listed(added)]\n",
        "        new = [edit.text]\n",
        "edit::is_there_already",
    ),
    Break(
        "lines that hold code of several lines are not added twice",
        LANDING,
        "(_released(edit).text, text[: edit.start]",
        "(edit.text, text[: edit.start]",
        "edit::is_there_already",
    ),
    Break(
        "a set whose state is lost is not applied twice",
        LANDING,
        "    if new and new in (",
        "    if False and new in (",
        "patch_sets::on_top_of_itself",
    ),
    Break(
        "a scope is looked into alone",
        SCOPE,
        "start = self.source.offset(self.first_line, 0)",
        "start = 0",
        "edit::looked_into",
    ),
    Break(
        "an import whose name is taken is refused",
        LANDING,
        "        if taken := taken_names(source, alternative.added):\n",
        "        if taken := ():\n",
        "edit::definition_of_that_name",
    ),
    Break(
        "a word that the file lacks rules a pattern out, a prefix of a string does not",
        SPELLING,
        "token[0].isidentifier() and not _is_prefix(token)",
        "token[0].isidentifier()",
        "pattern",
    ),
    # Layout.
    Break(
        "added lines end as those of the file do",
        LAYOUT,
        'return "".join(f"{text}{source.newline}" for text in block)',
        'return "".join(f"{text}\\n" for text in block)',
        "edit",
    ),
    Break(
        "added lines are indented as the file is",
        LAYOUT,
        "{outer}{scope.indent * depth}",
        "{outer}{'    ' * depth}",
        "edit",
    ),
    Break(
        "a comment below a block stays with it",
        LAYOUT,
        "            if width(source.line_text(below)) > own_indent:\n                line = below\n",
        "",
        "edit::comments_that_end_it",
    ),
    Break(
        "a comment above a statement stays with it",
        LAYOUT,
        "source.line_of(start) - comments, 0)",
        "source.line_of(start), 0)",
        "edit::stay_with_it",
    ),
    Break(
        "arguments that overflow the line go one below the other",
        LAYOUT,
        "_LINE_LIMIT = 120",
        "_LINE_LIMIT = 1200",
        "edit::overflow",
    ),
    Break(
        "code that is used again keeps its meaning",
        LAYOUT,
        'else f"({text})"',
        "else text",
        "edit::used_again",
    ),
    Break(
        "a hole of several lines stays as it is",
        LANDING,
        ".translate(_HELD), change.added)",
        ", change.added)",
        "edit::several_lines",
    ),
    Break(
        "one comma is left in a tuple of one",
        LAYOUT,
        "leaves_one = keeps_comma and",
        "leaves_one = False and",
        "edit::removed",
    ),
    Break(
        "an import goes where sorting puts it",
        IMPORTS,
        "if later:",
        "if False:",
        "edit::sorting_puts_it",
    ),
    Break(
        "changes that overlap are refused",
        EDIT,
        "        if edit.start < at:\n",
        "        if False:\n",
        "edit::same_code",
    ),
    Break(
        "nothing is removed from a block that would be empty",
        LANDING,
        "    if stop - start == len(code) and (is_block",
        "    if False and (is_block",
        "edit::nothing_would_be_left",
    ),
    # Reading.
    Break(
        "bytes survive reading and writing",
        SOURCE,
        "        if self.encode(text) != content:\n",
        "        if False:\n",
        "source::not_python",
    ),
    Break(
        "nesting that would end the process is refused",
        NESTING,
        "_DEEPEST_NESTING = 90",
        "_DEEPEST_NESTING = 9000",
        "source::nobody_writes",
    ),
    Break(
        "columns are counted in characters",
        POSITIONS,
        "column if text.isascii() else len(text.encode()[:column].decode())",
        "column",
        "positions",
    ),
    Break(
        "an interruption of LibCST arrives as one",
        POSITIONS,
        "        raise cause from None\n",
        "        raise\n",
        "positions::arrives",
    ),
    # Planning.
    Break(
        "code that has to be there is required",
        NOTATION,
        '        if header["kind"] in self._others:\n',
        '        if header["kind"] in (*self._others, "==="):\n            self._others.setdefault("===", [])\n',
        "plan::has_to_be_there",
    ),
    Break(
        "a hunk that changes nothing is a mistake",
        NOTATION,
        '    if not changes:\n        return "the hunk changes',
        '    if False:\n        return "the hunk changes',
        "patchset::told_with_its_line",
    ),
    Break(
        "the line shown is the one that is most like the pattern",
        NEAREST,
        "if likeness > best or",
        "if likeness < best or",
        "plan::message_of_a_misfit",
    ),
    Break(
        "one misfit refuses everything",
        PLAN,
        "refused = by_hand or any(",
        "refused = by_hand or all(",
        "plan",
    ),
    Break(
        "what was made by hand is not made again",
        PLAN,
        "    by_hand = tuple(_made_by_hand(patch_set, files, sources, modules))\n",
        "    by_hand = ()\n",
        "modifications::by_hand",
    ),
    Break(
        "what was made by hand is told once",
        PLAN,
        "sorted({*added, *recognised})",
        "sorted([*added, *recognised])",
        "modifications::told_once",
    ),
    Break(
        "the line shown is that of the added code",
        PLAN,
        "source.line_of(edit.start) + grown + edit.lines_before",
        "source.line_of(edit.start) + edit.lines_before",
        "plan::lines",
    ),
    Break(
        "a misfit shows the nearest code",
        REFUSAL,
        "attempt.nearest or",
        "",
        "plan::message_of_a_misfit",
    ),
    Break(
        "no file is left broken",
        PLAN,
        "            check_compiles(path, after)\n",
        "            pass\n",
        "edit::would_not_parse",
    ),
)

"""Edits made by hand are taken out whole, or not at all."""

from __future__ import annotations

from promises import Break

MARKS = "distillpatch/engine/removal_marks.py"
HAND_EDITS = "distillpatch/engine/hand_edits.py"
REPLACEMENT = "distillpatch/engine/replacement.py"
OTHER_WAYS = "distillpatch/engine/other_ways.py"
FILES = "distillpatch/engine/hand_made_files.py"
PLAN = "distillpatch/engine/plan.py"
REFUSAL = "distillpatch/engine/refusal.py"
DRAFT = "distillpatch/engine/draft.py"
TREES = "distillpatch/engine/trees.py"
STATUS = "distillpatch/report/status.py"

BREAKS = (
    Break(
        "a block goes only if all that is in it goes",
        MARKS,
        "            if taken.keys() >= candidate.in_gaps.keys():\n",
        "            if candidate:\n",
        "hand_edits::inside_an_edit",
    ),
    Break(
        "no block is left empty",
        MARKS,
        "dict(_emptied(source, candidates, taken))",
        "dict[int, str]()",
        "hand_edits::block_around",
    ),
    Break(
        "nothing is left that reads what was taken out",
        REPLACEMENT,
        "lost_names(draft.original.text, draft.source.text).items()",
        "dict[str, int]().items()",
        "hand_edits::uses_an_edit",
    ),
    Break(
        "nothing is left that only what was taken out read",
        REPLACEMENT,
        "idle_names(draft.original.text, draft.source.text).items()",
        "dict[str, int]().items()",
        "hand_edits_styles::in_the_way",
    ),
    Break(
        "an import of everything goes if nothing needs it",
        HAND_EDITS,
        "return bool(unbound_names(source.text))",
        "return True",
        "hand_edits_styles::in_other_words",
    ),
    Break(
        "each import of which nothing is used goes",
        HAND_EDITS,
        "while found :=",
        "if found :=",
        "hand_edits_styles::in_other_words",
    ),
    Break(
        "a block that would be left empty is told by its first line",
        MARKS,
        "line = _header(source, source.line_of(spans[0][0]))",
        "line = source.line_of(spans[0][0])",
        "hand_edits_styles::in_the_way",
    ),
    Break(
        "what an edit said is reported",
        HAND_EDITS,
        "    return HOLE.sub(lambda hole: code(hole[1]), alternative.report)\n",
        '    return ""\n',
        "hand_edits::reported_as_arguments",
    ),
    Break(
        "an import goes only if nothing uses it",
        HAND_EDITS,
        "            if not _is_used(",
        "            if _is_used(",
        "hand_edits::whole_tutorial",
    ),
    Break(
        "an added file that its owner extended is kept",
        HAND_EDITS,
        "    if is_hand_made(modification, new.path, content):\n",
        "    if modification:\n",
        "hand_edits::kept_beside",
    ),
    Break(
        "what other modules import from an added file stays there",
        FILES,
        "if a.name not in {*there",
        "if False and a.name not in {*there",
        "hand_edits::kept_beside",
    ),
    Break(
        "a copied file that is used is not replaced unasked",
        FILES,
        "and not any(_importers(path, modules))",
        "",
        "hand_edits::without_asking",
    ),
    Break(
        "layout and docstrings do not make another file",
        TREES,
        "value.body[_has_docstring(value) :]",
        "value.body",
        "hand_edits::without_asking",
    ),
    Break(
        "the refusal shows what each edit took the place of",
        REFUSAL,
        "(removal.replaced(extent) if removal else ())",
        "()",
        "hand_edits_shown::took_the_place_of",
    ),
    Break(
        "code that is as it was is not shown as what an edit took the place of",
        DRAFT,
        "if text not in were]",
        "if text]",
        "hand_edits_shown::took_the_place_of",
    ),
    Break(
        "code is shown as what an edit took the place of only where all of them can go",
        HAND_EDITS,
        "or any(obstacle.path == extent.path for obstacle in self.obstacles)",
        "",
        "hand_edits_shown::something_is_in_the_way",
    ),
    Break(
        "no line of an edit made by hand is told as left as it is",
        REPLACEMENT,
        "if (note.place.path, note.place.line) not in made))",
        "if made))",
        "hand_edits_shown::left_as_it_is",
    ),
    Break(
        "a line that is left is told where it is on disk",
        "distillpatch/disk_lines.py",
        "return _line(matcher, number) if matcher else number",
        "return number",
        "hand_edits_shown::on_disk",
    ),
    Break(
        "explain names for programs what was made by hand",
        "distillpatch/report/modifications.py",
        "for extent in by_hand],",
        "for extent in by_hand[:0]],",
        "hand_edits_shown::not_told_as and 8.2.50",
    ),
    Break(
        "what was made by hand is not told as what does not fit",
        STATUS,
        "if outcome.rejections and outcome.modification.number not in by_hand]",
        "if outcome.rejections]",
        "hand_edits_shown::not_told_as and 8.2.50",
    ),
    Break(
        "what is in the way is told of the scope that exists",
        PLAN,
        "in reversed(self.tried) if attempt.has_scope)",
        "in reversed(self.tried))",
        "hand_edits_shown::scope_that_exists",
    ),
    Break(
        "arguments by position are refused as such",
        OTHER_WAYS,
        'f"with arguments by position: give those of {call} by name"',
        '""',
        "hand_edits_styles::by_position",
    ),
    Break(
        "a block on one line is refused as such",
        OTHER_WAYS,
        "    return any(source",
        "    return False and any(source",
        "hand_edits_styles::on_one_line",
    ),
    Break(
        "a block on one line is not told as the owner's",
        MARKS,
        "if is_on_one_line(source, source.line_of(span[0])):",
        "if False:",
        "hand_edits_styles::on_one_line",
    ),
    Break(
        "an argument that was given by name is taken out, however black lays it out",
        "patches/05-optimizer-call.patch",
        "-     $NAME=$VALUE,\n",
        "-     model_t=$VALUE,\n",
        "hand_edits_styles::black",
    ),
    Break(
        "each edit made by hand is taken out alone",
        "patches/05-optimizer-call.patch",
        "-     $NAME=$VALUE,\n",
        "-     model_t=$VALUE,\n",
        "hand_edits::taken_out_alone and 8.2.50",
    ),
    Break(
        "each beginning of the tutorial made by hand is taken out",
        "patches/05-optimizer-call.patch",
        "-     $NAME=$VALUE,\n",
        "-     model_t=$VALUE,\n",
        "hand_edits::each_beginning and 8.2.50",
    ),
    Break(
        "what ruff laid out is the release again",
        "patches/05-optimizer-call.patch",
        "-     $NAME=$VALUE,\n",
        "-     model_t=$VALUE,\n",
        "hand_edits::reformatted",
    ),
    Break(
        "a checkout whose hand-made edits were taken out trains",
        "patches/05-optimizer-call.patch",
        "-     $NAME=$VALUE,\n",
        "-     model_t=$VALUE,\n",
        "hand_edits_training::trains and 8.2.50",
    ),
)

"""The engine: matching, planning, editing."""

from __future__ import annotations

from promises import Break

PLAN = "distillpatch/engine/plan.py"

BREAKS = (
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
        "    by_hand = tuple(_made_by_hand(patch_set, files, sources))\n",
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
        PLAN,
        "attempt.nearest or",
        "",
        "plan::message_of_a_misfit",
    ),
    Break(
        "no file is left broken",
        PLAN,
        "            check_compiles(path, after)\n",
        "            pass\n",
        "plan::would_not_parse",
    ),
)

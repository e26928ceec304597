"""The shapes of public forks, made of releases by editing them; docs/forks.md says which forks have them."""

from __future__ import annotations

from collections.abc import Mapping

from variants import DETECT, PLOTTING, TRAINER, Edit, Fate, both, on_statements, sub

_MOVE = r"^( +)(self\.model = self\.model\.to\(self\.device\))$"

# Patched --------------------------------------------------------------------------------------------------------------

FITTING = {
    "a pruned model moves by itself": sub(
        TRAINER,
        _MOVE,
        r"\1if getattr(self, 'pruned', False):\n\1    \2\n\1    LOGGER.info('pruned')\n\1else:\n\1    \2",
    ),
    "the optimizer is built twice": on_statements(
        TRAINER, r"self\.optimizer = self\.build_optimizer\(", lambda _, lines: [*lines, "\n", *lines]
    ),
    "a statement between the columns and the figure": on_statements(
        PLOTTING, r"columns = \(", lambda indent, lines: [*lines, f"{indent}columns = columns[:20]\n"]
    ),
    "the learning rate in the row, before the losses": both(
        sub(TRAINER, r"(['\"]%11s['\"] \* )2 \+", r"\g<1>3 +"),
        sub(TRAINER, r"(set_description\([^*]*\*[^*]*\*[^*]*)(\*(?:losses|\(?self\.tloss))", r"\1self.lf(epoch), \2"),
        sub(DETECT, r"\(4( \+ len\(self\.loss_names\))", r"(5\1"),
        sub(DETECT, r"(['\"]GPU_mem['\"],)", r"\1 'lr',"),
    ),
}

# Refused --------------------------------------------------------------------------------------------------------------

SHAPES: Mapping[str, Edit] = {name: Edit(change, Fate.PATCHED) for name, change in FITTING.items()}

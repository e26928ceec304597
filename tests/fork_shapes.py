"""The shapes of public forks, made of releases by editing them; docs/forks.md says which forks have them."""

from __future__ import annotations

from collections.abc import Mapping

from edits import Edit, Fate, both, on_statements, sub
from statements import CFG, DETECT, PLOTTING, TRAINER

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

_OWN_DISTILLATION = both(
    sub(TRAINER, r"^( +)(self\.plot_idx = .*)$", r"\1\2\n\1self.teacher = self.args.teacher"),
    on_statements(
        TRAINER,
        r"self\.tloss = (?!None)",
        lambda indent, lines: [
            f"{indent}with torch.no_grad():\n",
            f"{indent}    theirs = self.teacher(batch['img'])\n",
            f"{indent}self.loss += self.compare(self.model(batch['img']), theirs)\n",
            *lines,
        ],
    ),
)

OWN = {
    "a distillation of one's own": _OWN_DISTILLATION,
    "losses of the same names": both(
        _OWN_DISTILLATION,
        sub(TRAINER, _MOVE, r"\1\2\n\1self.compare = FeatureLoss(get_channels(self.model))"),
    ),
}

# Refused --------------------------------------------------------------------------------------------------------------

UNFIT = {
    "the arguments are not compared": Edit(
        on_statements(CFG, r"check_(dict_alignment|cfg_mismatch)\(cfg", lambda indent, _: [f"{indent}pass\n"]),
        Fate.REFUSED,
        13,
    ),
    "the arguments are compared if one likes": Edit(
        sub(CFG, r"^( +)(check_(?:dict_alignment|cfg_mismatch)\(cfg.*)$", r"\1if cfg.get('strict'):\n\1    \2"),
        Fate.REFUSED,
        13,
    ),
    "a distiller of one's own": Edit(
        sub(TRAINER, r"^( +)(self\.plot_idx = .*)$", r"\1\2\n\1self.distiller = None"), Fate.REFUSED, 3
    ),
}

SHAPES: Mapping[str, Edit] = {
    **{name: Edit(change, Fate.PATCHED) for name, change in {**FITTING, **OWN}.items()},
    **UNFIT,
}

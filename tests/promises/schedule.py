"""How much the teacher counts as a run goes on: distill_schedule.py, and where the distiller asks it."""

from __future__ import annotations

from promises import Break

ARGUMENTS = "patches/distill_arguments.py"
GRADIENT = "patches/distill_gradient.py"
RUN = "patches/distiller.py"
SCHEDULE = "patches/distill_schedule.py"

BREAKS = (
    Break(
        "a batch without the teacher is a batch of the run",
        RUN,
        "            self._note(dict.fromkeys(TERMS, 0.0))\n",
        "",
        "closing::adds_nothing and 8.4.190",
    ),
    Break(
        "the columns are zero without the teacher",
        RUN,
        "self._note(dict.fromkeys(TERMS, 0.0))",
        "self._note(dict.fromkeys(TERMS, 1.0))",
        "closing::columns_are_zero and 8.4.190",
    ),
    Break(
        "it is said when distillation ends",
        RUN,
        "        if was_open and not self.open:\n",
        "        if not self.open:\n",
        "closing::when_it_ends and 8.4.190",
    ),
    Break(
        "the share is told also where distillation ends within the warm-up",
        SCHEDULE,
        "(warm or step >= last)",
        "(warm or step >= steps - 1)",
        "closing::when_it_ends and 8.4.190",
    ),
    Break(
        "the share waits for a teacher that is trusted",
        SCHEDULE,
        " and self.teacher.trust(step / steps) > 0.99",
        "",
        "schedule::full_weight",
    ),
    Break(
        "the share waits for the end of the warm-up",
        SCHEDULE,
        "step >= warmup_steps(self.trainer.args, nb) and",
        "step >= 0 and",
        "schedule::full_weight",
    ),
    Break(
        "a share at a part of the weight is told as such",
        GRADIENT,
        "    if weight < 0.995:\n",
        "    if False:\n",
        "shares::part_of_the_weight",
    ),
    Break(
        "a share at a part of the weight is not taken for a small one",
        GRADIENT,
        'shares["all"] / weight < LEAST',
        'shares["all"] < LEAST',
        "shares::part_of_the_weight",
    ),
    Break(
        "a late schedule leaves the first half as it is",
        SCHEDULE,
        "max(2 * step - steps, 0)",
        "abs(2 * step - steps)",
        "schedule::second_half",
    ),
    Break(
        "the share needs no float64",
        GRADIENT,
        "torch.linalg.vector_norm(g.float())",
        "g.double().norm()",
        "shares::precision and 8.4.190",
    ),
    Break(
        "a share that cannot be measured ends no training",
        GRADIENT,
        "    except (RuntimeError, TypeError) as e:",
        "    except RuntimeError as e:",
        "shares::cannot_be_measured and 8.4.190",
    ),
    Break(
        "a feature loss on frozen layers is told to have no effect",
        GRADIENT,
        "        if trained and not any(trained):\n",
        "        if False:\n",
        "shares::frozen and 8.4.190",
    ),
    Break(
        "a student that the teacher does not reach is refused",
        RUN,
        "            check_reach(*caught_s)\n",
        "            pass\n",
        "shares::frozen and 8.4.190",
    ),
    Break(
        "an end before the beginning is refused",
        ARGUMENTS,
        '    if value["distill_close"] >= args.epochs:\n',
        "    if False:\n",
        "bad_input::what_makes_no_sense and 8.2.50",
    ),
)

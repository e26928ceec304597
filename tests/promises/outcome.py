"""What a run says at its end: distill_outcome.py."""

from __future__ import annotations

from promises import Break

OUTCOME = "patches/distill_outcome.py"

BREAKS = (
    Break(
        "a run ends with the accuracy of student and teacher",
        "patches/distiller.py",
        "    tell_outcome(trainer)\n",
        "",
        "outcome::both_are_known and 8.4.190",
    ),
    Break(
        "a teacher's accuracy is of the student's data",
        OUTCOME,
        "any(str(asked.get(key)) != str(getattr(args, key, None)) for key in VALIDATION)",
        "not asked",
        "outcome::is_not_known and 8.4.190",
    ),
    Break(
        "a teacher's accuracy is that of the weights that taught",
        OUTCOME,
        "path.stat().st_mtime > trainer.train_time_start",
        "False",
        "outcome::is_not_known and 8.4.190",
    ),
    Break(
        "a run does not fail over a teacher that cannot be read any more",
        OUTCOME,
        "except Exception as e:",
        "except ZeroDivisionError as e:",
        "outcome::is_not_known and 8.4.190",
    ),
)

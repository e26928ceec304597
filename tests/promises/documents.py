"""What the documents say of the program."""

from __future__ import annotations

from promises import Break

BREAKS = (
    Break(
        "the figures of the first screen are those that were measured",
        "README.md",
        "of a gap of 0.",
        "of a gap of 1.",
        "docs::gains and README.md",
    ),
)

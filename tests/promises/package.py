"""The package that is built."""

from __future__ import annotations

from promises import Break

PYPROJECT = "pyproject.toml"

BREAKS = (
    Break(
        "the wheel holds the patch set",
        PYPROJECT,
        '"patches" = "distillpatch/patches"',
        '"docs" = "distillpatch/docs"',
        "packaging",
    ),
)

"""The walls between the wings, see test_walls.py."""

from __future__ import annotations

from promises import Break

SOURCE = "distillpatch/engine/source.py"
TEXT = "distillpatch/engine/text.py"
FILES = "distillpatch/tree/files.py"

BREAKS = (
    Break(
        "the engine imports nothing of the other wings",
        SOURCE,
        "from distillpatch.syntax import",
        "import distillpatch.tree.files\nfrom distillpatch.syntax import",
        "walls::runs_up",
    ),
    Break(
        "no imports run in a circle",
        TEXT,
        "from distillpatch.errors import",
        "import distillpatch.engine.source\nfrom distillpatch.errors import",
        "walls::in_a_circle",
    ),
    Break(
        "the engine touches no disk",
        TEXT,
        "from distillpatch.errors import",
        "import os\nfrom distillpatch.errors import",
        "walls::touches_no_disk",
    ),
    Break(
        "the engine knows no YOLO",
        TEXT,
        "from distillpatch.errors import",
        "# For YOLO.\nfrom distillpatch.errors import",
        "walls::knows_no",
    ),
    Break(
        "the tree's wing only reads",
        FILES,
        "    descriptor = os.open(",
        "    place.touch()\n    descriptor = os.open(",
        "walls::writers",
    ),
    Break(
        "the ledger asks one module whether something is there",
        "distillpatch/ledger/recovery.py",
        "if exists(run / JOURNAL):",
        "if (run / JOURNAL).exists():",
        "walls::whether_something_is_there",
    ),
)

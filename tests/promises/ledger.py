"""The ledger: what is kept, and what changes the disk."""

from __future__ import annotations

from promises import Break

DIST_INFO = "distillpatch/ledger/dist_info.py"
STATE = "distillpatch/ledger/state.py"
TRANSACTION = "distillpatch/ledger/transaction.py"
UNDO = "distillpatch/ledger/undo.py"

BREAKS = (
    Break(
        "a file that was changed after planning is noticed",
        TRANSACTION,
        "        _check_unchanged(package_dir, change)\n",
        "        pass\n",
        "transaction::happens or changed",
    ),
    Break(
        "a run that fails is undone",
        TRANSACTION,
        "remarks = _undo(held)\n",
        'remarks = ""\n',
        "transaction",
    ),
    Break(
        "a run that was killed is undone by the next command",
        TRANSACTION,
        "settled = _Settled(UNDONE, _roll_back(package_dir, release))",
        "settled = _Settled(UNDONE)",
        "transaction",
    ),
    Break(
        "the files are on the disk before the journal goes",
        TRANSACTION,
        "    for folder in sorted({place.parent for place in places}):\n        _sync(folder)\n",
        "",
        "transaction",
    ),
    Break(
        "a folder that another process removes is made again",
        TRANSACTION,
        "        if not package_dir.is_dir():\n            raise\n",
        "        raise\n",
        "transaction::goes_as_soon",
    ),
    Break(
        "a path in the journal leads nowhere",
        STATE,
        '    parts = path.split("/")\n    plain',
        "    return\n    plain",
        "journal::leads_nowhere",
    ),
    Break(
        "a tampered path leads nowhere",
        STATE,
        "def check_path(package: str, path: str) -> None:\n",
        "def check_path(package: str, path: str) -> None:\n    return\n",
        "state::leads_elsewhere",
    ),
    Break(
        "edits that users make survive the revert",
        UNDO,
        "def merge(file: AppliedFile, now: bytes) -> bytes | Overlap:\n",
        "def merge(file: AppliedFile, now: bytes) -> bytes | Overlap:\n    return file.original or b''\n",
        "revert::survives",
    ),
    Break(
        "pip uninstalls what was added",
        DIST_INFO,
        "    rows |= {own: _row(own, None) for own in own_files(package, kept)}\n",
        "",
        "installed::uninstalls",
    ),
)

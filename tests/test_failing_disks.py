"""A disk that fails to read under whole commands, on what is patched of a release: what is said of it is true."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import releases
from click.testing import Result
from commanded import invoke
from failing_reads import ALL, Faults
from test_cli import outdated
from test_transaction import files_in_use
from trees import Fresh, Tree, copy, everything

from distillpatch.engine import stack
from distillpatch.engine.patchset import PatchSet
from distillpatch.engine.plan import Plan, make_plan
from distillpatch.ledger import disk, state_file, state_json
from distillpatch.ledger.transaction import recover
from distillpatch.patch_sets import built_in
from distillpatch.tree import environment

Texts = Mapping[str, Any]

STRIDE = 1 if ALL else 60


def apply(root: Path) -> None:
    told = invoke("apply", root)
    assert told.exit_code == 0, told.stderr


def edit(root: Path) -> None:
    """Edit a line that apply has added."""
    trainer = root / "ultralytics/engine/trainer.py"
    trainer.write_bytes(trainer.read_bytes().replace(b"self.distiller.watch()", b"self.distiller.watch()  # mine"))


def crash(root: Path) -> None:
    """Apply, in a process that dies as it replaces a file."""

    class Killed(BaseException):
        pass

    def step(name: str, place: Path) -> None:
        if (name, place.name) == ("rename", "plotting.py"):
            disk.step = lambda *_: dead()

    def dead() -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(disk, "step", step)
        invoke("apply", root)
    assert (root / "ultralytics/.distillpatch/run/journal.json").exists()


RUNS: Mapping[str, tuple[tuple[Callable[[Path], None], ...], tuple[str, ...]]] = {
    "apply": ((), ("apply",)),
    "revert": ((apply,), ("revert",)),
    "upgrade": ((apply, outdated), ("apply",)),
    "restore": ((apply, edit), ("revert", "--restore-original")),
    "recovery": ((crash,), ("status",)),
}


class Now(datetime):
    @classmethod
    def now(cls, *_: Any) -> datetime:
        return cls(2026, 1, 2, tzinfo=timezone.utc)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan, pack and unpack each text once, look through the environment once, stop the clock, and spare the disk."""
    known: dict[object, Plan] = {}

    def plan(patch_set: PatchSet, files: Texts, release: str, package: Texts) -> Plan:
        key = patch_set.digest, tuple(files.items()), release, tuple(package.items())
        return known.get(key) or known.setdefault(key, make_plan(patch_set, files, release, package))

    monkeypatch.setattr(stack, "make_plan", plan)
    monkeypatch.setattr(state_json, "_pack", cache(state_json._pack))
    monkeypatch.setattr(state_file, "parse_state", cache(state_file.parse_state))
    places = environment.import_places({})
    monkeypatch.setattr(environment, "import_places", lambda _: places)
    monkeypatch.setattr(state_file, "datetime", Now)
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a release of which there is only what is patched, for the sake of time."""
    base = tmp_path_factory.mktemp("release")
    whole = releases.unpack("8.4.190", base / "whole")
    for path in ("ultralytics/__init__.py", *built_in().edited_files):
        place = base / "root" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        (whole / path).rename(place)
    record = next(whole.glob("ultralytics-*.dist-info/RECORD"))
    (base / "root" / record.parent.name).mkdir()
    record.rename(base / "root" / record.parent.name / "RECORD")
    (base / "root/ultralytics/utils").mkdir(exist_ok=True)
    return base / "root"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", RUNS)
def test_a_command_whose_reads_fail_says_what_is_true_and_loses_nothing(
    name: str, release: Path, faults: Faults, tmp_path: Path
) -> None:
    earlier, command = RUNS[name]
    start = copy(release, tmp_path / "start")
    for run in earlier:
        run(start)
    fresh = Fresh(tmp_path / "tree")
    root, found = fresh(start), everything(start)
    with faults.failing(None):
        told = invoke(*command, root)
    assert told.exit_code == 0, told.stderr
    reads, after = faults.count, everything(root)
    before = after if name == "recovery" else found
    assert reads > 100
    for number, error, lasting in faults.cases(reads, STRIDE):
        fresh(start)
        with faults.failing(number, error, lasting=lasting):
            told = invoke(*command, root)
        case = (number, errno.errorcode[error], lasting, told.exit_code, told.stderr)
        assert told.exception is None or isinstance(told.exception, SystemExit), case
        assert told.exit_code == 0 or os.strerror(error) in told.stderr, case
        check(found if fresh.untouched else everything(root), found, before, after, told, case)
        recover(root / "ultralytics", "8.4.190")
        now = found if fresh.untouched else everything(root)
        assert now == (before if told.exit_code else after), case


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES])
def test_a_module_that_cannot_be_read_is_passed_over_only_if_python_cannot_either(
    error: int, checkout: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a module that was not read, nobody can say whether it has a trainer of its own."""
    root = checkout("8.4.190")
    real = os.open

    def fail(place: Any, *arguments: Any) -> int:
        if str(place).endswith("ultralytics/models/yolo/pose/train.py"):
            raise OSError(error, os.strerror(error), str(place))
        return real(place, *arguments)

    monkeypatch.setattr(os, "open", fail)
    told = invoke("apply", root)
    assert told.exit_code == (error == errno.EIO)
    assert (root / "ultralytics/utils/AddLoss.py").exists() == (error != errno.EIO)
    assert ("pose/train.py: Input/output error." in told.stderr) == (error == errno.EIO)


def check(now: Tree, found: Tree, before: Tree, after: Tree, told: Result, case: object) -> None:
    """What a command has said of the tree is true at that moment, before any other command."""
    if told.exit_code == 0:
        assert files_in_use(now) == files_in_use(after), case
    if "Nothing was changed by this run" in told.stderr:  # but maybe by one that was interrupted
        assert files_in_use(now) == files_in_use(found), case
    elif "Nothing was changed" in told.stderr or "Every file is as it was before" in told.stderr:
        assert files_in_use(now) == files_in_use(before), case

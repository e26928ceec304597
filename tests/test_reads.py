"""A read that fails is no answer: it is never taken for "nothing is there", and nothing is lost by it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from failing_reads import ALL, Faults
from test_transaction import RUNS, Failpoints, Stage, apply, files_in_use, revert
from trees import RELEASE, Fresh, everything, plant

from distillpatch.errors import DistillpatchError
from distillpatch.ledger import disk
from distillpatch.ledger.transaction import recover

STRIDE = 1 if ALL else 9


@pytest.fixture(params=RUNS)
def stage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return Stage(tmp_path, request.param)


@pytest.fixture
def failpoints(monkeypatch: pytest.MonkeyPatch) -> Failpoints:
    points = Failpoints()
    monkeypatch.setattr(disk, "step", points)
    return points


def message_of(run: Callable[[Path], object], package: Path) -> str | None:
    """Return the one message that a run ends with, or None."""
    try:
        run(package)
    except (DistillpatchError, OSError) as error:  # the command line prints an OSError with its file
        return str(error)
    return None


def recovery(package: Path) -> str | None:
    return recover(package, RELEASE)


def test_a_failing_read_of_a_run_loses_nothing(stage: Stage, faults: Faults) -> None:
    package = stage.fresh()
    with faults.failing(None):
        stage.run(package)
    reads = faults.count
    assert reads > 100
    fresh = Fresh(package.parent)
    for number, error, lasting in faults.cases(reads, STRIDE):
        package = fresh(stage.pristine) / "ultralytics"
        with faults.failing(number, error, lasting=lasting):
            message = message_of(stage.run, package)
        case = (number, errno.errorcode[error], lasting, message)
        if message and ("Every file is as it was before" in message or "Nothing was changed" in message):
            assert files_in_use(everything(package.parent)) == files_in_use(stage.before), case
        recovery(package)
        now = stage.before if fresh.untouched else everything(package.parent)
        assert now == stage.after if message is None else now in (stage.before, stage.after), case


def test_a_failing_read_of_a_recovery_loses_nothing(stage: Stage, failpoints: Failpoints, faults: Faults) -> None:
    """From each moment at which a run may have died: one recovery fails to read, the one after it is healthy."""
    for step, moment in stage.moments(failpoints, stage.run)[:: 1 if ALL else 5]:
        package = stage.fresh(moment)
        with faults.failing(None):
            recovery(package)
        reads, expected = faults.count, everything(package.parent)
        assert expected in (stage.before, stage.after)
        fresh = Fresh(package.parent)
        for number, error, lasting in faults.cases(reads, STRIDE):
            fresh(moment)
            with faults.failing(number, error, lasting=lasting):
                message_of(recovery, package)
            recovery(package)
            assert everything(package.parent) == expected, (step, number, errno.errorcode[error], lasting)


def test_a_folder_that_may_not_be_entered_is_not_taken_for_an_empty_one(
    tmp_path: Path, failpoints: Failpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash, `chmod 600 .distillpatch/run/before`, a command, and `chmod 700`: the originals come back.

    What is said meanwhile is true: that the changes cannot be undone yet or, where none was made, what is left.
    """
    stage = Stage(tmp_path, "apply")
    moments = dict(stage.moments(failpoints, stage.run))
    crashed = {
        r"cannot be undone yet\. Could not read or write .*/before/\d+: Permission": moments["rename done"],
        r", or none is\. What that run left .* cannot be removed yet\. .*/before/": moments["rename journal.json"],
    }
    look = os.lstat

    def refused(place: Path, **options: Any) -> os.stat_result:
        if Path(place).parent.name == "before":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        return look(place, **options)

    for message, moment in crashed.items():
        package = stage.fresh(moment)
        with monkeypatch.context() as patch:
            patch.setattr(os, "lstat", refused)
            with pytest.raises(DistillpatchError, match=message):
                recovery(package)
        assert recovery(package)
        assert everything(package.parent) == stage.before


# Flushing.


def is_flush_of_folder(descriptor: int) -> bool:
    return Path(f"/proc/self/fd/{descriptor}").is_dir()


@pytest.mark.parametrize("answer", [errno.EINVAL, errno.ENOTSUP, errno.EBADF])
def test_a_file_system_that_cannot_flush_folders_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    def fsync(descriptor: int) -> None:
        if is_flush_of_folder(descriptor):
            raise OSError(answer, os.strerror(answer))

    package = plant(tmp_path)
    before = everything(tmp_path)
    monkeypatch.setattr(os, "fsync", fsync)
    apply(package)
    assert recovery(package) is None
    revert(package)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("of_folder", [True, False])
def test_a_flush_that_fails_stops_the_run_and_names_what_was_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_folder: bool
) -> None:
    answer = errno.EIO if of_folder else errno.EINVAL

    def fsync(descriptor: int) -> None:
        if is_flush_of_folder(descriptor) == of_folder:
            raise OSError(answer, os.strerror(answer))

    package = plant(tmp_path)
    before = everything(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        message = message_of(apply, package)
    assert message and f"{package}/.distillpatch" in message
    recovery(package)
    assert everything(tmp_path) == before


# What somebody else put into the folder of the state.


def test_folders_nested_by_the_thousand_are_no_obstacle(tmp_path: Path) -> None:
    package = plant(tmp_path)
    folders = [package / ".distillpatch" / "/".join(["d"] * depth) for depth in range(1201)]
    for folder in folders:
        folder.mkdir()
    try:
        apply(package)
        assert recovery(package) is None
        revert(package)
        assert recovery(package) is None
    finally:  # all of them are there, and too deep for what removes the folders of tests
        for folder in reversed(folders):
            folder.rmdir()

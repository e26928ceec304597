"""The writer is interrupted at each change of the disk that it makes, and killed at random: nothing is ever lost."""

from __future__ import annotations

import errno
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from trees import FILES, MODE, PATCHED, PLAN, RELEASE, STATE, Tree, copy, everything, patch_sets, plant

from distillpatch.change import FileChange
from distillpatch.errors import DistillpatchError
from distillpatch.ledger import disk
from distillpatch.ledger import lock as lock_module
from distillpatch.ledger.lock import BusyError, TransactionError
from distillpatch.ledger.places import StateError
from distillpatch.ledger.recovery import COMPLETED, TIDIED, UNDONE
from distillpatch.ledger.state import NewerStateError
from distillpatch.ledger.state_file import describe, read_state
from distillpatch.ledger.transaction import commit, lock, recover
from distillpatch.ledger.undo import Edited, plan_undo

TRAINER = "ultralytics/engine/trainer.py"
ADDED = "ultralytics/utils/AddLoss.py"

RECORD = "ultralytics-8.2.50.dist-info/RECORD"

Run = Callable[[Path], None]


def apply(package: Path) -> None:
    with lock(package, RELEASE) as held:
        commit(held, PLAN, STATE)


def revert(package: Path, edited: Edited = Edited.REFUSE) -> None:
    with lock(package, RELEASE) as held:
        state = read_state(package)
        assert state is not None
        commit(held, plan_undo(package, state, RELEASE, edited).changes, None)


def plant_all(root: Path) -> Path:
    """The package with places of all kinds: one of its files is a symbolic link, and it has a RECORD."""
    package = plant(root)
    (package / "cfg" / "__init__.py").rename(root / "cfg.py")
    (package / "cfg" / "__init__.py").symlink_to("../../cfg.py")
    (root / RECORD).parent.mkdir()
    (root / RECORD).write_bytes(b"as installed\n")
    return package


def apply_all(package: Path) -> None:
    plan = (*PLAN, FileChange(RECORD, b"as installed\n", b"with what we add\n"))
    with lock(package, RELEASE) as held:
        state = describe(package, plan, release=RELEASE, patch_sets=patch_sets("0" * 64))
        commit(held, plan, replace(state, applied_at=STATE.applied_at))


def use(package: Path) -> None:
    """Import the added module, and edit the very lines that were added to another."""
    cache = package / "utils" / "__pycache__"
    cache.mkdir()
    (cache / "AddLoss.cpython-312.pyc").write_bytes(b"compiled")
    trainer = package.parent / TRAINER
    trainer.write_bytes(trainer.read_bytes().replace(b"# ours", b"# ours, tuned"))


def upgrade(package: Path) -> None:
    """A newer distillpatch: another text for the trainer, the other file unpatched, the added one under a new name."""
    with lock(package, RELEASE) as held:
        state = read_state(package)
        assert state is not None
        plan = (
            FileChange(TRAINER, FILES[TRAINER], PATCHED[TRAINER] + b"# and more\n"),
            FileChange("ultralytics/utils/Losses.py", None, b"pass\n"),
        )
        newer = describe(package, plan, release=RELEASE, patch_sets=patch_sets("1" * 64), previous=state)
        changes = plan_undo(package, state, RELEASE).followed_by(plan)
        commit(held, changes, replace(newer, applied_at=STATE.applied_at))


RUNS: Mapping[str, tuple[tuple[Run, ...], Run]] = {
    "apply": ((), apply_all),
    "revert": ((apply_all,), revert),
    "upgrade": ((apply_all,), upgrade),
    "restore": ((apply_all, use), lambda package: revert(package, Edited.SET_ASIDE)),
}


class Killed(BaseException):
    """The process is dead: from here on, nothing reaches the disk."""


class Failpoints:
    """Counts the changes of the disk, and stops the run at one of them."""

    def __init__(self, stop: Callable[[], None] | None = None) -> None:
        self.trace: list[tuple[str, Path]] = []
        self.at: int | None = None
        self.stop = stop or (lambda: None)
        self.look: Callable[[str, Path], None] | None = None

    def __call__(self, name: str, place: Path) -> None:
        self.trace.append((name, place))
        if self.look:
            self.look(name, place)
        if self.at is not None and len(self.trace) > self.at:
            self.stop()


@pytest.fixture
def failpoints(monkeypatch: pytest.MonkeyPatch) -> Failpoints:
    points = Failpoints()
    monkeypatch.setattr(disk, "step", points)
    return points


def no_links(*_: object, **__: object) -> None:
    raise PermissionError(errno.EPERM, "no hard links here")


def identity(root: Path) -> object:
    """Return all of a tree that a recovery can see: its content, and which names are of one file."""
    names: dict[int, str] = {}
    return tuple(
        (name, what, names.setdefault((root / name).lstat().st_ino, name)) for name, what in everything(root).items()
    )


class Stage:
    """One run, which can be played again and again from the same start."""

    def __init__(self, root: Path, name: str) -> None:
        earlier, self.run = RUNS[name]
        self.root = root
        self.kept: dict[object, Path] = {}
        self.pristine = root / "pristine"
        package = plant_all(self.pristine)
        for run in earlier:
            run(package)
        self.before = everything(self.pristine)
        package = self.fresh()
        self.run(package)
        self.after = everything(package.parent)
        assert self.before != self.after

    def fresh(self, start: Path | None = None) -> Path:
        """Return the package as it is before the run, or as it is in another tree."""
        return copy(start or self.pristine, self.root / "tree") / "ultralytics"

    def keep(self, tree: Path) -> Path:
        """Return a copy of a tree: one for all that are the same to a recovery."""
        seen = identity(tree)
        if seen not in self.kept:
            self.kept[seen] = copy(tree, self.root / "kept" / str(len(self.kept)))
        return self.kept[seen]

    def moments(self, failpoints: Failpoints, run: Run, start: Path | None = None) -> list[tuple[str, Path]]:
        """Play a run, and return what the tree was like before each of its steps: the step, and a copy of the tree.

        That is what a process that dies there leaves. A step that only flushes leaves the tree as it was, so what comes
        after it needs no other copy.
        """
        found: list[tuple[str, Path]] = []
        package = self.fresh(start)

        def look(name: str, place: Path) -> None:
            as_before = [step for step, _ in failpoints.trace[-2:-1]] == ["fsync"]
            tree = found.pop()[1] if as_before else self.keep(package.parent)
            found.append((f"{name} {place.name}", tree))

        failpoints.trace.clear()
        failpoints.look = look
        run(package)
        failpoints.look = None
        return found


@pytest.fixture(params=[*RUNS, "apply without hard links", "revert without hard links"])
def stage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    # Nothing here stops the machine, so what has reached the page cache need not reach the disk.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    name, without, _ = request.param.partition(" without hard links")
    stage = Stage(tmp_path, name)
    if without:
        monkeypatch.setattr(os, "link", no_links)
    return stage


def steps_of(stage: Stage, failpoints: Failpoints) -> list[tuple[str, Path]]:
    failpoints.at = None
    package = stage.fresh()
    failpoints.trace.clear()
    stage.run(package)
    return list(failpoints.trace)


def assert_told(stage: Stage, now: Tree, told: str | None) -> None:
    """The sentence that is printed agrees with what is there."""
    if told is None or told.endswith(TIDIED):
        assert now in (stage.before, stage.after)
    else:
        assert now == (stage.before if told.endswith(UNDONE) else stage.after), told


def test_a_failure_at_any_step_changes_nothing_and_is_one_error(stage: Stage, failpoints: Failpoints) -> None:
    for number in range(len(steps_of(stage, failpoints))):
        package = stage.fresh()

        def fail_once() -> None:
            failpoints.at = None
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "trainer.py")

        failpoints.stop, failpoints.at = fail_once, number
        failpoints.trace.clear()
        try:
            stage.run(package)
        except TransactionError as error:
            assert "No space left on device" in str(error)
            expected = stage.before
        else:
            expected = stage.after
        assert files_in_use(everything(package.parent)) == files_in_use(expected), failpoints.trace[number]
        recover(package, RELEASE)
        assert everything(package.parent) == expected, failpoints.trace[number]


def files_in_use(tree: Tree) -> Tree:
    return {path: what for path, what in tree.items() if "/.distillpatch" not in path}


def test_a_disk_that_stays_broken_is_said_and_undone_later(stage: Stage, failpoints: Failpoints) -> None:
    for number in range(len(steps_of(stage, failpoints))):
        package = stage.fresh()

        def fail() -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        failpoints.stop, failpoints.at = fail, number
        failpoints.trace.clear()
        failed = False
        try:
            stage.run(package)
        except TransactionError:
            failed = True
        failpoints.at = None
        told = recover(package, RELEASE)
        assert everything(package.parent) == (stage.before if failed else stage.after), failpoints.trace[number]
        assert_told(stage, everything(package.parent), told)


def crash(failpoints: Failpoints, number: int, run: Run, package: Path) -> bool:
    """Play a run whose process dies at a step; return whether it got that far."""

    def die() -> None:
        raise Killed

    failpoints.stop, failpoints.at = die, number
    failpoints.trace.clear()
    try:
        run(package)
    except Killed:
        return True
    finally:
        failpoints.at = None
    return False


def recovery(package: Path) -> None:
    recover(package, RELEASE)


def test_a_process_that_dies_at_any_step_is_recovered_from(stage: Stage, failpoints: Failpoints) -> None:
    moments = stage.moments(failpoints, stage.run)
    complete = [step for step, _ in moments].index("rename done")
    outcomes = set()
    for number, (step, moment) in enumerate(moments):
        package = stage.fresh(moment)
        left = everything(package.parent)
        told = recover(package, RELEASE)
        expected = stage.before if number <= complete else stage.after
        assert everything(package.parent) == expected, step
        assert_told(stage, expected, told)
        assert told or not any("/run" in path for path in left)
        outcomes.add(told and next(text for text in (UNDONE, COMPLETED, TIDIED) if told.endswith(text)))
        assert recover(package, RELEASE) is None
    assert outcomes == {UNDONE, COMPLETED, TIDIED, None}


def test_whatever_deaths_follow_each_other_the_run_is_undone_or_complete(stage: Stage, failpoints: Failpoints) -> None:
    """A recovery may die as well, and the recovery of what that leaves, until no death leaves a tree that is new."""
    moments = stage.moments(failpoints, stage.run)
    complete = [step for step, _ in moments].index("rename done")
    waiting = [(step, tree, number > complete) for number, (step, tree) in enumerate(moments)]
    known: dict[Path, bool] = {}
    while waiting:
        deaths, tree, is_complete = waiting.pop()
        if tree in known:
            assert known[tree] is is_complete, f"{deaths}: a run that is complete left what another left that is not"
            continue
        known[tree] = is_complete
        later = stage.moments(failpoints, recovery, tree)
        assert everything(stage.root / "tree") == (stage.after if is_complete else stage.before), deaths
        waiting += [(f"{deaths}, {step}", left, is_complete) for step, left in later]
    assert len(known) > len({tree for _, tree in moments}), "a recovery leaves trees that no run does"


@pytest.mark.parametrize("stage", ["apply", "revert"], indirect=True)
def test_a_process_that_exits_at_any_step_is_recovered_from(stage: Stage, failpoints: Failpoints) -> None:
    for number in range(len(steps_of(stage, failpoints))):
        package = stage.fresh()
        failpoints.stop, failpoints.at = lambda: os._exit(9), number
        failpoints.trace.clear()
        child = fork(lambda package=package: stage.run(package))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        failpoints.at = None
        told = recover(package, RELEASE)
        assert_told(stage, everything(package.parent), told)
        assert everything(package.parent) in (stage.before, stage.after)


def fork(work: Callable[[], None]) -> int:
    """Do some work in another process, which inherits everything; return its process number."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    return child


def test_kill_9_at_random_times_leaves_before_or_after(tmp_path: Path) -> None:
    """At least 200 real kills, with the disk written for real; each time the tree goes on from what the last one left.

    A busy machine needs more of them to hit each kind of run in its middle.
    """
    stages = {name: Stage(tmp_path / name, name) for name in ("apply", "revert")}
    before, after = stages["apply"].before, stages["apply"].after
    package = stages["apply"].fresh()
    started = time.monotonic()
    apply_all(package)
    revert(package)
    span = time.monotonic() - started
    beginning, begun = os.pipe()
    tests = os.getpid()

    def work() -> None:
        os.write(begun, b".")
        while os.getppid() == tests:  # or else it would go on for ever, should the tests be killed themselves
            (revert if read_state(package) else apply_all)(package)

    undone = {"apply": 0, "revert": 0}
    moment = random.Random(5)
    for kills in range(2000):
        if kills >= 200 and min(undone.values()) >= 5:
            break
        child = fork(work)
        os.read(beginning, 1)
        time.sleep(moment.uniform(0, span))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        told = recover(package, RELEASE)
        now = everything(package.parent)
        assert now in (before, after)
        if told and told.endswith(UNDONE):
            undone["apply" if now == before else "revert"] += 1
    assert min(undone.values()) >= 5, f"the kills that hit a run in its middle: {undone}"


def test_everything_is_on_the_disk_before_it_is_relied_on(
    stage: Stage, failpoints: Failpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine may stop: contents before the journal, the journal before the first swap, the swaps before `done`."""
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    steps = steps_of(stage, failpoints)
    assert len(flushed) == [name for name, _ in steps].count("fsync")
    run = stage.root / "tree" / "ultralytics" / ".distillpatch" / "run"
    at = {step: number for number, step in enumerate(steps)}
    journal, done = at["rename", run / "journal.json"], at["rename", run / "done"]
    swaps = [number for number in range(journal + 1, done) if steps[number][0] in ("rename", "unlink")]
    for number, (name, place) in enumerate(steps[:journal]):
        if name == "create":
            assert number < at["fsync", place] < journal
        if name == "mkdir":
            assert ("fsync", place.parent) in steps[number:done]
    for folder in (run / "before", run / "after"):
        last = max(number for number, (name, place) in enumerate(steps[:journal]) if place.parent == folder)
        assert last < at["fsync", folder] < journal
    for folder in (run.parent, run.parent.parent):
        assert journal < at["fsync", folder]
    assert ("fsync", run) in steps[journal : swaps[0]]
    for number in swaps:
        assert ("fsync", steps[number][1].parent) in steps[swaps[-1] : done]
    gone = [number for number, (name, _) in enumerate(steps) if number > done and name == "unlink"]
    assert ("fsync", run) in steps[done : gone[0]]


def test_a_recovery_has_everything_on_the_disk_before_it_is_relied_on(
    stage: Stage, failpoints: Failpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was restored is, even by an earlier recovery, before the journal goes; and `done` before the rest goes."""
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    run = stage.root / "tree" / "ultralytics" / ".distillpatch" / "run"
    begun = steps_of(stage, failpoints)
    done = begun.index(("rename", run / "done"))
    places = {
        place for name, place in begun[begun.index(("rename", run / "journal.json")) + 1 : done] if name != "fsync"
    }

    def recovery(*crashes: int | None) -> list[tuple[str, Path]]:
        """Return what a recovery does after a crash of the run and, perhaps, of a recovery from that."""
        package = stage.fresh()
        for number, work in zip(crashes, (stage.run, lambda package: recover(package, RELEASE)), strict=False):
            crash(failpoints, number, work, package)
        failpoints.trace.clear()
        flushed.clear()
        recover(package, RELEASE)
        steps = failpoints.trace[:]
        assert len(flushed) == [name for name, _ in steps].count("fsync")
        return steps

    first = recovery(done)
    gone = first.index(("unlink", run / "journal.json"))
    for steps in (first, recovery(done, gone)):
        gone = steps.index(("unlink", run / "journal.json"))
        restored = [number for number, (name, _) in enumerate(steps[:gone]) if name in ("rename", "unlink")]
        assert {("fsync", place.parent) for place in places} <= set(steps[max(restored, default=0) : gone])
        assert steps[gone + 1] == ("fsync", run)
    completed = recovery(done + 1)
    assert ("fsync", run) in completed[: [name for name, _ in completed].index("unlink")]


def test_revert_gives_back_the_very_files(tmp_path: Path) -> None:
    package = plant(tmp_path)
    files = [tmp_path / path for path in FILES]
    before = [(file.stat().st_ino, file.stat().st_mtime_ns, file.stat().st_mode) for file in files]
    apply(package)
    assert (tmp_path / TRAINER).stat().st_mode & 0o777 == MODE
    revert(package)
    assert [(file.stat().st_ino, file.stat().st_mtime_ns, file.stat().st_mode) for file in files] == before
    assert not (package / ".distillpatch").exists()


def test_the_state_is_in_one_place_and_git_does_not_see_it(tmp_path: Path) -> None:
    package = plant(tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    before = set(everything(tmp_path))
    apply(package)
    new = {path for path in everything(tmp_path) if path not in before}
    assert {path for path in new if not path.startswith("ultralytics/.distillpatch")} == {ADDED}
    seen = subprocess.run(["git", "-C", tmp_path, "status", "--porcelain", "-uall"], capture_output=True, text=True)
    assert ".distillpatch" not in seen.stdout and ADDED in seen.stdout


def test_without_hard_links_originals_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", no_links)
    package = plant(tmp_path)
    (tmp_path / "kept.py").write_bytes(FILES[TRAINER])
    (tmp_path / TRAINER).unlink()
    (tmp_path / TRAINER).symlink_to("../../kept.py")
    before = everything(tmp_path)
    with lock(package, RELEASE) as held:
        commit(held, PLAN, describe(package, PLAN, release=RELEASE, patch_sets=patch_sets("0")))
    revert(package)
    assert everything(tmp_path) == before
    assert (package / "cfg/__init__.py").stat().st_mtime == 1_600_000_000


def test_the_other_end_of_a_hard_link_keeps_its_bytes(tmp_path: Path) -> None:
    package = plant(tmp_path)
    cache = tmp_path / "cache.py"
    os.link(tmp_path / TRAINER, cache)
    apply(package)
    assert cache.read_bytes() == FILES[TRAINER]
    assert (tmp_path / TRAINER).read_bytes() == PATCHED[TRAINER]
    revert(package)
    assert cache.samefile(tmp_path / TRAINER)


def test_the_other_end_of_a_symbolic_link_keeps_its_bytes(tmp_path: Path) -> None:
    package = plant(tmp_path)
    source = tmp_path / "source.py"
    source.write_bytes(FILES[TRAINER])
    (tmp_path / TRAINER).unlink()
    (tmp_path / TRAINER).symlink_to("./..//../source.py")
    before = everything(tmp_path)
    with lock(package, RELEASE) as held:
        commit(held, PLAN, describe(package, PLAN, release=RELEASE, patch_sets=patch_sets("0")))
    assert source.read_bytes() == FILES[TRAINER]
    assert (tmp_path / TRAINER).read_bytes() == PATCHED[TRAINER] and not (tmp_path / TRAINER).is_symlink()
    revert(package)
    assert everything(tmp_path) == before
    assert before[TRAINER] == ("120777", "./..//../source.py")


def test_an_original_changed_through_its_other_name_is_restored_from_the_state(tmp_path: Path) -> None:
    package = plant(tmp_path)
    cache = tmp_path / "cache.py"
    os.link(tmp_path / TRAINER, cache)
    apply(package)
    cache.write_bytes(b"changed elsewhere\n")
    revert(package)
    assert (tmp_path / TRAINER).read_bytes() == FILES[TRAINER]
    assert (tmp_path / TRAINER).stat().st_mode & 0o777 == MODE
    assert cache.read_bytes() == b"changed elsewhere\n"


def test_the_bytecode_of_a_removed_module_goes_with_it(tmp_path: Path) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    apply(package)
    cache = package / "utils" / "__pycache__"
    cache.mkdir()
    (cache / "AddLoss.cpython-312.pyc").write_bytes(b"compiled")
    (cache / "AddLossOfTheUser.cpython-312.pyc").write_bytes(b"compiled")
    revert(package)
    assert [file.name for file in cache.iterdir()] == ["AddLossOfTheUser.cpython-312.pyc"]
    shutil.rmtree(cache)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("happens", ["changed", "vanished", "appeared"])
def test_a_file_that_changed_after_planning_stops_the_run(tmp_path: Path, failpoints: Failpoints, happens: str) -> None:
    package = plant(tmp_path)
    if happens == "changed":
        (tmp_path / TRAINER).write_bytes(b"the user's\n")
    elif happens == "vanished":
        (tmp_path / TRAINER).unlink()
    else:
        (tmp_path / ADDED).write_bytes(b"the user's\n")
    before = everything(tmp_path)
    with pytest.raises(TransactionError, match=rf"{happens} while this run was being planned"):
        apply(package)
    assert everything(tmp_path) == before
    assert {name for name, _ in failpoints.trace}.isdisjoint({"create", "link"})


@pytest.mark.parametrize("moment", [("link", "1"), ("rename", "journal.json"), ("rename", "__init__.py")])
def test_a_file_changed_while_the_run_is_on_stops_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: tuple[str, str]
) -> None:
    package = plant(tmp_path)
    (package.parent / TRAINER).write_bytes(b"the user's\n")
    expected = everything(tmp_path)
    plant(tmp_path)

    def edit(name: str, place: Path) -> None:
        if (name, place.name) == moment:
            (tmp_path / TRAINER).write_bytes(b"the user's\n")

    monkeypatch.setattr(disk, "step", edit)
    with pytest.raises(TransactionError, match="was changed"):
        apply(package)
    assert everything(tmp_path) == expected


def crash_before(package: Path, name: str) -> None:
    """Play an `apply` whose process dies just before the rename to a name."""
    dead = False

    def die_there(step: str, place: Path) -> None:
        nonlocal dead
        dead = dead or (step, place.name) == ("rename", name)
        if dead:
            raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(disk, "step", die_there)
        apply(package)


def test_an_edit_between_the_crash_and_the_recovery_is_kept(tmp_path: Path) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    crash_before(package, "done")
    assert (tmp_path / TRAINER).read_bytes() == PATCHED[TRAINER]
    (tmp_path / TRAINER).write_bytes(b"the user's\n")
    (tmp_path / ADDED).write_bytes(b"the user's, too\n")
    told = recover(package, RELEASE)
    assert told and "trainer.py.edited" in told and "AddLoss.py.edited" in told
    now = everything(tmp_path)
    assert now.pop(f"{TRAINER}.edited")[1] == b"the user's\n"
    assert now.pop(f"{ADDED}.edited")[1] == b"the user's, too\n"
    assert now == before


def test_an_edit_of_a_file_that_the_crashed_run_had_not_reached_stays(tmp_path: Path) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    crash_before(package, "trainer.py")
    assert everything(package)["cfg/__init__.py"][1] == PATCHED["ultralytics/cfg/__init__.py"]
    (tmp_path / TRAINER).unlink()
    (tmp_path / TRAINER).write_bytes(b"the user's\n")
    (tmp_path / TRAINER).chmod(0o600)
    recover(package, RELEASE)
    assert everything(tmp_path) == before | {TRAINER: ("100600", b"the user's\n")}


@pytest.mark.parametrize("failure", [OSError(errno.EIO, os.strerror(errno.EIO), "x.py"), TransactionError("stopped")])
def test_an_edit_that_a_run_meets_as_it_fails_is_kept_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    edited = package / "cfg" / "__init__.py"

    def edit_and_fail(name: str, place: Path) -> None:
        if (name, place.name) == ("rename", "trainer.py"):
            monkeypatch.undo()
            edited.write_bytes(b"the user's\n")
            raise failure

    monkeypatch.setattr(disk, "step", edit_and_fail)
    with pytest.raises(
        TransactionError, match=r"(error|stopped).*cfg/__init__\.py had been changed.*__init__\.py\.edited"
    ):
        apply(package)
    now = everything(tmp_path)
    assert now.pop("ultralytics/cfg/__init__.py.edited")[1] == b"the user's\n"
    assert now == before


# Another release in the tree.

NEW = {TRAINER: b"class Trainer:\n    release = 8.3\n", "ultralytics/cfg/__init__.py": b"release = 8.3\r\n"}


@pytest.mark.parametrize("run", RUNS)
def test_nothing_old_is_restored_over_a_release_that_came_since(
    tmp_path: Path, failpoints: Failpoints, run: str
) -> None:
    stage = Stage(tmp_path, run)
    steps = steps_of(stage, failpoints)
    package = stage.fresh()
    crash(failpoints, [(name, place.name) for name, place in steps].index(("rename", "done")), stage.run, package)
    for path, content in NEW.items():
        (package.parent / path).unlink()
        (package.parent / path).write_bytes(content)
    told = recover(package, "8.3.0")
    assert told and UNDONE in told and ".edited" not in told
    for path in NEW:
        assert f"{package.parent / path} is left as it is: ultralytics 8.3.0 brought it" in told
        assert (package.parent / path).read_bytes() == NEW[path]
    rest = {path: what for path, what in everything(package.parent).items() if path not in NEW}
    assert rest == {path: what for path, what in stage.before.items() if path not in NEW}


def test_a_file_that_the_new_release_dropped_does_not_come_back(tmp_path: Path) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    crash_before(package, "done")
    (tmp_path / TRAINER).unlink()
    told = recover(package, "8.3.0")
    assert told and told.endswith(UNDONE)
    assert everything(tmp_path) == {path: what for path, what in before.items() if path != TRAINER}


def test_what_the_new_release_left_as_it_was_patched_is_restored(tmp_path: Path) -> None:
    """As `git checkout` leaves a changed file in place that is the same in both commits."""
    package = plant(tmp_path)
    before = everything(tmp_path)
    crash_before(package, "done")
    recover(package, "8.3.0")
    assert everything(tmp_path) == before


def test_the_originals_are_a_way_back_without_distillpatch(tmp_path: Path) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    apply(package)
    shutil.copytree(package / ".distillpatch" / "originals", tmp_path, dirs_exist_ok=True)
    (tmp_path / ADDED).unlink()
    shutil.rmtree(package / ".distillpatch")
    assert everything(tmp_path) == before


def test_what_no_journal_lists_is_not_removed(tmp_path: Path) -> None:
    package = plant(tmp_path)
    folder = package / ".distillpatch"
    folder.mkdir()
    (folder / "notes.txt").write_bytes(b"the user's")
    (folder / "leads-out").symlink_to(tmp_path)
    before = everything(tmp_path)
    apply(package)
    (folder / "run").mkdir()
    recover(package, RELEASE)
    revert(package)
    assert everything(tmp_path) == before


def test_a_lost_state_is_said_and_loses_no_original(tmp_path: Path) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    apply(package)
    (package / ".distillpatch" / "state.json").unlink()
    patched = everything(tmp_path)
    recover(package, RELEASE)
    with pytest.raises(StateError, match=r"state\.json is missing, .*cp -R .*") as caught:
        read_state(package)
    with pytest.raises(StateError):
        apply(package)
    assert everything(tmp_path) == patched
    command = str(caught.value).partition("(")[2].partition(")")[0]
    subprocess.run(["sh", "-c", command], check=True)
    (tmp_path / ADDED).unlink()
    shutil.rmtree(package / ".distillpatch")
    assert everything(tmp_path) == before


def test_a_folder_that_is_gone_is_to_be_made_again(tmp_path: Path) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    apply(package)
    shutil.rmtree(package / "cfg")
    with pytest.raises(TransactionError, match=r"/cfg does not exist\..*; make it, and run"):
        revert(package)
    (package / "cfg").mkdir()
    revert(package)
    assert everything(tmp_path) == before


def test_a_folder_that_is_gone_after_a_crash_loses_no_original(tmp_path: Path) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    crash_before(package, "done")
    shutil.rmtree(package / "cfg")
    left = everything(package / ".distillpatch" / "run" / "before")
    for _ in range(2):
        with pytest.raises(TransactionError, match=r"cannot be undone yet.*/cfg: the folder does not exist any more"):
            recover(package, RELEASE)
        assert everything(package / ".distillpatch" / "run" / "before").items() <= left.items()
    (package / "cfg").mkdir()
    assert recover(package, RELEASE)
    assert everything(tmp_path) == before


def test_a_folder_that_another_release_has_not_is_not_missed(tmp_path: Path) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    crash_before(package, "done")
    shutil.rmtree(package / "cfg")
    assert recover(package, "8.4.191")
    assert everything(tmp_path) == {path: what for path, what in before.items() if "/cfg" not in path}


@pytest.mark.parametrize("name", RUNS)
def test_nobody_misses_the_state_while_a_run_is_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    package = plant_all(tmp_path)
    before, run = RUNS[name]
    for earlier in before:
        earlier(package)
    monkeypatch.setattr(disk, "step", lambda *_: read_state(package))
    run(package)


@pytest.mark.parametrize("name", ["state.json", "journal.json"])
def test_the_way_back_from_what_is_damaged_is_by_the_originals(tmp_path: Path, name: str) -> None:
    """They have the edits that the user had made before `apply`, and a release has not."""
    root = tmp_path / "my tree"
    package = plant(root)
    before = everything(root)
    apply(package)
    if name == "state.json":
        (package / ".distillpatch" / name).write_bytes(b"damaged")
    else:
        plant_run(package, "journal.json", b"damaged")
    with pytest.raises(StateError, match="was damaged") as caught:
        recover(package, RELEASE)
        read_state(package)
    assert "pip" not in str(caught.value)
    assert name == "state.json" or f"are in {package}/.distillpatch/run/before, " in str(caught.value)
    command = re.search(r"\((cp -R .*?)\)", str(caught.value))
    assert command
    subprocess.run(["sh", "-c", command[1]], check=True)
    (root / ADDED).unlink()
    shutil.rmtree(package / ".distillpatch")
    assert everything(root) == before


@pytest.mark.parametrize("state", [b"", b'{"format": 2, "distillpatch": "99.1"}'])
def test_an_unknown_state_loses_no_original(tmp_path: Path, state: bytes) -> None:
    package = plant(tmp_path)
    apply(package)
    (package / ".distillpatch" / "state.json").write_bytes(state)
    (package / ".distillpatch" / "originals" / "of-a-newer-one").write_bytes(b"theirs")
    before = everything(tmp_path)
    (package / ".distillpatch" / "run" / "before").mkdir(parents=True)
    (package / ".distillpatch" / "run" / "before" / "0").write_bytes(b"")
    assert recover(package, RELEASE)
    with pytest.raises(StateError, match=r"damaged|99\.1"):
        apply(package)
    assert everything(tmp_path) == before


def test_nothing_is_locked_or_written_when_there_is_nothing_to_recover(tmp_path: Path, failpoints: Failpoints) -> None:
    package = plant(tmp_path)
    assert recover(package, RELEASE) is None
    apply(package)
    failpoints.trace.clear()
    assert recover(package, RELEASE) is None
    assert not failpoints.trace


# Disks and permissions.


def test_a_disk_with_too_little_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**5))
    with pytest.raises(TransactionError, match=r"has less than .*make room"):
        apply(package)
    assert everything(tmp_path) == before


def test_a_limit_on_the_size_of_files_is_survived(tmp_path: Path) -> None:
    """A real failure of a real write, in the middle of the run."""
    package = plant(tmp_path)
    before = everything(tmp_path)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        with pytest.raises(TransactionError, match="File too large"):
            apply(package)

    assert os.waitpid(fork(limited), 0)[1] == 0
    assert everything(tmp_path) == before


def test_a_disk_that_is_full_is_survived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real file system of a few pages, which fills up at another place each time."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user cannot mount a file system")
    try:
        package = plant(tmp_path)
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=10**9))
        refused = 0
        for room in range(0, usage.free, 4096):
            ballast = tmp_path / "ballast"
            ballast.write_bytes(bytes(usage.free - room))
            before = everything(tmp_path)
            try:
                apply(package)
            except TransactionError as error:
                assert "No space left on device" in str(error)
                refused += 1
                assert everything(tmp_path) == before
            else:
                revert(package)
                assert everything(tmp_path) == before
                break
        assert refused > 3
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.fixture
def open_tmp_path() -> Iterator[Path]:
    """A temporary folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    for place in folder.rglob("*"):
        if place.is_dir() and not place.is_symlink():
            place.chmod(0o755)
    shutil.rmtree(folder)


def as_user(work: Callable[[], None]) -> None:
    """Do some work without root's privileges."""

    def unprivileged() -> None:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        work()

    assert os.waitpid(fork(unprivileged), 0)[1] == 0


@pytest.mark.parametrize(
    "path", ["ultralytics/engine/trainer.py", "ultralytics/engine", "ultralytics/utils", "ultralytics"]
)
def test_a_place_without_permission_to_write_is_refused(open_tmp_path: Path, path: str) -> None:
    as_user_owned(open_tmp_path)
    package = plant_owned(open_tmp_path)
    place = open_tmp_path / path
    mode = place.stat().st_mode
    place.chmod(mode & ~0o222)
    before = everything(open_tmp_path)

    def refused() -> None:
        with pytest.raises(
            TransactionError,
            match=r"(?s)(No permission to write .*Nothing was changed; .*chmod|Permission denied.*Nothing was changed)",
        ):
            apply(package)

    as_user(refused)
    assert everything(open_tmp_path) == before


def as_user_owned(root: Path) -> None:
    if os.geteuid() == 0:
        os.chown(root, 65534, 65534)


def plant_owned(root: Path) -> Path:
    """The package, owned by a user who is not root even if the tests are run by root."""
    package = plant(root)
    if os.geteuid() == 0:
        for place in (package, *package.rglob("*")):
            os.chown(place, 65534, 65534)
    return package


def test_a_state_folder_without_permission_to_write_is_refused(open_tmp_path: Path) -> None:
    as_user_owned(open_tmp_path)
    package = plant_owned(open_tmp_path)
    as_user(lambda: apply(package))
    before = everything(open_tmp_path)
    (package / ".distillpatch").chmod(0o555)

    def refused() -> None:
        with pytest.raises(TransactionError, match="Permission denied"):
            revert(package)

    as_user(refused)
    (package / ".distillpatch").chmod(0o755)
    assert everything(open_tmp_path) == before


def test_a_lock_that_cannot_be_made_leaves_no_folder(tmp_path: Path, failpoints: Failpoints) -> None:
    """As where there is room for a folder and none for a file."""
    package = plant(tmp_path)
    before = everything(tmp_path)

    def refuse(name: str, place: Path) -> None:
        if (name, place.name) == ("open", "lock"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(place))

    failpoints.look = refuse
    with pytest.raises(TransactionError, match=r"lock: No space left on device\. Nothing was changed\."):
        apply(package)
    assert everything(tmp_path) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_what_root_writes_belongs_to_the_owner_of_the_tree(open_tmp_path: Path) -> None:
    as_user_owned(open_tmp_path)
    package = plant_owned(open_tmp_path)
    apply(package)
    assert {place.lstat().st_uid for place in package.rglob("*")} == {65534}
    as_user(lambda: revert(package))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("links", [True, False])
def test_what_root_copies_belongs_to_the_owner_of_the_tree(
    open_tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """A file, and a symbolic link that comes back."""
    as_user_owned(open_tmp_path)
    package = plant_owned(open_tmp_path)
    (open_tmp_path / TRAINER).rename(open_tmp_path / "trainer.py")
    (open_tmp_path / TRAINER).symlink_to("../../trainer.py")
    os.lchown(open_tmp_path / TRAINER, 65534, 65534)
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    with lock(package, RELEASE) as held:
        commit(held, PLAN, describe(package, PLAN, release=RELEASE, patch_sets=patch_sets("0")))
    revert(package)
    assert {place.lstat().st_uid for place in open_tmp_path.rglob("*")} == {65534}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("handed_over", [True, False])
def test_a_lock_that_a_dead_root_left_is_no_obstacle(open_tmp_path: Path, handed_over: bool) -> None:
    as_user_owned(open_tmp_path)
    package = plant_owned(open_tmp_path)
    before = everything(open_tmp_path)
    crash_before(package, "done")
    place = package / ".distillpatch" / "lock"
    assert place.stat().st_uid == 65534
    if not handed_over:
        os.chown(place, 0, 0)
        place.chmod(0o644)

    def recovered() -> None:
        told = recover(package, RELEASE)
        assert told and told.endswith(UNDONE)

    as_user(recovered)
    assert everything(open_tmp_path) == before


def test_a_run_that_cannot_be_recovered_yet_is_not_called_nothing(open_tmp_path: Path) -> None:
    as_user_owned(open_tmp_path)
    package = plant_owned(open_tmp_path)
    as_user(lambda: crash_before(package, "done"))
    (package / ".distillpatch" / "lock").unlink()
    (package / ".distillpatch").chmod(0o555)

    def refused() -> None:
        with pytest.raises(TransactionError, match=r"Permission denied\. An earlier run .* was interrupted"):
            recover(package, RELEASE)

    as_user(refused)


# Planted links, and paths that lead out.


@pytest.mark.parametrize(
    "place", ["engine", ".distillpatch", ".distillpatch/lock", "utils/AddLoss.py", "utils", ".distillpatch/run"]
)
def test_nothing_is_written_through_a_planted_link(tmp_path: Path, place: str) -> None:
    package = plant(tmp_path / "tree")
    outside = tmp_path / "outside"
    link = package / place
    if link.is_dir():
        shutil.move(link, outside)
    elif link.suffix:
        outside.mkdir()
    else:
        outside.mkdir()
        # What would be rolled back if it were ours.
        (outside / "journal.json").write_bytes(
            journal(b'[{"path": "%s", "before": "0", "after": "1"}]' % TRAINER.encode())
        )
        (outside / "before").mkdir()
        (outside / "before" / "0").write_bytes(b"theirs")
        (outside / "after").mkdir()
    link.parent.mkdir(exist_ok=True)
    target = outside / "nowhere.py" if link.suffix or link.name == "lock" else outside
    link.symlink_to(target)
    before = everything(outside)
    tree = everything(package.parent)
    with pytest.raises(DistillpatchError, match=link.name):
        apply(package)
    assert everything(outside) == before
    assert everything(package.parent).keys() - {"ultralytics/.distillpatch"} <= tree.keys()


def test_a_link_planted_for_a_temporary_name_is_removed_and_not_followed(tmp_path: Path) -> None:
    package = plant(tmp_path / "tree")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"theirs")
    (package / ".distillpatch").mkdir()
    (package / ".distillpatch" / "run").symlink_to(outside)
    apply(package)
    revert(package)
    assert everything(outside) == {"file": ("100644", b"theirs")}
    assert not (package / ".distillpatch").exists()


def test_a_folder_of_originals_replaced_by_a_link_is_refused(tmp_path: Path) -> None:
    package = plant(tmp_path / "tree")
    apply(package)
    outside = tmp_path / "outside"
    shutil.move(package / ".distillpatch" / "originals", outside)
    (package / ".distillpatch" / "originals").symlink_to(outside)
    before = everything(tmp_path)
    with pytest.raises(DistillpatchError, match="symbolic link"):
        revert(package)
    assert everything(tmp_path) == before


def test_a_hard_link_planted_for_the_lock_keeps_its_bytes(tmp_path: Path) -> None:
    package = plant(tmp_path / "tree")
    outside = tmp_path / "outside"
    outside.write_bytes(b"theirs")
    (package / ".distillpatch").mkdir()
    os.link(outside, package / ".distillpatch" / "lock")
    with pytest.raises(TransactionError, match=r"lock is not distillpatch's own lock"):
        apply(package)
    assert outside.read_bytes() == b"theirs"


@pytest.mark.parametrize("path", ["../x.py", "/etc/x", "ultralytics/../../x", "other/x.py", "ultralytics", "x\\y", ""])
def test_a_path_outside_the_package_is_refused(tmp_path: Path, path: str) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)
    with pytest.raises(DistillpatchError, match="outside"), lock(package, RELEASE) as held:
        commit(held, [FileChange(path, None, b"")], None)
    assert everything(tmp_path) == before


def journal(entries: bytes = b"[]", head: bytes = b'"format": 1, "distillpatch": "0.1", "release": "8"') -> bytes:
    return b'{%s, "entries": %s}' % (head, entries)


JOURNALS = [
    b"",
    b"{",
    b"[]",
    b"[" * 100_000,
    journal()[:-1],
    journal(b'[{"path": "../x", "before": null, "after": null}]'),
    journal(b'[{"path": "ultralytics/x.py", "before": 1, "after": null}]'),
    journal(b'[{"path": ["x"], "before": null, "after": null}]'),
    journal(b'[{"path": "ultralytics/x.py", "before": null}]'),
    journal(b"3"),
    journal(head=b'"format": 1, "distillpatch": "0.1"'),
    journal(head=b'"format": 1, "release": "8"'),
    journal(head=b'"format": true, "distillpatch": "0.1", "release": "8"'),
    b"\xff\xfe",
]


def plant_run(package: Path, name: str, content: bytes) -> Path:
    """Plant what a run has left, or somebody who would like to have something done."""
    run = package / ".distillpatch" / "run"
    for folder in ("before", "after"):
        (run / folder).mkdir(parents=True)
    (run / name).write_bytes(content)
    return run


@pytest.mark.parametrize("content", JOURNALS)
def test_a_damaged_journal_is_one_error(tmp_path: Path, content: bytes) -> None:
    package = plant(tmp_path)
    plant_run(package, "journal.json", content)
    before = everything(tmp_path)
    with pytest.raises(StateError, match=r"journal\.json was damaged"):
        recover(package, RELEASE)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", ["journal.json", "done"])
@pytest.mark.parametrize(
    "head", [b'"format": 3, "distillpatch": "0.1.0"', b'"format": 1, "distillpatch": "99.1", "release": "8"']
)
def test_what_a_newer_distillpatch_has_begun_is_not_touched(tmp_path: Path, head: bytes, name: str) -> None:
    package = plant(tmp_path)
    plant_run(package, name, journal(head=head))
    before = everything(tmp_path)
    with pytest.raises(NewerStateError, match=r"distillpatch (0\.1\.0|99\.1), and.*use the newer one"):
        recover(package, RELEASE)
    assert everything(tmp_path) == before


def test_what_a_newer_distillpatch_wrote_is_not_touched(tmp_path: Path) -> None:
    package = plant(tmp_path)
    with lock(package, RELEASE) as held:
        commit(held, PLAN, replace(STATE, version="99.1"))
    before = everything(tmp_path)
    with pytest.raises(NewerStateError, match=r"99\.1"), lock(package, RELEASE) as held:
        commit(held, [], None)
    assert everything(tmp_path) == before


# Two at once.


def test_the_second_process_waits_and_then_says_who_is_at_work(tmp_path: Path) -> None:
    package = plant(tmp_path)
    before = everything(tmp_path)

    def hold() -> None:
        with lock(package, RELEASE):
            time.sleep(30)

    child = fork(hold)
    try:
        eventually(lambda: (package / ".distillpatch" / "lock").exists() and lock_text(package))
        for wait_briefly in (recover, lambda *arguments, wait: lock(*arguments, wait).__enter__()):
            with pytest.raises(BusyError, match=rf"process {child} \(distillpatch.*\)\. Waited 0\.3 s"):
                wait_briefly(package, RELEASE, wait=0.3)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert lock_text(package)  # which is no obstacle once its holder is dead
    apply(package)
    revert(package)
    assert everything(tmp_path) == before


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def lock_text(package: Path) -> str:
    return (package / ".distillpatch" / "lock").read_text()


def test_the_second_process_goes_on_once_the_first_is_done(tmp_path: Path) -> None:
    package = plant(tmp_path)

    def hold() -> None:
        with lock(package, RELEASE):
            time.sleep(0.5)

    child = fork(hold)
    eventually((package / ".distillpatch" / "lock").exists)
    with lock(package, RELEASE, wait=10):
        assert os.waitpid(child, 0)[1] == 0


def test_a_lock_on_a_file_that_was_removed_meanwhile_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process that held the lock has finished just after the other one had opened the file."""
    package = plant(tmp_path)
    lock_descriptor = lock_module._lock_descriptor

    def finish_first(descriptor: int) -> bool:
        monkeypatch.setattr(lock_module, "_lock_descriptor", lock_descriptor)
        (package / ".distillpatch" / "lock").unlink()
        return lock_descriptor(descriptor)

    monkeypatch.setattr(lock_module, "_lock_descriptor", finish_first)
    with lock(package, RELEASE):
        assert lock_text(package)


def test_a_folder_that_goes_as_soon_as_it_is_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when another process locks, finishes and removes the folder before this one has even handed it over."""
    package = plant(tmp_path)
    hand_over = disk.hand_over

    def finish_first(place: int | Path, like: Path) -> None:
        monkeypatch.setattr(disk, "hand_over", hand_over)
        (package / ".distillpatch").rmdir()
        hand_over(place, like)

    monkeypatch.setattr(disk, "hand_over", finish_first)
    with lock(package, RELEASE):
        assert lock_text(package)


def test_a_package_that_is_gone_is_no_package_at_work(tmp_path: Path) -> None:
    package = plant(tmp_path)
    shutil.rmtree(package)
    with pytest.raises(TransactionError, match="No such file or directory"), lock(package, RELEASE, wait=60):
        pass


def test_a_folder_that_goes_after_any_look_at_it_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when another process is done at that moment."""
    package = plant(tmp_path)
    folder = package / ".distillpatch"
    lstat, looks, goes_after = os.lstat, 0, 0

    def finish_meanwhile(place: str | Path) -> os.stat_result:
        nonlocal looks
        status = lstat(place)
        if Path(place) == folder:
            looks += 1
            if looks == goes_after:
                with suppress(OSError):  # this process's own lock is in it by then
                    folder.rmdir()
        return status

    monkeypatch.setattr(os, "lstat", finish_meanwhile)
    while looks >= goes_after:
        folder.mkdir()
        looks, goes_after = 0, goes_after + 1
        assert recover(package, RELEASE) is None
        folder.mkdir(exist_ok=True)
        with lock(package, RELEASE):
            assert lock_text(package)
        assert not folder.exists()
    assert goes_after > 3


def test_many_processes_work_one_at_a_time(tmp_path: Path) -> None:
    """Each run here removes the folder with the lock in it, while others wait for that lock."""
    package = plant(tmp_path)
    before = everything(tmp_path)
    counter = tmp_path / "counter"
    counter.write_text("0")

    def count() -> None:
        for _ in range(50):
            with lock(package, RELEASE, wait=60):
                number = int(counter.read_text())
                time.sleep(0.0005)
                counter.write_text(str(number + 1))

    children = [fork(count) for _ in range(4)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert counter.read_text() == "200"
    counter.unlink()
    assert everything(tmp_path) == before

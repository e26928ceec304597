"""A revert takes out what distillpatch wrote and nothing else, whatever has become of the files meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from releases import unpack
from trees import FILES, MODE, PLAN, RELEASE, STATE, everything, patch_sets, plant

from distillpatch.change import FileChange
from distillpatch.ledger.state import AppliedFile
from distillpatch.ledger.state_file import describe, read_state
from distillpatch.ledger.transaction import commit, lock
from distillpatch.ledger.undo import Edited, Overlap, OverlapError, merge, plan_undo

TRAINER = "ultralytics/engine/trainer.py"
CFG = "ultralytics/cfg/__init__.py"
ADDED = "ultralytics/utils/AddLoss.py"

MANY = settings(max_examples=int(os.environ.get("DISTILLPATCH_FUZZ", "200")), deadline=None)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package with the plan applied to it."""
    package = plant(tmp_path)
    with lock(package, RELEASE) as held:
        commit(held, PLAN, STATE)
    return package


def revert(package: Path, release: str = RELEASE, edited: Edited = Edited.REFUSE) -> None:
    state = read_state(package)
    assert state is not None
    with lock(package, release) as held:
        commit(held, plan_undo(package, state, release, edited).changes, None)


def edit(package: Path, path: str, old: bytes, new: bytes) -> None:
    place = package.parent / path
    content = place.read_bytes()
    assert old in content
    place.write_bytes(content.replace(old, new))


def contents(package: Path) -> dict[str, bytes]:
    root = package.parent
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_an_untouched_tree_is_as_before(package: Path) -> None:
    revert(package)
    assert contents(package) == FILES


def test_an_edit_elsewhere_in_the_file_survives(package: Path) -> None:
    edit(package, TRAINER, b"class Trainer:\n", b"import mine\n\n\nclass Trainer:\n")
    state = read_state(package)
    assert state is not None
    plan = plan_undo(package, state, RELEASE)
    assert plan.merged == (TRAINER,) and not plan.left and not plan.overwritten and not plan.set_aside
    revert(package)
    assert contents(package) == FILES | {TRAINER: b"import mine\n\n\n" + FILES[TRAINER]}


def test_an_edit_keeps_line_endings_and_a_missing_final_newline() -> None:
    original = b"a = 1\r\nb = 2\r\nc = 3\r\nd = '\xe9'"
    file = AppliedFile(CFG, original, original.replace(b"b = 2\r\n", b"b = 2\r\nours = 1\r\n"), 0o644, None)
    assert file.patched is not None
    now = b"mine = 1\n" + file.patched
    assert merge(file, now) == b"mine = 1\n" + original


def test_a_long_file_of_few_different_lines_merges() -> None:
    """difflib by itself takes the frequent lines of a long file for noise, and then has nothing to hold on to."""
    original = b"    a,\n    b,\n" * 150
    file = AppliedFile(CFG, original, original[:1400] + b"    ours,\n" + original[1400:], 0o644, None)
    assert file.patched is not None
    assert merge(file, file.patched + b"mine\n") == original + b"mine\n"


def test_our_lines_taken_out_by_hand_stay_out(package: Path) -> None:
    edit(package, TRAINER, b"        loss += 2  # ours\n", b"")
    edit(package, TRAINER, b"class Trainer:", b"class MyTrainer:")
    revert(package)
    assert contents(package) == FILES | {TRAINER: FILES[TRAINER].replace(b"Trainer", b"MyTrainer")}


def test_a_file_that_is_equal_to_the_original_again_is_left_alone(package: Path) -> None:
    (package.parent / TRAINER).write_bytes(FILES[TRAINER])
    (package.parent / ADDED).unlink()
    state = read_state(package)
    assert state is not None
    assert [change.path for change in plan_undo(package, state, RELEASE).changes] == [CFG]
    revert(package)
    assert contents(package) == FILES


def test_a_deleted_file_comes_back(package: Path) -> None:
    (package.parent / TRAINER).unlink()
    revert(package)
    assert contents(package) == FILES


# Overlapping edits.


@pytest.fixture
def overlapping(package: Path) -> Path:
    edit(package, TRAINER, b"loss += 2  # ours", b"loss += 3  # ours, tuned")
    edit(package, ADDED, b"pass", b"weight = 2")
    return package


def test_overlapping_edits_are_refused_with_the_place_and_the_ways_out(overlapping: Path) -> None:
    before = everything(overlapping.parent)
    with pytest.raises(OverlapError) as caught:
        revert(overlapping)
    message = str(caught.value)
    assert f"{TRAINER}, line 4\n" in message and f"{ADDED}, lines 1-2\n" in message
    assert "--keep-edited" in message and "--restore-original" in message
    assert caught.value.overlaps == (Overlap(TRAINER, ((4, 4),)), Overlap(ADDED, ((1, 2),)))
    assert everything(overlapping.parent) == before


def test_an_edited_file_can_be_left_while_the_rest_is_reverted(overlapping: Path) -> None:
    edited = contents(overlapping)
    revert(overlapping, edited=Edited.KEEP)
    assert contents(overlapping) == FILES | {TRAINER: edited[TRAINER], ADDED: edited[ADDED]}


def test_the_original_can_be_restored_with_the_edited_file_beside_it(overlapping: Path) -> None:
    edited = contents(overlapping)
    (overlapping.parent / f"{TRAINER}.edited").write_bytes(b"of another day")
    (overlapping.parent / TRAINER).chmod(0o751)
    state = read_state(overlapping)
    assert state is not None
    aside = plan_undo(overlapping, state, RELEASE, Edited.SET_ASIDE).set_aside
    assert aside == {TRAINER: f"{TRAINER}.edited2", ADDED: f"{ADDED}.edited"}
    revert(overlapping, edited=Edited.SET_ASIDE)
    assert contents(overlapping) == FILES | {
        f"{TRAINER}.edited": b"of another day",
        f"{TRAINER}.edited2": edited[TRAINER],
        f"{ADDED}.edited": edited[ADDED],
    }
    assert (overlapping.parent / f"{TRAINER}.edited2").stat().st_mode & 0o777 == 0o751
    assert (overlapping.parent / TRAINER).stat().st_mode & 0o777 == MODE


def test_the_ways_out_concern_overlaps_alone(overlapping: Path) -> None:
    edit(overlapping, CFG, b"def check", b"import mine\r\n\r\n\r\ndef check")
    for edited in (Edited.KEEP, Edited.SET_ASIDE):
        state = read_state(overlapping)
        assert state is not None
        plan = plan_undo(overlapping, state, RELEASE, edited)
        assert plan.merged == (CFG,)
        assert plan.left == ((TRAINER, ADDED) if edited is Edited.KEEP else ())


# Another release in the tree.


def test_nothing_old_is_restored_over_a_new_release(package: Path) -> None:
    new = {TRAINER: b"class Trainer:\n    '''8.3'''\n", CFG: b"def check():\r\n    '''8.3'''\r\n"}
    for path, content in new.items():
        (package.parent / path).write_bytes(content)
    state = read_state(package)
    assert state is not None
    assert set(plan_undo(package, state, "8.3.0").overwritten) == {TRAINER, CFG}
    revert(package, release="8.3.0")
    assert contents(package) == FILES | new


def test_a_file_that_a_new_release_dropped_does_not_come_back(package: Path) -> None:
    (package.parent / TRAINER).unlink()
    revert(package, release="8.3.0")
    assert contents(package) == {path: content for path, content in FILES.items() if path != TRAINER}


def test_our_lines_carried_over_into_a_new_release_are_taken_out(package: Path) -> None:
    """As `git stash pop` after `git pull` does."""
    edit(package, TRAINER, b"class Trainer:\n", b"class Trainer:\n    '''8.3'''\n\n")
    revert(package, release="8.3.0")
    expected = FILES[TRAINER].replace(b"class Trainer:\n", b"class Trainer:\n    '''8.3'''\n\n")
    assert contents(package) == FILES | {TRAINER: expected}


# A newer distillpatch over what an older one patched.

NEW_ADDED = "ultralytics/utils/Losses.py"


def upgrade(package: Path) -> None:
    """What a newer distillpatch does: another text for the trainer, none for the cfg, a module under a new name."""
    state = read_state(package)
    assert state is not None
    taken_back = plan_undo(package, state, RELEASE)
    trainer = taken_back.texts[TRAINER]
    assert trainer is not None
    plan = (FileChange(TRAINER, trainer, trainer + b"# newer\n"), FileChange(NEW_ADDED, None, b"newer\n"))
    newer = describe(package, plan, release=RELEASE, patch_sets=patch_sets("1" * 64), previous=state)
    with lock(package, RELEASE) as held:
        commit(held, taken_back.followed_by(plan), newer)


def test_an_upgrade_is_one_transaction_and_reverts_to_the_original(package: Path) -> None:
    before = (package.parent / TRAINER).stat()
    upgrade(package)
    own = {path: content for path, content in contents(package).items() if "/.distillpatch/" not in path}
    assert own == FILES | {TRAINER: FILES[TRAINER] + b"# newer\n", NEW_ADDED: b"newer\n"}
    revert(package)
    assert contents(package) == FILES
    assert (package.parent / TRAINER).stat().st_mode == before.st_mode
    assert (package.parent / TRAINER).stat().st_mtime == 1_600_000_000


def test_an_upgrade_carries_the_edits_over(package: Path) -> None:
    edit(package, TRAINER, b"class Trainer:\n", b"import mine\n\n\nclass Trainer:\n")
    upgrade(package)
    mine = b"import mine\n\n\n" + FILES[TRAINER]
    assert (package.parent / TRAINER).read_bytes() == mine + b"# newer\n"
    revert(package)
    assert contents(package) == FILES | {TRAINER: mine}


def test_an_upgrade_keeps_the_permissions_of_a_file_that_was_added(package: Path) -> None:
    (package.parent / ADDED).chmod(0o604)
    state = read_state(package)
    assert state is not None
    plan = (FileChange(ADDED, None, b"newer\n", like=TRAINER),)
    newer = describe(package, plan, release=RELEASE, patch_sets=patch_sets("1" * 64), previous=state)
    with lock(package, RELEASE) as held:
        commit(held, plan_undo(package, state, RELEASE).followed_by(plan), newer)
    assert (package.parent / ADDED).read_bytes() == b"newer\n"
    assert (package.parent / ADDED).stat().st_mode & 0o777 == 0o604


def test_an_upgrade_over_overlapping_edits_is_refused(overlapping: Path) -> None:
    before = everything(overlapping.parent)
    with pytest.raises(OverlapError):
        upgrade(overlapping)
    assert everything(overlapping.parent) == before


def test_an_upgrade_that_changes_nothing_writes_nothing(package: Path) -> None:
    state = read_state(package)
    assert state is not None
    assert plan_undo(package, state, RELEASE).followed_by(PLAN) == ()


# Edits of all kinds, on real code.


@pytest.fixture(scope="module")
def real_lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return (unpack("8.3.50", tmp_path_factory.mktemp("release")) / TRAINER).read_bytes().splitlines(keepends=True)


@MANY
@given(data=st.data())
def test_edits_away_from_ours_survive_to_the_byte(data: st.DataObject, real_lines: list[bytes]) -> None:
    """Lines put in, taken out and rewritten, at least two lines away from what we wrote."""
    lines = real_lines
    hunks = data.draw(st.sets(st.integers(0, len(lines) - 1), min_size=1, max_size=6), label="lines that we wrote at")
    near = {line + offset for line in hunks for offset in range(-2, 4)}
    elsewhere = st.integers(0, len(lines) - 1).filter(lambda line: line not in near)
    edits = data.draw(
        st.dictionaries(elsewhere, st.sampled_from(["insert", "delete", "rewrite"]), min_size=1), label="edits"
    )
    ours = {line: [b"        ours = %d\n" % line, b"\n", lines[line]] for line in hunks}
    theirs = {
        line: {"insert": [b"mine = %d\n" % line, lines[line]], "delete": [], "rewrite": [b"mine = %d\n" % line]}[kind]
        for line, kind in edits.items()
    }

    def text(*changes: dict[int, list[bytes]]) -> bytes:
        changed = {line: new for change in changes for line, new in change.items()}
        return b"".join(part for line, old in enumerate(lines) for part in changed.get(line, [old]))

    file = AppliedFile(TRAINER, text(), text(ours), 0o644, None)
    assert merge(file, text(ours, theirs)) == text(theirs)


@MANY
@given(st.binary(), st.binary(), st.binary())
def test_any_three_texts_merge_or_overlap(original: bytes, patched: bytes, now: bytes) -> None:
    merged = merge(AppliedFile(TRAINER, original, patched, 0o644, None), now)
    if isinstance(merged, Overlap):
        assert merged.lines and all(1 <= first <= last for first, last in merged.lines)
    if now == patched:
        assert merged == original
    if original == patched:
        assert merged == now

"""Whatever lies in the state's place, reading it gives the state that was written, or one error of ours."""

from __future__ import annotations

import base64
import json
import os
import random
import stat
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from edits import files_of
from hypothesis import given
from mutated import FUZZ, PATHS, mutated, signed
from releases import PINNED
from sampling import sampled
from trees import FILES, MODE, PATCHED, PLAN, RELEASE, STATE, everything, patch_sets, plant

from distillpatch.change import FileChange
from distillpatch.engine.plan import make_plan, paths
from distillpatch.engine.refusal import require
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.places import StateError, sha256
from distillpatch.ledger.state import AppliedFile, NewerStateError, State, refuse_newer
from distillpatch.ledger.state_file import describe, read_state
from distillpatch.ledger.state_json import to_json
from distillpatch.ledger.survey import Condition, survey
from distillpatch.ledger.transaction import commit, lock
from distillpatch.ledger.undo import plan_undo
from distillpatch.patch_sets import built_in

TRAINER = "ultralytics/engine/trainer.py"
CFG = "ultralytics/cfg/__init__.py"
ADDED = "ultralytics/utils/AddLoss.py"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return plant(tmp_path)


def put(package: Path, content: bytes) -> None:
    folder = package / ".distillpatch"
    folder.mkdir(exist_ok=True)
    (folder / "state.json").write_bytes(content)


def put_record(package: Path, record: Any) -> None:
    put(package, signed(json.dumps(record).encode()))


def record() -> Any:
    return json.loads(to_json(STATE))


def test_what_is_written_is_what_is_read(package: Path) -> None:
    assert read_state(package) is None
    put(package, to_json(STATE))
    state = read_state(package)
    assert state == STATE
    assert state.original(TRAINER) == FILES[TRAINER]
    assert state.patched(TRAINER) == PATCHED[TRAINER]
    assert state.original(ADDED) is None and state.patched(ADDED) == PATCHED[ADDED]
    assert state.original("ultralytics/other.py") is None and state.patched("ultralytics/other.py") is None


def test_a_plan_is_described_with_the_facts_of_the_tree(package: Path) -> None:
    (package / "cfg" / "__init__.py").unlink()
    (package.parent / "real.py").write_bytes(FILES[CFG])
    (package.parent / "real.py").chmod(0o600)
    (package / "cfg" / "__init__.py").symlink_to(".././../real.py")
    state = describe(package, PLAN, release=RELEASE, patch_sets=patch_sets("d" * 64))
    facts = {file.path: (file.mode, file.link) for file in state.files}
    assert facts == {TRAINER: (MODE, None), CFG: (0o600, ".././../real.py"), ADDED: (None, None)}
    assert state.applied_at.endswith("+00:00")


def test_an_upgrade_keeps_the_facts_of_the_original(package: Path) -> None:
    link = replace(STATE.files[0], link="../../real.py", mode=0o600)
    assert link.path == CFG
    (package.parent / CFG).write_bytes(PATCHED[CFG])
    plan = (FileChange(CFG, FILES[CFG], b"newer\r\n"), FileChange(TRAINER, FILES[TRAINER], b"newer\n"))
    state = describe(package, plan, release=RELEASE, patch_sets=patch_sets("d"), previous=replace(STATE, files=(link,)))
    assert [(file.path, file.mode, file.link) for file in state.files] == [
        (CFG, 0o600, "../../real.py"),
        (TRAINER, MODE, None),
    ]


def test_an_upgrade_of_an_edited_file_that_was_a_link_keeps_the_edits_instead(package: Path) -> None:
    link = replace(STATE.files[0], link="../../real.py")
    (package.parent / CFG).write_bytes(b"import mine\r\n" + PATCHED[CFG])
    plan = (FileChange(CFG, b"import mine\r\n" + FILES[CFG], b"newer\r\n"),)
    state = describe(package, plan, release=RELEASE, patch_sets=patch_sets("d"), previous=replace(STATE, files=(link,)))
    assert [(file.mode, file.link) for file in state.files] == [(MODE, None)]


@pytest.mark.parametrize("release", ["", "8.2.50\x1b[2J", "8" * 301, "8.2\n50"])
def test_what_could_not_be_read_back_is_not_written(package: Path, release: str) -> None:
    with pytest.raises(StateError, match="could not be read again"):
        describe(package, PLAN, release=release, patch_sets=patch_sets("d"))


# What became of the files.


@pytest.mark.parametrize(
    ("now", "release", "condition"),
    [
        (PATCHED[TRAINER], RELEASE, Condition.INTACT),
        (PATCHED[TRAINER], "8.3.0", Condition.INTACT),
        (FILES[TRAINER], RELEASE, Condition.RESTORED),
        (FILES[TRAINER], "8.3.0", Condition.RESTORED),
        (None, RELEASE, Condition.MISSING),
        (PATCHED[TRAINER] + b"# the user's\n", RELEASE, Condition.EDITED),
        (PATCHED[TRAINER] + b"# carried over by git\n", "8.3.0", Condition.EDITED),
        (FILES[TRAINER] + b"# new in 8.3\n", "8.3.0", Condition.OVERWRITTEN),
        (FILES[TRAINER] + b"# put back, and then edited\n", RELEASE, Condition.OVERWRITTEN),
        (PATCHED[TRAINER].replace(b"loss += 2  # ours", b"loss += 3  # ours, tuned"), RELEASE, Condition.EDITED),
    ],
)
def test_the_condition_of_a_file(package: Path, now: bytes | None, release: str, condition: Condition) -> None:
    if now is None:
        (package.parent / TRAINER).unlink()
    else:
        (package.parent / TRAINER).write_bytes(now)
    assert survey(package, STATE, release)[TRAINER] is condition


# A dozen releases, from the oldest to the newest.
SHAPES = PINNED[::3] + PINNED[-1:]


@cache
def applied_to(release: str) -> State:
    """Return the state that applying the patch set to a release leaves."""
    pristine: dict[str, bytes | None] = {**dict.fromkeys(paths(built_in())), **files_of(release)}
    changes = require(make_plan(built_in(), pristine, release)).changes
    files = tuple(AppliedFile(change.path, change.before, change.after, MODE, None) for change in changes)
    return replace(STATE, release=release, files=files)


@pytest.mark.parametrize("release", sampled(SHAPES, SHAPES[0], SHAPES[-1]))
def test_no_pristine_release_is_taken_for_an_edit_of_what_was_patched(package: Path, release: str) -> None:
    untouched = {Condition.OVERWRITTEN, Condition.RESTORED}
    for path, content in files_of(release).items():
        (package.parent / path).parent.mkdir(parents=True, exist_ok=True)
        (package.parent / path).write_bytes(content)
    for earlier in SHAPES:
        if earlier != release:
            assert set(survey(package, applied_to(earlier), release).values()) <= untouched, earlier


@pytest.mark.parametrize("release", SHAPES)
def test_no_file_that_was_put_back_is_taken_for_an_edit_of_what_was_patched(package: Path, release: str) -> None:
    for path, content in files_of(release).items():
        (package.parent / path).parent.mkdir(parents=True, exist_ok=True)
        (package.parent / path).write_bytes(content + b"# mine\n")
    conditions = survey(package, applied_to(release), release)
    expected = {path: Condition.OVERWRITTEN if path in files_of(release) else Condition.RESTORED for path in conditions}
    assert conditions == expected and Condition.OVERWRITTEN in conditions.values()


def test_a_file_that_got_no_word_of_ours_is_never_taken_for_one_that_was_put_back(package: Path) -> None:
    """Its next patching would come on top of the first."""
    file = AppliedFile(TRAINER, b"loss = 1\nstep(loss)\n", b"loss = 1\nstep(loss)\nstep(loss)\n", MODE, None)
    (package.parent / TRAINER).write_bytes(b"import mine\nloss = 1\nstep(loss)\nstep(loss)\n")
    assert survey(package, replace(STATE, files=(file,)), RELEASE) == {TRAINER: Condition.EDITED}


@pytest.mark.parametrize("release", SHAPES)
def test_what_was_patched_and_carried_over_is_an_edit(package: Path, release: str) -> None:
    """Each file for itself has lines that no release has."""
    state = applied_to(release)
    for file in state.files:
        place = package.parent / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((file.patched or b"") + b"# carried over\n")
    assert set(survey(package, state, "99").values()) == {Condition.EDITED}


def test_an_added_file_that_is_gone_is_as_it_was(package: Path) -> None:
    assert survey(package, STATE, RELEASE)[ADDED] is Condition.RESTORED


NO_FILES: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "fifo": os.mkfifo,
    "broken link": lambda place: place.symlink_to("nowhere"),
    "link to a device": lambda place: place.symlink_to("/dev/zero"),
    "huge file": lambda place: (place.touch(), os.truncate(place, 60 * 2**30)),
}


@pytest.mark.parametrize("kind", NO_FILES)
@pytest.mark.parametrize("path", [TRAINER, ADDED])
def test_a_file_that_is_no_file_is_one_error(package: Path, path: str, kind: str) -> None:
    place = package.parent / path
    place.unlink(missing_ok=True)
    NO_FILES[kind](place)
    with (
        pytest.raises(DistillpatchError, match=r"not a regular file|61440 MB large, expected at most 16 MB"),
        lock(package, RELEASE) as held,
    ):
        commit(held, PLAN, STATE)
    with pytest.raises(DistillpatchError, match=r"not a regular file|61440 MB large, expected at most 16 MB"):
        survey(package, STATE, RELEASE)


# Newer than this distillpatch.


def test_a_newer_format_is_refused_by_its_version(package: Path) -> None:
    put_record(package, {"format": 3, "distillpatch": "99.1", "something": "else"})
    with pytest.raises(NewerStateError, match=r"distillpatch 99\.1, and this is .*use the newer one"):
        read_state(package)


def test_a_newer_version_of_the_same_format_is_read_but_not_touched(package: Path) -> None:
    put(package, to_json(replace(STATE, version="99.1")))
    state = read_state(package)
    assert state is not None and survey(package, state, RELEASE)
    for touch in (lambda: refuse_newer(state.version), lambda: plan_undo(package, state, RELEASE)):
        with pytest.raises(NewerStateError, match=r"99\.1"):
            touch()


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "0.2", "0.1.99", "0.2.0rc1", "0.2.0+local", "0"])
def test_an_older_or_equal_version_is_ours(version: str) -> None:
    refuse_newer(version)


@pytest.mark.parametrize("version", ["0.2.0.1", "0.3", "0.10", "1", "1.0.0+local"])
def test_a_newer_version_is_not(version: str) -> None:
    with pytest.raises(NewerStateError):
        refuse_newer(version)


# Tampered, truncated, hostile.


def refused(package: Path) -> None:
    """Reading says which file it is and what to do, and nothing changes."""
    before = everything(package.parent)
    with pytest.raises(
        StateError, match=r"(?s)state\.json was damaged .*changes nothing.*pip install --force-reinstall"
    ):
        read_state(package)
    with pytest.raises(StateError), lock(package, RELEASE) as held:
        commit(held, [], None)
    assert everything(package.parent) == before


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_leads_elsewhere_is_refused(package: Path, path: str) -> None:
    tampered = record()
    tampered["files"][0]["path"] = path
    put_record(package, tampered)
    refused(package)


@pytest.mark.parametrize("path", ["ultralytics/x.py", "ultralytics/a/b/c.py", "ultralytics-8.2.50.dist-info/RECORD"])
def test_a_path_of_the_package_or_its_record_is_accepted(package: Path, path: str) -> None:
    tampered = record()
    tampered["files"][0]["path"] = path
    put_record(package, tampered)
    assert read_state(package) is not None


def packed(content: bytes, checksum: str = "0" * 64) -> dict[str, str]:
    return {"sha256": checksum, "zlib": base64.b64encode(zlib.compress(content)).decode()}


CHANGES: list[tuple[list[str | int], Any]] = [
    (["format"], "1"),
    (["format"], None),
    (["format"], True),
    (["distillpatch"], ""),
    (["distillpatch"], "0.1\x1b[31m"),
    (["release"], 8),
    (["applied_at"], "yesterday"),
    (["applied_at"], "2026-01-02T03:04:05"),
    (["files"], {}),
    (["files", 0], None),
    (["files", 1], record()["files"][0]),
    (["files", 0, "mode"], 0o4755),
    (["files", 0, "mode"], -1),
    (["files", 0, "mode"], 10**400),
    (["files", 0, "mode"], 420.0),
    (["files", 0, "mode"], True),
    (["files", 0, "mode"], None),
    (["files", 0, "link"], ""),
    (["files", 0, "link"], "a\0b"),
    (["files", 0, "link"], "\ud800"),
    (["files", 0, "original"], packed(b"another text")),
    (["files", 0, "original"], {"sha256": "0" * 64}),
    (["files", 0, "original", "zlib"], "not base64!"),
    (["files", 0, "original", "zlib"], base64.b64encode(b"not zlib").decode()),
    (["files", 0, "patched", "zlib"], "é"),
    (["files", 0, "patched"], packed(bytes(65 * 2**20), sha256(bytes(65 * 2**20)))),
    (["files", 0, "patched", "zlib"], record()["files"][0]["patched"]["zlib"][:-8]),
]


@pytest.mark.parametrize(("where", "what"), CHANGES)
def test_a_value_that_does_not_fit_is_refused(package: Path, where: list[str | int], what: Any) -> None:
    tampered = record()
    place = tampered
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = what
    put_record(package, tampered)
    refused(package)


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"3", b"{}", b"\xff\xfe", b"[" * 200_000, b'{"format": 1' + b"0" * 5000 + b"}", b"NaN"],
)
def test_a_file_that_is_no_state_is_refused(package: Path, content: bytes) -> None:
    put(package, content)
    refused(package)


def test_many_files_of_zeros_do_not_fill_the_memory(package: Path) -> None:
    bomb, zeros = record(), bytes(15 * 2**20)
    content = packed(zeros, sha256(zeros))
    bomb["files"] = [
        {"path": f"ultralytics/{number}.py", "original": content, "patched": content, "mode": MODE, "link": None}
        for number in range(100)
    ]
    put_record(package, bomb)
    tracemalloc.start()
    refused(package)
    assert tracemalloc.get_traced_memory()[1] < 150 * 2**20
    tracemalloc.stop()


def test_a_state_that_would_be_too_large_to_read_is_not_written(package: Path) -> None:
    noise = tuple(FileChange(f"ultralytics/{name}.py", None, os.urandom(7 * 2**20)) for name in "ab")
    with pytest.raises(StateError, match="could not be read again: it is larger"):
        describe(package, noise, release=RELEASE, patch_sets=patch_sets("d"))


def test_an_oversized_file_is_not_even_read(package: Path) -> None:
    put(package, b"")
    os.truncate(package / ".distillpatch" / "state.json", 100 * 2**30)
    with pytest.raises(StateError, match="102400 MB large"):
        read_state(package)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR])
def test_something_else_in_the_place_of_the_file_is_refused(package: Path, tmp_path: Path, kind: int) -> None:
    put(package, to_json(STATE))
    place = package / ".distillpatch" / "state.json"
    place.rename(tmp_path / "elsewhere.json")
    if kind == stat.S_IFLNK:
        place.symlink_to(tmp_path / "elsewhere.json")
    elif kind == stat.S_IFIFO:
        os.mkfifo(place)
    else:
        place.mkdir()
    with pytest.raises(StateError, match="not a regular file"):
        read_state(package)


def test_something_else_in_the_place_of_the_folder_is_refused(package: Path) -> None:
    (package / ".distillpatch").write_bytes(b"")
    with pytest.raises(StateError, match=r"\.distillpatch should be a folder"):
        read_state(package)


def test_one_flipped_bit_is_refused_or_makes_no_difference(package: Path) -> None:
    """The checksum covers all that is said; white space is not part of it."""
    content, refusals = to_json(STATE), 0
    for place in random.Random(3).sample(range(len(content) * 8), 500):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        put(package, bytes(flipped))
        try:
            assert read_state(package) == STATE, place
        except StateError:
            refusals += 1
    assert refusals > 300


@FUZZ
@given(content=mutated(to_json(STATE)) | mutated(to_json(STATE)).map(signed))
def test_a_mutated_state_is_read_or_refused_and_leads_nowhere(package: Path, content: bytes) -> None:
    root = package.parent
    plant(root)
    outside = {path: what for path, what in everything(root).items() if not path.startswith("ultralytics/")}
    put(package, content)
    try:
        state = read_state(package)
        assert isinstance(state, State)
        changes = plan_undo(package, state, RELEASE).changes
        with lock(package, RELEASE) as held:
            commit(held, changes, None)
    except DistillpatchError as error:
        assert str(error)
    kept = {path: what for path, what in everything(root).items() if not path.startswith("ultralytics/")}
    assert {path: what for path, what in kept.items() if path != "ultralytics"} == {
        path: what for path, what in outside.items() if path != "ultralytics"
    }

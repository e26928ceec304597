"""Whatever lies in the journal's place, recovering undoes a run or is refused, and leads nowhere."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutated import FUZZ, PATHS, mutated, signed
from trees import FILES, PATCHED, PLAN, RELEASE, STATE, Tree, copy, everything, plant

from distillpatch.errors import DistillpatchError
from distillpatch.ledger import disk
from distillpatch.ledger.journal import Entry, Journal, read_journal, to_json
from distillpatch.ledger.transaction import commit, lock, recover

RECORD = "ultralytics-8.2.50.dist-info/RECORD"
JOURNAL = Path("ultralytics", ".distillpatch", "run", "journal.json")

# What the tree held before the run that crashed.
ORIGINALS = {*FILES.values(), b"theirs"}

WRITTEN = Journal(RELEASE, (Entry("ultralytics/x.py", None, "0" * 64), Entry(RECORD, "1" * 64, "2" * 64)))


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "journal.json").write_bytes(to_json(WRITTEN))
    assert read_journal(tmp_path / "journal.json", "ultralytics") == WRITTEN


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree in which a run was killed at its last moment, beside files that are none of its business."""
    root = tmp_path_factory.mktemp("crashed")
    package = plant(root / "tree")
    (root / "tree" / "other.py").write_bytes(b"theirs")
    (root / "tree" / Path(RECORD).parent).mkdir()
    (root / "tree" / RECORD).write_bytes(b"theirs")

    def keep(name: str, place: Path) -> None:
        if (name, place.name) == ("rename", "done"):
            copy(root / "tree", root / "kept")

    with pytest.MonkeyPatch.context() as patch, lock(package, RELEASE) as held:
        patch.setattr(disk, "step", keep)
        commit(held, PLAN, STATE)
    return root / "kept"


@FUZZ
@given(data=st.data())
def test_a_mutated_journal_is_undone_or_refused_and_leads_nowhere(
    crashed: Path, tmp_path: Path, data: st.DataObject
) -> None:
    recover_with(crashed, tmp_path, data.draw(mutated((crashed / JOURNAL).read_bytes())))


@FUZZ
@given(data=st.data())
def test_a_mutated_journal_with_its_checksum_leads_nowhere_and_loses_nothing(
    crashed: Path, tmp_path: Path, data: st.DataObject
) -> None:
    """Past the checksum, too: what the files held before the run is there afterwards, wherever that may be."""
    journal = signed(data.draw(mutated((crashed / JOURNAL).read_bytes())), release=RELEASE)
    recover_with(crashed, tmp_path, journal)
    assert contents(tmp_path / "tree") >= ORIGINALS


def change(number: int, **values: str | None) -> Callable[[list[Any]], object]:
    return lambda entries: entries[number].update(values)


@pytest.mark.parametrize(
    "edit",
    [
        lambda entries: entries.clear(),
        lambda entries: entries.pop(),
        lambda entries: entries.pop(0),
        lambda entries: entries.reverse(),
        lambda entries: entries.append(dict(entries[0])),
        *(change(number, before=None) for number in range(3)),
        *(change(number, after=None) for number in range(3)),
        *(change(number, path="ultralytics/.distillpatch/run/before/0") for number in range(3)),
        *(change(number, path="ultralytics/.distillpatch/run/before/1") for number in range(3)),
        *(change(number, path="ultralytics/utils/__init__.py") for number in range(3)),
        *(change(number, path="ultralytics/utils") for number in range(3)),
        *(change(number, path="ultralytics/ultralytics/cfg/__init__.py") for number in range(3)),
    ],
)
def test_a_journal_that_is_wrong_and_consistent_loses_nothing(
    crashed: Path, tmp_path: Path, edit: Callable[[list[Any]], object]
) -> None:
    record = json.loads((crashed / JOURNAL).read_bytes())
    edit(record["entries"])
    recover_with(crashed, tmp_path, signed(json.dumps(record).encode()))
    assert contents(tmp_path / "tree") >= ORIGINALS


def contents(root: Path) -> set[bytes | str]:
    return {content for _, content in everything(root).values()}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_in_the_journal_leads_nowhere(crashed: Path, tmp_path: Path, path: str) -> None:
    record = json.loads((crashed / JOURNAL).read_bytes())
    for number in range(len(record["entries"])):
        entries = [dict(entry, path=path) if i == number else entry for i, entry in enumerate(record["entries"])]
        unsigned = {**record, "entries": entries, "format": 1}  # which has no checksum
        recover_with(crashed, tmp_path, json.dumps(unsigned).encode())


def test_one_flipped_bit_is_refused_or_makes_no_difference(crashed: Path, tmp_path: Path) -> None:
    """The checksum covers all that a recovery goes by; white space and the spelling of a number are not part of it."""
    undone = copy(crashed, tmp_path / "undone")
    assert recover(undone / "ultralytics", RELEASE)
    expected = everything(undone)
    shutil.rmtree(undone)
    content = (crashed / JOURNAL).read_bytes()
    refused = 0
    for place in random.Random(3).sample(range(len(content) * 8), 300):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        root = copy(crashed, tmp_path / "tree")
        (root / JOURNAL).write_bytes(flipped)
        try:
            recover(root / "ultralytics", RELEASE)
        except DistillpatchError:
            refused += 1
        else:
            assert everything(root) == expected, place
    assert refused > 200


@pytest.mark.parametrize("lost", [True, False])
def test_an_original_that_something_else_has_changed_or_removed_is_told(
    crashed: Path, tmp_path: Path, lost: bool
) -> None:
    root, path = copy(crashed, tmp_path / "tree"), "ultralytics/engine/trainer.py"
    entries = json.loads((root / JOURNAL).read_bytes())["entries"]
    kept = root / JOURNAL.parent / "before" / str([entry["path"] for entry in entries].index(path))
    kept.unlink() if lost else kept.write_bytes(b"changed")
    told = recover(root / "ultralytics", RELEASE) or ""
    expected = "is as that run left it: what it held before is gone" if lost else "which something else has changed"
    assert f"{root / path} " in told and expected in told
    assert (root / path).read_bytes() == (PATCHED[path] if lost else b"changed")


def test_a_journal_of_0_1_0_is_read(tmp_path: Path) -> None:
    record = {**json.loads(to_json(WRITTEN)), "format": 1}
    del record["sha256"]
    (tmp_path / "journal.json").write_bytes(json.dumps(record).encode())
    assert read_journal(tmp_path / "journal.json", "ultralytics") == WRITTEN


def recover_with(crashed: Path, tmp_path: Path, journal: bytes) -> None:
    """Recover from a crash with this in the journal's place; it changes nothing beside the package, fail as it may."""
    root = copy(crashed, tmp_path / "tree")
    (root / JOURNAL).write_bytes(journal)
    before = outside(root)
    try:
        assert recover(root / "ultralytics", RELEASE)
    except DistillpatchError as error:
        assert str(error)
    assert outside(root) == before
    assert [place.name for place in tmp_path.iterdir()] == ["tree"]


def outside(root: Path) -> Tree:
    """Return what lies there beside the package."""
    return {path: what for path, what in everything(root).items() if path.split("/")[0] != "ultralytics"}

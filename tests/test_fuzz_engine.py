"""The engine on broken input: a whole plan or an error of its own; `make fuzz` tries 10,000 more."""

from __future__ import annotations

import os
import signal
from collections import Counter

import fuzz_engine
import pytest
from edits import files_of
from fuzz_engine import MONSTERS, Fault, examine, examine_apart, mutated
from statements import TRAINER

from distillpatch.change import FileChange
from distillpatch.engine.plan import Plan

# `make fuzz` sets it.
COUNT = int(os.environ.get("DISTILLPATCH_FUZZ", "300"))
PARTS = 10


@pytest.mark.parametrize("part", range(PARTS))
def test_mutated_files(part: int) -> None:
    came = Counter(examine(*mutated(seed)) for seed in range(part, COUNT, PARTS))
    assert came["patched"] and came["refused"]


@pytest.mark.parametrize("name", MONSTERS)
def test_monsters(name: str) -> None:
    content = MONSTERS[name](files_of("8.4.190")[TRAINER])
    assert content != files_of("8.4.190")[TRAINER]
    examine_apart(TRAINER, content)


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_death_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_engine, "examine", die)
    with pytest.raises(Fault, match="the process died"):
        examine_apart(TRAINER, b"")
    monkeypatch.undo()
    assert examine_apart(TRAINER, b"") == "refused"


def test_a_crash_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(fuzz_engine, "make_plan", crash)
    with pytest.raises(Fault, match="RecursionError: too deep"):
        examine(TRAINER, b"")


def test_a_file_that_does_not_parse_any_more_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    pristine = files_of("8.4.190")[TRAINER]

    def careless(*_: object) -> Plan:
        return Plan("8.4.190", (), (), (FileChange(TRAINER, pristine, pristine + b"\n("),))

    monkeypatch.setattr(fuzz_engine, "make_plan", careless)
    with pytest.raises(Fault, match="does not parse"):
        examine(TRAINER, pristine)


def test_a_plan_of_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_engine, "make_plan", lambda *_: Plan("8.4.190", (), (), ()))
    with pytest.raises(Fault, match="changes nothing and says nothing"):
        examine(TRAINER, b"")

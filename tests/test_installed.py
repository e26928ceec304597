"""After `apply`, the package manager that installed ultralytics removes what distillpatch added along with it."""

from __future__ import annotations

import base64
import csv
import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from releases import wheel, wheel_path
from trees import FILES, PATCHED, PLAN, RELEASE, Tree, everything, patch_sets, plant

from distillpatch.change import FileChange
from distillpatch.errors import DistillpatchError
from distillpatch.ledger import disk
from distillpatch.ledger.dist_info import record_changes
from distillpatch.ledger.places import current
from distillpatch.ledger.state_file import describe, read_state
from distillpatch.ledger.transaction import commit, lock, recover
from distillpatch.ledger.undo import plan_undo

TRAINER = "ultralytics/engine/trainer.py"
ADDED = "ultralytics/utils/AddLoss.py"
RECORD = "ultralytics-8.2.50.dist-info/RECORD"


def apply(package: Path, plan: tuple[FileChange, ...], release: str) -> None:
    plan += record_changes(package, plan, lambda path: current(package, path))
    with lock(package, release) as held:
        commit(held, plan, describe(package, plan, release=release, patch_sets=patch_sets("0" * 64)))


def revert(package: Path, release: str) -> None:
    state = read_state(package)
    assert state is not None
    with lock(package, release) as held:
        commit(held, plan_undo(package, state, release).changes, None)


def line(path: str, content: bytes) -> bytes:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    return f"{path},sha256={digest},{len(content)}".encode()


def plant_record(root: Path, end: bytes = b"\r\n") -> bytes:
    record = b"".join(line(path, content) + end for path, content in FILES.items()) + RECORD.encode() + b",," + end
    (root / RECORD).parent.mkdir()
    (root / RECORD).write_bytes(record)
    return record


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_the_record_lists_what_apply_wrote(tmp_path: Path, end: bytes) -> None:
    package = plant(tmp_path)
    plant_record(tmp_path, end)
    before = everything(tmp_path)
    apply(package, PLAN, RELEASE)
    content = (tmp_path / RECORD).read_bytes()
    lines = content.split(end)
    assert content.endswith(end) and b"\r" not in b"".join(lines) and b"\n" not in b"".join(lines)
    assert line(TRAINER, PATCHED[TRAINER]) in lines
    assert line(ADDED, PATCHED[ADDED]) in lines
    assert line("ultralytics/__init__.py", FILES["ultralytics/__init__.py"]) in lines
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert sorted(row[0] for row in csv.reader(content.decode().splitlines())) == sorted(files)
    revert(package, RELEASE)
    assert everything(tmp_path) == before


def test_a_record_without_a_final_newline_comes_back_without(tmp_path: Path) -> None:
    package = plant(tmp_path)
    record = plant_record(tmp_path, b"\n").rstrip()
    (tmp_path / RECORD).write_bytes(record)
    apply(package, PLAN, RELEASE)
    assert line(ADDED, PATCHED[ADDED]) in (tmp_path / RECORD).read_bytes().split(b"\n")
    revert(package, RELEASE)
    assert (tmp_path / RECORD).read_bytes() == record


def test_a_plain_checkout_has_no_record(tmp_path: Path) -> None:
    package = plant(tmp_path)
    assert record_changes(package, PLAN, lambda path: current(package, path)) == ()


def test_the_record_of_an_editable_installation_is_left_alone(tmp_path: Path) -> None:
    package = plant(tmp_path)
    plant_record(tmp_path)
    (tmp_path / RECORD).write_bytes(b"__editable__.ultralytics-8.2.50.pth,,\n" + RECORD.encode() + b",,\n")
    assert record_changes(package, PLAN, lambda path: current(package, path)) == ()


@pytest.mark.parametrize("record", [b"\xff\xfe,,\n", b"", b"\n\n", b'"' + b"x" * 200_000])
def test_a_record_that_is_none_is_left_alone_or_one_error(tmp_path: Path, record: bytes) -> None:
    package = plant(tmp_path)
    plant_record(tmp_path)
    (tmp_path / RECORD).write_bytes(record)
    try:
        assert record_changes(package, PLAN, lambda path: current(package, path)) == ()
    except DistillpatchError as error:
        assert "RECORD" in str(error)


# A real installation.

REAL = "8.3.50"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder / "bin" / "python"


@pytest.fixture
def installed(environment: Path) -> Path:
    """The package of a real release, as pip installed it and distillpatch patched it."""
    pip(environment, "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", str(wheel(REAL)))
    return next(environment.parent.parent.glob("lib/python*/site-packages")) / "ultralytics"


def pip(environment: Path, *arguments: str) -> str:
    command = [environment, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def real_plan(package: Path) -> tuple[FileChange, ...]:
    trainer = current(package, TRAINER)
    assert trainer is not None
    return FileChange(TRAINER, trainer, trainer + b"# ours\n"), FileChange(ADDED, None, b"pass\n")


METADATA = """
import importlib.metadata
distribution = importlib.metadata.distribution("ultralytics")
places = [file.locate() for file in distribution.files]
print(distribution.version, all(place.exists() for place in places), "AddLoss.py" in {place.name for place in places})
"""


def test_pip_uninstalls_what_distillpatch_added(installed: Path, environment: Path) -> None:
    site = installed.parent
    checked = pip(environment, "check")
    before = everything(site)
    apply(installed, real_plan(installed), REAL)
    assert pip(environment, "check") == checked
    metadata = subprocess.run([environment, "-c", METADATA], capture_output=True, text=True, check=True)
    assert metadata.stdout == f"{REAL} True True\n"
    subprocess.run([environment, "-m", "compileall", "-q", installed / "utils" / "AddLoss.py"], check=True)
    told = pip(environment, "uninstall", "--yes", "ultralytics")
    assert f"Successfully uninstalled ultralytics-{REAL}" in told
    assert not installed.exists()
    assert {path for path in everything(site) if "ultralytics" in path or "distillpatch" in path} == set()
    assert set(everything(site)) < set(before)


def test_a_reverted_installation_is_as_pip_left_it(installed: Path) -> None:
    before = everything(installed.parent)
    apply(installed, real_plan(installed), REAL)
    revert(installed, REAL)
    assert everything(installed.parent) == before


def test_reinstalling_gives_an_unpatched_release(installed: Path, environment: Path) -> None:
    before = everything(installed)
    apply(installed, real_plan(installed), REAL)
    pip(environment, "install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", str(wheel(REAL)))
    after = everything(installed)
    assert read_state(installed) is None
    assert {path: what for path, what in after.items() if "__pycache__" not in path} == {
        path: what for path, what in before.items() if "__pycache__" not in path
    }


# An interrupted run, and then pip.

OTHER = "8.3.60"
NO_INDEX = ("--quiet", "--no-deps", "--no-index")

REMEDIES = {
    "reinstalled": (REAL, [("install", *NO_INDEX, "--force-reinstall", str(wheel_path(REAL)))]),
    "upgraded": (OTHER, [("install", *NO_INDEX, str(wheel_path(OTHER)))]),
    "removed and installed": (
        REAL,
        [("uninstall", "--yes", "ultralytics"), ("install", *NO_INDEX, str(wheel_path(REAL)))],
    ),
}


@pytest.mark.parametrize(
    ("remedy", "moment"),
    [
        ("reinstalled", "done"),
        ("upgraded", "state.json"),
        ("upgraded", "done"),
        ("removed and installed", "RECORD"),
        ("removed and installed", "done"),
    ],
)
def test_pip_is_a_remedy_after_an_interrupted_run(
    installed: Path, environment: Path, monkeypatch: pytest.MonkeyPatch, remedy: str, moment: str
) -> None:
    release, commands = REMEDIES[remedy]
    assert wheel(REAL).exists() and wheel(OTHER).exists()
    with monkeypatch.context() as patch:
        patch.setattr(disk, "step", dying_at("rename", moment))
        with pytest.raises(Killed):
            apply(installed, real_plan(installed), REAL)
    for command in commands:
        pip(environment, *command)
    assert recover(installed, release)
    assert recover(installed, release) is None
    recovered = modules(installed.parent)
    assert not any("AddLoss" in path or "distillpatch" in path for path in recovered)
    pip(environment, "install", *NO_INDEX, "--force-reinstall", str(wheel(release)))
    assert modules(installed.parent) == recovered


class Killed(BaseException):
    """The process is dead: from here on, nothing reaches the disk."""


def dying_at(step: str, name: str) -> Callable[[str, Path], None]:
    """Return a failpoint that kills the run at a step, and whatever comes after it."""
    dead = False

    def fail(now: str, place: Path) -> None:
        nonlocal dead
        dead = dead or (now, place.name) == (step, name)
        if dead:
            raise Killed

    return fail


def modules(site: Path) -> Tree:
    """Return all that is installed of the release, but for bytecode."""
    return {
        path: what
        for path, what in everything(site).items()
        if path.startswith("ultralytics") and "__pycache__" not in path
    }

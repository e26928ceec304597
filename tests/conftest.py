"""What several test modules share: real checkouts, a data set to train on, and how hard to search."""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import releases
from failing_reads import Faults
from filelock import FileLock

# A test run looks at the same examples each time, so that it fails for what has changed alone; `make fuzz` looks for
# new ones.
hypothesis.settings.register_profile("test", derandomize=True, deadline=None, max_examples=20)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=500, print_blob=True)
hypothesis.settings.load_profile("test")

# Tests unpack releases by the hundred, and what distillpatch writes is flushed to the disk. In memory that takes a
# fourth of the time; but a container may have next to nothing there.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# A command collects no garbage, since it ends soon. Tests run many in one process, and would spend a quarter of their
# time on looking for garbage among syntax trees.
gc.set_threshold(100_000, 20, 100)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the trainings that `make test` leaves out: those with other releases than one of the core.

    And begin with trainings, which are long, so that no worker is left with one when the others have nothing to do.
    """
    items.sort(key=lambda item: item.get_closest_marker("training") is None)
    trainings = [item for item in items if item.get_closest_marker("training") and release_of(item.nodeid)]
    for item in trainings:
        module, _, test = item.nodeid.partition("[")[0].partition("::")
        core = item.get_closest_marker("training").kwargs.get("core") or _core(module, test, trainings)
        if release_of(item.nodeid) not in core:
            item.add_marker(pytest.mark.slow)


def _core(module: str, test: str, trainings: list[pytest.Item]) -> list[str]:
    """Return the release that `make test` trains with in a test: where possible, that of the whole module."""
    able = {release_of(item.nodeid) for item in trainings if item.nodeid.partition("[")[0] == f"{module}::{test}"}
    chosen = releases.choose(module, releases.CORE)
    return [chosen if chosen in able else releases.choose(module, able.intersection(releases.CORE) or able)]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of one module about one release in one worker, since they look at the same trainings.

    Tests about no release are kept together by function. By file, a worker would be left alone with the longest file;
    and marks of groups have no effect in xdist 3.8 with pytest 9.2. `--dist worksteal` hands out test by test.
    """
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByModuleAndRelease(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            module, _, test = nodeid.partition("::")
            return f"{module} {release_of(nodeid) or test.partition('[')[0]}"

    # By the number of their tests, the longest trainings would come last: many are one test.
    config.option.loadscopereorder = False
    return ByModuleAndRelease(config, log)


def release_of(nodeid: str) -> str:
    """Return the release that a test is about, by its first parameter; "" if it is about none in particular."""
    named = re.search(r"\[(\d+\.\d+\.\d+)", nodeid)
    return named[1] if named else ""


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """Start each test from the same weights and masks, so that it fails for what has changed alone."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture
def checkout(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that unpacks a release into a folder of this test's own, and returns that folder."""
    return lambda version: releases.unpack(version, tmp_path / f"ultralytics-{version}")


@pytest.fixture
def faults(tmp_path: Path) -> Iterator[Faults]:
    """Return what has reads of `tmp_path / "tree"` fail; says at the end how many runs it was used in."""
    faults = Faults(tmp_path / "tree")
    yield faults
    print(f"runs in which reads failed: {faults.played}")


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a release that tests only read."""
    return releases.unpack("8.4.190", tmp_path_factory.mktemp("pristine"))


@pytest.fixture(scope="session")
def patched(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that returns a folder with a patched release, to train with and not to write in.

    All tests of a run share it, those of other test workers as well.
    """
    base = tmp_path_factory.getbasetemp()
    trees = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def tree_of(version: str) -> Path:
        tree = trees / f"patched-{version}"
        with FileLock(trees / f"patched-{version}.lock"):
            if not tree.exists():
                unfinished = releases.unpack(version, trees / f"unfinished-{version}")
                apply = [sys.executable, "-m", "distillpatch", "apply", "--ultralytics-path", str(unfinished)]
                subprocess.run(apply, check=True, capture_output=True)
                unfinished.rename(tree)
        return tree

    return tree_of


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the `data.yaml` of a few small images to train a step on."""
    # Only where there is something to train with.
    from digits import make_digits

    return make_digits(tmp_path_factory.mktemp("digits"), images=20, size=64)


@pytest.fixture(scope="session")
def teach(patched: Callable[[str], Path], digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return a function that runs a lesson on these images with a patched release, in a folder of its own."""
    from lessons import lesson

    def taught(release: str, code: str, **settings: Any) -> Any:
        return lesson(patched(release), tmp_path_factory.mktemp(release), digits, code, **settings)

    return taught

"""Real ultralytics releases: downloaded once from the package index, kept outside the clone, unpacked on demand.

The cache is a folder of ordinary wheels, so it can be filled, looked at and thinned out by hand:

    ~/.cache/distillpatch/wheels/ultralytics-8.4.190-py3-none-any.whl

Run as a script it fills the cache: `python tools/releases.py 8.2.50 8.4.190`, or `all`, or `pinned` (the default).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from zlib import crc32

from filelock import FileLock

OLDEST = "8.0.136"

# A release of every shape, as docs/releases.md calls the ways in which the code was written around what we change.
PINNED = (
    OLDEST,
    "8.0.142",
    "8.0.150",
    "8.0.170",
    "8.0.200",
    "8.0.227",
    "8.1.24",
    "8.2.0",
    "8.2.50",
    "8.2.80",
    "8.2.103",
    "8.3.50",
    "8.3.60",
    "8.3.80",
    "8.3.150",
    "8.3.196",
    "8.3.197",
    "8.3.198",
    "8.3.200",
    "8.3.205",
    "8.3.210",
    "8.3.211",
    "8.3.212",
    "8.3.220",
    "8.3.253",
    "8.4.0",
    "8.4.30",
    "8.4.60",
    "8.4.80",
    "8.4.104",
    "8.4.108",
    "8.4.120",
    "8.4.130",
    "8.4.138",
    "8.4.140",
    "8.4.190",
)

# Those that `make test` trains with, far enough from each other: each module of tests with one of them.
# `make thorough` trains with all.
CORE = (OLDEST, "8.0.150", "8.2.50", "8.3.200", "8.4.190")

NEWEST = CORE[-1]

# A release of every way in which the training loop was written around what we change in it.
TRAINING_LOOPS = ("8.0.150", "8.2.50", "8.3.150", "8.3.200", "8.4.0", "8.4.60", "8.4.190")


def choose(name: str, releases: Iterable[str]) -> str:
    """Return one of some releases by a name: for half of all names the newest, for the others each as often."""
    newest, *others = sorted(releases, key=version_key, reverse=True)
    which, other = divmod(crc32(name.encode()), 2)
    return others[which % len(others)] if other and others else newest


class ReleaseError(Exception):
    """A release that the package index does not give, or an index that does not answer."""


def cache_home() -> Path:
    """Return the folder that outlives the clone: wheels, environments and what else is expensive to fetch."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "distillpatch"


def wheel_path(version: str) -> Path:
    """Return where the wheel of a release lies, or will lie, in the cache."""
    return cache_home() / "wheels" / f"ultralytics-{version}-py3-none-any.whl"


def wheel(version: str) -> Path:
    """Return the wheel of a release, downloaded unless the cache has it.

    One lock for all downloads keeps us to one request at a time however many test workers there are. A wheel gets its
    final name only once it is complete, so an interrupted run leaves nothing that a later one would trust.
    """
    path = wheel_path(version)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / ".lock"):
        if not path.exists():
            _download(version, path)
    return path


def unpack(version: str, into: Path) -> Path:
    """Unpack a release into a folder, which is created, and return that folder: a fresh tree, ours to write in."""
    with zipfile.ZipFile(wheel(version)) as archive:
        archive.extractall(into)
    return into


def read(version: str, paths: Iterable[str]) -> dict[str, bytes | None]:
    """Return the content of some files of a release, None for one that it does not have."""
    with zipfile.ZipFile(wheel(version)) as archive:
        names = set(archive.namelist())
        return {path: archive.read(path) if path in names else None for path in paths}


def all_releases() -> list[str]:
    """Return every release on the package index from the oldest that we support to the newest, oldest first."""
    listing = _pip("index", "versions", "ultralytics")
    match = re.search(r"^Available versions: (.+)$", listing, flags=re.MULTILINE)
    if match is None:
        raise ReleaseError(f"pip lists no releases of ultralytics; it said:\n{listing}")
    # Pre- and post-releases have no place in the matrix, and ultralytics publishes none.
    versions = [version for version in match[1].split(", ") if re.fullmatch(r"\d+(\.\d+){2}", version)]
    return sorted((v for v in versions if version_key(v) >= version_key(OLDEST)), key=version_key)


def version_key(version: str) -> tuple[int, ...]:
    """Return what releases are sorted by."""
    return tuple(int(part) for part in version.split("."))


def _download(version: str, path: Path) -> None:
    """Download one wheel next to its final place, make sure that it is whole, and move it there."""
    partial = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=path.parent))
    try:
        _pip("download", "--no-deps", "--only-binary=:all:", "--dest", str(partial), f"ultralytics=={version}")
        fetched = partial / path.name
        with zipfile.ZipFile(fetched) as archive:
            if damaged := archive.testzip():
                raise ReleaseError(f"the wheel of ultralytics {version} arrived damaged: {damaged}")
        fetched.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _pip(*arguments: str) -> str:
    """Run pip, the one client of the package index here, and return what it prints."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"pip {' '.join(arguments)} failed:\n{done.stderr.strip()}")
    return done.stdout


def main(wanted: list[str]) -> None:
    """Fill the cache, one release at a time, saying so for each that was missing."""
    versions = all_releases() if wanted == ["all"] else list(PINNED) if wanted in ([], ["pinned"]) else wanted
    missing = [version for version in versions if not wheel_path(version).exists()]
    for number, version in enumerate(missing, start=1):
        print(f"[{number}/{len(missing)}] ultralytics {version}", flush=True)
        wheel(version)
    print(f"{len(versions)} releases in {wheel_path(OLDEST).parent}, {len(missing)} of them new")


if __name__ == "__main__":
    main(sys.argv[1:])

"""A small package to write to, a plan for it, and every byte of what lies there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from distillpatch.change import FileChange
from distillpatch.ledger.state import AppliedFile, AppliedSet, State
from distillpatch.tree.files import link_text

RELEASE = "8.2.50"

FILES = {
    "ultralytics/__init__.py": b'__version__ = "8.2.50"\n',
    "ultralytics/cfg/__init__.py": b"def check(args):\r\n    raise SyntaxError(args)\r\n",
    "ultralytics/engine/trainer.py": b"class Trainer:\n    def train(self):\n        loss = 1\n        step(loss)\n",
    "ultralytics/utils/__init__.py": b"",
}
PATCHED = {
    "ultralytics/cfg/__init__.py": b"def check(args):\r\n    pass  # ours\r\n",
    "ultralytics/engine/trainer.py": (
        b"class Trainer:\n    def train(self):\n        loss = 1\n        loss += 2  # ours\n        step(loss)\n"
    ),
    "ultralytics/utils/AddLoss.py": b"class FeatureLoss:\n    pass\n",
}
PLAN = tuple(FileChange(path, FILES.get(path), patched) for path, patched in PATCHED.items())
MODE = 0o640


def patch_sets(digest: str) -> tuple[AppliedSet, ...]:
    """Return one patch set with this digest."""
    return (AppliedSet("distillation", "Teach a student.", digest, {"01-teach.patch": b"# 1  Teach."}),)


STATE = State(
    version="0.1.0",
    patch_sets=patch_sets("0" * 64),
    release=RELEASE,
    applied_at="2026-01-02T03:04:05+00:00",
    files=tuple(
        AppliedFile(change.path, change.before, change.after, None if change.before is None else MODE, None)
        for change in PLAN
    ),
)


Tree = dict[str, tuple[str, bytes | str]]


def plant(root: Path) -> Path:
    """Write the package into a folder, and return where it is."""
    for path, content in FILES.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(MODE)
        os.utime(place, (1_600_000_000, 1_600_000_000))
    return root / "ultralytics"


def everything(root: Path) -> Tree:
    """Return all that lies below a folder: kind and mode, and the content."""
    tree: Tree = {}
    for place in sorted(root.rglob("*")):
        name, mode = place.relative_to(root).as_posix(), f"{place.lstat().st_mode:o}"
        tree[name] = (mode, link_text(place) if place.is_symlink() else b"" if place.is_dir() else place.read_bytes())
    return tree


def copy(source: Path, target: Path) -> Path:
    """Copy a folder with all that lies in it, hard links between its files included; return the copy."""
    names: dict[int, str] = {}

    def copy_or_link(file: str, place: str) -> None:
        known = names.setdefault(os.lstat(file).st_ino, place)
        if known is place:
            shutil.copy2(file, place, follow_symlinks=False)
        else:
            os.link(known, place, follow_symlinks=False)

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True, copy_function=copy_or_link)
    return target


def stamps(root: Path) -> dict[str, tuple[int, ...]]:
    """Return what tells whether anything below a folder was written since: a look at each file, and the folders."""
    found: dict[str, tuple[int, ...]] = {}
    for folder, _, names in os.walk(root):
        found[folder] = ()
        for name in names:
            status = os.lstat(place := os.path.join(folder, name))  # noqa: PTH118 - thousands of times
            found[place] = (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return found


class Fresh:
    """A place that holds a copy of a tree again and again; a copy that nobody has written to is used again.

    Attributes:
        untouched: Whether nothing was written to the copy since it was asked for.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._source: Path | None = None
        self._stamps: dict[str, tuple[int, ...]] = {}

    def __call__(self, source: Path) -> Path:
        if source != self._source or not self.untouched:
            copy(source, self._place)
            self._source, self._stamps = source, stamps(self._place)
        return self._place

    @property
    def untouched(self) -> bool:
        return stamps(self._place) == self._stamps

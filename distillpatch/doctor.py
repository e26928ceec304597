"""What of this machine matters for training with a teacher; read from files, torch and ultralytics are not imported."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from distillpatch import __version__
from distillpatch.commands import examine
from distillpatch.errors import DistillpatchError
from distillpatch.tree.checkout import NEWEST_TESTED, is_newer_than_tested, locate
from distillpatch.tree.environment import Place, first_holding, import_places, read_text, version_of

_OLDEST_TORCH = (1, 13)
_OLDEST_PYTHON = (3, 8)
_OWN_PACKAGES = ("click", "libcst", "merge3", "PyYAML", "rich")


@dataclass(frozen=True)
class Finding:
    """One fact.

    Attributes:
        name: What it is about.
        value: What was found.
        problem: What is wrong with it and what to do, empty if nothing is.
    """

    name: str
    value: str
    problem: str = ""


def diagnose(variables: Mapping[str, str], path: Path | None = None) -> list[Finding]:
    """Return what matters, in the order in which a person would ask.

    Args:
        variables: The process's environment variables.
        path: A checkout to look at as well; None for one that is near the current folder.
    """
    places = import_places(variables)
    own = ", ".join(f"{name} {_own_version(name)}" for name in _OWN_PACKAGES)
    found = [
        Finding("distillpatch", f"{__version__} on Python {platform.python_version()}, {sys.executable}"),
        Finding("its packages", own),
        Finding("system", f"{platform.system()} {platform.release()}, {platform.machine()}"),
        *_checkout(path),
        *_ultralytics(places),
    ]
    folders = [folder for place in places for folder in place.folders]
    return [*found, _python(folders), *_torch(folders), _gpu()]


def _checkout(path: Path | None) -> Iterator[Finding]:
    """Yield the checkout that the other commands would work on, if one is named or the current folder has one."""
    try:
        checkout = locate(path, Path.cwd(), (), "PATH")
    except (DistillpatchError, OSError) as error:
        if path is not None:
            yield Finding("this checkout", "none", str(error))
        return
    standing = _standing(checkout.package)
    yield Finding("this checkout", f"{checkout.release} at {checkout.package} ({checkout.found}): {standing}")


def _ultralytics(places: Sequence[Place]) -> Iterator[Finding]:
    place = first_holding(places)
    if place is None:
        yield Finding(
            "ultralytics", "not found where Python looks", "pip install ultralytics, or put a checkout on PYTHONPATH."
        )
        return
    release = version_of(place.package) or "?"
    tested = f"Newer than {NEWEST_TESTED}, the newest that was tested." if is_newer_than_tested(release) else ""
    yield Finding("ultralytics", f"{release} at {place.package}, imported from {place.name}", tested)
    for other in places:
        for root in other.roots:
            if root != place.roots[0]:
                yield Finding("", f"another one, not imported: {root / 'ultralytics'}")
    yield Finding("status", _standing(place.package))
    upstream = (place.package / "nn" / "distill_model.py").is_file()
    yield Finding("upstream's own", "has distill_model=" if upstream else "this release has no distill_model=")


def _standing(package: Path) -> str:
    """Return what a checkout is to distillpatch, in the words of status."""
    try:
        return examine(locate(package, Path.cwd(), ())).standing.value
    except (DistillpatchError, OSError):
        return "cannot be told; distillpatch status says why"


def _python(folders: Sequence[Path]) -> Finding:
    """Return which Python trains, by the folder that it keeps its packages in."""
    numbers = [found[1] for folder in folders if (found := re.search(r"python(3\.\d+)[/\\]", f"{folder}/"))]
    if not numbers:
        return Finding("Python that trains", "unknown")
    version = tuple(map(int, numbers[0].split(".")))
    return Finding("Python that trains", numbers[0], "" if version >= _OLDEST_PYTHON else "Expected 3.8 or newer.")


def _torch(folders: Sequence[Path]) -> Iterator[Finding]:
    for folder in folders:
        for metadata in sorted(folder.glob("torch-*.dist-info/METADATA")):
            version = (re.search(r"(?m)^Version: (\S+)", read_text(metadata)[:65536]) or ["", "?"])[1]
            numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
            problem = "" if numbers >= _OLDEST_TORCH else "Expected 1.13 or newer: pip install --upgrade torch"
            yield Finding("PyTorch", f"{version} in {folder}", problem)
            built = re.search(r"(?m)^cuda\b.*= *'([\d.]+)'", read_text(folder / "torch" / "version.py"))
            yield Finding("CUDA of PyTorch", built[1] if built else "none, this PyTorch trains on the CPU")
            return
    yield Finding("PyTorch", "not found", "Training needs it: pip install torch torchvision")


def _gpu() -> Finding:
    driver = re.search(r"Module +(\S+)", read_text(Path("/proc/driver/nvidia/version")))
    devices = len(list(Path("/proc/driver/nvidia/gpus").glob("*"))) if driver else 0
    return Finding("NVIDIA driver", f"{driver[1]}, GPUs: {devices}" if driver else "not found")


def _own_version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return "?"

"""Which ultralytics to work on; found by reading files, never by importing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from distillpatch.errors import DistillpatchError
from distillpatch.tree.environment import PACKAGE, Place, first_holding, is_package, version_of
from distillpatch.tree.files import cannot_be_imported

NEWEST_TESTED = "8.4.190"
"""The newest release in docs/releases.md."""


_TRAINER = Path("engine", "trainer.py")
_EXPECTED = "Name a checkout, the ultralytics folder in it, or a site-packages folder: distillpatch status PATH"


class CheckoutError(DistillpatchError):
    """There is no checkout to work on, or no telling which."""


@dataclass(frozen=True)
class Checkout:
    """An ultralytics package on disk.

    Attributes:
        root: The folder that holds the package; paths of the patch set are relative to it.
        release: The version that its ``__init__.py`` states.
        found: How it was chosen, for the user.
        is_named: Whether the user named it, so that a search may lead to another one.
    """

    root: Path
    release: str
    found: str
    is_named: bool

    @property
    def package(self) -> Path:
        """The package's own folder."""
        return self.root / PACKAGE

    @property
    def release_name(self) -> str:
        """The release by name and number, for messages."""
        return f"{PACKAGE} {self.release}"


def locate(path: Path | None, cwd: Path, places: Sequence[Place], named_by: str = "--ultralytics-path") -> Checkout:
    """Return the checkout to work on.

    Args:
        path: What the user named: a checkout's root, the package folder, or a site-packages folder; None to search.
        cwd: The current folder. A search begins with the checkout that contains it, and those that it contains.
        places: Where to search next: the first that holds an ultralytics is the one.
        named_by: How the user named it, for messages.

    Raises:
        CheckoutError: If there is none, or several equally good ones; tells what was looked at.
    """
    if path is not None:
        return _named(path, named_by)
    for folder in (cwd, *cwd.parents):
        if is_package(folder / PACKAGE):
            return _checkout(folder, "contains the current folder")
    near = Place(f"the current folder, {cwd},", tuple(_folders_in(cwd)))
    place = near if near.roots else first_holding(places)
    if place is None:
        raise _none_found((Place("the current folder, those above it and those in it", (cwd,)), *places))
    if len(place.roots) > 1:
        raise _several_found(place, "" if place is near else ", of which Python imports the first")
    return _checkout(place.roots[0], "found in the current folder" if place is near else f"found in {place.name}")


def is_newer_than_tested(release: str) -> bool:
    """Return whether a release is newer than every release that distillpatch was tested with."""
    return _numbers(release) > _numbers(NEWEST_TESTED)


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in release.split(".")[:3])


def _folders_in(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(Path(entry.path) for entry in entries if _is_folder(entry))
    except OSError as error:
        if not cannot_be_imported(error):  # a folder may be entered and not listed
            raise


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _named(path: Path, named_by: str) -> Checkout:
    if not os.path.lexists(path):
        path = Path(os.path.expanduser(path))  # noqa: PTH111 - Path's raises where there is no such user
    root = Path(os.path.realpath(path))  # unlike resolve(), takes a link to itself for what does not exist
    # The package folder itself may be a link to a folder of any name.
    holders = (Path(os.path.realpath(place.parent)) for place in (root, path) if place.name == PACKAGE)
    for candidate in (root, *holders):
        if _is_readable_package(candidate, path, root):
            return _checkout(candidate, f"named by {named_by}", is_named=True)
    _check_folder(path, root)
    for trainer in (root / _TRAINER, *sorted(root.glob(f"*/{_TRAINER}"))):
        package = trainer.parent.parent
        if trainer.is_file() and (version := version_of(package)):
            raise CheckoutError(
                f"{package} is a package like ultralytics {version}, but of another name. distillpatch changes a "
                f"package whose folder, and whose imports of itself, are named {PACKAGE}: give it that name, in its "
                "imports as well, and name it again."
            )
    raise CheckoutError(
        f"{path} is not an ultralytics checkout: expected {PACKAGE}/__init__.py in it, stating a version. {_EXPECTED}"
    )


def _is_readable_package(candidate: Path, path: Path, root: Path) -> bool:
    try:
        return version_of(candidate / PACKAGE, is_named=True) is not None
    except PermissionError as error:
        _check_folder(path, root)  # which may know better what is closed
        raise _closed(error.filename) from error


def _closed(place: object) -> CheckoutError:
    return CheckoutError(
        f"{place} cannot be read: Permission denied. Run distillpatch as a user who may read it, or get the permission "
        "from its owner."
    )


def _check_folder(path: Path, root: Path) -> None:
    """Raise if what the user named is no folder, or one that cannot be looked into."""
    try:
        is_folder = stat.S_ISDIR(os.stat(root).st_mode)  # noqa: PTH116 - root may be a link to itself
        blocked = [place for place in (root, root / PACKAGE) if is_folder and not _is_open(place)]
    except OSError as error:
        if not isinstance(error, PermissionError):
            raise CheckoutError(f"{path} does not exist. {_EXPECTED}") from error
        is_folder, blocked = True, [root]
    if not is_folder:
        raise CheckoutError(f"{path} is a file: expected a folder. {_EXPECTED}")
    if blocked:
        raise _closed(blocked[0])


def _is_open(folder: Path) -> bool:
    """Return whether a folder may be looked into, or does not exist."""
    return os.access(folder, os.R_OK | os.X_OK) or not os.path.lexists(folder)


def _none_found(places: Iterable[Place]) -> CheckoutError:
    looked_at = "\n".join("\n    ".join([f"  {place.name}", *map(str, place.folders)]) for place in places)
    return CheckoutError(f"found no ultralytics. Looked at\n{looked_at}\n{_EXPECTED}")


def _several_found(place: Place, which: str) -> CheckoutError:
    several = "\n".join(f"  {root / PACKAGE}" for root in place.roots)
    return CheckoutError(
        f"{place.name} holds more than one ultralytics{which}:\n{several}\n"
        "Name the one to use, for example: distillpatch status PATH"
    )


def _checkout(root: Path, found: str, *, is_named: bool = False) -> Checkout:
    root = root.resolve()
    release = version_of(root / PACKAGE, is_named=True)
    if release is None:
        raise CheckoutError(
            f"{root / PACKAGE / '__init__.py'} stated a version a moment ago and no longer does: something else is "
            "changing the package. Nothing was changed; run the command again when that is done."
        )
    if (root / PACKAGE / "yolo" / "engine").is_dir() and not (root / PACKAGE / _TRAINER).is_file():
        raise CheckoutError(
            f"{root / PACKAGE} is ultralytics {release}, whose trainer is still under ultralytics/yolo/. "
            "distillpatch works from 8.0.136 on: upgrade ultralytics."
        )
    return Checkout(root, release, found, is_named)

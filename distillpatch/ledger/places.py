"""Which places distillpatch touches: files of the package, the RECORD of its installation, and a folder of its own."""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from distillpatch.errors import DistillpatchError
from distillpatch.tree.files import NotRegularError, exists, is_folder, is_link, link_text, look, read_regular, walk

STATE_DIR = ".distillpatch"
STATE_FILE = "state.json"
IGNORE_FILE = ".gitignore"
ORIGINALS = "originals"

# The folder in it of a run that is under way, or was interrupted, and what that holds.
RUN = "run"
BEFORE = "before"
AFTER = "after"
JOURNAL = "journal.json"
DONE = "done"

# A source file of ultralytics has some 50 KB; this only keeps a hostile tree from filling the memory.
MAX_FILE = 16 * 2**20  # the state included


class StateError(DistillpatchError):
    """The state kept in the package cannot be used."""


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def free_name(place: Path) -> Path:
    """Return a name beside a file under which its edited version can be kept, and which nothing has yet."""
    name, number = place.with_name(f"{place.name}.edited"), 1
    while exists(name):
        number += 1
        name = place.with_name(f"{place.name}.edited{number}")
    return name


def kept_original(package: str, path: str) -> str:
    """Return the path at which the original of a file is kept, relative to the folder that holds the package."""
    return f"{package}/{STATE_DIR}/{ORIGINALS}/{path}"


def own_files(package: str, kept: Iterable[str]) -> Iterator[str]:
    """List the files that keep a state: its own, and the originals of some files.

    Args:
        package: The package's name.
        kept: The files, relative to the folder that holds the package.
    """
    yield f"{package}/{STATE_DIR}/{IGNORE_FILE}"
    yield f"{package}/{STATE_DIR}/{STATE_FILE}"
    for path in kept:
        yield kept_original(package, path)


def locate(package_dir: Path, path: str) -> Path:
    """Return the place of a file of the tree, after making sure that it is in the package.

    Args:
        package_dir: The package, absolute.
        path: The file, relative to the folder that holds the package; one of the package, or its installed RECORD.

    Returns:
        The absolute path, none of whose folders below the package is a symbolic link.

    Raises:
        DistillpatchError: The path leads out of the package.
        OSError: One of the folders cannot be looked at.
    """
    try:
        check_path(package_dir.name, path)
    except ValueError as error:
        raise DistillpatchError(f"Refused to touch a file outside {package_dir}: {error}.") from error
    *folders, _ = PurePosixPath(path).parts
    place = package_dir.parent
    for folder in folders:
        place /= folder
        # The package itself may be a link: that is where the user keeps it.
        if place != package_dir and is_link(place):
            raise DistillpatchError(
                f"{place} is a symbolic link to {link_text(place)}. distillpatch writes to real folders only: "
                "replace the link by the folder itself."
            )
    return package_dir.parent / path


def check_path(package: str, path: str) -> None:
    """Make sure that a path names a file of the package, or the RECORD of its installation.

    Args:
        package: The package's name.
        path: The path, relative to the folder that holds the package.

    Raises:
        ValueError: It names anything else.
    """
    parts = path.split("/")
    plain = path.isprintable() and not any(char in path for char in '\\:*?"<>|')
    # Nor is "." or "..", nor what Windows takes for another name: it drops dots and spaces at the end.
    if not plain or any(not part or part[-1] in ". " for part in parts):
        raise ValueError(f"{path!r} is not a plain relative path")
    record = re.compile(re.escape(package) + r"-[^/]+\.dist-info/RECORD")
    if not (parts[0] == package and len(parts) > 1) and not record.fullmatch(path):
        raise ValueError(f"{path!r} is not a file of {package}")


def current(package_dir: Path, path: str) -> bytes | None:
    """Read a file of the tree as it is now, through a symbolic link if it is one.

    Args:
        package_dir: The package, absolute.
        path: The file, relative to the folder that holds the package.

    Returns:
        Its content, or None if there is no such file.

    Raises:
        DistillpatchError: It leads out of the package, or is not a regular file.
        OSError: It cannot be read.
    """
    place = locate(package_dir, path)
    try:
        return read_regular(place, MAX_FILE, through_link=True)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except NotRegularError as error:
        raise DistillpatchError(f"{place}: {error.strerror}. Restore the release's own file.") from error


def state_dir(package_dir: Path) -> Path:
    """Return the folder of the state, after making sure that it is a real folder if it exists.

    Raises:
        StateError: Something else is there.
        OSError: It cannot be looked at.
    """
    folder = package_dir / STATE_DIR
    status = look(folder)  # once: between two looks another process that is done may remove the folder
    if status is not None and not stat.S_ISDIR(status.st_mode):
        raise StateError(f"{folder} should be a folder of distillpatch's own, and is not: move it away.")
    return folder


def holds_files(folder: Path) -> bool:
    """Return whether there is any file below a folder, which need not exist."""
    return is_folder(folder) and any(not is_real_folder for _, is_real_folder in walk(folder))

"""What was applied to a checkout: the state kept inside the package is read, checked and described here.

Nothing in this module writes. `transaction` puts the state in place, as one more step of the run that it describes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shlex
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from pathlib import Path, PurePosixPath

from distillpatch import __version__
from distillpatch.change import FileChange
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.json_fields import field, line, optional
from distillpatch.tree.files import NotOrdinaryError, read_ordinary

FORMAT = 1
STATE_DIR = ".distillpatch"
STATE_FILE = "state.json"
IGNORE_FILE = ".gitignore"
ORIGINALS = "originals"

# A source file of ultralytics has some 50 KB; these only keep a hostile tree from filling the memory.
MAX_FILE = 16 * 2**20  # the state included
_MAX_CONTENT = 64 * 2**20  # of all files of a state together, unpacked

_WORD = re.compile(rb"\w+")


class StateError(DistillpatchError):
    """The state kept in the package cannot be used."""


class NewerStateError(StateError):
    """The state was written by a distillpatch newer than this one."""


class Condition(Enum):
    """What became of a file since it was patched."""

    INTACT = "as patched"
    EDITED = "edited since"
    RESTORED = "as it was before"
    MISSING = "missing"
    OVERWRITTEN = "replaced since, with nothing of ours in it"


@dataclass(frozen=True)
class AppliedFile:
    """One file as it was before `apply` and as `apply` left it.

    Attributes:
        path: The file, relative to the folder that holds the package, with forward slashes.
        original: Its content before, or None if it was created.
        patched: Its content afterwards, or None if it was removed.
        mode: Its permission bits before, or None if it was created.
        link: What it pointed to if it was a symbolic link, or None.
    """

    path: str
    original: bytes | None
    patched: bytes | None
    mode: int | None
    link: str | None


@dataclass(frozen=True)
class State:
    """What was applied to a package.

    Attributes:
        version: The distillpatch that applied it.
        patch_set: The digest of its patch set.
        release: The ultralytics release that it was applied to.
        applied_at: When, in ISO 8601 and UTC.
        files: The files that it changed.
    """

    version: str
    patch_set: str
    release: str
    applied_at: str
    files: tuple[AppliedFile, ...]

    def file(self, path: str) -> AppliedFile | None:
        """Return what is known of one file, or None if it was not touched."""
        return next((file for file in self.files if file.path == path), None)

    def original(self, path: str) -> bytes | None:
        """Return a file's content before `apply`, or None if `apply` created it or never touched it."""
        file = self.file(path)
        return file.original if file else None

    def patched(self, path: str) -> bytes | None:
        """Return a file's content as `apply` left it, or None if `apply` never touched it."""
        file = self.file(path)
        return file.patched if file else None


def describe(
    package_dir: Path, plan: Sequence[FileChange], *, release: str, patch_set: str, previous: State | None = None
) -> State:
    """Describe a plan that is about to be committed, as the state to keep.

    Args:
        package_dir: The package, absolute.
        plan: The files from the text that the plan was made from to the patched one.
        release: The ultralytics release in the tree.
        patch_set: The digest of the patch set.
        previous: The state that an older distillpatch left, when this run upgrades the tree.

    Returns:
        The state, dated now.

    Raises:
        StateError: The record could not be read back: the tree holds something that no release does.
        DistillpatchError: A file cannot be read.
    """
    state = State(
        version=__version__,
        patch_set=patch_set,
        release=release,
        applied_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        files=tuple(_describe_file(package_dir, change, previous) for change in plan),
    )
    try:
        text = to_json(state)
        if len(text) > MAX_FILE:
            raise ValueError("it is larger than any release's")
        _parse(json.loads(text), package_dir)
    except (ValueError, zlib.error) as error:
        raise StateError(f"What would be applied to {package_dir} cannot be put on record: {error}.") from error
    return state


def _describe_file(package_dir: Path, change: FileChange, previous: State | None) -> AppliedFile:
    mode = link = None
    known = previous.file(change.path) if previous else None
    if known is not None and current(package_dir, change.path) != change.before:
        # What lies there is an older distillpatch's: the original's facts are in its state.
        mode = known.mode
        link = known.link if known.original == change.before else None
    elif change.before is not None:
        place = locate(package_dir, change.path)
        mode = place.stat().st_mode & 0o777
        link = link_text(place) if place.is_symlink() else None
    return AppliedFile(change.path, change.before, change.after, mode, link)


def survey(package_dir: Path, state: State, release: str) -> dict[str, Condition]:
    """Tell what became of each file of the state.

    Args:
        package_dir: The package, absolute.
        state: What was applied.
        release: The ultralytics release that is in the tree now.

    Returns:
        The condition of each file, by path.

    Raises:
        DistillpatchError: A file cannot be read.
    """
    return {file.path: _condition(file, current(package_dir, file.path), state, release) for file in state.files}


def _condition(file: AppliedFile, now: bytes | None, state: State, release: str) -> Condition:
    if now == file.patched:
        return Condition.INTACT
    if now == file.original:
        return Condition.RESTORED
    if now is None:
        return Condition.MISSING
    marks = _marks(file, state)
    ours, found = _marked_lines(file.patched, marks), _marked_lines(now, marks)
    # Another release may have one of the words by itself, though hardly the whole line. In the same one a word is
    # enough, for the line may have been edited; without a word to look for, there is no telling that ours are gone.
    ours_is_there = bool(found) or not ours if release == state.release else not ours.isdisjoint(found)
    return Condition.EDITED if ours_is_there else Condition.OVERWRITTEN


def _marks(file: AppliedFile, state: State) -> Set[bytes]:
    """Return the words that came to a file with what was applied, and that no file had before."""
    originals = (known.original or b"" for known in state.files)
    return set(_WORD.findall(file.patched or b"")).difference(*map(_WORD.findall, originals))


def _marked_lines(content: bytes | None, marks: Set[bytes]) -> set[bytes]:
    """Return the lines that have such a word: any other that was added, such as `else:`, may be anybody's."""
    lines = {line.strip() for line in (content or b"").splitlines()}
    return {line for line in lines if not marks.isdisjoint(_WORD.findall(line))}


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def free_name(place: Path) -> Path:
    """Return a name beside a file under which its edited version can be kept, and which nothing has yet."""
    name, number = place.with_name(f"{place.name}.edited"), 1
    while os.path.lexists(name):
        number += 1
        name = place.with_name(f"{place.name}.edited{number}")
    return name


def link_text(place: Path) -> str:
    """Return what a symbolic link says, to the letter."""
    return os.readlink(place)  # noqa: PTH115 - Path.readlink() would tidy up ./a//b


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
    """Return the place of a file of the tree, after making sure that it lies in the package.

    Args:
        package_dir: The package, absolute.
        path: The file, relative to the folder that holds the package; one of the package, or its installed RECORD.

    Returns:
        The absolute path, none of whose folders below the package is a symbolic link.

    Raises:
        DistillpatchError: The path leads out of the package.
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
        if place != package_dir and place.is_symlink():
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
        DistillpatchError: It leads out of the package, is no ordinary file, or cannot be read.
    """
    place = locate(package_dir, path)
    try:
        return read_ordinary(place, MAX_FILE, through_link=True)
    except FileNotFoundError:
        return None
    except NotOrdinaryError as error:
        raise DistillpatchError(f"{place}: {error.strerror}. Put the release's own file back.") from error
    except OSError as error:
        raise DistillpatchError(f"Cannot read {place}: {error.strerror or error}.") from error


def state_dir(package_dir: Path) -> Path:
    """Return the folder of the state, after making sure that it is a real folder if it exists.

    Raises:
        StateError: Something else lies there.
    """
    folder = package_dir / STATE_DIR
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise StateError(f"{folder} should be a folder of distillpatch's own, and is not: move it away.")
    return folder


def read_state(package_dir: Path) -> State | None:
    """Read what was applied to a package.

    Args:
        package_dir: The package, absolute.

    Returns:
        The state, or None if nothing was applied.

    Raises:
        NewerStateError: It was written in a format that this distillpatch does not know.
        StateError: It was truncated, tampered with, or lost.
    """
    file = state_dir(package_dir) / STATE_FILE
    try:
        return _parse(json.loads(read_ordinary(file, MAX_FILE)), package_dir)
    except FileNotFoundError:
        _refuse_lost_state(package_dir)
        return None
    except (NotOrdinaryError, ValueError, RecursionError, zlib.error) as error:
        raise StateError(
            f"{file} was damaged or changed by something else ({error}), so distillpatch no longer knows what it had "
            f"changed, and touches nothing. To take it back by hand, {way_back(package_dir)}."
        ) from error
    except OSError as error:
        raise StateError(f"Cannot read {file}: {error.strerror or error}.") from error


def _refuse_lost_state(package_dir: Path) -> None:
    folder = package_dir / STATE_DIR
    if _holds_files(folder / ORIGINALS):
        raise StateError(
            f"{folder / STATE_FILE} is missing, though {folder / ORIGINALS} still holds the originals of what was "
            "patched. distillpatch no longer knows what it had changed, and touches nothing. Bring the file back, or "
            f"{way_back(package_dir)}."
        )


def way_back(package_dir: Path) -> str:
    """Say what to do by hand where there is no telling what was changed: the originals hold the user's own edits."""
    folder = package_dir / STATE_DIR
    originals = folder / ORIGINALS
    if _holds_files(originals):
        command = shlex.join(["cp", "-R", f"{originals}/.", str(package_dir.parent)])
        return f"copy the originals to where they were ({command}), delete the files that were added, then {folder}"
    return f"put the release's own files back (pip install --force-reinstall, or git checkout), then delete {folder}"


def _holds_files(folder: Path) -> bool:
    return any(names for _, _, names in os.walk(folder))


def refuse_newer(version: str) -> None:
    """Refuse to touch what a newer distillpatch wrote.

    Args:
        version: That of the distillpatch which wrote it.

    Raises:
        NewerStateError: It is newer than this one.
    """
    if _release_number(version) > _release_number(__version__):
        raise newer(version)


def newer(version: str) -> NewerStateError:
    """Return the error that a newer distillpatch has been at work."""
    return NewerStateError(
        f"This tree was patched by distillpatch {version}, and this is {__version__}, which is older: "
        "use the newer one (pip install --upgrade distillpatch)."
    )


def _release_number(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in version.split("+")[0].split(".") if number.isdecimal()]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def to_json(state: State) -> bytes:
    """Write a state down, in the form that `read_state` reads."""
    record = {
        "format": FORMAT,
        "distillpatch": state.version,
        "patch_set": state.patch_set,
        "release": state.release,
        "applied_at": state.applied_at,
        "files": [
            {
                "path": file.path,
                "original": _pack(file.original),
                "patched": _pack(file.patched),
                "mode": file.mode,
                "link": file.link,
            }
            for file in state.files
        ],
    }
    return json.dumps(record, indent=1).encode() + b"\n"


def _pack(content: bytes | None) -> dict[str, str] | None:
    if content is None:
        return None
    return {"sha256": sha256(content), "zlib": base64.b64encode(zlib.compress(content, 9)).decode()}


def _parse(record: object, package_dir: Path) -> State:
    version = line(record, "distillpatch")
    if field(record, "format", int) > FORMAT:
        raise newer(version)
    applied_at = line(record, "applied_at")
    if datetime.fromisoformat(applied_at).tzinfo is None:
        raise ValueError("its date has no time zone")
    unpack = _Unpacker(_MAX_CONTENT)
    files = tuple(_parse_file(file, package_dir.name, unpack) for file in field(record, "files", list))
    if len({file.path for file in files}) != len(files):
        raise ValueError("it names a file twice")
    return State(version, line(record, "patch_set"), line(record, "release"), applied_at, files)


def _parse_file(record: object, package: str, unpack: _Unpacker) -> AppliedFile:
    path = line(record, "path")
    check_path(package, path)
    if path.split("/")[1].casefold() == STATE_DIR:  # which is one folder where case does not matter
        raise ValueError(f"{path!r} is part of the state itself")
    mode = optional(record, "mode", int)
    if mode is not None and not 0 <= mode <= 0o777:
        raise ValueError(f"the mode of {path!r} is out of range")
    link = optional(record, "link", str)
    if link is not None and (not link or b"\0" in os.fsencode(link)):
        raise ValueError(f"the link of {path!r} is not a path")
    original, patched = unpack(record, "original"), unpack(record, "patched")
    if (original is None) != (mode is None):
        raise ValueError(f"the mode of {path!r} does not fit")
    return AppliedFile(path, original, patched, mode, link)


class _Unpacker:
    """Unpacks contents that have no more than so many bytes together: a few bytes can hold the zeros of a gigabyte."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def __call__(self, record: object, key: str) -> bytes | None:
        packed = optional(record, key, dict)
        if packed is None:
            return None
        unpacker = zlib.decompressobj()
        data = base64.b64decode(field(packed, "zlib", str), validate=True)
        content = unpacker.decompress(data, self._left + 1)
        self._left -= len(content)
        if self._left < 0:
            raise ValueError("it holds more than any release does")
        if not unpacker.eof or sha256(content) != field(packed, "sha256", str):
            raise ValueError(f"the {key} content does not match its checksum")
        return content

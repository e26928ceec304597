"""Keep the RECORD of an installed ultralytics true, so that its package manager removes what distillpatch added.

A RECORD lists every file of an installation as `path,hash,size`:
https://packaging.python.org/en/latest/specifications/recording-installed-packages/
A plain checkout and an editable installation have none that lists the package's files: there is nothing to keep.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from distillpatch.change import FileChange
from distillpatch.errors import DistillpatchError
from distillpatch.ledger.places import own_files
from distillpatch.tree.files import names_in

Read = Callable[[str], bytes | None]


def record_changes(package_dir: Path, plan: Sequence[FileChange], read: Read) -> tuple[FileChange, ...]:
    """Bring the RECORD of an installed package in line with a plan.

    Args:
        package_dir: The package, absolute.
        plan: What is about to be applied.
        read: Returns the text to plan from, by path: the same that the plan was made from.

    Returns:
        The change of the RECORD, to be committed with the plan; none where there is no RECORD of the package.

    Raises:
        DistillpatchError: A RECORD cannot be read.
    """
    package = package_dir.name
    names = names_in(package_dir.parent)
    paths = [f"{name}/RECORD" for name in names if name.startswith(f"{package}-") and name.endswith(".dist-info")]
    records = [
        (path, text) for path in paths if (text := read(path)) and f"{package}/__init__.py" in _listed(path, text)
    ]
    return tuple(FileChange(path, text, _updated(path, text, package, plan)) for path, text in records)


def _updated(path: str, record: bytes, package: str, plan: Sequence[FileChange]) -> bytes:
    rows = {change.path: _row(change.path, change.after) for change in plan if change.after is not None}
    # The state's own files; their hashes stay out, for the state in turn holds the RECORD.
    kept = [path, *(change.path for change in plan if change.before is not None)]
    rows |= {own: _row(own, None) for own in own_files(package, kept)}
    lines = record.splitlines(keepends=True)
    end = b"\r\n" if lines[0].endswith(b"\r\n") else b"\n"
    if not lines[-1].endswith(b"\n"):
        lines[-1] += end
    listed = _listed(path, record)
    updated = [rows.pop(name) + end if name in rows else line for name, line in zip(listed, lines, strict=True)]
    return b"".join(updated) + b"".join(row + end for row in rows.values())


def _listed(path: str, record: bytes) -> list[str]:
    """Return the path in each line of a RECORD."""
    try:
        return ["".join(next(csv.reader([line.decode()]), [])[:1]) for line in record.splitlines()]
    except (ValueError, csv.Error) as error:
        raise DistillpatchError(
            f"{path} is not the RECORD of an installation: {error}. Reinstall the package."
        ) from error


def _row(path: str, content: bytes | None) -> bytes:
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow([path, *_hash_and_size(content)])
    return row.getvalue().encode()


def _hash_and_size(content: bytes | None) -> tuple[str, int | str]:
    if content is None:
        return "", ""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={digest}", len(content)

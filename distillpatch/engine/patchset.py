"""The patch set: what to change, parsed from the files of a folder.

The notation is explained in ``patches/README.md``. In short: a modification is a file; it has hunks, all of which must
land; a hunk has alternatives, tried in order, of which one must; an alternative is a path, a scope, and a diff whose
context and ``-`` lines are a pattern. Files in, patch set out: where the files come from is not known here.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from distillpatch.engine.modification import Modification, NewFile
from distillpatch.engine.notation import PatchSetError, Reader
from distillpatch.errors import DistillpatchError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DESCRIPTION = "patchset.toml"
"""The file in which a patch set may give its name, its title and the package that it changes."""

_FILE_NAME = re.compile(r"(?P<number>\d\d)-[a-z0-9-]+\.patch")


@dataclass(frozen=True)
class PatchSet:
    """Modifications that are applied together.

    Attributes:
        name: What commands call it.
        title: What it does, in one sentence; the name if nothing says more.
        package: The package that it changes, in whose folder all its paths are; None for any.
        modifications: The modifications, in order.
        files: The files that it was parsed from: parsing them again, with the same name, gives the same patch set.
    """

    name: str
    title: str
    package: str | None
    modifications: tuple[Modification, ...]
    files: Mapping[str, bytes]

    @cached_property
    def digest(self) -> str:
        """A digest that changes when any of its files does."""
        digest = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()

    @cached_property
    def new_files(self) -> tuple[NewFile, ...]:
        """The files that its modifications add."""
        return tuple(new_file for modification in self.modifications for new_file in modification.new_files)

    @cached_property
    def edited_files(self) -> tuple[str, ...]:
        """The files that hunks edit, in the order of their first mention."""
        paths = [
            alternative.path
            for modification in self.modifications
            for hunk in modification.hunks
            for alternative in hunk.alternatives
        ]
        return tuple(dict.fromkeys(paths))

    def only(self, number: int) -> PatchSet:
        """Return the patch set with one of its modifications.

        Raises:
            DistillpatchError: If it has none of that number.
        """
        chosen = tuple(modification for modification in self.modifications if modification.number == number)
        if not chosen:
            known = ", ".join(str(modification.number) for modification in self.modifications)
            raise DistillpatchError(f"no modification {number}: expected one of {known}.")
        return replace(self, modifications=chosen)


def parse(files: Mapping[str, bytes], name: str, package: str | None = None) -> PatchSet:
    """Parse a patch set.

    Args:
        files: The content of each file of a folder: ``NN-name.patch``, the files that these add, and ``patchset.toml``
            if there is one. Others are not looked into.
        name: Its name, unless ``patchset.toml`` gives one.
        package: The package that it has to change, or None for any.

    Raises:
        PatchSetError: If a file breaks the notation.
    """
    found = {file: match for file in files if (match := _FILE_NAME.fullmatch(file))}
    if not found:
        raise PatchSetError(
            f"{name}: expected a file named NN-name.patch, such as 01-{name}.patch, found none. Name the folder that "
            "has the patches."
        )
    used = {DESCRIPTION: files[DESCRIPTION]} if DESCRIPTION in files else {}
    described = _described(used[DESCRIPTION]) if used else {}
    package = described.get("package", package)
    modifications = []
    for number, file in enumerate(sorted(found), start=1):
        if int(found[file]["number"]) != number:
            raise PatchSetError(f"{file}: expected number {number:02}, the modifications are numbered without gaps")
        reader = Reader(files, file, package)
        modifications.append(reader.modification(number))
        used |= reader.used
    name = described.get("name", name)
    return PatchSet(name, described.get("title", name), package, tuple(modifications), used)


def _described(content: bytes) -> Mapping[str, str]:
    """Return what ``patchset.toml`` says."""
    try:
        described = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PatchSetError(f"{DESCRIPTION}: expected TOML in UTF-8: {error}") from error
    for key, value in described.items():
        if key not in ("name", "title", "package"):
            raise PatchSetError(f"{DESCRIPTION}: expected 'name', 'title' or 'package', found {key!r}")
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise PatchSetError(f'{DESCRIPTION}: expected {key} = "some text", on one line, found {value!r}')
    return described

"""A file before and after a run: what plans are made of, and all that the writer needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileChange:
    """One file before and after a run.

    Attributes:
        path: The file, relative to the folder that holds the package, with forward slashes.
        before: Its content before the run, or None if the file does not exist yet.
        after: Its content after the run, or None if the run removes the file.
        like: The file whose permissions a new one gets, or None for those that new files get.
    """

    path: str
    before: bytes | None
    after: bytes | None
    like: str | None = None

"""An edit as somebody makes it by hand: where it is made, and how it is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

Files = Mapping[str, bytes | None]


@dataclass(frozen=True)
class Place:
    """Where people edit.

    Attributes:
        path: The file.
        found: A regular expression, in which ``^`` and ``$`` are those of a line. Its group ``here`` is replaced, with
            lines if there is a group ``indent``.
    """

    path: str
    found: str

    def search(self, files: Files) -> re.Match[str] | None:
        """Return the place in a release, None if the release has no such place."""
        return re.search(self.found, (files[self.path] or b"").decode(), re.MULTILINE)


@dataclass(frozen=True)
class Spelling:
    """What people put at a place."""

    place: Place
    code: str

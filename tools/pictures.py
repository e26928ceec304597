"""The pictures in docs/pictures: what real commands print about a real release, drawn by rich as SVG.

    python tools/pictures.py [FOLDER]     # docs/pictures by default

A picture loads nothing from elsewhere, and a test compares its text with what the commands print today.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from releases import unpack
from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME
from rich.text import Text

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
RELEASE = "8.4.190"
HOME = "/home/me/yolo"
"""What the folder of the checkout is called in the pictures."""

COLUMNS = 88
THEMES = {"dark": SVG_EXPORT_THEME, "light": DEFAULT_TERMINAL_THEME}

# A picture is a session: commands, and how many lines of each output to show at most.
SESSIONS: dict[str, list[tuple[str, int]]] = {
    "status": [("status", 40)],
    "apply": [("apply", 40), ("revert", 40)],
}


def screen(command: str, root: Path, columns: int) -> str:
    """Return what a command prints on a terminal for the checkout in a folder, with its escape sequences."""
    ours = ("VIRTUAL_ENV", "CONDA_PREFIX", "NO_COLOR")
    variables = {name: value for name, value in os.environ.items() if name not in ours}
    variables |= {"COLUMNS": str(columns), "PYTHONPATH": str(root), "PYTHONNOUSERSITE": "1", "TERM": "xterm"}
    run = [sys.executable, "-c", "from distillpatch.cli import main; main()", *command.split(), "--color", "always"]
    done = subprocess.run(run, cwd=root, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    return done.stdout.decode().replace(str(root), HOME)


def session(commands: list[tuple[str, int]], root: Path, columns: int = COLUMNS) -> str:
    """Return what a person sees who types commands, one after the other."""
    shown = []
    for command, limit in commands:
        lines = screen(command, root, columns).splitlines()
        rest = [] if len(lines) <= limit else ["..."]
        shown += [f"\x1b[1m$ distillpatch {command}\x1b[0m", *lines[:limit], *rest, ""]
    return "\n".join(shown[:-1])


def draw(text: str, name: str, columns: int = COLUMNS, theme: str = "dark") -> str:
    """Return a session as SVG, which loads no font from elsewhere."""
    console = Console(record=True, file=io.StringIO(), width=columns, force_terminal=True, color_system="standard")
    console.print(Text.from_ansi(text), soft_wrap=False, overflow="fold")
    picture = console.export_svg(title="distillpatch", theme=THEMES[theme], unique_id=name)
    picture = re.sub(r"(?s)\s*@font-face \{.*?\}", "", picture)
    return "\n".join(line.rstrip() for line in picture.replace("Fira Code", "DejaVu Sans Mono").splitlines()) + "\n"


def main(folder: Path = PICTURES) -> None:
    """Draw every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, commands in SESSIONS.items():
        with tempfile.TemporaryDirectory() as temporary:
            text = session(commands, unpack(RELEASE, Path(temporary).resolve() / "yolo"))
        (folder / f"{name}.svg").write_text(draw(text, name), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

"""Install the clone by each command that README names, and use what that has installed: `make installs`.

Each command gets a home of its own, and what it depends on from the package index, so this is no part of `make test`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import releases

CLONE = Path(__file__).resolve().parent.parent
INSTALLS = ("pipx install .", "uv tool install .", "pip install .")


def check(command: str, folder: Path) -> None:
    """Install by a command and run what is then on the PATH, away from the clone.

    Args:
        command: The command, as it is typed in the clone.
        folder: An empty folder, for all that is installed and patched.

    Raises:
        subprocess.CalledProcessError: If a command fails.
        SystemExit: If one does not print what it should.
    """
    bin_folder = folder / "bin"
    variables = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"} | {
        "HOME": str(folder),
        "PATH": os.pathsep.join([str(bin_folder), os.environ["PATH"]]),
        **{name: str(folder / "tools") for name in ("PIPX_HOME", "UV_TOOL_DIR")},
        **{name: str(bin_folder) for name in ("PIPX_BIN_DIR", "UV_TOOL_BIN_DIR")},
    }
    if command.startswith("pip "):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)

    def run(words: str, cwd: Path = folder) -> str:
        # A shell looks for the program on the PATH of these variables, not on that of this process.
        done = subprocess.run(words, shell=True, cwd=cwd, env=variables, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout

    run(command, CLONE)
    if Path(run("command -v distillpatch").strip()) != bin_folder / "distillpatch":
        raise SystemExit(f"{command}: another distillpatch comes first on the PATH")
    checkout = shlex.quote(str(releases.unpack(releases.NEWEST, folder / "a checkout")))
    (version,) = re.findall(r'(?m)^__version__ = "(.+)"$', (CLONE / "distillpatch/__init__.py").read_text())
    for words, expected in (
        ("distillpatch --version", version),
        (f"distillpatch diff {checkout}", "+++ b/ultralytics/utils/AddLoss.py"),
        (f"distillpatch apply {checkout}", "Applied 15 modifications"),
        (f"distillpatch revert {checkout}", "Restored"),
    ):
        if expected not in run(words):
            raise SystemExit(f"{command}: `{words}` does not print {expected!r}")


def main() -> None:
    """Check each command."""
    for command in INSTALLS:
        with tempfile.TemporaryDirectory() as folder:
            check(command, Path(folder))
        print(f"{command}: distillpatch runs from there, and patches and reverts {releases.NEWEST}", flush=True)


if __name__ == "__main__":
    main()

"""The environments that `make` works in: made on first use, reused while what defines them is unchanged.

    python3 tools/environments.py NAME COMMAND...     # run a command in an environment

An environment has two layers. The dependencies, up to 6 GB of them, lie in the cache folder outside the clone under a
name that hashes what defines them, so they outlive the clone and are shared by all clones. The project itself is
installed into `.venv/NAME`, a virtual environment of this clone that sees those dependencies and holds nothing else.

This script runs before there is any environment, on whatever `python3` is at hand: standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CLONE = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "distillpatch" / "environments"

# Written last: a folder without it was left half built.
COMPLETE = "complete"

PIP_INSTALL = ("-m", "pip", "--disable-pip-version-check", "install")


class Environment(NamedTuple):
    """What defines an environment: an interpreter, a requirements file, and whether the project is installed in it."""

    python: str
    requirements: str
    project: bool = True


ENVIRONMENTS = {
    # Everything: the project, the linters, and what it takes to train with any ultralytics release.
    "main": Environment("3.11", "main.txt"),
    # The command line alone, on the ends of what it supports.
    "cli-oldest": Environment("3.10", "cli-oldest.txt"),
    "cli-newest": Environment("3.13", "cli-newest.txt"),
    # What the code that we add to a checkout has to run on. The command line does not run there.
    "runtime-oldest": Environment("3.8", "runtime-oldest.txt", project=False),
    # What installs the command line for people.
    "installers": Environment("3.11", "installers.txt", project=False),
}


def python_of(name: str) -> Path:
    """Return an environment's interpreter, building the environment first if need be."""
    environment = ENVIRONMENTS[name]
    dependencies = _dependencies(name, environment)
    home = _project(name, dependencies) if environment.project else dependencies
    return home / "bin" / "python"


def variables_of(name: str) -> dict[str, str]:
    """Return the variables in which a command runs as if the environment had been activated."""
    python = python_of(name)
    variables = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    tools = _dependencies(name, ENVIRONMENTS[name]) / "bin"
    variables["PATH"] = os.pathsep.join([str(python.parent), str(tools), os.environ["PATH"]])
    variables["VIRTUAL_ENV"] = str(python.parent.parent)
    return variables


def _dependencies(name: str, environment: Environment) -> Path:
    """Return the layer that holds the dependencies, building it unless it is complete."""
    requirements = Path(__file__).parent / "requirements" / environment.requirements
    interpreter, version = find_python(environment.python)
    home = CACHE / f"{name}-{_digest(interpreter, version, requirements.read_text())}"
    with _complete(home) as missing:
        if missing:
            _say(f"{name}: installing {environment.requirements} on Python {version}")
            _call(interpreter, "-m", "venv", str(home))
            _call(str(home / "bin/python"), *PIP_INSTALL, "--requirement", str(requirements))
    return home


def _project(name: str, dependencies: Path) -> Path:
    """Return this clone's layer: the project installed in place, on top of the dependencies."""
    home = CLONE / ".venv" / name
    # The path of the clone counts: a clone that was moved or copied points at where it was.
    stamp = _digest(str(CLONE), str(dependencies), (CLONE / "pyproject.toml").read_text())
    with _complete(home, stamp) as missing:
        if missing:
            _say(f"{name}: installing the project")
            _call(str(dependencies / "bin/python"), "-m", "venv", "--without-pip", str(home))
            (_site_packages(home) / "dependencies.pth").write_text(f"{_site_packages(dependencies)}\n")
            # What the tools share with each other and with the tests is found from both folders.
            (_site_packages(home) / "tools.pth").write_text(f"{CLONE / 'tests'}\n{CLONE / 'tools'}\n")
            install = (*PIP_INSTALL, "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(CLONE))
            _call(str(home / "bin/python"), *install)
    return home


@contextlib.contextmanager
def _complete(home: Path, stamp: str = "") -> Iterator[bool]:
    """Hold a folder's lock; yield True, with the folder gone, when the caller has to build it.

    The folder counts as complete only if it bears the stamp, which it is given when the caller has succeeded.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f".{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = home / COMPLETE
        missing = not mark.exists() or mark.read_text() != stamp
        if missing and home.exists():
            shutil.rmtree(home)
        yield missing
        if missing:
            mark.write_text(stamp)


def find_python(version: str) -> tuple[str, str]:
    """Return a Python that really runs and can make virtual environments, with its full version.

    A `python3.X` on PATH may be a pyenv shim that refuses to start, so each is tried before it is believed.
    """
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    on_path = [Path(folder) / name for folder in os.environ["PATH"].split(os.pathsep)]
    for candidate in on_path + sorted(pyenv.glob(f"{version}.*/bin/{name}"), reverse=True):
        if candidate.exists() and (found := _interpreter(candidate)):
            return found
    raise SystemExit(
        f"environments: no working Python {version} with ensurepip: looked for {name} on PATH and in {pyenv}.\n"
        f"The tests need it; `pyenv install {version}` is one way to get it."
    )


def _interpreter(candidate: Path) -> tuple[str, str] | None:
    """Return the interpreter behind a name, not that of a virtual environment, with its version; None if it fails."""
    report = "import ensurepip, platform, sys; print(sys._base_executable, platform.python_version())"
    done = subprocess.run([candidate, "-c", report], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if done.returncode:
        return None
    executable, version = done.stdout.decode().rsplit(maxsplit=1)
    return os.path.realpath(executable), version


def _site_packages(home: Path) -> Path:
    """Return where a virtual environment keeps its packages."""
    (folder,) = home.glob("lib/python*/site-packages")
    return folder


def _digest(*parts: str) -> str:
    """Return a short name for what defines a folder."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _call(*command: str) -> None:
    """Run one step; its failure is ours."""
    done = subprocess.run(command)
    if done.returncode:
        raise SystemExit(f"environments: failed with exit code {done.returncode}: {' '.join(command)}")


def _say(message: str) -> None:
    """Tell what takes a while, in order with what the commands print."""
    print(f"environments: {message}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Become the command, run in the environment."""
    if len(arguments) < 2 or arguments[0] not in ENVIRONMENTS:
        raise SystemExit(f"usage: environments.py {{{','.join(ENVIRONMENTS)}}} COMMAND...")
    name, *command = arguments
    variables = variables_of(name)
    os.environ["PATH"] = variables["PATH"]
    os.execvpe(command[0], command, variables)


if __name__ == "__main__":
    main(sys.argv[1:])

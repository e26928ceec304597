"""Where Python would import ultralytics from; found by reading files, never by importing."""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from distillpatch.syntax import parse
from distillpatch.tree.files import cannot_be_imported, read_regular

PACKAGE = "ultralytics"
PYTHON_PATH = "PYTHONPATH"

# What is looked into has some 2 KB; Python needs half a second to parse the worst module that fits into this.
_MAX_FILE = 64 * 2**10


@dataclass(frozen=True)
class Place:
    """Somewhere that Python imports from.

    Attributes:
        name: What to call it in messages.
        folders: Its folders, in the order in which Python looks at them.
    """

    name: str
    folders: tuple[Path, ...]

    @cached_property
    def roots(self) -> tuple[Path, ...]:
        """The root of every ultralytics in it, the one that Python imports first; a link to one is no other one."""
        found: dict[str, Path] = {}
        for folder in self.folders:
            if is_package(folder / PACKAGE):
                found.setdefault(os.path.realpath(folder / PACKAGE), folder.resolve())
        return tuple(found.values())

    @property
    def package(self) -> Path:
        """The package that Python imports from here, where there is one."""
        return self.roots[0] / PACKAGE


def first_holding(places: Iterable[Place]) -> Place | None:
    """Return the place that Python imports ultralytics from: the first that holds one."""
    return next((place for place in places if place.roots), None)


def import_places(variables: Mapping[str, str]) -> tuple[Place, ...]:
    """Return where Python looks for packages when it is started in an unrelated folder, in its order.

    After the environment that is active comes the running interpreter's own, which may be another one: of a virtual
    environment that was never activated, say, while conda's base environment is active in every shell.

    Args:
        variables: The process's environment variables.
    """
    python_path = tuple(Path(entry) for entry in variables.get("PYTHONPATH", "").split(os.pathsep) if entry)
    own = [Path(entry) for entry in sys.path[1:] if os.path.isdir(entry)]  # noqa: PTH112 - Path.is_dir() raises
    places = (
        Place(PYTHON_PATH, python_path),
        *_active_environment(variables),
        Place(f"the environment of {sys.executable}", _with_linked(own)),
    )
    return tuple(place for place in places if place.folders)


def is_package(folder: Path) -> bool:
    return version_of(folder) is not None


def version_of(package: Path, *, is_named: bool = False) -> str | None:
    """Return the version that a package's ``__init__.py`` states, without running it; only one that can be printed.

    Args:
        package: The package's folder.
        is_named: Whether the user named it: then a missing permission is an error, too, and not a package to pass over.

    Raises:
        OSError: The disk failed, so that it is unknown whether there is a package.
    """
    return _printable(constant(package / "__init__.py", "__version__", PermissionError if is_named else ()))


def version_in(module: bytes) -> str | None:
    """Return the version that the text of a package's ``__init__.py`` states; only one that can be printed."""
    return _printable(_literal(module, "__version__"))


def _printable(version: object) -> str | None:
    return version if isinstance(version, str) and version.isprintable() else None


def constant(file: Path, name: str, refused: type[OSError] | tuple[()] = ()) -> object:
    """Return the literal that a module assigns to a name, or None.

    Raises:
        OSError: The disk failed, or the error is one of those that are refused.
    """
    try:
        return _literal(_content(file), name)
    except OSError as error:
        if isinstance(error, refused) or not cannot_be_imported(error):
            raise
    except (ValueError, MemoryError):
        pass  # not a file
    return None


def _literal(module: bytes, name: str) -> object:
    try:
        for node in parse(module).body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return ast.literal_eval(getattr(node, "value", node))
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        pass  # not a module, or not a literal
    return None


def _active_environment(variables: Mapping[str, str]) -> Iterator[Place]:
    for variable, kind in (("VIRTUAL_ENV", "the virtual environment"), ("CONDA_PREFIX", "the conda environment")):
        prefix = variables.get(variable)
        if prefix:
            yield Place(f"{kind} {prefix}", _with_linked(_sites(Path(prefix), variables)))
            return


def _sites(prefix: Path, variables: Mapping[str, str]) -> list[Path]:
    """Return the site-packages folders that an environment's interpreter sees, in the order of Python's `site`."""
    versions = [folder.name for folder in sorted(prefix.glob("lib/python3.*"))]
    users = [] if variables.get("PYTHONNOUSERSITE") else _user_sites(versions, variables)
    if not (prefix / "pyvenv.cfg").is_file():
        return [*users, *_site_packages(prefix)]
    settings = _settings(prefix / "pyvenv.cfg")
    if settings.get("include-system-site-packages", "").lower() != "true":
        return _site_packages(prefix)
    base = Path(settings.get("home", "")).parent  # home is the folder of the interpreter, such as /usr/bin
    return [*_site_packages(prefix), *users, *(site for version in versions for site in _site_packages(base, version))]


def _user_sites(versions: Iterable[str], variables: Mapping[str, str]) -> list[Path]:
    base = variables.get("PYTHONUSERBASE") or os.path.expanduser("~/.local")  # noqa: PTH111 - Path's raises
    return [Path(base, "lib", version, "site-packages") for version in versions]


def _site_packages(prefix: Path, version: str = "python3*") -> list[Path]:
    """Return the site-packages folders below a prefix, on POSIX, on Debian, and on Windows."""
    patterns = (
        f"lib/{version}/site-packages",
        f"local/lib/{version}/dist-packages",
        "lib/python3/dist-packages",
        "Lib/site-packages",
    )
    found = [folder for pattern in patterns for folder in sorted(prefix.glob(pattern))]
    return list(dict.fromkeys(found)) or [prefix / patterns[0]]


def _settings(file: Path) -> dict[str, str]:
    """Return the settings of a `pyvenv.cfg`."""
    lines = (line.partition("=") for line in read_text(file).splitlines())
    return {key.strip().lower(): value.strip() for key, _, value in lines}


def _with_linked(sites: Iterable[Path]) -> tuple[Path, ...]:
    """Return site-packages folders, and after each the projects that it links to."""
    return tuple(dict.fromkeys(folder for site in sites for folder in (site, *_editable_projects(site))))


def _editable_projects(folder: Path) -> Iterator[Path]:
    """Yield the project folders that site-packages links to.

    The link is a line of a ``.pth`` file, an entry of setuptools' import finder, or pip's ``direct_url.json``.
    """
    for file in sorted(folder.glob("*.pth")):
        for line in read_text(file).splitlines():
            if line.strip() and not line.startswith(("import ", "import\t", "#")):
                yield folder / line.strip()
    for file in sorted(folder.glob("__editable___*_finder.py")):
        mapping = constant(file, "MAPPING")
        if isinstance(mapping, dict) and isinstance(mapping.get(PACKAGE), str):
            yield Path(mapping[PACKAGE]).parent
    for file in sorted(folder.glob(f"{PACKAGE}-*.dist-info/direct_url.json")):
        from urllib.request import url2pathname  # slow to import, seldom needed

        try:
            record = json.loads(read_text(file))
            if record["dir_info"].get("editable"):
                yield Path(url2pathname(urlsplit(record["url"]).path))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # not pip's, and not ours to complain about


def read_text(file: Path) -> str:
    try:
        return _content(file).decode(errors="replace")
    except OSError as error:
        if not cannot_be_imported(error):
            raise
        return ""


def _content(file: Path) -> bytes:
    return read_regular(file, _MAX_FILE, through_link=True)

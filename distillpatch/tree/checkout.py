"""Which ultralytics to work on, and which one Python would import; found by reading files, never by importing."""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from distillpatch.errors import DistillpatchError
from distillpatch.syntax import parse
from distillpatch.tree.files import read_regular

PACKAGE = "ultralytics"
PYTHON_PATH = "PYTHONPATH"
_TRAINER = Path("engine", "trainer.py")

# What is looked into has some 2 KB; Python needs half a second to parse the worst module that fits into this.
_MAX_FILE = 64 * 2**10


class CheckoutError(DistillpatchError):
    """There is no checkout to work on, or no telling which."""


@dataclass(frozen=True)
class Checkout:
    """An ultralytics package on disk.

    Attributes:
        root: The folder that holds the package; paths of the patch set are relative to it.
        release: The version that its ``__init__.py`` states.
        found: How it was chosen, for the user.
        is_named: Whether the user named it, so that a search may lead to another one.
    """

    root: Path
    release: str
    found: str
    is_named: bool

    @property
    def package(self) -> Path:
        """The package's own folder."""
        return self.root / PACKAGE


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
            if _is_package(folder / PACKAGE):
                found.setdefault(os.path.realpath(folder / PACKAGE), folder.resolve())
        return tuple(found.values())

    @property
    def package(self) -> Path:
        """The package that Python imports from here, where there is one."""
        return self.roots[0] / PACKAGE


def locate(path: Path | None, cwd: Path, places: Sequence[Place]) -> Checkout:
    """Return the checkout to work on.

    Args:
        path: What the user named: a checkout's root, the package folder, or a site-packages folder; None to search.
        cwd: The current folder, whose checkout comes first in a search.
        places: Where to search next: the first that holds an ultralytics is the one.

    Raises:
        CheckoutError: If there is none, or several equally good ones; tells what was looked at.
    """
    if path is not None:
        return _named(path)
    for folder in (cwd, *cwd.parents):
        if _is_package(folder / PACKAGE):
            return _checkout(folder, "contains the current folder")
    place = first_holding(places)
    if place is None:
        raise _none_found((Place("the current folder and those above it", (cwd,)), *places))
    if len(place.roots) > 1:
        raise _several_found(place)
    return _checkout(place.roots[0], f"found in {place.name}")


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


def _named(path: Path) -> Checkout:
    root = Path(os.path.realpath(path))  # unlike resolve(), takes a link to itself for what does not exist
    # The package folder itself may be a link to a folder of any name.
    holders = (Path(os.path.realpath(place.parent)) for place in (root, path) if place.name == PACKAGE)
    for candidate in (root, *holders):
        if _is_package(candidate / PACKAGE):
            return _checkout(candidate, "named by --ultralytics-path", is_named=True)
    if not os.path.exists(root):  # noqa: PTH110 - Path.exists() raises where it may not look
        raise CheckoutError(
            f"{path} does not exist. Name a checkout's root, the package folder itself, or a site-packages folder."
        )
    for trainer in (root / _TRAINER, *sorted(root.glob(f"*/{_TRAINER}"))):
        package = trainer.parent.parent
        if trainer.is_file() and (version := _version(package)):
            raise CheckoutError(
                f"{package} is a package like ultralytics {version}, but of another name. distillpatch changes a "
                f"package whose folder, and whose imports of itself, are named {PACKAGE}: give it that name, in its "
                "imports as well, and name it again."
            )
    raise CheckoutError(
        f"{path} is not an ultralytics checkout: expected {PACKAGE}/__init__.py in it, stating a version. Name a "
        "checkout's root, the package folder itself, or a site-packages folder that has ultralytics."
    )


def _none_found(places: Iterable[Place]) -> CheckoutError:
    looked_at = "\n".join("\n    ".join([f"  {place.name}", *map(str, place.folders)]) for place in places)
    return CheckoutError(
        f"found no ultralytics. Looked at\n{looked_at}\n"
        "Name it: --ultralytics-path PATH (a checkout, its package folder, or site-packages)."
    )


def _several_found(place: Place) -> CheckoutError:
    several = "\n".join(f"  {root / PACKAGE}" for root in place.roots)
    return CheckoutError(
        f"{place.name} holds more than one ultralytics, of which Python imports the first:\n{several}\n"
        "Name the one to use: --ultralytics-path PATH."
    )


def _checkout(root: Path, found: str, *, is_named: bool = False) -> Checkout:
    root = root.resolve()
    release = _version(root / PACKAGE)
    assert release is not None
    if (root / PACKAGE / "yolo" / "engine").is_dir() and not (root / PACKAGE / _TRAINER).is_file():
        raise CheckoutError(
            f"{root / PACKAGE} is ultralytics {release}, whose trainer still lies under ultralytics/yolo/. "
            "distillpatch works from 8.0.136 on: upgrade ultralytics."
        )
    return Checkout(root, release, found, is_named)


def _is_package(folder: Path) -> bool:
    return _version(folder) is not None


def _version(package: Path) -> str | None:
    """Return the version that a package's ``__init__.py`` states, without running it; only one that can be printed."""
    version = _constant(package / "__init__.py", "__version__")
    return version if isinstance(version, str) and version.isprintable() else None


def _constant(file: Path, name: str) -> object:
    """Return the literal that a module assigns to a name, or None."""
    try:
        tree = parse(_content(file))
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return ast.literal_eval(getattr(node, "value", node))
    except (OSError, ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
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
    lines = (line.partition("=") for line in _read(file).splitlines())
    return {key.strip().lower(): value.strip() for key, _, value in lines}


def _with_linked(sites: Iterable[Path]) -> tuple[Path, ...]:
    """Return site-packages folders, and after each the projects that it links to."""
    return tuple(dict.fromkeys(folder for site in sites for folder in (site, *_editable_projects(site))))


def _editable_projects(folder: Path) -> Iterator[Path]:
    """Yield the project folders that site-packages links to.

    The link is a line of a ``.pth`` file, an entry of setuptools' import finder, or pip's ``direct_url.json``.
    """
    for file in sorted(folder.glob("*.pth")):
        for line in _read(file).splitlines():
            if line.strip() and not line.startswith(("import ", "import\t", "#")):
                yield folder / line.strip()
    for file in sorted(folder.glob("__editable___*_finder.py")):
        mapping = _constant(file, "MAPPING")
        if isinstance(mapping, dict) and isinstance(mapping.get(PACKAGE), str):
            yield Path(mapping[PACKAGE]).parent
    for file in sorted(folder.glob(f"{PACKAGE}-*.dist-info/direct_url.json")):
        from urllib.request import url2pathname  # slow to import, seldom needed

        try:
            record = json.loads(_read(file))
            if record["dir_info"].get("editable"):
                yield Path(url2pathname(urlsplit(record["url"]).path))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # not pip's, and not ours to complain about


def _read(file: Path) -> str:
    try:
        return _content(file).decode(errors="replace")
    except OSError:
        return ""


def _content(file: Path) -> bytes:
    return read_regular(file, _MAX_FILE, through_link=True)

"""Which ultralytics to work on, and which one Python would import; found by reading files, never by importing."""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from distillpatch.errors import DistillpatchError
from distillpatch.source import parse

PACKAGE = "ultralytics"


class CheckoutError(DistillpatchError):
    """There is no checkout to work on, or no telling which."""


@dataclass(frozen=True)
class Checkout:
    """An ultralytics package on disk.

    Attributes:
        root: The folder that holds the package; paths of the patch set are relative to it.
        release: The version that its ``__init__.py`` states.
        found: How it was chosen, for the user.
    """

    root: Path
    release: str
    found: str

    @property
    def package(self) -> Path:
        """The package's own folder."""
        return self.root / PACKAGE


@dataclass(frozen=True)
class Environment:
    """The Python environment that the user works in.

    Attributes:
        name: What to call it in messages.
        search_path: The folders that its interpreter imports from when started in an unrelated folder, in order.
    """

    name: str
    search_path: tuple[Path, ...]

    def packages(self) -> list[Path]:
        """Return the roots of every ultralytics on the search path, in the order in which they would be imported."""
        roots = [root.resolve() for folder in self.search_path for root in _roots_from(folder)]
        return list(dict.fromkeys(roots))


def locate(path: Path | None, cwd: Path, environment: Environment) -> Checkout:
    """Return the checkout to work on.

    Args:
        path: What the user named: a checkout's root, the package folder, or a site-packages folder; None to search.
        cwd: The current folder, whose checkout comes first in a search.
        environment: Where to search next.

    Raises:
        CheckoutError: If there is none, or several equally good ones; tells what was looked at.
    """
    if path is not None:
        return _named(path)
    for folder in (cwd, *cwd.parents):
        if _is_package(folder / PACKAGE):
            return _checkout(folder, "contains the current folder")
    roots = environment.packages()
    if len(roots) == 1:
        return _checkout(roots[0], f"installed in {environment.name}")
    looked_at = "\n".join(f"  {folder}" for folder in dict.fromkeys((cwd, *environment.search_path)))
    if not roots:
        raise CheckoutError(
            f"found no ultralytics. Looked at the current folder and those above it, and at {environment.name}:\n"
            f"{looked_at}\nName it: --ultralytics-path PATH (a checkout, its package folder, or site-packages)."
        )
    several = "\n".join(f"  {root / PACKAGE}" for root in roots)
    raise CheckoutError(
        f"{environment.name} holds more than one ultralytics:\n{several}\nName the one to use: --ultralytics-path PATH."
    )


def active_environment(variables: Mapping[str, str]) -> Environment:
    """Return the environment that is active: a virtual environment, a conda one, or the running interpreter's own.

    Args:
        variables: The process's environment variables.
    """
    python_path = [Path(entry) for entry in variables.get("PYTHONPATH", "").split(os.pathsep) if entry]
    for variable, kind in (("VIRTUAL_ENV", "the virtual environment"), ("CONDA_PREFIX", "the conda environment")):
        prefix = variables.get(variable)
        if prefix:
            return Environment(f"{kind} {prefix}", (*python_path, *_site_packages(Path(prefix))))
    own = [Path(entry) for entry in sys.path[1:] if os.path.isdir(entry)]  # noqa: PTH112 - Path.is_dir() raises
    return Environment(f"the environment of {sys.executable}", (*python_path, *own))


def _named(path: Path) -> Checkout:
    root = Path(os.path.realpath(path))  # unlike resolve(), takes a link to itself for what does not exist
    for candidate in (root, root.parent):
        if _is_package(candidate / PACKAGE) and (candidate == root or root.name == PACKAGE):
            return _checkout(candidate, "named by --ultralytics-path")
    if not os.path.exists(root):  # noqa: PTH110 - Path.exists() raises where it may not look
        raise CheckoutError(
            f"{path} does not exist. Name a checkout's root, the package folder itself, or a site-packages folder."
        )
    raise CheckoutError(
        f"{path} is not an ultralytics checkout: expected {PACKAGE}/__init__.py in it, stating a version. Name a "
        "checkout's root, the package folder itself, or a site-packages folder that has ultralytics."
    )


def _checkout(root: Path, found: str) -> Checkout:
    root = root.resolve()
    release = _version(root / PACKAGE)
    assert release is not None
    if (root / PACKAGE / "yolo" / "engine").is_dir() and not (root / PACKAGE / "engine" / "trainer.py").is_file():
        raise CheckoutError(
            f"{root / PACKAGE} is ultralytics {release}, whose trainer still lies under ultralytics/yolo/. "
            "distillpatch works from 8.0.136 on: upgrade ultralytics."
        )
    return Checkout(root, release, found)


def _is_package(folder: Path) -> bool:
    return _version(folder) is not None


def _version(package: Path) -> str | None:
    """Return the version that a package's ``__init__.py`` states, without running it."""
    version = _constant(package / "__init__.py", "__version__")
    return version if isinstance(version, str) else None


def _constant(file: Path, name: str) -> object:
    """Return the literal that a module assigns to a name, or None."""
    try:
        tree = parse(file.read_bytes())
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return ast.literal_eval(getattr(node, "value", node))
    except (OSError, ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        pass  # not a module, or not a literal
    return None


def _site_packages(prefix: Path) -> list[Path]:
    """Return the site-packages folders of an environment, on POSIX and on Windows."""
    found = [*sorted(prefix.glob("lib/python3*/site-packages")), *prefix.glob("Lib/site-packages")]
    return list(dict.fromkeys(found)) or [prefix / "lib/python3*/site-packages"]


def _roots_from(folder: Path) -> Iterator[Path]:
    """Yield the roots of the ultralytics packages that one folder of a search path leads to."""
    if _is_package(folder / PACKAGE):
        yield folder
    for project in _editable_projects(folder):
        if _is_package(project / PACKAGE):
            yield project


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
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

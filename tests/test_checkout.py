"""Which ultralytics is meant, and which one Python would import; told without importing either."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from distillpatch.tree import environment
from distillpatch.tree.checkout import NEWEST_TESTED, CheckoutError, is_newer_than_tested, locate
from distillpatch.tree.environment import Place, import_places

NOWHERE = ()
OWN = f"the environment of {sys.executable}"


def plant(root: Path, release: str = "8.2.50") -> Path:
    """Write as much of a package as it takes to be recognised."""
    (root / "ultralytics" / "engine").mkdir(parents=True)
    (root / "ultralytics" / "engine" / "trainer.py").write_text("raise SystemExit('imported')\n")
    (root / "ultralytics" / "__init__.py").write_text(
        f'# Ultralytics\n__version__ = "{release}"\nraise SystemExit("imported")\n'
    )
    return root


def site_packages(prefix: Path) -> Path:
    folder = prefix / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    return folder


# A path that the user names.


@pytest.mark.parametrize("named", [".", "ultralytics", "../root", "ultralytics/../."])
def test_a_named_path_is_the_root_or_the_package(named: str, tmp_path: Path) -> None:
    root = plant(tmp_path / "root")
    checkout = locate(root / named, tmp_path, NOWHERE)
    assert (checkout.root, checkout.package, checkout.release) == (root, root / "ultralytics", "8.2.50")
    assert checkout.found == "named by --ultralytics-path"


def test_a_repository_that_is_called_ultralytics(tmp_path: Path) -> None:
    root = plant(tmp_path / "ultralytics")
    assert locate(root, tmp_path, NOWHERE).root == root
    assert locate(root / "ultralytics", tmp_path, NOWHERE).root == root
    assert locate(None, root, NOWHERE).root == root


def test_a_named_path_may_be_a_link(tmp_path: Path) -> None:
    root = plant(tmp_path / "root")
    (tmp_path / "link").symlink_to(root)
    assert locate(tmp_path / "link", tmp_path, NOWHERE).root == root


def test_a_named_package_may_be_a_link_to_a_folder_of_any_name(tmp_path: Path) -> None:
    plant(tmp_path / "root").joinpath("ultralytics").rename(tmp_path / "fork")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "ultralytics").symlink_to(tmp_path / "fork")
    assert locate(tmp_path / "site" / "ultralytics", tmp_path, NOWHERE).root == tmp_path / "site"


def test_a_named_path_wins_over_the_current_folder(tmp_path: Path) -> None:
    named, current = plant(tmp_path / "named"), plant(tmp_path / "current")
    assert locate(named, current, NOWHERE).root == named


@pytest.mark.parametrize("named", ["", "numa_ultralytics"])
def test_a_package_of_another_name_is_told_as_such(named: str, tmp_path: Path) -> None:
    package = plant(tmp_path) / "ultralytics"
    (package / "engine").mkdir(exist_ok=True)
    (package / "engine" / "trainer.py").touch()
    package = package.rename(tmp_path / "numa_ultralytics")
    with pytest.raises(CheckoutError, match=rf"{package} is a package like ultralytics 8\.2\.50, but of another name"):
        locate(tmp_path / named, tmp_path, NOWHERE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not an ultralytics checkout: expected ultralytics/__init__.py in it, stating a version"),
        ("", "is not an ultralytics checkout"),
        ("version = '8.2.50'\n", "is not an ultralytics checkout"),
        ("__version__ = '8.2.50\n", "is not an ultralytics checkout"),
        ("__version__ = compute()\n", "is not an ultralytics checkout"),
        ("__version__ = 8\n", "is not an ultralytics checkout"),
        ("__version__ = '8.2.50\\x1b[2J'\n", "is not an ultralytics checkout"),
    ],
)
def test_a_named_path_that_is_no_checkout(content: str | None, message: str, tmp_path: Path) -> None:
    (tmp_path / "ultralytics").mkdir()
    if content is not None:
        (tmp_path / "ultralytics" / "__init__.py").write_text(content)
    with pytest.raises(CheckoutError, match=message):
        locate(tmp_path, tmp_path, NOWHERE)


@pytest.mark.parametrize("named", [True, False])
def test_a_version_that_is_readable_once_and_not_again(
    named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while something else replaces the package."""
    root, looks = plant(tmp_path), iter(["8.2.50"])
    monkeypatch.setattr(environment, "constant", lambda *_: next(looks, None))
    with pytest.raises(CheckoutError, match=r"__init__\.py stated a version a moment ago and no longer does"):
        locate(root if named else None, root, NOWHERE)


@pytest.mark.parametrize("kind", ["fifo", "large file", "huge file", "link to a device"])
def test_what_would_never_end_is_not_read(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "ultralytics" / "__init__.py"
    place.parent.mkdir()
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "large file":
        place.write_bytes(b"__version__ = '8.2.50'\n" + b"#" * 2**20)
    elif kind == "huge file":
        place.touch()
        os.truncate(place, 60 * 2**30)
    else:
        place.symlink_to("/dev/zero")
    with pytest.raises(CheckoutError, match="is not an ultralytics checkout"):
        locate(tmp_path, tmp_path, NOWHERE)


def test_a_named_path_that_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "itself").symlink_to("itself")
    for name in ("nothing", "itself"):
        with pytest.raises(CheckoutError, match=rf"{name} does not exist\. Name a checkout, "):
            locate(tmp_path / name, tmp_path, NOWHERE)


def test_a_layout_that_is_too_old(tmp_path: Path) -> None:
    (tmp_path / "ultralytics" / "yolo" / "engine").mkdir(parents=True)
    (tmp_path / "ultralytics" / "__init__.py").write_text("__version__ = '8.0.134'\n")
    with pytest.raises(CheckoutError, match=r"8\.0\.134, whose trainer is still under .* works from 8\.0\.136 on"):
        locate(tmp_path, tmp_path, NOWHERE)


# The current folder.


@pytest.mark.parametrize("inside", [".", "ultralytics", "ultralytics/engine", "docs/en"])
def test_the_checkout_that_contains_the_current_folder(inside: str, tmp_path: Path) -> None:
    root = plant(tmp_path)
    (root / inside).mkdir(parents=True, exist_ok=True)
    checkout = locate(None, root / inside, NOWHERE)
    assert (checkout.root, checkout.found) == (root, "contains the current folder")


def test_the_current_folder_wins_over_the_environment(tmp_path: Path) -> None:
    current, installed = plant(tmp_path / "current"), plant(tmp_path / "installed")
    assert locate(None, current, [Place("env", (installed,))]).root == current


def test_nothing_found_tells_where_was_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "own"), str(tmp_path / "missing.zip")])
    with pytest.raises(CheckoutError) as caught:
        locate(None, tmp_path, import_places({"VIRTUAL_ENV": "/v", "PYTHONPATH": "/p"}))
    assert str(caught.value) == (
        "found no ultralytics. Looked at\n"
        f"  the current folder, those above it and those in it\n    {tmp_path}\n"
        "  PYTHONPATH\n    /p\n"
        "  the virtual environment /v\n    /v/lib/python3*/site-packages\n"
        f"  {OWN}\n    {tmp_path}/own\n"
        "Name a checkout, the ultralytics folder in it, or a site-packages folder: distillpatch status PATH"
    )


def test_several_in_one_place_are_listed(tmp_path: Path) -> None:
    one, two = plant(tmp_path / "one"), plant(tmp_path / "two")
    with pytest.raises(CheckoutError) as caught:
        locate(None, tmp_path, [])
    assert str(caught.value).startswith(f"the current folder, {tmp_path}, holds more than one ultralytics:\n")
    with pytest.raises(CheckoutError) as caught:
        locate(None, empty(tmp_path), [Place("empty", ()), Place("env", (one, two))])
    assert str(caught.value) == (
        "env holds more than one ultralytics, of which Python imports the first:\n"
        f"  {one}/ultralytics\n  {two}/ultralytics\n"
        "Name the one to use, for example: distillpatch status PATH"
    )


def test_the_first_place_that_holds_one_is_the_one(tmp_path: Path) -> None:
    one, two = plant(tmp_path / "one"), plant(tmp_path / "two")
    places = [Place("empty", (tmp_path,)), Place("first", (one,)), Place("second", (two, one))]
    assert locate(None, empty(tmp_path), places).root == one
    assert locate(None, empty(tmp_path), places).found == "found in first"


def empty(folder: Path) -> Path:
    """Return a folder below this one with nothing in it."""
    (folder / "empty").mkdir(exist_ok=True)
    return folder / "empty"


def test_a_clone_in_the_current_folder_comes_before_what_is_installed(tmp_path: Path) -> None:
    near, installed = plant(tmp_path / "here" / "yolo"), plant(tmp_path / "site")
    (tmp_path / "here" / "other").mkdir()
    checkout = locate(None, tmp_path / "here", [Place("env", (installed,))])
    assert (checkout.root, checkout.found, checkout.is_named) == (near, "found in the current folder", False)
    (tmp_path / "here" / "link").symlink_to(near)
    assert locate(None, tmp_path / "here", []).root in (near, tmp_path / "here" / "link")


def test_a_home_folder_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(empty(tmp_path))
    root = plant(tmp_path / "yolo")
    assert locate(Path("~/yolo"), tmp_path, NOWHERE, "PATH").root == root
    assert locate(Path("~/yolo"), tmp_path, NOWHERE, "PATH").found == "named by PATH"
    with pytest.raises(CheckoutError, match=r"^~nobody-of-this-name/x does not exist\."):
        locate(Path("~nobody-of-this-name/x"), tmp_path, NOWHERE)
    odd = plant(tmp_path / "empty" / "~")
    assert locate(Path("~"), tmp_path, NOWHERE).root == odd


def test_a_file_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "setup.py").touch()
    with pytest.raises(CheckoutError, match=r"setup.py is a file: expected a folder\. Name a checkout, "):
        locate(tmp_path / "setup.py", tmp_path, NOWHERE)


@pytest.mark.parametrize(
    ("release", "newer"),
    [("8.4.191", True), ("8.5.0", True), ("9.0", True), ("8.4.190", False), ("8.4.19", False), ("8.3.999", False)],
)
def test_a_release_that_nobody_tested(release: str, newer: bool) -> None:
    assert NEWEST_TESTED == "8.4.190"
    assert is_newer_than_tested(release) == newer

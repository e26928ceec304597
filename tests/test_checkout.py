"""Which ultralytics is meant, and which one Python would import; told without importing either."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from distillpatch.checkout import CheckoutError, Environment, active_environment, locate

NOWHERE = Environment("no environment", ())


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


def test_a_named_path_wins_over_the_current_folder(tmp_path: Path) -> None:
    named, current = plant(tmp_path / "named"), plant(tmp_path / "current")
    assert locate(named, current, NOWHERE).root == named


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not an ultralytics checkout: expected ultralytics/__init__.py in it, stating a version"),
        ("", "is not an ultralytics checkout"),
        ("version = '8.2.50'\n", "is not an ultralytics checkout"),
        ("__version__ = '8.2.50\n", "is not an ultralytics checkout"),
        ("__version__ = compute()\n", "is not an ultralytics checkout"),
        ("__version__ = 8\n", "is not an ultralytics checkout"),
    ],
)
def test_a_named_path_that_is_no_checkout(content: str | None, message: str, tmp_path: Path) -> None:
    (tmp_path / "ultralytics").mkdir()
    if content is not None:
        (tmp_path / "ultralytics" / "__init__.py").write_text(content)
    with pytest.raises(CheckoutError, match=message):
        locate(tmp_path, tmp_path, NOWHERE)


def test_a_named_path_that_does_not_exist(tmp_path: Path) -> None:
    (tmp_path / "itself").symlink_to("itself")
    for name in ("nothing", "itself"):
        with pytest.raises(CheckoutError, match=rf"{name} does not exist\. Name a checkout's root"):
            locate(tmp_path / name, tmp_path, NOWHERE)


def test_a_layout_that_is_too_old(tmp_path: Path) -> None:
    (tmp_path / "ultralytics" / "yolo" / "engine").mkdir(parents=True)
    (tmp_path / "ultralytics" / "__init__.py").write_text("__version__ = '8.0.134'\n")
    with pytest.raises(CheckoutError, match=r"8\.0\.134, whose trainer still lies under .* works from 8\.0\.136 on"):
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
    assert locate(None, current, Environment("env", (installed,))).root == current


# The active environment.


def test_the_one_that_is_installed_in_the_environment(tmp_path: Path) -> None:
    root = plant(site_packages(tmp_path))
    checkout = locate(None, tmp_path, active_environment({"VIRTUAL_ENV": str(tmp_path)}))
    assert (checkout.root, checkout.found) == (root, f"installed in the virtual environment {tmp_path}")


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"VIRTUAL_ENV": "/v"}, "the virtual environment /v"),
        ({"CONDA_PREFIX": "/c"}, "the conda environment /c"),
        ({"VIRTUAL_ENV": "/v", "CONDA_PREFIX": "/c"}, "the virtual environment /v"),
        ({"VIRTUAL_ENV": ""}, f"the environment of {sys.executable}"),
        ({}, f"the environment of {sys.executable}"),
    ],
)
def test_what_the_environment_is_called(variables: dict[str, str], name: str) -> None:
    assert active_environment(variables).name == name


def test_the_interpreters_own_environment() -> None:
    own = active_environment({}).search_path
    assert Path(pytest.__file__).parent.parent in own


def test_python_path_comes_first(tmp_path: Path) -> None:
    first, second = plant(tmp_path / "first"), plant(tmp_path / "second")
    path = os.pathsep.join([str(tmp_path / "missing"), str(first), "", str(second)])
    assert active_environment({"PYTHONPATH": path, "VIRTUAL_ENV": "/v"}).packages() == [first, second]


def test_nothing_found_tells_where_was_looked(tmp_path: Path) -> None:
    environment = active_environment({"VIRTUAL_ENV": "/v", "PYTHONPATH": str(tmp_path)})
    with pytest.raises(CheckoutError) as caught:
        locate(None, tmp_path, environment)
    assert str(caught.value) == (
        "found no ultralytics. Looked at the current folder and those above it, and at the virtual environment /v:\n"
        f"  {tmp_path}\n  /v/lib/python3*/site-packages\n"
        "Name it: --ultralytics-path PATH (a checkout, its package folder, or site-packages)."
    )


def test_several_found_are_listed(tmp_path: Path) -> None:
    one, two = plant(tmp_path / "one"), plant(tmp_path / "two")
    with pytest.raises(CheckoutError) as caught:
        locate(None, tmp_path, Environment("env", (one, two)))
    assert str(caught.value) == (
        f"env holds more than one ultralytics:\n  {one}/ultralytics\n  {two}/ultralytics\n"
        "Name the one to use: --ultralytics-path PATH."
    )


def test_one_found_twice_is_one(tmp_path: Path) -> None:
    root = plant(tmp_path / "root")
    (tmp_path / "link").symlink_to(root)
    assert Environment("env", (root, tmp_path / "link", root)).packages() == [root]


# Editable installs: as pip, setuptools and older tools leave them.


def pth(site: Path, project: Path) -> None:
    (site / "__editable__.ultralytics-8.2.50.pth").write_text(f"{project}\n")


def relative_pth(site: Path, project: Path) -> None:
    (site / "easy-install.pth").write_text(f"# old\nimport os; os.getpid()\n\n{os.path.relpath(project, site)}\n")


def direct_url(site: Path, project: Path) -> None:
    """As setuptools' finder: the .pth is code, and what tells of the project is pip's record."""
    (site / "__editable__.ultralytics-8.2.50.pth").write_text("import __editable___ultralytics_8_2_50_finder\n")
    record = {"url": project.as_uri(), "dir_info": {"editable": True}}
    (site / "ultralytics-8.2.50.dist-info").mkdir()
    (site / "ultralytics-8.2.50.dist-info" / "direct_url.json").write_text(json.dumps(record))


def finder(site: Path, project: Path) -> None:
    """As `setup.py develop` or another installer leaves it: with no record of pip's."""
    (site / "__editable__.ultralytics-8.2.50.pth").write_text(
        "import __editable___ultralytics_8_2_50_finder; __editable___ultralytics_8_2_50_finder.install()\n"
    )
    (site / "__editable___ultralytics_8_2_50_finder.py").write_text(
        "from __future__ import annotations\nimport sys\n"
        f"MAPPING: dict[str, str] = {{'tests': '/x/tests', 'ultralytics': {str(project / 'ultralytics')!r}}}\n"
        "NAMESPACES: dict[str, list[str]] = {}\nraise SystemExit('imported')\n"
    )


@pytest.mark.parametrize("link", [pth, relative_pth, direct_url, finder])
@pytest.mark.parametrize("name", ["project", "a project, so é"])
def test_an_editable_install_leads_to_its_project(link: object, name: str, tmp_path: Path) -> None:
    project, site = plant(tmp_path / name), site_packages(tmp_path / "env")
    assert callable(link)
    link(site, project)
    checkout = locate(None, tmp_path, active_environment({"VIRTUAL_ENV": str(tmp_path / "env")}))
    assert checkout.root == project


@pytest.mark.parametrize(
    "record",
    ["", "[]", "{}", '{"dir_info": {}}', '{"url": 1, "dir_info": {"editable": true}}', '{"url": "", "dir_info": 3}'],
)
def test_records_that_are_not_pips_are_passed_over(record: str, tmp_path: Path) -> None:
    site = site_packages(tmp_path)
    (site / "ultralytics-8.2.50.dist-info").mkdir()
    (site / "ultralytics-8.2.50.dist-info" / "direct_url.json").write_text(record)
    (site / "__editable___ultralytics_8_2_50_finder.py").write_text(record)
    (site / "broken.pth").write_bytes(b"\xff\xfe\n\0\n/nowhere\n" + b"x" * 5000)
    assert active_environment({"VIRTUAL_ENV": str(tmp_path)}).packages() == []

"""Where Python would import ultralytics from, on the layouts that environments and installers leave."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from test_checkout import empty, plant, site_packages

from distillpatch.tree.checkout import locate
from distillpatch.tree.environment import Place, first_holding, import_places

OWN = f"the environment of {sys.executable}"


def imported(**variables: str) -> tuple[str, tuple[Path, ...]] | None:
    """Return where Python would import ultralytics from, and the roots of all that it finds there."""
    place = first_holding(import_places(variables))
    return None if place is None else (place.name, place.roots)


# The places that Python imports from, in its order.


def test_the_one_that_is_installed_in_the_environment(tmp_path: Path) -> None:
    root = plant(site_packages(tmp_path))
    checkout = locate(None, tmp_path, import_places({"VIRTUAL_ENV": str(tmp_path)}))
    assert (checkout.root, checkout.found) == (root, f"found in the virtual environment {tmp_path}")


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"VIRTUAL_ENV": "/v"}, ["the virtual environment /v", OWN]),
        ({"CONDA_PREFIX": "/c"}, ["the conda environment /c", OWN]),
        ({"VIRTUAL_ENV": "/v", "CONDA_PREFIX": "/c"}, ["the virtual environment /v", OWN]),
        ({"VIRTUAL_ENV": ""}, [OWN]),
        ({"PYTHONPATH": os.pathsep}, [OWN]),
        ({"PYTHONPATH": "/p", "VIRTUAL_ENV": "/v"}, ["PYTHONPATH", "the virtual environment /v", OWN]),
    ],
)
def test_what_the_places_are_called(variables: dict[str, str], names: list[str]) -> None:
    assert [place.name for place in import_places(variables)] == names


def test_the_interpreters_own_environment() -> None:
    assert Path(pytest.__file__).parent.parent in import_places({})[-1].folders


def test_an_environment_without_any_leaves_it_to_the_interpreters_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when conda's base environment is active, and a virtual environment's Python is run by its path."""
    root = plant(tmp_path / "own")
    monkeypatch.setattr(sys, "path", ["", str(root)])
    assert locate(None, empty(tmp_path), import_places({"CONDA_PREFIX": str(tmp_path)})).found == f"found in {OWN}"
    active = plant(site_packages(tmp_path / "conda"))
    assert locate(None, empty(tmp_path), import_places({"CONDA_PREFIX": str(tmp_path / "conda")})).root == active


def test_python_path_comes_first(tmp_path: Path) -> None:
    first = plant(tmp_path / "first")
    plant(site_packages(tmp_path / "env"))
    path = os.pathsep.join([str(tmp_path / "missing"), "", str(first)])
    assert imported(PYTHONPATH=path, VIRTUAL_ENV=str(tmp_path / "env")) == ("PYTHONPATH", (first,))
    assert (
        locate(None, tmp_path, import_places({"PYTHONPATH": path, "VIRTUAL_ENV": str(tmp_path / "env")})).root == first
    )


def test_python_path_knows_no_links_to_projects(tmp_path: Path) -> None:
    project, site = plant(tmp_path / "project"), site_packages(tmp_path / "env")
    pth(site, project)
    assert imported(PYTHONPATH=str(site)) is None


def test_the_user_site_comes_before_a_conda_environments_own(tmp_path: Path) -> None:
    user, conda = plant(site_packages(tmp_path / "user")), plant(site_packages(tmp_path / "conda"))
    variables = {"CONDA_PREFIX": str(tmp_path / "conda"), "PYTHONUSERBASE": str(tmp_path / "user")}
    name = f"the conda environment {tmp_path / 'conda'}"
    assert imported(**variables) == (name, (user, conda))
    assert imported(**variables, PYTHONNOUSERSITE="1") == (name, (conda,))


def test_the_user_site_is_that_of_the_environments_python(tmp_path: Path) -> None:
    site_packages(tmp_path / "conda")
    plant(tmp_path / "user" / "lib" / "python3.12" / "site-packages")
    assert imported(CONDA_PREFIX=str(tmp_path / "conda"), PYTHONUSERBASE=str(tmp_path / "user")) is None


def test_the_user_site_is_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    site_packages(tmp_path / "conda")
    user = plant(site_packages(tmp_path / ".local"))
    found = imported(CONDA_PREFIX=str(tmp_path / "conda"))
    assert found is not None and found[1] == (user,)


@pytest.mark.parametrize("setting", ["true", "TRUE", "false", ""])
def test_a_virtual_environment_sees_the_system_where_it_says_so(setting: str, tmp_path: Path) -> None:
    own, user = plant(site_packages(tmp_path / "env")), plant(site_packages(tmp_path / "user"))
    base = plant(site_packages(tmp_path / "usr"))
    debian = plant(tmp_path / "usr" / "local" / "lib" / "python3.11" / "dist-packages")
    plant(tmp_path / "usr" / "lib" / "python3.12" / "site-packages")
    (tmp_path / "env" / "pyvenv.cfg").write_text(
        f"home = {tmp_path}/usr/bin\nInclude-System-Site-Packages = {setting}\nversion = 3.11.2\n"
    )
    found = imported(VIRTUAL_ENV=str(tmp_path / "env"), PYTHONUSERBASE=str(tmp_path / "user"))
    assert found is not None
    assert found[1] == ((own, user, base, debian) if setting.lower() == "true" else (own,))


def test_one_found_twice_is_one(tmp_path: Path) -> None:
    root = plant(tmp_path / "root")
    (tmp_path / "link").symlink_to(root)
    assert Place("env", (root, tmp_path / "link", root)).roots == (root,)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "ultralytics").symlink_to(root / "ultralytics")
    assert Place("env", (root, tmp_path / "site")).roots == (root,)
    assert Place("env", (tmp_path / "site", root)).roots == (tmp_path / "site",)


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
    checkout = locate(None, tmp_path, import_places({"VIRTUAL_ENV": str(tmp_path / "env")}))
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
    (site / "huge.pth").touch()
    os.truncate(site / "huge.pth", 60 * 2**30)
    os.mkfifo(site / "fifo.pth")
    assert imported(VIRTUAL_ENV=str(tmp_path)) is None

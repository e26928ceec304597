"""What `pip install` brings to another machine: the command, the patch set, the types."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import releases

from distillpatch import __version__

PROJECT = Path(__file__).resolve().parent.parent
PATCHES = sorted(path.name for path in (PROJECT / "patches").iterdir() if path.suffix in (".patch", ".py", ".md"))

# As a build front end runs a back end, in a process of its own: PEP 517.
BUILD = "import sys; from hatchling import build; getattr(build, f'build_{sys.argv[1]}')(sys.argv[2])"


def build(kind: str, project: Path, into: Path) -> Path:
    """Build a wheel or an sdist of a project, and return it."""
    into.mkdir()
    subprocess.run([sys.executable, "-c", BUILD, kind, into], cwd=project, check=True, stdout=subprocess.DEVNULL)
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", PROJECT, tmp_path_factory.mktemp("built") / "wheel")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", PROJECT, tmp_path_factory.mktemp("built") / "sdist")


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_the_program_the_patch_set_and_nothing_else(wheel: Path) -> None:
    names = contents(wheel)
    package = PROJECT / "distillpatch"
    modules = [path.relative_to(PROJECT).as_posix() for path in (*package.rglob("*.py"), package / "py.typed")]
    info = f"distillpatch-{__version__}.dist-info"
    assert sorted(name for name in names if not name.startswith(info)) == sorted(
        [*modules, *(f"distillpatch/patches/{name}" for name in PATCHES)]
    )
    assert "distillpatch/py.typed" in names and f"{info}/licenses/LICENSE" in names
    assert b"distillpatch = distillpatch.__main__:start" in names[f"{info}/entry_points.txt"]
    for name in PATCHES:
        assert names[f"distillpatch/patches/{name}"] == (PROJECT / "patches" / name).read_bytes()


def test_the_sdist_builds_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (project,) = tmp_path.iterdir()
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (project / "README.md").read_text(encoding="utf-8"))
    assert [link for link in links if not (project / link).exists()] == []
    assert contents(build("wheel", project, tmp_path / "wheel")) == contents(wheel)


def test_an_installed_command_works_anywhere(wheel: Path, tmp_path: Path) -> None:
    env, checkout = tmp_path / "env", releases.unpack("8.2.50", tmp_path / "checkout")
    subprocess.run([sys.executable, "-m", "venv", env], check=True)
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([env / "bin/python", *install, wheel], cwd=tmp_path, check=True)
    # What it depends on is at hand already, in the environment of the tests.
    (site,) = env.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    variables = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(*arguments: object) -> str:
        command = [env / "bin/distillpatch", *arguments, "--ultralytics-path", checkout]
        return subprocess.run(command, cwd="/", env=variables, check=True, capture_output=True, text=True).stdout

    assert "+++ b/ultralytics/utils/AddLoss.py" in run("diff")
    assert "Applied 15 modifications" in run("apply")
    assert (checkout / "ultralytics/utils/AddLoss.py").read_bytes() == (PROJECT / "patches/AddLoss.py").read_bytes()
    assert "Restored" in run("revert")
    used = subprocess.run(
        [env / "bin/python", "-c", "import distillpatch; print(distillpatch.__file__)"],
        cwd="/", env=variables, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert Path(used.stdout).is_relative_to(site)

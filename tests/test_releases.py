"""The cache of releases: downloads are complete or absent, and unpacked trees are whole and ours to write in."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
import releases


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """An empty cache before a stand-in for pip that serves tiny wheels; returns the requests that reach it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    requests = []

    def pip(*arguments: str) -> str:
        requests.append(arguments)
        if arguments[0] == "index":
            return "ultralytics (8.4.2)\nAvailable versions: 8.4.2, 8.4.10, 8.4.3rc1, 8.0.136, 8.0.135, 7.9.999\n"
        folder = Path(arguments[arguments.index("--dest") + 1])
        version = arguments[-1].partition("==")[2]
        with zipfile.ZipFile(folder / releases.wheel_path(version).name, "w") as archive:
            archive.writestr("ultralytics/__init__.py", f'__version__ = "{version}"\n')
            archive.writestr(f"ultralytics-{version}.dist-info/METADATA", f"Version: {version}\n")
        return ""

    monkeypatch.setattr(releases, "_pip", pip)
    return requests


def test_a_wheel_is_downloaded_once(index: list[tuple[str, ...]]) -> None:
    assert releases.wheel("8.4.2") == releases.wheel("8.4.2") == releases.wheel_path("8.4.2")
    assert len(index) == 1


@pytest.mark.usefixtures("index")
def test_an_interrupted_download_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: str) -> str:
        folder = Path(arguments[arguments.index("--dest") + 1])
        (folder / releases.wheel_path("8.4.2").name).write_bytes(b"PK, and then the line went dead")
        return ""

    with monkeypatch.context() as patch:
        patch.setattr(releases, "_pip", interrupted)
        with pytest.raises(zipfile.BadZipFile):
            releases.wheel("8.4.2")
    assert {path.name for path in releases.wheel_path("8.4.2").parent.iterdir()} <= {".lock"}
    assert zipfile.is_zipfile(releases.wheel("8.4.2"))


@pytest.mark.usefixtures("index")
def test_unpacking_gives_a_fresh_tree_each_time(tmp_path: Path) -> None:
    first = releases.unpack("8.4.2", tmp_path / "first")
    (first / "ultralytics/__init__.py").write_text("edited")
    second = releases.unpack("8.4.2", tmp_path / "second")
    assert (second / "ultralytics/__init__.py").read_text() == '__version__ = "8.4.2"\n'
    assert (second / "ultralytics-8.4.2.dist-info/METADATA").exists()


@pytest.mark.usefixtures("index")
def test_the_list_of_releases_is_sorted_by_number_and_starts_at_the_oldest() -> None:
    assert releases.all_releases() == ["8.0.136", "8.4.2", "8.4.10"]


def test_an_index_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "_pip", lambda *_: "")
    with pytest.raises(releases.ReleaseError, match="no releases"):
        releases.all_releases()


def test_pinned_releases_are_sorted_and_distinct() -> None:
    assert list(releases.PINNED) == sorted(set(releases.PINNED), key=releases.version_key)


def test_a_release_of_every_shape_is_pinned() -> None:
    page = Path(__file__).parent.parent / "docs/releases.md"
    text = page.read_text(encoding="utf-8")
    shapes = re.findall(r"^\| (\d[^|]*) \|", text, re.MULTILINE)
    assert f"in {len(shapes)} shapes" in text

    def is_of(version: tuple[int, ...], shape: str) -> bool:
        spans = [[*map(releases.version_key, span.split(" to "))] for span in shape.split(", ")]
        return any(span[0] <= version <= span[-1] for span in spans)

    pinned = [*map(releases.version_key, releases.PINNED)]
    assert [shape for shape in shapes if not any(is_of(version, shape) for version in pinned)] == []


@pytest.mark.parametrize("version", [releases.PINNED[0], releases.PINNED[-1]])
def test_a_real_release_unpacks_into_a_package(version: str, tmp_path: Path) -> None:
    tree = releases.unpack(version, tmp_path / "tree")
    assert (tree / "ultralytics/engine/trainer.py").is_file()
    assert (tree / f"ultralytics-{version}.dist-info/METADATA").is_file()


def test_half_of_all_names_choose_the_newest_release_and_each_other_is_chosen() -> None:
    names = [f"test_{number}" for number in range(100)]
    chosen = [releases.choose(name, releases.CORE) for name in names]
    assert 40 < chosen.count(releases.CORE[-1]) < 60
    assert {*chosen} == {*releases.CORE}
    assert chosen == [releases.choose(name, reversed(releases.CORE)) for name in names]
    assert releases.choose("a", ["8.4.190"]) == releases.choose("b", ["8.4.190"]) == "8.4.190"

"""Images without labels, on their own: how they are found, and how they are changed."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.one_python

OFF = dict.fromkeys(("translate", "scale", "degrees", "fliplr", "flipud", "hsv_h", "hsv_s", "hsv_v"), 0.0)


def changed(**arguments: Any) -> Any:
    """Return an image of some colours as a student sees it."""
    import numpy as np

    from patches.distill_images import UnlabelledImages

    image = np.random.default_rng(1).integers(256, size=(48, 64, 3), dtype=np.uint8)
    images = UnlabelledImages([], SimpleNamespace(imgsz=64, **{**OFF, **arguments}))
    return images._change(image, np.random.default_rng(2)).astype(int)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.JPG", "deeper/c.png", "d.gif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def found(source: Any) -> list[str]:
    from patches.distill_images import find_images

    return [Path(path).name for path in find_images(source)]


def test_scale_is_a_gain_or_a_range() -> None:
    """As in upstream from 8.4.60 on."""
    assert (changed(scale=0.5) == changed(scale=(0.5, 1.5))).all()
    assert (changed(scale=0.5) != changed(scale=(1.5, 1.6))).any()


def test_channels_are_swapped_as_often_as_asked_for() -> None:
    assert (changed(bgr=1.0) == changed()[..., ::-1]).all()
    assert (changed(bgr=1.0) != changed()).any()


def test_images_are_found_in_folders_and_lists(folder: Path) -> None:
    (folder / "list.txt").write_bytes(b"\xef\xbb\xbfa.png\r\n\r\ndeeper\r\n")  # as Windows writes it
    assert found(str(folder)) == ["a.png", "b.JPG", "c.png"]
    assert found(folder / "list.txt") == ["a.png", "c.png"]
    assert found([folder / "a.png", str(folder)]) == ["a.png", "b.JPG", "c.png"]


@pytest.mark.parametrize("source", [[], "", False, 3, ["", 1], "d.gif"])
def test_what_is_no_image_is_refused(source: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(
        ValueError, match=r"distill_images=.*: expected images, in a folder or a list, with names that end"
    ):
        found(source)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"list.txt", "list.txt'?: expected images"),
        (b"\xff\xfe", r"list\.txt: expected a list of paths in UTF-8"),
        (b"nowhere.png", r"nowhere\.png: expected a folder, an image or a list"),
        (b"", "list.txt'?: expected images"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(content: bytes, message: str, folder: Path) -> None:
    (folder / "list.txt").write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        found(str(folder / "list.txt"))
    assert re.search(message, str(error.value))

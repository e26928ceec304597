"""Images without labels, on their own: how they are found, and how they are changed."""

from __future__ import annotations

import logging
import re
from collections import Counter
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


def test_what_is_hidden_and_what_is_no_file_are_no_images(folder: Path) -> None:
    """macOS keeps `._NAME` beside each file of a copy, notebooks keep checkpoints, and a folder may have any name."""
    for name in ("._a.png", ".ipynb_checkpoints/a-checkpoint.png", "__MACOSX/._b.JPG", "folder.png/e.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    assert sorted(found(folder)) == ["a.png", "b.JPG", "c.png", "e.png"]
    hidden = folder / ".data"  # unless it was named
    hidden.mkdir()
    (hidden / "f.png").touch()
    assert found(hidden) == ["f.png"]


def test_any_other_image_is_taken_for_one_that_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them is told once, and those that can be read stand in for them about as often as one another."""
    import cv2
    import numpy as np

    from patches.distill_images import UnlabelledImages

    monkeypatch.setattr(logging.getLogger("ultralytics"), "propagate", True)
    paths = [str(tmp_path / f"{number:02}.png") for number in range(16)]
    for number, path in enumerate(paths[8:], 8):
        cv2.imwrite(path, np.full((8, 8, 3), 10 * number, np.uint8))
    images = UnlabelledImages(paths, SimpleNamespace(imgsz=8, **OFF))
    taken = Counter(int(images[seed % 8, seed].max()) // 10 for seed in range(160))
    assert sorted(taken) == [*range(8, 16)] and max(taken.values()) < 40
    assert sorted(re.findall(r"(\S+) cannot be read, another image is taken", caplog.text)) == paths[:8]
    assert [int(images[number, 0].max()) // 10 for number in range(8, 16)] == [*range(8, 16)]


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

"""The digits: the labels say where the ink is, for each task, and the same seed makes the same files."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sklearn")

import cv2
import numpy as np
from digits import MOST_DIGITS, TASKS, labels_of, make_digits, read_labels

pytestmark = pytest.mark.training

SIZE = 96


def images_of(data: Path) -> list[Path]:
    return sorted((data.parent / "images").glob("*/*.png"))


@pytest.fixture(scope="module", params=TASKS)
def task(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def data(task: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_digits(tmp_path_factory.mktemp(task), images=20, size=SIZE, task=task, seed=3)


def corners_of(numbers: list[float], task: str) -> np.ndarray:
    """The points of a label that should embrace the digit, in pixels."""
    if task in ("segment", "obb"):
        return np.array(numbers).reshape(-1, 2) * SIZE
    x, y, width, height = np.array(numbers[:4]) * SIZE
    return np.array([(x - width / 2, y - height / 2), (x + width / 2, y + height / 2)])


def test_a_fifth_of_the_images_is_for_validation(data: Path) -> None:
    assert [path.parent.name for path in images_of(data)].count("val") == 4
    assert len(images_of(data)) == 20


def test_every_image_has_as_many_labels_as_digits_and_at_least_one(data: Path) -> None:
    counts = [len(read_labels(labels_of(image))) for image in images_of(data)]
    assert min(counts) >= 1
    assert max(counts) <= MOST_DIGITS


def test_a_label_has_the_numbers_of_its_task_within_the_image(task: str, data: Path) -> None:
    lengths = {"detect": {4}, "pose": {4 + 4 * 3}, "obb": {8}}
    for image in images_of(data):
        for digit, numbers in read_labels(labels_of(image)):
            assert digit in range(10)
            assert corners_of(numbers, task).min() >= 0
            assert corners_of(numbers, task).max() <= SIZE
            if task == "segment":
                assert len(numbers) >= 6
                assert len(numbers) % 2 == 0
            else:
                assert len(numbers) in lengths[task]


def test_the_ink_lies_where_the_labels_say(task: str, data: Path) -> None:
    """Outside of the labelled places, grown by a pixel or two of soft edge, there is canvas and noise alone."""
    for path in images_of(data):
        image = cv2.imread(str(path)).astype(float)
        inside = np.zeros(image.shape[:2], np.uint8)
        for _, numbers in read_labels(labels_of(path)):
            points = corners_of(numbers, task).round().astype(np.int32)
            if len(points) == 2:
                cv2.rectangle(inside, points[0].tolist(), points[1].tolist(), 1, -1)
            else:
                cv2.fillPoly(inside, [points], 1)
        outside = image[cv2.dilate(inside, np.ones((9, 9), np.uint8)) == 0]
        noise = outside.std(axis=0).max()
        assert noise < 20
        assert np.abs(image[inside == 1] - outside.mean(axis=0)).max() > 3 * noise


def test_keypoints_lie_on_the_edges_of_the_box(tmp_path: Path) -> None:
    data = make_digits(tmp_path, images=10, size=SIZE, task="pose")
    assert "kpt_shape: [4, 3]" in data.read_text()
    for image in images_of(data):
        for _, numbers in read_labels(labels_of(image)):
            (left, top), (right, bottom) = corners_of(numbers, "pose") / SIZE
            highest, lowest, leftmost, rightmost = np.array(numbers[4:]).reshape(4, 3)
            assert [highest[1], lowest[1]] == pytest.approx([top, bottom], abs=1e-4)
            assert [leftmost[0], rightmost[0]] == pytest.approx([left, right], abs=1e-4)
            assert {highest[2], lowest[2], leftmost[2], rightmost[2]} == {2}


def test_the_same_seed_makes_the_same_files_and_another_makes_others(tmp_path: Path) -> None:
    once, again, other = (
        make_digits(tmp_path / name, images=10, size=SIZE, seed=seed)
        for name, seed in (("once", 1), ("again", 1), ("other", 2))
    )
    pixels = [[image.read_bytes() for image in images_of(data)] for data in (once, again, other)]
    assert pixels[0] == pixels[1]
    assert not set(pixels[0]) & set(pixels[2])


def test_an_unknown_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'classify'"):
        make_digits(tmp_path, images=4, size=SIZE, task="classify")

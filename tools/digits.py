"""A data set made on the spot: real handwritten digits from scikit-learn, pasted on noisy canvases and labelled.

No data set can be downloaded where the tests run, and random pixels teach nothing. These digits were written by people,
and a small YOLO learns to find them within minutes. The digits of the validation images are none of the training ones.

Run as a script it makes a data set and a sheet of its images with their labels drawn in, to look at:
`python tools/digits.py FOLDER [detect|segment|pose|obb]`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

TASKS = ("detect", "segment", "pose", "obb")
CLASSES = 10

# The share of the images, and of the handwritten digits, that is kept for validation.
VALIDATION = 0.2

# Digits per image, at most, and the range of their height as a share of the image's.
MOST_DIGITS = 5
HEIGHTS = (0.15, 0.45)

# Oriented boxes need digits that are turned; half a turn would make a 6 of a 9.
MOST_TURNED = 50

# The keypoints of a digit: where its ink reaches furthest up, down, left and right. Mirroring swaps the last two.
KEYPOINTS = "kpt_shape: [4, 3]\nflip_idx: [0, 1, 3, 2]\n"

Pixels = NDArray[np.float32]
Points = NDArray[np.float32]

# The ink of one digit and the number that it shows.
Handwritten = tuple[Pixels, int]


class Glyph(NamedTuple):
    """One digit as it lies on the canvas."""

    digit: int
    outline: Points
    corners: Points  # of the box that was upright and tight before the digit was turned


def make_digits(folder: Path, images: int, size: int, task: str = "detect", seed: int = 0) -> Path:
    """Make a data set of square images, a fifth of them for validation, and return the path of its `data.yaml`.

    The same arguments make the same files.
    """
    if task not in TASKS:
        raise ValueError(f"task is {task!r}, expected one of {', '.join(TASKS)}")
    random = np.random.default_rng(seed)
    held_back = max(1, round(images * VALIDATION))
    for split, count in (("train", images - held_back), ("val", held_back)):
        paint_images(folder, split, count, size, _handwriting(split), random, task)
    names = ", ".join(f"'{digit}'" for digit in range(CLASSES))
    # With no `path`, ultralytics looks beside the file, so the folder can be moved.
    text = f"train: images/train\nval: images/val\nnames: [{names}]\n"
    data = folder / "data.yaml"
    data.write_text(text + (KEYPOINTS if task == "pose" else ""), encoding="utf-8")
    return data


def paint_images(
    folder: Path,
    split: str,
    count: int,
    size: int,
    handwriting: list[Handwritten],
    random: np.random.Generator,
    task: str = "detect",
) -> None:
    """Write the images and the labels of one split, with these digits on them."""
    images, labels = folder / "images" / split, folder / "labels" / split
    images.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        canvas, glyphs = _compose(handwriting, size, task == "obb", random)
        cv2.imwrite(str(images / f"{number:05}.png"), canvas)
        rows = "".join(f"{_label(glyph, task, size)}\n" for glyph in glyphs)
        (labels / f"{number:05}.txt").write_text(rows, encoding="utf-8")


def _handwriting(split: str) -> list[Handwritten]:
    """Return the digits of one split."""
    return read_handwriting(*((0, 1 - VALIDATION) if split == "train" else (1 - VALIDATION, 1)))


def read_handwriting(start: float, end: float) -> list[Handwritten]:
    """Return the digits between two shares of all, each as its ink from 0 to 1, cropped, with the number it shows."""
    scanned = load_digits()
    chosen = slice(round(len(scanned.images) * start), round(len(scanned.images) * end))
    pairs = zip(scanned.images[chosen], scanned.target[chosen], strict=True)
    return [(_crop(image / 16), int(digit)) for image, digit in pairs]


def _crop(ink: Pixels) -> Pixels:
    """Cut off the empty margins of a scanned digit."""
    rows, columns = np.nonzero(ink > 0.2)
    return ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].astype(np.float32)


def _compose(
    handwriting: list[Handwritten], size: int, turned: bool, random: np.random.Generator
) -> tuple[NDArray[np.uint8], list[Glyph]]:
    """Paint one image: a noisy canvas of some colour, and on it digits in others, none touching another."""
    canvas = np.full((size, size, 3), random.uniform(40, 215, 3), np.float32)
    glyphs: list[Glyph] = []
    for _ in range(random.integers(1, MOST_DIGITS + 1)):
        ink, digit = handwriting[random.integers(len(handwriting))]
        paint, glyph = _place(ink, digit, size, turned, random)
        if _inside(glyph, size) and not any(_touch(glyph, other) for other in glyphs):
            # Ink and canvas differ by enough to be told apart, in either direction.
            colour = (canvas[0, 0] + random.uniform(90, 160, 3)) % 255
            canvas += paint[..., None] * (colour - canvas[0, 0])
            glyphs.append(glyph)
    canvas += random.normal(0, random.uniform(4, 16), canvas.shape)
    return canvas.clip(0, 255).astype(np.uint8), glyphs


def _place(ink: Pixels, digit: int, size: int, turned: bool, random: np.random.Generator) -> tuple[Pixels, Glyph]:
    """Scale, turn and move a digit; return its ink on a canvas of the image's size, and where it lies there."""
    height = round(size * random.uniform(*HEIGHTS))
    width = max(3, round(height * ink.shape[1] / ink.shape[0]))
    # A frame of no ink lets the outline close and the edges fade.
    stroke = cv2.copyMakeBorder(cv2.resize(ink, (width, height)), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    outline = _outline(stroke)
    (left, top), (right, bottom) = outline.min(axis=0), outline.max(axis=0)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    angle = random.uniform(-MOST_TURNED, MOST_TURNED) if turned else 0.0
    move = cv2.getRotationMatrix2D(((left + right) / 2, (top + bottom) / 2), angle, 1.0)
    reach = _transform(corners, move)
    # Whole pixels, so that a digit that is not turned keeps its strokes as sharp as its outline says.
    room = np.maximum(size - np.ceil(np.ptp(reach, axis=0)), 1)
    move[:, 2] += np.floor(random.uniform(0, room)) - np.floor(reach.min(axis=0))
    paint = cv2.warpAffine(stroke, move, (size, size))
    return paint, Glyph(digit, _transform(outline, move), _transform(corners, move))


def _outline(stroke: Pixels) -> Points:
    """Return the outline of a digit's ink as one polygon, in pixels of its own frame."""
    mask = (stroke > 0.3).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return max(contours, key=cv2.contourArea).reshape(-1, 2).astype(np.float32)


def _transform(points: Points, move: NDArray[np.float64]) -> Points:
    """Apply an affine map to points."""
    return (points @ move[:, :2].T + move[:, 2]).astype(np.float32)


def _inside(glyph: Glyph, size: int) -> bool:
    """Tell whether a digit lies wholly on the canvas."""
    return bool((glyph.corners >= 0).all() and (glyph.corners <= size - 1).all())


def _touch(one: Glyph, other: Glyph) -> bool:
    """Tell whether the upright boxes around two digits overlap."""
    low = np.maximum(one.corners.min(axis=0), other.corners.min(axis=0))
    high = np.minimum(one.corners.max(axis=0), other.corners.max(axis=0))
    return bool((low <= high).all())


def _label(glyph: Glyph, task: str, size: int) -> str:
    """Return a digit's row in the label file: its class, then what the task asks for as shares of the image's size."""
    outline = glyph.outline / size
    if task == "segment":
        numbers = outline.ravel()
    elif task == "obb":
        numbers = (glyph.corners / size).ravel()
    else:
        low, high = outline.min(axis=0), outline.max(axis=0)
        numbers = np.concatenate([(low + high) / 2, high - low])
    if task == "pose":
        visible = np.full((4, 1), 2, np.float32)
        numbers = np.concatenate([numbers, np.hstack([_extremes(outline), visible]).ravel()])
    return " ".join([str(glyph.digit), *(f"{number:.6g}" for number in numbers)])


def _extremes(outline: Points) -> Points:
    """Return the points where an outline reaches furthest up, down, left and right."""
    furthest = [outline[:, 1].argmin(), outline[:, 1].argmax(), outline[:, 0].argmin(), outline[:, 0].argmax()]
    return outline[furthest]


def read_labels(path: Path) -> list[tuple[int, list[float]]]:
    """Return the rows of a label file, each as its class and its numbers."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return [(int(row[0]), [float(number) for number in row[1:]]) for row in rows]


def draw_sheet(folder: Path, task: str, columns: int = 6, zoom: int = 3) -> NDArray[np.uint8]:
    """Return a sheet of the first images with their labels drawn in."""
    tiles = [_draw(path, task, zoom) for path in sorted((folder / "images/train").iterdir())[: columns * columns // 2]]
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles) - columns + 1, columns)]
    return np.vstack(rows)


def _draw(path: Path, task: str, zoom: int) -> NDArray[np.uint8]:
    """Return one image, enlarged, with the label file's polygons, boxes and points."""
    image = cv2.resize(cv2.imread(str(path)), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_NEAREST)
    scale = image.shape[0]
    for digit, numbers in read_labels(labels_of(path)):
        if task in ("segment", "obb"):
            polygon = np.array(numbers).reshape(-1, 2) * scale
        else:
            x, y, width, height = np.array(numbers[:4]) * scale
            low, high = (x - width / 2, y - height / 2), (x + width / 2, y + height / 2)
            polygon = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
        cv2.polylines(image, [polygon.round().astype(np.int32)], True, (0, 255, 0))
        cv2.putText(image, str(digit), polygon[0].astype(int).tolist(), cv2.FONT_HERSHEY_PLAIN, 1.2, (0, 0, 255))
        for point in np.array(numbers[4:] if task == "pose" else []).reshape(-1, 3)[:, :2] * scale:
            cv2.circle(image, point.round().astype(int).tolist(), 3, (255, 0, 0), -1)
    return image


def labels_of(image: Path) -> Path:
    """Return the path of the label file of an image."""
    return image.parents[2] / "labels" / image.parent.name / f"{image.stem}.txt"


def main(folder: Path, task: str = "detect") -> None:
    """Make a small data set and a sheet to look at."""
    make_digits(folder, images=40, size=128, task=task)
    cv2.imwrite(str(folder / "sheet.png"), draw_sheet(folder, task))
    print(f"{folder / 'data.yaml'}, drawn in {folder / 'sheet.png'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

"""Real pictures for `make learning`: cut-outs of Debian's Tux Paint stamps, pasted on photographs from its wallpapers.

The packages are fetched by `apt-get download` and unpacked in the cache folder, not installed. Each class is one or
more folders of stamps, and its objects are divided: what is examined was never trained on.

`python tools/learning_stamps.py SHEET.png` draws a sheet of images with their boxes, to look at.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from releases import cache_home

# gnome-backgrounds has drawings alone; these two have photographs of landscapes, plants and things.
PACKAGES = ("tuxpaint-stamps-default", "mate-backgrounds", "lomiri-wallpapers-16.04")
PHOTOGRAPHS = ("usr/share/backgrounds/mate/nature/*.jpg", "usr/share/backgrounds/*.jpg")
STAMPS = "usr/share/tuxpaint/stamps"

CLASSES = {
    "bird": ("animals/birds",),
    "fish": ("animals/fish", "animals/shellfish"),
    "insect": ("animals/insects",),
    "mammal": ("animals/mammals", "animals/marsupials"),
    "fruit": ("food/fruit", "food/nuts"),
    "vegetable": ("food/vegetables",),
    "flower": ("plants/flowers",),
    "vehicle": ("vehicles",),
    "house": ("town/houses",),
    "road sign": ("town/roadsigns",),
}

MOST_OBJECTS = 4
SIZES = (0.2, 0.55)  # of an object's longer side, as a share of the image's
OVERLAP = 0.2  # of the smaller of two boxes, at most
SHORTEST_SIDE = 240  # of a photograph, from which a square of `CROPS` of that is cut
CROPS = (0.5, 1.0)

Pixels = NDArray[np.uint8]


class Stamp(NamedTuple):
    """One object: blue, green, red and alpha, cropped to what is seen of it, and its class."""

    pixels: Pixels
    number: int


def packages(folder: Path) -> Path:
    """Download and unpack the packages, unless it is done, and return the folder that they are unpacked in."""
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=folder, check=True)
            for package in sorted(folder.glob("*.deb")):
                subprocess.run(["dpkg", "-x", str(package), str(folder)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SystemExit(f"learning: the stamps come from Debian, {', '.join(PACKAGES)}: {error}") from None
        (folder / "complete").touch()
    return folder


def stamps(folder: Path, start: float, end: float) -> list[list[Stamp]]:
    """Return the objects of a part of each class, from one share of them to another."""
    return [objects[round(len(objects) * start) : round(len(objects) * end)] for objects in _all_stamps(folder)]


@functools.cache
def _all_stamps(folder: Path) -> list[list[Stamp]]:
    """Return the objects of each class, mixed: neighbours by name are often the same thing from another side."""
    found = []
    for number, places in enumerate(CLASSES.values()):
        paths = [path for place in places for path in (folder / STAMPS / place).rglob("*.png")]
        paths.sort(key=lambda path: (zlib.crc32(path.stem.encode()), path.name))
        found.append([Stamp(pixels, number) for path in paths if (pixels := _read(path)) is not None])
    return found


def _read(path: Path) -> Pixels | None:
    """Return a stamp, cropped and made smaller; None for a picture without a transparent part."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4 or image[..., 3].min() > 0:
        return None
    rows, columns = np.nonzero(image[..., 3] > 64)
    if not len(rows):
        return None
    image = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = min(1.0, 200 / max(image.shape[:2]))
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


@functools.cache
def photographs(folder: Path) -> list[Pixels]:
    """Return the photographs, made smaller."""
    paths = sorted({path for pattern in PHOTOGRAPHS for path in folder.glob(pattern)})
    images = [cv2.imread(str(path)) for path in paths]
    scales = [SHORTEST_SIDE / min(image.shape[:2]) for image in images]
    return [
        np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        for image, scale in zip(images, scales, strict=True)
    ]


def paste_images(folder: Path, part: str, count: int, size: int, share: tuple[float, float], seed: list[int]) -> None:
    """Write the images and labels of a part of the data set, with the objects of a share of each class."""
    source = packages(cache_home() / "learning" / "packages")
    by_class, places = stamps(source, *share), photographs(source)
    random = np.random.default_rng(seed)
    for kind in ("images", "labels"):
        (folder / kind / part).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image, boxes = _compose(by_class, places, size, random)
        cv2.imwrite(str(folder / "images" / part / f"{number:05}.png"), image)
        rows = [f"{kind} {' '.join(f'{v:.6g}' for v in _centred(box / size))}\n" for kind, box in boxes]
        (folder / "labels" / part / f"{number:05}.txt").write_text("".join(rows), encoding="utf-8")


def _compose(
    by_class: list[list[Stamp]], places: list[Pixels], size: int, random: np.random.Generator
) -> tuple[Pixels, list[tuple[int, NDArray[np.float32]]]]:
    """Paste objects of random classes, which all come equally often, on a random square of a photograph."""
    image = _crop(places[random.integers(len(places))], size, random)
    boxes: list[tuple[int, NDArray[np.float32]]] = []
    for _ in range(random.integers(1, MOST_OBJECTS + 1)):
        of_class = by_class[random.integers(len(by_class))]
        stamp = of_class[random.integers(len(of_class))]
        scale = size * random.uniform(*SIZES) / max(stamp.pixels.shape[:2])
        pixels = cv2.resize(stamp.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if random.random() < 0.5:
            pixels = pixels[:, ::-1]
        height, width = pixels.shape[:2]
        left, top = random.integers(size - width + 1), random.integers(size - height + 1)
        box = np.array([left, top, left + width, top + height], np.float32)
        if min(height, width) >= 6 and all(_overlap(box, other) < OVERLAP for _, other in boxes):
            alpha = pixels[..., 3:] / 255
            under = image[top : top + height, left : left + width]
            under[:] = under * (1 - alpha) + pixels[..., :3] * alpha * random.uniform(0.7, 1.0)
            boxes.append((stamp.number, box))
    noisy = image + random.normal(0, random.uniform(0, 8), image.shape)
    return noisy.clip(0, 255).astype(np.uint8), boxes


def _crop(photograph: Pixels, size: int, random: np.random.Generator) -> NDArray[np.float32]:
    side = round(min(photograph.shape[:2]) * random.uniform(*CROPS))
    top, left = (random.integers(length - side + 1) for length in photograph.shape[:2])
    square = cv2.resize(photograph[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA)
    return square.astype(np.float32)


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the share of the smaller box that lies in the other."""
    shared = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None).prod()
    return float(shared / min((box[2:] - box[:2]).prod() for box in (one, other)))


def _centred(box: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([(box[:2] + box[2:]) / 2, box[2:] - box[:2]])


def draw(folder: Path, part: str, columns: int = 8, rows: int = 5, zoom: int = 2) -> Pixels:
    """Return a sheet of the first images of a part, with boxes and the names of their classes."""
    tiles, names = [], list(CLASSES)
    for path in sorted((folder / "images" / part).iterdir())[: columns * rows]:
        image = cv2.resize(cv2.imread(str(path)), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
        for line in (folder / "labels" / part / f"{path.stem}.txt").read_text().splitlines():
            number, x, y, width, height = map(float, line.split())
            low = np.array([x - width / 2, y - height / 2]) * image.shape[0]
            high = np.array([x + width / 2, y + height / 2]) * image.shape[0]
            cv2.rectangle(image, low.astype(int).tolist(), high.astype(int).tolist(), (0, 255, 0))
            place = [int(low[0]) + 2, int(low[1]) + 11]
            cv2.putText(image, names[int(number)], place, cv2.FONT_HERSHEY_PLAIN, 0.8, (0, 0, 255))
        tiles.append(image)
    return np.vstack([np.hstack(tiles[row * columns : (row + 1) * columns]) for row in range(rows)])


def main(sheet: Path) -> None:
    """Draw a sheet of the images of the data set that `make learning` has made."""
    cv2.imwrite(str(sheet), draw(cache_home() / "learning" / "stamps", "teacher"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

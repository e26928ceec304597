# Added by distillpatch. AGPL-3.0, as the Ultralytics code around it.
"""Images without labels, from which a student learns by its teacher's predictions alone.

They are not upstream's to load: it takes an image without a label file for one that shows nothing.
"""

from __future__ import annotations

import logging
import math
import os
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from .distill_models import de_parallel, input_channels

LOGGER = logging.getLogger("ultralytics")
RANK = int(os.getenv("RANK", "-1"))

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
EXPECTED = f"in a folder or a list, with names that end in {', '.join(SUFFIXES)}"
GREY = (114, 114, 114)  # what upstream fills the borders of images with
CHANGES = ("translate", "scale", "degrees", "fliplr", "flipud", "hsv_h", "hsv_s", "hsv_v", "bgr")  # train arguments


def find_images(source):
    """Return the paths of images.

    Args:
        source (str | Path | list): A folder, which is searched with all folders in it but hidden ones; an image; a
            text file with a path a line, relative ones being relative to its folder; or a list of such.

    Returns:
        (list[str]): Absolute paths, sorted, each of them once.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If one of them has no images, or is no path.
    """
    found = set()
    paths = source if isinstance(source, (list, tuple)) else [source]
    for path in paths:
        images = _images(Path(path).expanduser()) if isinstance(path, (str, Path)) and str(path) else []
        if not images:
            raise ValueError(f"distill_images={path!r}: expected images, {EXPECTED}")
        found.update(str(image.resolve()) for image in images)
    if not paths:
        raise ValueError(f"distill_images={source!r}: expected images, {EXPECTED}")
    return sorted(found)


def absolute(source):
    """Return what images are found by, with absolute paths: as a string, or a list of them.

    Args:
        source (str | Path | list): As find_images takes it.
    """
    if isinstance(source, (list, tuple)):
        return [absolute(path) for path in source]
    return str(Path(source).expanduser().resolve())


def _images(path, listed=False):
    """Return the images that one path stands for; in a list of paths there is no other list."""
    if path.is_dir():
        images = (image for image in path.rglob("*") if image.suffix.lower() in SUFFIXES and image.is_file())
        # What is hidden is no image of the user's: macOS keeps a file ._NAME beside each NAME of a copy.
        return [image for image in images if not any(part[0] == "." for part in image.relative_to(path).parts)]
    if not path.is_file():
        raise FileNotFoundError(f"distill_images={path}: expected a folder, an image or a list of images")
    if path.suffix.lower() != ".txt" or listed:
        return [path] if path.suffix.lower() in SUFFIXES else []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()  # Windows puts a mark before the first line
    except UnicodeDecodeError as e:
        raise ValueError(f"distill_images={path}: expected a list of paths in UTF-8: {e}") from e
    return [image for line in lines if line.strip() for image in _images(path.parent / line.strip(), listed=True)]


class UnlabelledImages(Dataset):
    """Images as a student sees those with labels: of the size of the training, and changed as its arguments say.

    The arguments are those of CHANGES. There is no mosaic, since no student will be given four images in one, and all
    images have one size, also with multi_scale.

    Args:
        paths (list[str]): The images.
        args (SimpleNamespace): The arguments of the run.
    """

    def __init__(self, paths, args):
        self.paths, self.size, self.unread = paths, args.imgsz, set()
        # bgr is not in all releases.
        self.changes = SimpleNamespace(**{name: getattr(args, name, 0.0) for name in CHANGES})

    def __len__(self):
        """Return the number of images."""
        return len(self.paths)

    def __getitem__(self, draw):
        """Return an image.

        Args:
            draw (tuple[int, int]): Its number, and a seed for how it is changed.

        Returns:
            (torch.Tensor): Of shape (3, imgsz, imgsz), in RGB and of type uint8.

        Raises:
            ValueError: If no image can be read.
        """
        number, seed = draw
        image = self._image(number)
        if image is None:  # any other, since those that cannot be read are often side by side
            others = map(self._image, np.random.default_rng(seed).permutation(len(self.paths)))
            image = next((other for other in others if other is not None), None)
        if image is None:
            raise ValueError("distill_images: none of the images can be read")
        changed = self._change(image, np.random.default_rng(seed))
        return torch.from_numpy(np.ascontiguousarray(changed[..., ::-1].transpose(2, 0, 1)))

    def _image(self, number):
        """Return an image as it is on disk, in BGR; None if it cannot be read, of which the user is warned once."""
        path = self.paths[number]
        image = _read(path)
        if image is None and path not in self.unread:
            self.unread.add(path)
            LOGGER.warning(f"distill_images: {path} cannot be read, another image is taken instead")
        return image

    def _change(self, image, random):
        """Return an image of the size of the training: fitted in, moved, turned, flipped, and in other colours."""
        args, size, (height, width) = self.changes, self.size, image.shape[:2]
        fit = size / max(height, width)
        width, height = (max(1, round(side * fit)) for side in (width, height))  # some images are thin as a thread
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if fit < 1 else cv2.INTER_LINEAR)
        between = args.scale if isinstance(args.scale, (list, tuple)) else (1 - args.scale, 1 + args.scale)
        turn, zoom = random.uniform(-args.degrees, args.degrees), random.uniform(*between)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, zoom)
        move = random.uniform(-args.translate, args.translate, 2) * size
        matrix[:, 2] += (size - np.array([width, height])) / 2 + move
        image = cv2.warpAffine(image, matrix, (size, size), borderValue=GREY)
        for axis, chance in ((1, args.fliplr), (0, args.flipud)):
            if random.random() < chance:
                image = np.flip(image, axis)
        image = _recolour(image, 1 + random.uniform(-1, 1, 3) * (args.hsv_h, args.hsv_s, args.hsv_v))
        return image[..., ::-1] if random.random() < args.bgr else image


def _read(path):
    """Return an image in BGR; None if it cannot be read. cv2.imread fails on names that are not ASCII, on Windows."""
    try:
        return cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None


def _recolour(image, gains):
    """Multiply hue, saturation and value of an image in BGR."""
    hsv = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGR2HSV).astype(np.float32) * gains.astype(np.float32)
    hsv[..., 0] %= 180
    return cv2.cvtColor(hsv.clip(0, 255).astype(np.uint8), cv2.COLOR_HSV2BGR)


class _Draws(Sampler):
    """Which images come, and how each is changed, without end: each image once a round, each process its own part.

    It has a random generator of its own, so that images with labels come as they would come without these.

    Args:
        count (int): The number of images.
        seed (int): Of the generator.
        begin (int): The number of draws that are left out, of all processes.
    """

    def __init__(self, count, seed, begin):
        self.count, self.seed, self.begin = count, seed, begin

    def __iter__(self):
        random = np.random.default_rng(self.seed)
        processes, number = _processes(), max(RANK, 0)
        drawn = 0
        while True:
            for image, seed in zip(random.permutation(self.count), random.integers(2**31, size=self.count)):
                if drawn >= self.begin and drawn % processes == number:
                    yield int(image), int(seed)
                drawn += 1


class ImageStream:
    """What the images without labels of a run are taken from, as many at a time as are wanted.

    Args:
        trainer (BaseTrainer): Its arguments hold the images, distill_images, and how many there are for each image with
            labels, distill_images_ratio.

    Raises:
        ValueError: If the student does not look at images in colour.
    """

    def __init__(self, trainer):
        args, looks_at = trainer.args, input_channels(trainer.model)
        if looks_at != 3:
            raise ValueError(f"distill_images: expected a model of 3 image channels, not {looks_at}")
        self.trainer, self.paths = trainer, find_images(args.distill_images)
        self.count, self._stream = len(self.paths), None
        self.labelled = 0  # images with labels that came so far, in all processes

    def take(self, labelled):
        """Return the next images.

        Args:
            labelled (int): The number of images with labels of this step.

        Returns:
            (torch.Tensor): Of shape (N, 3, imgsz, imgsz), in RGB, from 0 to 1, on the device of the training. In a run
                there are distill_images_ratio times as many as with labels; in a step there may be none.
        """
        if self._stream is None:
            self._begin()
        before = self._due()
        self.labelled += labelled * _processes()
        count = self._due() - before
        if not count:
            return torch.empty(0)
        images = torch.stack([next(self._stream) for _ in range(count)])
        return images.to(self.trainer.device, non_blocking=True).float() / 255

    def _due(self):
        """Return how many images this process has to have taken."""
        due = self.labelled / _processes() * self.trainer.args.distill_images_ratio
        return math.floor(due / self._least + 1e-6) * self._least

    def _begin(self):
        """Begin to load images without end, where the run has come to, in processes of their own if it has such.

        With the first batch, since only then has upstream fitted the size of the images to the student's strides.
        """
        args, stride = self.trainer.args, int(max(de_parallel(self.trainer.model).stride))
        # BatchNorm needs two places to learn from: where an image is a single one to the deepest layers, two images.
        self._least = 1 if args.imgsz >= 2 * stride else 2
        draws = _Draws(self.count, args.seed, begin=self._due() * _processes())
        workers = min(args.workers, (os.cpu_count() or 1) // _processes())
        images = UnlabelledImages(self.paths, args)
        self._stream = iter(DataLoader(images, batch_size=None, sampler=draws, num_workers=workers))

    def stop(self):
        """End the processes that load images."""
        self._stream = None


def _processes():
    return torch.distributed.get_world_size() if RANK != -1 else 1

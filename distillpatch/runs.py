"""Training runs as they are on disk: what each was asked to do and how its accuracy went, read without torch."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from distillpatch.errors import DistillpatchError
from distillpatch.tree.files import read_regular

RESULTS, ARGUMENTS = "results.csv", "args.yaml"
_METRICS = "metrics/"

# Accuracy by task, the most specific one first: masks, keypoints, boxes, classes.
_ACCURACIES = ("mAP50-95(M)", "mAP50-95(P)", "mAP50-95(B)", "accuracy_top1")

# Where runs are below a folder: in `runs` itself, by task, and by a project of it.
_DEPTHS = ("*", "*/*", "*/*/*")

_LARGEST_RESULTS = 16 * 2**20  # 100,000 epochs
_LARGEST_ARGUMENTS = 2**20  # the tutorial's changes write a whole model's text into it

# Arguments that a run may have otherwise and is still the same training: where it is kept, and how it is watched.
_DISTILLATION = ("model_t", "distillonline", "logit_loss", "distill_model", "dis")
_PLACE = ("project", "name", "save_dir", "exist_ok", "seed", "mode", "resume")
_WATCHING = ("save", "save_period", "plots", "verbose", "profile", "workers", "device", "cache", "deterministic")
_INCIDENTAL = frozenset((*_DISTILLATION, *_PLACE, *_WATCHING))

# What an accuracy depends on beside the model: the images, and how they are looked at.
VALIDATION = ("data", "split", "imgsz", "single_cls", "classes", "conf", "iou", "max_det", "agnostic_nms")


class RunError(DistillpatchError):
    """A folder that has no results of a training run, or results that cannot be read."""


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        folder: Where it is.
        epochs: The numbers of its epochs as in its results, in order.
        columns: The values of each column of its results, one for each epoch.
        arguments: What it was asked to do; None where that is not known.
    """

    folder: Path
    epochs: tuple[int, ...]
    columns: Mapping[str, tuple[float, ...]]
    arguments: Mapping[str, Any] | None

    def curve(self, metric: str) -> dict[int, float]:
        """Return a metric by epoch, as the how manieth it was, for the epochs in which it was measured."""
        values = self.columns.get(_METRICS + metric, ())
        return {i + 1: v for i, v in enumerate(values) if self._is_measured[i] and math.isfinite(v)}

    @property
    def metrics(self) -> list[str]:
        """The metrics that it has."""
        return [name.removeprefix(_METRICS) for name in self.columns if name.startswith(_METRICS)]

    @cached_property
    def _is_measured(self) -> list[bool]:
        """Whether each epoch was followed by a validation: one that was not has zeros, the losses of it as well."""
        checked = [values for name, values in self.columns.items() if name.startswith(("val/", _METRICS))]
        return [any(column[i] for column in checked) for i in range(len(self.epochs))]

    @property
    def unfinished(self) -> int | None:
        """How many epochs it was asked for, if it did not do all of them."""
        asked = (self.arguments or {}).get("epochs")
        return asked if isinstance(asked, int) and len(self.epochs) < asked else None

    @property
    def model(self) -> str:
        """The model that it trained, if that is known."""
        return str((self.arguments or {}).get("model", "?"))

    @property
    def diverged(self) -> int | None:
        """The first epoch, as the how manieth it was, in which a training loss was no finite number."""
        losses = [values for name, values in self.columns.items() if name.startswith("train/")]
        bad = (i + 1 for i in range(len(self.epochs)) if not all(math.isfinite(column[i]) for column in losses))
        return next(bad, None)

    @property
    def seed(self) -> object:
        """The seed that it started from, if that is known."""
        seed = (self.arguments or {}).get("seed")
        return seed if seed is None or isinstance(seed, (int, float)) else str(seed)

    @property
    def teacher(self) -> str | None:
        """The teacher that it was given: the path of its weights, ours or that of upstream's distill_model."""
        arguments = self.arguments or {}
        teacher = arguments.get("model_t") or arguments.get("distill_model")
        # A model's text, if the tutorial's changes wrote it.
        return None if teacher is None else str(teacher) if len(str(teacher)) < 1000 else "a model that no file holds"

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses of distillation that were more than zero, each with its kind and its weight where it is stated."""
        arguments = self.arguments or {}
        stated = {
            "dfeaLoss": (str(arguments.get("distill_feat_type", "cwd")), "distill_feat_weight"),
            "dlogitLoss": (str(arguments.get("distill_logit_type", "logits")), "distill_logit_weight"),
            "dlineLoss": ("online", "distill_online_weight"),
            "dis_loss": ("distill_model", "dis"),
        }
        return tuple(
            f"{name} {arguments[weight]:g}" if isinstance(arguments.get(weight), int | float) else name
            for column, (name, weight) in stated.items()
            if any(self.columns.get(f"train/{column}", ()))
        )

    @property
    def training(self) -> dict[str, str] | None:
        """What it was asked to do but for distillation, seed and place: equal in runs that may be compared."""
        if self.arguments is None:
            return None
        return {
            key: str(value)
            for key, value in self.arguments.items()
            # A release states None for an argument that another one does not know.
            if value is not None and key not in _INCIDENTAL and not key.startswith("distill_")
        }

    @property
    def validation(self) -> dict[str, str]:
        """How its accuracy was measured: equal in runs of different models that may be compared."""
        return {key: str((self.arguments or {}).get(key)) for key in VALIDATION}

    @property
    def way(self) -> tuple[object, ...]:
        """All that was asked but for seed and place: equal in runs that differ by chance alone."""
        training = self.training
        distillation = tuple(
            (key, str(value))
            for key, value in sorted((self.arguments or {}).items())
            if key in _DISTILLATION or key.startswith("distill_")
            if value is not None and self.teacher is not None
        )
        return (str(self.folder),) if training is None else (*sorted(training.items()), *distillation)

    def holds(self, weights: str) -> str | None:
        """Return the name of a file of weights if it is one of this run, whatever folder the run was moved to."""
        path = _path(weights)
        file = self.folder / "weights" / path.name
        saved = (self.arguments or {}).get("save_dir")
        same = Path(weights) == file or _exists_as(weights, file) or (saved and str(path.parent.parent) == str(saved))
        return path.stem if same else None


def read_runs(folders: Iterable[Path]) -> tuple[list[Run], dict[Path, RunError]]:
    """Read training runs, each of them once.

    Args:
        folders: The folder of a run, its results.csv, or a folder that holds the folders of runs.

    Returns:
        The runs, and why others that such folders hold cannot be read.

    Raises:
        RunError: If there is no run in one of them, or if none can be read, or not one that was named itself.
    """
    named: dict[Path, bool] = {}
    for folder in folders:
        for run in _runs_in(folder):
            named[run.resolve()] = named.get(run.resolve(), False) or run in (folder, folder.parent)
    runs: list[Run] = []
    unread: dict[Path, RunError] = {}
    for folder, is_named in named.items():
        try:
            runs.append(read_run(folder))
        except RunError as error:
            if is_named:
                raise
            unread[folder] = error
    if unread and not runs:
        raise next(iter(unread.values()))
    return runs, unread


def read_run(folder: Path) -> Run:
    """Read the training run of a folder.

    Raises:
        RunError: If it cannot be read.
    """
    columns = _columns(folder / RESULTS)
    epochs = tuple(int(epoch) for epoch in columns.pop("epoch"))
    return Run(folder, epochs, columns, _arguments(folder / ARGUMENTS))


def teacher_run(run: Run) -> Run | None:
    """Return the run that trained a run's teacher, if its weights are still in its folder and it can be read."""
    if run.teacher is None:
        return None
    try:
        return read_run(Path(run.teacher).parent.parent)
    except RunError:
        return None


def common_metric(runs: Sequence[Run], wanted: str | None = None) -> str:
    """Return the metric to compare runs by.

    Raises:
        RunError: If they do not all have the one that is wanted, or have none in common.
    """
    wanted = wanted and wanted.removeprefix(_METRICS)
    have = [run.metrics for run in runs]
    for run, metrics in zip(runs, have, strict=True):
        if wanted is not None and wanted not in metrics:
            raise RunError(f"{run.folder}: no metric {wanted}; expected one of {', '.join(metrics) or 'its metrics'}.")
    if wanted is not None:
        return wanted
    for run, metrics in zip(runs, have, strict=True):
        if not metrics:
            raise RunError(
                f"{run.folder / RESULTS}: expected columns such as {_METRICS}{_ACCURACIES[2]}, found none that begins "
                f"with {_METRICS}. Leave this run out."
            )
    for metric in _ACCURACIES:
        if all(metric in metrics for metrics in have):
            return metric
    raise RunError(
        "these runs have no accuracy in common: expected runs of one task. Name a metric that all of them have: "
        "--metric NAME, as in the column metrics/NAME of their results.csv."
    )


def _runs_in(place: Path) -> Iterator[Path]:
    if place.name == RESULTS and not place.is_dir():
        place = place.parent
    if _exists(place / RESULTS):
        yield place
        return
    inside = sorted(file.parent for depth in _DEPTHS for file in place.glob(f"{depth}/{RESULTS}"))
    if not inside:
        what = (
            "does not exist"
            if not _exists(place)
            else f"has no {RESULTS}, and neither have the folders up to {len(_DEPTHS)} levels below it"
            if place.is_dir()
            else "is a file"
        )
        raise RunError(f"{place} {what}: expected the folder of a training run, such as runs/detect/train.")
    yield from inside


def _columns(file: Path) -> dict[str, tuple[float, ...]]:
    text = _text(file, _LARGEST_RESULTS)
    reader = csv.reader(io.StringIO(text.replace("\0", "?"), newline=None))
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise RunError(f"{file}, line {reader.line_num}: not what ultralytics writes: {error}. Restore it.") from error
    header = [name.strip() for name in rows[0][1]] if rows else []
    if "epoch" not in header:
        raise RunError(f"{file}: expected a first line with the name of each column, epoch among them.")
    epochs: dict[float, list[float]] = {}
    for number, row in rows[1:]:
        values = _numbers(row)
        if values is None or len(values) != len(header) or not math.isfinite(values[header.index("epoch")]):
            if number == rows[-1][0] and not text.endswith(("\n", "\r")):
                break  # the training is writing it
            raise RunError(
                f"{file}, line {number}: expected {len(header)} numbers, one for each column of the first line. If the "
                "run was resumed with other losses, split the file there."
            )
        epoch = values[header.index("epoch")]
        # A run that was resumed may have done an epoch again, and one that was started again adds to the same file.
        while epochs and next(reversed(epochs)) >= epoch:
            epochs.popitem()
        epochs[epoch] = values
    if not epochs:
        raise RunError(f"{file}: no epoch is complete yet. Train on, or leave this run out.")
    return {name: tuple(values[i] for values in epochs.values()) for i, name in enumerate(header)}


def _numbers(row: list[str]) -> list[float] | None:
    try:
        return [float(cell) for cell in row]
    except ValueError:
        return None


def _arguments(file: Path) -> dict[str, Any] | None:
    import yaml

    if not _exists(file):
        return None
    try:
        read = yaml.safe_load(_text(file, _LARGEST_ARGUMENTS))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise RunError(f"{file}{line}: not YAML. Restore the file, or move it away to compare without it.") from error
    if not isinstance(read, dict):
        raise RunError(f"{file}: expected `name: value` in each line. Restore it, or move it away to compare without.")
    return {str(key): value for key, value in read.items()}


def _text(file: Path, limit: int) -> str:
    try:
        return read_regular(file, limit, through_link=True).decode("utf-8-sig", "replace")
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror}.") from error
    except ValueError as error:  # args.yaml may name a teacher by characters that no name has on this system
        raise RunError(f"cannot read {file}: no file can have this name here.") from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}.") from error


def _exists_as(weights: str, file: Path) -> bool:
    try:
        return Path(weights).samefile(file)
    except (OSError, ValueError):
        return False


def _path(text: str) -> PurePath:
    """Return a path as of the system that a run was on, which may be another one than this."""
    return PureWindowsPath(text) if "\\" in text else PurePosixPath(text)

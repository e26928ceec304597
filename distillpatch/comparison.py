"""Training runs compared: what a teacher gave, over seeds, and how sure that is."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from statistics import NormalDist, mean, stdev

from distillpatch.runs import Run, common_metric, read_runs, teacher_run

_CONFIDENCE = 0.95

# Student's t: the quantile of 0.975 by degrees of freedom, from 1.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True)
class Score:
    """What a run reached.

    Attributes:
        run: The run.
        best: Its highest accuracy, None if it was never measured.
        best_epoch: Which epoch that was, counted from 1.
        last: The last accuracy that was measured.
        chosen: Of best and last the one that runs are compared by.
        gain: How much more than the run without a teacher from the same seed; None if there is none.
        gap_closed: The gain as a share of the gap between that run and the teacher, if both were measured in the same
            way and there is one.
    """

    run: Run
    best: float | None
    best_epoch: int | None
    last: float | None
    chosen: float | None
    gain: float | None = None
    gap_closed: float | None = None


@dataclass(frozen=True)
class Way:
    """Runs that differ by their seed alone.

    Attributes:
        scores: The runs, in the order in which they were named.
        gains: The differences to the run without a teacher, one for each seed that both have.
        interval: Where the mean of such differences is, with 95 % confidence; None for less than two of them.
    """

    scores: tuple[Score, ...]
    gains: tuple[float, ...]
    interval: tuple[float, float] | None

    @property
    def teacher(self) -> str | None:
        """The teacher of its runs."""
        return self.scores[0].run.teacher

    @property
    def mean(self) -> float | None:
        """The mean accuracy of those of its runs that were measured."""
        values = [score.chosen for score in self.scores if score.chosen is not None]
        return mean(values) if values else None

    def curve(self, metric: str) -> dict[int, float]:
        """Return the mean of a metric by epoch, over the runs in which it was measured."""
        curves = [score.run.curve(metric) for score in self.scores]
        epochs = sorted({epoch for curve in curves for epoch in curve})
        return {epoch: mean(curve[epoch] for curve in curves if epoch in curve) for epoch in epochs}


@dataclass(frozen=True)
class Note:
    """What a reader has to know before believing a difference.

    Attributes:
        folder: The run that it is about.
        text: What to know of it.
    """

    folder: Path
    text: str

    def __str__(self) -> str:
        return f"{self.folder}: {self.text}"


@dataclass(frozen=True)
class Comparison:
    """Runs, and what can be said of them.

    Attributes:
        metric: What they are compared by.
        by: Whether by the "best" or by the "last" epoch.
        ways: The runs, those together that differ by their seed alone.
        notes: What a reader has to know before believing a difference, by run.
    """

    metric: str
    by: str
    ways: tuple[Way, ...]
    notes: tuple[Note, ...]

    @property
    def scores(self) -> tuple[Score, ...]:
        """All runs."""
        return tuple(score for way in self.ways for score in way.scores)


def compare_folders(folders: Iterable[Path], metric: str | None, by: str) -> Comparison:
    """Read runs, and those that trained their teachers, and compare them.

    Args:
        folders: The folders of the runs, or folders that hold such.
        metric: What to compare; None for the accuracy of the task.
        by: "best" or "last", the epoch that counts.

    Raises:
        RunError: If a run that is named cannot be read, or they have no metric in common.
    """
    runs, unread = read_runs(folders)
    teachers = {run.teacher: found for run in runs if run.teacher is not None and (found := teacher_run(run))}
    comparison = compare(runs, common_metric(runs, metric), by, teachers)
    left_out = (Note(folder, f"left out: {error}".replace(f"{folder}{os.sep}", "")) for folder, error in unread.items())
    return replace(comparison, notes=(*left_out, *comparison.notes))


def compare(runs: Sequence[Run], metric: str, by: str, teachers: Mapping[str, Run]) -> Comparison:
    """Compare runs with those that had no teacher and were otherwise asked for the same.

    Args:
        runs: The runs.
        metric: What to compare.
        by: "best" or "last", the epoch that counts.
        teachers: The runs that trained the teachers, as far as they are known, by the path of the weights.
    """
    grouped: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        grouped.setdefault(run.way, []).append(run)
    alone = [run for run in runs if run.arguments is not None and run.teacher is None]
    scored = {id(run): _score(run, metric, by, _baseline(run, alone), teachers.get(run.teacher or "")) for run in runs}
    ways = tuple(_way([scored[id(run)] for run in group]) for group in grouped.values())
    notes = [note for run in runs for note in _notes(run, metric, alone, teachers.get(run.teacher or ""))]
    return Comparison(metric, by, ways, tuple(dict.fromkeys([*_repeated(grouped.values()), *notes])))


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return where the mean of what these are a sample of is, with 95 % confidence, by Student's t distribution."""
    if len(values) < 2:
        return None
    half = _quantile(len(values) - 1) * stdev(values) / sqrt(len(values))
    return mean(values) - half, mean(values) + half


def _quantile(freedom: int) -> float:
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = NormalDist().inv_cdf((1 + _CONFIDENCE) / 2)
    # Cornish and Fisher's expansion, exact to 0.003 from 10 degrees of freedom on.
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _score(run: Run, metric: str, by: str, baseline: Run | None, teacher: Run | None) -> Score:
    curve = run.curve(metric)
    if not curve:
        return Score(run, None, None, None, None)
    best_epoch = max(curve, key=lambda epoch: curve[epoch])
    last = curve[max(curve)]
    chosen = last if by == "last" else curve[best_epoch]
    alone = _accuracy(baseline, metric, by) if baseline and run.teacher is not None else None
    gain = None if alone is None else chosen - alone
    gap_closed = None
    if gain is not None and alone is not None and teacher is not None and not _measured_otherwise(run, teacher):
        held = teacher.holds(run.teacher or "")
        reached = _accuracy(teacher, metric, "last" if held == "last" else "best")
        if reached is not None and reached > alone:
            gap_closed = gain / (reached - alone)
    return Score(run, curve[best_epoch], best_epoch, last, chosen, gain, gap_closed)


def _accuracy(run: Run, metric: str, by: str) -> float | None:
    curve = run.curve(metric)
    return None if not curve else curve[max(curve)] if by == "last" else max(curve.values())


def _measured_otherwise(run: Run, teacher: Run) -> list[str]:
    """Return what is different in how the accuracy of a run and that of its teacher were measured."""
    if teacher.arguments is None:
        return ["no args.yaml"]
    mine, its = run.validation, teacher.validation
    return [f"{key}={its[key]} and not {mine[key]}" for key in mine if its[key] != mine[key]]


def _way(scores: Sequence[Score]) -> Way:
    gains = tuple({score.run.seed: score.gain for score in scores if score.gain is not None}.values())
    return Way(tuple(scores), gains, interval(gains))


def _baseline(run: Run, alone: Iterable[Run]) -> Run | None:
    """Return the run without a teacher that was otherwise asked for the same, seed included."""
    same = (other for other in alone if other.training == run.training and other.seed == run.seed)
    return next(same, None) if run.training is not None else None


def _repeated(groups: Iterable[Sequence[Run]]) -> Iterator[Note]:
    for runs in groups:
        first: dict[object, Run] = {}
        for run in runs:
            earlier = first.setdefault(run.seed, run)
            if earlier is not run:
                text = f"the same arguments and seed as {earlier.folder}; not a sample of its own."
                yield Note(run.folder, text)


def _notes(run: Run, metric: str, alone: Sequence[Run], teacher: Run | None) -> Iterator[Note]:
    return (Note(run.folder, text) for text in _texts(run, metric, alone, teacher))


def _texts(run: Run, metric: str, alone: Sequence[Run], teacher: Run | None) -> Iterator[str]:
    if run.arguments is None:
        yield "no args.yaml, so its teacher and its arguments are unknown; it is not compared."
    if not run.curve(metric):
        yield f"{metric} was not measured in any epoch (val=False?)."
    if run.unfinished:
        yield f"{len(run.epochs)} of {run.unfinished} epochs; it is still training, or was stopped."
    if run.diverged:
        yield f"a loss is not a finite number from epoch {run.diverged} on."
    if run.arguments is not None and run.teacher is not None and _baseline(run, alone) is None:
        yield f"no run without a teacher to compare with{_nearest(run, alone)}."
    elif teacher is not None and (otherwise := _measured_otherwise(run, teacher)):
        yield f"its share of the gap is unknown: its teacher's run has {', '.join(otherwise)}."


def _nearest(run: Run, alone: Sequence[Run]) -> str:
    """Return what is different in the run without a teacher that is most like this one."""
    differences = []
    for other in alone:
        mine, theirs = ({**(each.training or {}), "seed": str(each.seed)} for each in (run, other))
        keys = sorted(key for key in {*mine, *theirs} if mine.get(key) != theirs.get(key))
        differences.append((len(keys), other, [f"{key}={theirs.get(key)} and not {mine.get(key)}" for key in keys]))
    if not differences:
        return "; train one with the same arguments and no model_t"
    count, other, told = min(differences, key=lambda each: each[0])
    return f"; the nearest, {other.folder}, has {', '.join(told[:3])}{', ...' if count > 3 else ''}"

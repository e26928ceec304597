"""Training runs compared, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from string import ascii_uppercase
from typing import Any

from distillpatch.comparison import Comparison, Score, Way
from distillpatch.report.chart import Curve, braille, style
from distillpatch.report.page import Block, Cell, Line, Span, Table, Words

_HEIGHT = 12


def comparison_page(comparison: Comparison, width: int, *, pictures: bool) -> Iterator[Block]:
    """Yield a comparison for people.

    Args:
        comparison: The comparison.
        width: How many columns the curves may take.
        pictures: Whether the encoding has Braille to draw them with.
    """
    folders = dict.fromkeys([score.run.folder for score in comparison.scores] + [n.folder for n in comparison.notes])
    by_run = dict(zip(folders, run_names([*folders]), strict=True))
    yield Line(Span(f"{comparison.metric}, {comparison.by} epoch of each run", "bold"))
    yield _ways_table(comparison.ways)
    yield ""
    yield _runs_table(comparison.ways, by_run)
    curves = comparison_curves(comparison)
    if any(len(curve.points) > 1 for curve in curves):
        yield ""
        yield from braille(curves, min(width, 100), _HEIGHT, letters=not pictures)
    yield ""
    yield from _verdicts(comparison)
    about: dict[str, list[str]] = {}
    for note in comparison.notes:
        about.setdefault(note.text, []).append(by_run[note.folder])
    for text, runs in about.items():
        yield Words(Span("Note: ", "magenta"), f"{', '.join(runs)}: {text}")


def comparison_curves(comparison: Comparison) -> list[Curve]:
    """Return the curve of each way of training: the mean over its runs."""
    labels = [_label(way) for way in comparison.ways]
    names = run_names([way.scores[0].run.folder for way in comparison.ways])
    shared = Counter(labels)
    return [
        Curve(
            _letter(number),
            f"{label} ({name})" if shared[label] > 1 else label,
            way.curve(comparison.metric),
            tuple(score.run.curve(comparison.metric) for score in way.scores),
        )
        for number, (way, label, name) in enumerate(zip(comparison.ways, labels, names, strict=True))
    ]


def comparison_report(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison for programs."""
    return {
        "metric": comparison.metric,
        "by": comparison.by,
        "ways": [
            {
                "teacher": way.teacher,
                "losses": list(way.scores[0].run.losses),
                "mean": way.mean,
                "gains": list(way.gains),
                "mean_gain": sum(way.gains) / len(way.gains) if way.gains else None,
                "interval": None if way.interval is None else list(way.interval),
                "runs": [_score_report(score) for score in way.scores],
            }
            for way in comparison.ways
        ],
        "notes": list(map(str, comparison.notes)),
    }


def run_names(folders: Sequence[Path]) -> list[str]:
    """Return a short name for each folder: what is left of its path without the folders that all have in common."""
    paths = [folder.parts for folder in folders]
    if len(folders) < 2:
        return [folder.name for folder in folders]
    head = _common(paths)
    tail = _common([path[head:][::-1] for path in paths])
    return ["/".join(path[head : len(path) - tail]) or path[-1] for path in paths]


def teacher_name(teacher: str | None) -> str:
    """Return a short name for a teacher: its file, and the run that it is of."""
    if teacher is None:
        return "none"
    parts = PurePosixPath(teacher.replace("\\", "/")).parts
    if len(parts) > 2 and parts[-2] == "weights":
        # The last folder is often "run" or "train", so the one above it is named as well.
        return "/".join([*[part for part in parts[-4:-2] if part != "/"], parts[-1]])
    return parts[-1] if parts else teacher


def _ways_table(ways: Sequence[Way]) -> Table:
    """Return what each way of training gave."""
    titles = ("", "^model", "^teacher", "losses", ">runs", ">mean", ">gain", ">of gap")
    rows = [_way_row(number, way) for number, way in enumerate(ways)]
    models = {way.scores[0].run.model for way in ways}
    return _without_idle(titles, rows, {"^model"} if len(models) < 2 else ())


def _runs_table(ways: Sequence[Way], names: Mapping[Path, str]) -> Table:
    """Return what each run reached."""
    titles = ("", "^run", ">seed", ">epochs", ">best", ">epoch", ">last", ">gain", ">of gap")
    rows = [
        _score_row(number, score, names[score.run.folder]) for number, way in enumerate(ways) for score in way.scores
    ]
    return _without_idle(titles, rows)


def _without_idle(titles: Sequence[str], rows: Sequence[Sequence[Cell]], idle: Iterable[str] = ()) -> Table:
    """Return a table without some columns, and without those that say nothing of any row."""
    kept = [i for i, title in enumerate(titles) if title not in idle and (not title or any(row[i] for row in rows))]
    return Table([titles[i] for i in kept], [[row[i] for i in kept] for row in rows])


def _way_row(number: int, way: Way) -> list[Cell]:
    closed = [score.gap_closed for score in way.scores if score.gap_closed is not None]
    gain = sum(way.gains) / len(way.gains) if way.gains else None
    return [
        Span(_letter(number), f"bold {style(number)}"),
        teacher_name(way.scores[0].run.model).split("/")[-1],
        teacher_name(way.teacher) if way.scores[0].run.arguments is not None else "?",
        ", ".join(way.scores[0].run.losses) if way.teacher else "",
        str(len(way.scores)),
        _number(way.mean),
        _signed(gain, way.interval),
        f"{100 * sum(closed) / len(closed):.0f} %" if closed else "",
    ]


def _score_row(number: int, score: Score, name: str) -> list[Cell]:
    return [
        Span(_letter(number), f"bold {style(number)}"),
        name,
        "?" if score.run.seed is None else str(score.run.seed),
        str(len(score.run.epochs)),
        _number(score.best),
        "" if score.best_epoch is None else str(score.best_epoch),
        _number(score.last),
        "" if score.gain is None else f"{score.gain:+.4f}",
        "" if score.gap_closed is None else f"{100 * score.gap_closed:.0f} %",
    ]


def _score_report(score: Score) -> dict[str, Any]:
    run = score.run
    return {
        "path": str(run.folder),
        "seed": run.seed if isinstance(run.seed, int) else None,
        "epochs": len(run.epochs),
        "best": score.best,
        "best_epoch": score.best_epoch,
        "last": score.last,
        "gain": score.gain,
        "gap_closed": score.gap_closed,
    }


def _verdicts(comparison: Comparison) -> Iterator[Line]:
    """Yield what the figures allow to say, and what they do not."""
    for number, way in enumerate(comparison.ways):
        if not way.gains:
            continue
        letter = Span(_letter(number), f"bold {style(number)}")
        gain = sum(way.gains) / len(way.gains)
        if way.interval is None:
            hint = "from one seed. Another seed alone may change as much: train with seed=1 and seed=2, too."
        else:
            low, high = way.interval
            sure = (
                "includes 0: it may be chance. More seeds would show."
                if low <= 0 <= high
                else "excludes 0: more than chance."
            )
            hint = f"from {len(way.gains)} seeds; the 95 % interval, {low:+.4f} to {high:+.4f}, {sure}"
        yield Words(letter, f": {gain:+.4f} {hint}")


def _label(way: Way) -> str:
    if way.teacher is None:
        return "no teacher"
    return f"{teacher_name(way.teacher)}: {', '.join(way.scores[0].run.losses) or 'no loss'}"


def _letter(number: int) -> str:
    return ascii_uppercase[number] if number < len(ascii_uppercase) else "."


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _signed(value: float | None, interval: tuple[float, float] | None) -> Cell:
    if value is None:
        return ""
    sure = interval is not None and not interval[0] <= 0 <= interval[1]
    return Span(f"{value:+.4f}", ("green" if value > 0 else "red") if sure else "")


def _common(paths: Sequence[Sequence[str]]) -> int:
    """Return how many first parts paths have in common, without the last part of any."""
    count = 0
    for parts in zip_longest(*(path[:-1] for path in paths)):
        if len(set(parts)) > 1 or None in parts:
            break
        count += 1
    return count

"""The page of `make learning`, docs/learning.md: tables, targets and plots, from the rows alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, median, stdev
from typing import NamedTuple

from learning_arms import (
    ARMS,
    DEFAULT,
    DEFAULT_AVERAGE,
    DEFAULT_UNLABELLED,
    FIRST_MASTER,
    FIRST_TEACHER,
    MASTER,
    REGIMES,
)
from learning_plots import bars, curves
from learning_rows import ROWS, Row
from scipy.stats import t as students_t

PAGE = ROWS.parent.parent / "learning.md"

HEAD = """\
# What students learn from a teacher

Written by `make learning` from [rows.jsonl](learning/rows.jsonl), a row a run; the rules are in
[protocol.md](learning/protocol.md). Do not edit it: `python tools/learning.py page` writes it again.

A student is a YOLOv8n of half the width, the teacher a YOLOv8n; 96 px, batch 16, 1,280 steps but where it says so.
Every figure is mAP50-95 on 1,000 held-out images. **Gain** is the mean, over paired seeds, of the arm's mAP minus that
of the student that learned alone, with its 95 % interval (Student's t; one seed has none, two or three have a wide
one). **Gap** is the share of the distance from alone to the teacher that the gain closes. **Step** is processor time a
step, relative to alone on the same machine and day. An arm with "first teacher" learned from a poorer teacher, of
0.671; the protocol says why.
"""

HEADINGS = {
    "few": "128 images with labels",
    "unlabelled": "128 images with labels and 896 without",
    "all": "1,024 images with labels",
    "long": "128 images with labels, 3,840 steps",
    "long all": "1,024 images with labels, 3,840 steps",
    "long unlabelled": "128 images with labels and 896 without, 3,840 steps",
    "plain": "128 images with labels, not augmented",
}


class Result(NamedTuple):
    """What the runs of one arm show."""

    arm: str
    maps: dict[int, float]  # by seed
    gains: dict[int, float]  # by seed, of those that alone has as well
    step: float  # relative to alone
    patches: tuple[str, ...]

    @property
    def gain(self) -> float:
        """Return the mean paired difference to alone."""
        return mean(self.gains.values()) if self.gains else math.nan

    @property
    def margin(self) -> float:
        """Return half of the 95 % interval of the gain; infinite for one seed."""
        return interval(list(self.gains.values()))


class Section(NamedTuple):
    """One data set and regime: its results, the best one first, and what the teacher and alone reach."""

    data: str
    regime: str
    tuning: bool
    teacher: float
    alone: float
    results: list[Result]

    def share(self, result: Result) -> float:
        """Return how much of the gap between alone and the teacher a result closes."""
        return result.gain / (self.teacher - self.alone)

    def of(self, arm: str) -> Result | None:
        """Return the result of an arm, None if it was not run."""
        return next((result for result in self.results if result.arm == arm and result.gains), None)


def interval(differences: list[float]) -> float:
    """Return half of the 95 % interval of the mean of some differences, by Student's t."""
    if len(differences) < 2:
        return math.inf
    quantile = float(students_t.ppf(0.975, len(differences) - 1))
    return quantile * stdev(differences) / math.sqrt(len(differences))


def sections(rows: Iterable[Row]) -> list[Section]:
    """Group the rows by data set, regime, and whether they were for tuning."""
    rows = list(rows)
    found = []
    for tuning in (False, True):
        for data in dict.fromkeys(row["data"] for row in rows):
            for regime in REGIMES:
                chosen = [r for r in rows if (r["data"], r["regime"], r["tuning"]) == (data, regime, tuning)]
                alone = _arm(rows, data, REGIMES[regime].pair or regime, tuning, "alone")
                master = FIRST_MASTER if regime == "plain" else MASTER
                teachers = [r["map"] for r in rows if (r["data"], r["tuning"], r["arm"]) == (data, tuning, master)]
                results = _results(chosen, alone)
                if results and alone and teachers:
                    values = [row["map"] for row in alone.values()]
                    found.append(Section(data, regime, tuning, teachers[0], mean(values), results))
    return found


def _arm(rows: list[Row], data: str, regime: str, tuning: bool, arm: str) -> dict[int, Row]:
    key = (data, regime, tuning, arm)
    return {r["seed"]: r for r in rows if (r["data"], r["regime"], r["tuning"], r["arm"]) == key}


def _results(rows: list[Row], alone: dict[int, Row]) -> list[Result]:
    results = []
    for arm in ARMS:
        of_arm = {row["seed"]: row for row in rows if row["arm"] == arm}
        if of_arm:
            gains = {seed: row["map"] - alone[seed]["map"] for seed, row in of_arm.items() if seed in alone}
            steps = [_time(of_arm[seed]) / _time(alone[seed]) for seed in gains if _of_a_day(of_arm[seed], alone[seed])]
            patches = tuple(sorted({row["patches"] for row in of_arm.values() if row["patches"]}))
            maps = {seed: row["map"] for seed, row in sorted(of_arm.items())}
            results.append(Result(arm, maps, gains, median(steps) if steps else math.nan, patches))
    return sorted(results, key=lambda result: (result.arm != "alone", -result.gain))


def _time(row: Row) -> float:
    return row["cpu_seconds_per_step"]


def _of_a_day(*rows: Row) -> bool:
    """Tell whether runs were on one machine and on one day: machines of one name differ by more than arms do."""
    return len({(row["machine"], row["date"].partition(" ")[0]) for row in rows}) == 1


def write_page(rows: list[Row], page: Path = PAGE) -> None:
    """Write the page and its plots."""
    found, folder = sections(rows), page.parent / "learning"
    text = [HEAD, _targets([section for section in found if not section.tuning])]
    for section in found:
        name = f"{'tuning-' if section.tuning else ''}{section.data}-{section.regime}".replace(" ", "-")  # for links
        text.append(_section(section, name))
        (folder / f"{name}.svg").write_text(bars(section), encoding="utf-8")
    if drawn := curves(rows):
        (folder / "curves.svg").write_text(drawn, encoding="utf-8")
        text.append(
            "## Over the steps\n\nMeans over the seeds that have a curve (0 and 1), digits, 128 images with labels.\n\n"
            "![mAP over steps](learning/curves.svg)\n"
        )
    text.append(_provenance(rows))
    page.write_text("\n".join(text), encoding="utf-8")


def _section(section: Section, name: str) -> str:
    title = f"{section.data}, {HEADINGS[section.regime]}"
    lines = [
        f"## {'Tuning: ' if section.tuning else ''}{title}\n",
        f"The teacher: {section.teacher:.3f}. Alone: {section.alone:.3f}.\n",
        "| arm | seeds | mAP50-95 | gain | gap | step | per seed | patches |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in section.results:
        name_of_arm = f"**{result.arm}** (default)" if result.arm in (DEFAULT, DEFAULT_UNLABELLED) else result.arm
        seeds = ", ".join(f"{seed}: {value:.3f}" for seed, value in result.maps.items())
        gain, gap = ("-", "-") if result.arm == "alone" else (signed(result), f"{section.share(result):.0%}")
        step = "-" if math.isnan(result.step) else f"{result.step:.2f}"
        lines.append(
            f"| {name_of_arm} | {len(result.maps)} | {mean(result.maps.values()):.3f} | {gain} | {gap} "
            f"| {step} | {seeds} | {', '.join(result.patches) or '-'} |"
        )
    return "\n".join(lines) + f"\n\n![gains](learning/{name}.svg)\n"


def signed(result: Result) -> str:
    """Return a gain with its interval, as it is printed."""
    if not result.gains:
        return "not paired"
    margin = f" ± {result.margin:.3f}" if len(result.gains) > 1 else " (one seed)"
    return f"{result.gain:+.3f}{margin}"


def _targets(found: list[Section]) -> str:
    """Return the table of what was hoped for, and what the figures say."""
    lines = ["## The targets\n", "| target | data | measured | verdict |", "| --- | --- | --- | --- |"]
    for data in ("digits", "stamps"):
        by_regime = {section.regime: section for section in found if section.data == data}
        lines += [f"| {target} | {data} | {measured} | {verdict} |" for target, measured, verdict in _judge(by_regime)]
    return "\n".join(lines) + "\n"


def _judge(found: dict[str, Section]) -> Iterable[tuple[str, str, str]]:
    few = found.get("few")
    default = few and few.of(DEFAULT)
    upstream = few and few.of("upstream's distill_model")
    yield _verdict(
        "128 labels: default at least +0.04 or a third of the gap, interval above zero", few, default, 0.04, 0.33
    )
    if default and upstream:
        seeds = default.gains.keys() & upstream.gains.keys()
        differences = [default.gains[seed] - upstream.gains[seed] for seed in seeds]
        pair = Result("", {}, dict(enumerate(differences)), 1.0, ())
        yield "128 labels: default above upstream's", signed(pair), _word(pair, pair.gain > 0)
    else:
        yield "128 labels: default above upstream's", "-", "not shown"
    for regime in ("unlabelled", "long unlabelled"):
        target = f"with unlabelled images, {REGIMES[regime].steps:,} steps: at least 65 % of the gap"
        section = found.get(regime)
        yield _verdict(target, section, section and section.of(DEFAULT_UNLABELLED), math.inf, 0.65)
    for regime in ("all", "long all"):
        target = f"all labels, {REGIMES[regime].steps:,} steps: default at least +0.006"
        section = found.get(regime)
        yield _verdict(target, section, section and section.of(DEFAULT), 0.006, math.inf)
    # An arm with the poorer teacher is no mode of its own: it says what such a teacher does. Nor is one in which the
    # student's average teaches as a real teacher does: because of what it says, nobody is given that unasked.
    average = {arm for arm, given in ARMS.items() if given.get("model_t") == "ema"} - {DEFAULT_AVERAGE}
    poorer = {arm for arm, given in ARMS.items() if FIRST_TEACHER in given.values()}
    others = {"alone", "alone again", *poorer, *average}
    modes = [r for section in found.values() for r in section.results if r.arm not in others and r.gains]
    if modes:
        worst = min(modes, key=lambda result: result.gain)
        sure = all(result.gain - result.margin >= -0.005 for result in modes)
        verdict = "met by those that were run" if sure else "reached on average by those that were run"
        verdict = verdict if worst.gain >= -0.005 else "not met"
        yield "every mode: at least -0.005", f"{signed(worst)} ({worst.arm}), the worst of {len(modes)}", verdict
    else:
        yield "every mode: at least -0.005", "-", "not shown"


def _verdict(
    target: str, section: Section | None, result: Result | None, gain: float, share: float
) -> tuple[str, str, str]:
    if section is None or result is None:
        return target, "-", "not shown"
    measured = f"{signed(result)}, {section.share(result):.0%} of the gap"
    return target, measured, _word(result, result.gain >= gain or section.share(result) >= share)


def _word(result: Result, reached: bool) -> str:
    """Return the verdict on a mean that reached its target or not: without an interval above zero it proves little."""
    if not reached:
        return "not met"
    if len(result.gains) == 1:
        return "reached by one seed, which proves nothing"
    return "met" if result.gain > result.margin else "reached on average, but the interval includes zero"


def _provenance(rows: list[Row]) -> str:
    versions = sorted({", ".join(f"{name} {version}" for name, version in row["versions"].items()) for row in rows})
    commits = {row["patches"]: row["commit"] for row in rows if row["patches"]}
    times = sorted(row["date"] for row in rows)
    machines = sorted({row["machine"] for row in rows})
    return (
        "## Where this comes from\n\n"
        f"{len(rows)} rows from {times[0]} to {times[-1]} (UTC), on {'; '.join(machines)}, "
        f"with {'; '.join(versions)}.\n"
        "Runs shared the machine with other work, so only processor time is compared.\n\n"
        "Command: `make learning`. The patches by their digest: "
        + "; ".join(f"`{digest}` (commit {commit})" for digest, commit in commits.items())
        + ".\n"
    )

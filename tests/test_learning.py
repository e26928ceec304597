"""`make learning`: pairs, intervals and verdicts come out as by hand, and a run that has a row is not run again."""

from __future__ import annotations

import math
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("sklearn")

import learning_rows
from learning_arms import (
    ARMS,
    DEFAULT,
    DEFAULT_AVERAGE,
    DEFAULT_UNLABELLED,
    FIRST_MASTER,
    FIRST_TUNING_SEED,
    LESSONS,
    MASTER,
    Job,
    plan,
)
from learning_plots import bars
from learning_report import interval, sections, signed, write_page

pytestmark = pytest.mark.training

Rows = list[dict[str, Any]]
UPSTREAM = "upstream's distill_model"


def row(
    arm: str, seed: int, score: float, cpu: float = 0.1, regime: str = "few", data: str = "digits"
) -> dict[str, Any]:
    return {
        "data": data,
        "regime": regime,
        "arm": arm,
        "seed": seed,
        "tuning": seed >= FIRST_TUNING_SEED,
        "map": score,
        "curve": [score / 2, score] if seed == 0 and arm != MASTER else [],
        "steps": 1280,
        "cpu_seconds_per_step": cpu,
        "patches": None if arm in ("alone", UPSTREAM, MASTER) else "abc",
        "commit": "def",
        "versions": {"torch": "2"},
        "machine": "a machine",
        "date": "2026-01-01 00:00",
    }


@pytest.fixture
def rows() -> Rows:
    return [
        row(MASTER, 0, 0.80, regime="all"),
        row("alone", 0, 0.60),
        row("alone", 1, 0.50),
        row("alone", 2, 0.70),  # without a pair
        row(DEFAULT, 0, 0.68, cpu=0.15),
        row(DEFAULT, 1, 0.60, cpu=0.17),
        row(UPSTREAM, 0, 0.61),
    ]


def test_the_interval_is_students() -> None:
    # t(0.975, 1) = 12.706, t(0.975, 2) = 4.303, from a table.
    assert interval([0.08, 0.10]) == pytest.approx(12.706 * 0.01, rel=1e-3)
    assert interval([0.1, 0.2, 0.3]) == pytest.approx(4.303 * 0.1 / math.sqrt(3), rel=1e-3)
    assert interval([0.1]) == math.inf


def test_an_arm_is_compared_with_alone_of_the_same_seed(rows: Rows) -> None:
    (section,) = sections(rows)
    result = section.of(DEFAULT)
    assert result is not None
    assert result.gain == pytest.approx(0.09)
    assert set(result.gains) == {0, 1}
    assert result.step == pytest.approx(1.6)
    assert section.share(result) == pytest.approx(0.09 / (0.80 - 0.60))


def test_step_times_of_another_day_are_not_compared(rows: Rows, tmp_path: Path) -> None:
    for other in rows[4], rows[6]:
        other["date"] = "2026-01-02 00:00"
    (section,) = sections(rows)
    found = [section.of(DEFAULT), section.of(UPSTREAM)]
    assert [result and result.step for result in found] == [pytest.approx(1.7), pytest.approx(math.nan, nan_ok=True)]
    (tmp_path / "learning").mkdir()
    write_page(rows, tmp_path / "learning.md")
    assert "+0.010 (one seed) | 5% | - | 0: 0.610" in (tmp_path / "learning.md").read_text(encoding="utf-8")


def test_images_without_labels_are_compared_with_alone_of_the_few_labels(rows: Rows) -> None:
    found = sections([*rows, row("soft 3, images", 0, 0.75, regime="unlabelled")])
    result = found[1].of("soft 3, images")
    assert result is not None and result.gains == {0: pytest.approx(0.15)}


def test_tuning_runs_do_not_mix_with_reported_ones(rows: Rows) -> None:
    tuning = [row(MASTER, 100, 0.9, regime="all"), row("alone", 100, 0.1), row(DEFAULT, 100, 0.2)]
    reported, tuned = sections([*rows, *tuning])
    assert (reported.tuning, tuned.tuning) == (False, True)
    assert [result.maps for result in tuned.results] == [{100: 0.1}, {100: 0.2}]


def test_each_plot_is_linked_under_a_name_without_blanks() -> None:
    page = learning_rows.ROWS.parent.parent / "learning.md"
    linked = re.findall(r"!\[[^]]*\]\((.*)\)", page.read_text(encoding="utf-8"))
    assert linked and not any(" " in link for link in linked)
    assert {page.parent / link for link in linked} == {*learning_rows.ROWS.parent.glob("*.svg")}


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ({0: 0.6405, 1: 0.5415}, "met"),
        ({0: 0.68, 1: 0.54}, "reached on average, but the interval includes zero"),
        ({0: 0.62, 1: 0.52}, "not met"),
        ({0: 0.68}, "reached by one seed, which proves nothing"),
        ({}, "not shown"),
    ],
)
def test_a_target_is_met_only_with_an_interval_above_zero(
    rows: Rows, tmp_path: Path, scores: dict[int, float], verdict: str
) -> None:
    kept = [one for one in rows if one["arm"] != DEFAULT]
    page = tmp_path / "learning.md"
    (tmp_path / "learning").mkdir()
    write_page([*kept, *(row(DEFAULT, seed, score) for seed, score in scores.items())], page)
    (target,) = re.findall(r"(?m)^\| 128 labels: default at least.*\| digits \|.*\| (.+) \|$", page.read_text())
    assert target == verdict


def test_the_page_names_only_what_it_writes(rows: Rows, tmp_path: Path) -> None:
    page = tmp_path / "learning.md"
    (tmp_path / "learning").mkdir()
    write_page(rows, page)
    links = re.findall(r"!\[.*?\]\((.+?)\)", page.read_text())
    assert len(links) == 2
    assert all((tmp_path / link).read_text().startswith("<svg") for link in links)


def test_a_bar_is_as_long_as_its_gain(rows: Rows) -> None:
    (section,) = sections(rows)
    widths = [float(width) for width in re.findall(r'width="([\d.]+)" height="18"', bars(section))]
    default, upstream = (section.of(arm) for arm in (DEFAULT, UPSTREAM))
    assert default and upstream
    assert widths[0] / widths[1] == pytest.approx(default.gain / upstream.gain, rel=0.02)


def test_a_gain_is_printed_with_what_it_is_worth(rows: Rows) -> None:
    (section,) = sections(rows)
    default, upstream = (section.of(arm) for arm in (DEFAULT, UPSTREAM))
    assert default and upstream
    assert (signed(default), signed(upstream)) == ("+0.090 ± 0.127", "+0.010 (one seed)")


def test_a_run_that_has_a_row_is_done(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    learning_rows.add(row("alone", 0, 0.6), path)
    found = learning_rows.read(path)
    assert learning_rows.done(Job("digits", "few", "alone", 0), found)
    assert not learning_rows.done(Job("digits", "few", "alone", 1), found)
    assert not learning_rows.done(Job("stamps", "few", "alone", 0), found)


def test_the_plan_goes_seed_by_seed_and_gives_images_only_to_arms_that_take_them() -> None:
    jobs = list(plan(["digits"], ["few", "unlabelled"], list(ARMS), [0, 1]))
    assert [job.seed for job in jobs] == sorted(job.seed for job in jobs)
    taking = {arm for arm, given in ARMS.items() if "distill_images" in given}
    assert {job.arm for job in jobs if job.regime == "unlabelled"} == taking
    assert len({job.slug for job in jobs}) == len(jobs)


def test_every_regime_makes_the_steps_that_it_says() -> None:
    for lesson in LESSONS.values():
        assert lesson.epochs * lesson.images == lesson.steps * 16


def test_rows_that_are_committed_are_valid_and_single() -> None:
    committed = learning_rows.read()
    jobs = [tuple(one[key] for key in ("data", "regime", "arm", "seed")) for one in committed]
    assert len(set(jobs)) == len(jobs)
    for one in committed:
        assert 0 < one["map"] < 1
        assert one["arm"] in (MASTER, FIRST_MASTER) or ARMS[one["arm"]] == one["arguments"]


def test_the_arm_that_is_called_the_default_is_what_the_patches_do_by_default() -> None:
    from patches.distill_arguments import RECIPES, default_argument

    for arm in (DEFAULT, DEFAULT_UNLABELLED, DEFAULT_AVERAGE):
        given = {key: value for key, value in ARMS[arm].items() if key in ("model_t", "distill_images")}
        assert ARMS[arm] == {key: default_argument(SimpleNamespace(**given), key) for key in ARMS[arm]}
    assert RECIPES["default"]["distillonline"] is False


def test_the_weight_of_a_loss_is_its_own_unless_the_recipe_or_the_user_gives_one() -> None:
    from patches.distill_arguments import default_argument

    kinds = ({}, {"distill_feat_type": "cwd"}, {"distill_recipe": "tutorial"}, {"distill_feat_type": 3})
    weights = [default_argument(SimpleNamespace(**given), "distill_feat_weight") for given in kinds]
    assert weights == [10.0, 0.3, 1.0, None]

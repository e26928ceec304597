"""The page of `make gpu`, from what was measured."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import mean
from typing import Any

Facts = list[dict[str, Any]]

HEAD = """\
# On a GPU

Written by `make gpu` ([tools/gpu.py](../tools/gpu.py)). Do not edit it.

Measured on {machine}, in {minutes:.1f} minutes.
"""


def write_page(page: Path, found: dict[str, Facts], machine: str, size: dict[str, Any], seconds: float) -> None:
    """Write the page; a part that was not measured has no section."""
    parts = [HEAD.format(machine=machine, minutes=seconds / 60), _finite(found["finite"], size)]
    parts += [_cost(found["cost"], size), _layouts(found["layouts"]), _learn(found["learn"], size)]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def _table(*rows: tuple[Any, ...]) -> str:
    heading, *body = rows
    lines = [heading, tuple("---" for _ in heading), *body]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def _finite(facts: Facts, size: dict[str, Any]) -> str:
    releases = list(dict.fromkeys(fact["release"] for fact in facts))
    told = {(fact["loss"], fact["release"]): _verdict(fact, size) for fact in facts}
    rows = [
        (loss, *(told.get((loss, release), "-") for release in releases))
        for loss in dict.fromkeys(f["loss"] for f in facts)
    ]
    mode = "AMP" if size["device"] != "cpu" else "float32"
    text = f"## Every loss under {mode}, {size['steps']} steps\n\n"
    return text + "Finite: each step's loss, and all weights at the end.\n\n" + _table(("loss", *releases), *rows)


def _verdict(fact: dict[str, Any], size: dict[str, Any]) -> str:
    if fact["amp"] != (size["device"] != "cpu"):
        return "**AMP was off**"
    if fact["steps"] != size["steps"]:
        return f"**{fact['steps']} steps**"
    return "finite" if fact["finite"] else "**not finite**"


def _cost(facts: Facts, size: dict[str, Any]) -> str:
    if not facts:
        return ""
    rows = []
    for pair in dict.fromkeys((fact["teacher"], fact["student"]) for fact in facts):
        by_kind = {fact["kind"]: fact for fact in facts if (fact["teacher"], fact["student"]) == pair}
        models = " to ".join(name.removesuffix(".yaml") for name in pair)
        passes = by_kind.pop("teacher's forward pass", {"seconds": math.nan})["seconds"]
        floor = by_kind["plain"]["seconds"] + passes
        for kind, fact in by_kind.items():
            memory = "-" if fact["memory"] is None else f"{fact['memory'] / 2**30:.2f} GiB"
            ratio = "-" if kind == "plain" else f"{fact['seconds'] / floor:.2f}"
            rows.append((models, kind, _ms(fact["seconds"]), ratio, memory))
        rows.append((models, "floor", _ms(floor), "1.00", "-"))
    text = f"## A step at {size['image']} px, batch {size['batch']}\n\n"
    text += "The floor is a plain step and one forward pass of the teacher.\n\n"
    return text + _table(("models", "step", "time", "of the floor", "peak of memory"), *rows)


def _layouts(facts: Facts) -> str:
    if not facts:
        return ""
    rows = [(fact["teacher"].removesuffix(".yaml"), fact["layout"], _ms(fact["seconds"])) for fact in facts]
    return "## The teacher's forward pass\n\n" + _table(("teacher", "layout", "time"), *rows)


def _ms(seconds: float | None) -> str:
    return "not possible" if seconds is None else f"{1000 * seconds:.1f} ms"


def _learn(facts: Facts, size: dict[str, Any]) -> str:
    if not facts:
        return ""
    students: dict[str, Facts] = {}
    for fact in sorted(facts, key=lambda fact: fact["arm"] != "alone"):
        students.setdefault(fact["arm"], []).append(fact)
    alone = {fact["seed"]: fact["map"] for fact in students.get("alone", [])}
    seeds = sorted({fact["seed"] for fact in facts})
    rows = []
    for arm, runs in students.items():
        maps = {fact["seed"]: fact["map"] for fact in runs}
        gains = [maps[seed] - alone[seed] for seed in maps if seed in alone] or [math.nan]
        each = (f"{maps[seed]:.3f}" if seed in maps else "-" for seed in seeds)
        steps = mean(fact["steps"] for fact in runs)
        rows.append((arm, f"{steps:,.0f}", *each, "-" if arm == "alone" else f"{mean(gains):+.3f}"))
    text = "## A longer lesson: 128 images with labels, mAP50-95 on 1,000 held-out images\n\n"
    text += (
        f"All students at once, for {size['minutes']:.1f} minutes each, whatever a step takes; half of width, as in "
    )
    text += "[learning.md](learning.md), where the arms are.\n\n"
    return text + _table(("student", "steps", *(f"seed {seed}" for seed in seeds), "mean gain"), *rows)

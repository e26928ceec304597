"""The plots of docs/learning.md, as SVG."""

from __future__ import annotations

import math
from statistics import mean
from typing import TYPE_CHECKING

from learning_rows import Row

if TYPE_CHECKING:
    from learning_report import Section

WIDTH, LEFT, ROW = 760, 230, 26
COLOURS = ("#444", "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b")


def bars(section: Section) -> str:
    """Draw the gain of each arm as a bar from zero, with its interval where it has one."""
    results = [result for result in section.results if result.gains and result.arm != "alone"]
    gap = section.teacher - section.alone
    ends = [gap, 0.0]
    for result in results:
        margin = result.margin if math.isfinite(result.margin) else 0.0
        ends += [result.gain - margin, result.gain + margin]
    # An interval of two seeds can be wider than all else: it is cut at twice the gap, and its figure is in the table.
    low, high = max(min(ends), -gap), min(max(ends), 2 * gap)
    scale = (WIDTH - LEFT - 70) / (high - low)

    def x(value: float) -> float:
        return LEFT + (min(max(value, low), high) - low) * scale

    height = ROW * len(results) + 50
    drawn = [_text(4, 16, f"{section.data}, {section.regime}: gain in mAP50-95 over alone, 95 % interval", size=13)]
    for number, result in enumerate(results):
        y = 30 + number * ROW
        start, end = sorted((x(0), x(result.gain)))
        drawn.append(_text(4, y + 14, result.arm))
        drawn.append(f'<rect x="{start:.1f}" y="{y}" width="{end - start:.1f}" height="18" fill="#8fb8de"/>')
        if math.isfinite(result.margin):
            ends = [x(result.gain - result.margin), x(result.gain + result.margin)]
            drawn.append(_line(ends[0], y + 9, ends[1], y + 9))
            drawn += [_line(end, y + 4, end, y + 14) for end in ends]
        drawn.append(_text(WIDTH - 66, y + 14, f"{result.gain:+.3f}"))
    for value, label in ((0.0, "alone"), (gap, "teacher")):
        drawn.append(_line(x(value), 26, x(value), height - 20, "#999"))
        drawn.append(_text(x(value) - 16, height - 6, label, size=11))
    return _svg(height, drawn)


def curves(rows: list[Row]) -> str:
    """Draw mAP over steps, one line an arm, as means over the seeds that have a curve; "" if there is none."""
    lines = {}
    for arm in dict.fromkeys(row["arm"] for row in rows):
        found = [
            r["curve"] for r in rows if r["arm"] == arm and r["curve"] and (r["data"], r["regime"]) == ("digits", "few")
        ]
        if found:
            lines[arm] = [mean(values) for values in zip(*found, strict=True)]
    if not lines:
        return ""
    steps = rows[0]["steps"]
    flat = [value for values in lines.values() for value in values]
    low, high = math.floor(min(flat) * 50) / 50, math.ceil(max(flat) * 50) / 50
    height, bottom = 320, 280

    def place(number: int, count: int, value: float) -> tuple[float, float]:
        return 60 + 420 * number / count, bottom - (bottom - 30) * (value - low) / (high - low)

    drawn = [_text(4, 16, "mAP50-95 over steps", size=13)]
    for value in (low, (low + high) / 2, high):
        y = place(0, 1, value)[1]
        drawn += [_line(60, y, 480, y, "#ddd"), _text(8, y + 4, f"{value:.2f}", size=11)]
    for number, (arm, values) in enumerate(lines.items()):
        points = [place(index + 1, len(values), value) for index, value in enumerate(values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        colour = COLOURS[number % len(COLOURS)]
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn.append(_text(500, 40 + 18 * number, f"{arm}: {values[-1]:.3f}", colour=colour))
    count = len(next(iter(lines.values())))
    for index in range(count):
        x, _ = place(index + 1, count, low)
        drawn.append(_text(x - 14, bottom + 18, str(steps * (index + 1) // count), size=11))
    return _svg(height, drawn)


def _svg(height: int, parts: list[str]) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, size: int = 12, colour: str = "#222") -> str:
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}">{text}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str = "#222") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'

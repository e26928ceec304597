"""Curves: in a terminal by Braille dots, in a file as SVG, which needs nothing, or as PNG, which needs matplotlib."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

from distillpatch.errors import DistillpatchError
from distillpatch.report.page import Line, Span

Points = Mapping[int, float]

# Blue is hard to read on a dark background and yellow on a light one, so they come last.
_STYLES = ("cyan", "magenta", "green", "red", "blue", "yellow")
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # for color-blind readers, too

# The bits of a Braille character, by column and row of its dots.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))


@dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Attributes:
        letter: What to call it in a terminal.
        name: What to call it in a picture.
        points: Its values by epoch.
        parts: The lines that it is the mean of.
    """

    letter: str
    name: str
    points: Points
    parts: tuple[Points, ...] = ()


class ChartError(DistillpatchError):
    """A picture that cannot be drawn."""


def style(number: int) -> str:
    """Return the color of the curve of a number, for rich."""
    return _STYLES[number % len(_STYLES)]


def braille(curves: Sequence[Curve], width: int, height: int, *, letters: bool = False) -> Iterator[Line]:
    """Yield the lines of a chart for a terminal; each curve has its letter at its right end.

    Args:
        curves: The curves, of which at least one has a point.
        width: How many columns it may take.
        height: How many lines the curves may take.
        letters: Whether to draw by letters, for an encoding without Braille.
    """
    low, high, last = _range(curves)
    columns = max(10, width - 8 - max(2, len(curves)))
    cells: dict[tuple[int, int], tuple[int, int]] = {}
    ends: dict[int, list[int]] = {}
    for number, curve in enumerate(curves):
        for x, value in _interpolated(curve.points, last, 2 * columns):
            y = round((high - value) / (high - low) * (4 * height - 1))
            bits, _ = cells.get((x // 2, y // 4), (0, 0))
            cells[x // 2, y // 4] = bits | _DOTS[x % 2][y % 4], number
        if curve.points:
            end = curve.points[max(curve.points)]
            ends.setdefault(round((high - end) / (high - low) * (4 * height - 1)) // 4, []).append(number)
    labels = {0: high, height // 2: high - (high - low) * (4 * (height // 2) + 1.5) / (4 * height - 1), height - 1: low}
    for row in range(height):
        axis = f"{labels[row]:6.3f} " if row in labels else " " * 7
        drawn = []
        for column in range(columns):
            bits, number = cells.get((column, row), (0, -1))
            sign = (curves[number].letter if letters else chr(0x2800 + bits)) if bits else " "
            drawn.append(Span(sign, style(number) if bits else ""))
        while not ends.get(row) and drawn and not drawn[-1].text.strip():
            drawn.pop()
        names: list[Span] = [Span(curves[number].letter, f"bold {style(number)}") for number in ends.get(row, [])]
        gap = [Span(" ")] if names else []
        yield Line(Span(axis if drawn else axis.rstrip(), "dim"), *drawn, *gap, *names)
    yield Line(Span(f"{'epoch 1':>14}{last:>{columns - 7}}", "dim"))


def svg(curves: Sequence[Curve], title: str, metric: str) -> str:
    """Return a picture of curves with an axis, light lines for what they are the mean of, and names at their ends."""
    low, high, last = _range(curves)
    left, top, right, bottom = 64, 56, 640, 400

    def at(epoch: float, value: float) -> str:
        x = left + (right - left) * (epoch - 1) / max(1, last - 1)
        return f"{x:.1f},{bottom - (bottom - top) * (value - low) / (high - low):.1f}"

    def line(points: Points, color: str, extra: str) -> str:
        dots = " ".join(at(epoch, value) for epoch, value in sorted(points.items()))
        return f'<polyline points="{dots}" fill="none" stroke="{color}" stroke-linejoin="round" {extra}/>'

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 460" font-family="sans-serif" font-size="13">',
        '<rect width="960" height="460" fill="#ffffff"/>',
        f'<text x="{left}" y="30" font-size="17" font-weight="bold" fill="#222">{escape(title)}</text>',
    ]
    for i in range(5):
        value = low + (high - low) * i / 4
        y = bottom - (bottom - top) * i / 4
        parts.append(f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end" fill="#555">{value:.3f}</text>')
    for epoch, anchor in {1: "start", last: "end"}.items():
        x = left if epoch == 1 else right
        parts.append(f'<text x="{x}" y="{bottom + 20}" text-anchor="{anchor}" fill="#555">epoch {epoch}</text>')
    parts.append(f'<text x="{left}" y="{bottom + 44}" fill="#555">{escape(metric)}</text>')
    names = []
    for number, curve in enumerate(curves):
        color = _COLORS[number % len(_COLORS)]
        if len(curve.parts) > 1:
            parts += [line(part, color, 'stroke-width="1" opacity="0.35"') for part in curve.parts]
        parts.append(line(curve.points, color, 'stroke-width="2.5"'))
        if curve.points:
            end = curve.points[max(curve.points)]
            names.append((float(at(1, end).split(",")[1]), color, f"{curve.name}  {end:.3f}"))
    lowest = top - 18.0
    for y, color, name in sorted(names):
        lowest = max(y + 4, lowest + 18)
        parts.append(f'<text x="{right + 12}" y="{lowest:.1f}" fill="{color}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def save(curves: Sequence[Curve], title: str, metric: str, file: Path) -> None:
    """Write a picture of curves to a file.

    Raises:
        ChartError: If its name ends neither with .svg nor with .png, nothing can draw the latter, or it cannot be
            written.
    """
    if file.suffix.lower() not in (".svg", ".png"):
        raise ChartError(f"{file}: expected a name that ends with .svg or .png.")
    # A folder's name may be in no encoding at all.
    curves = [replace(curve, name=curve.name.encode("utf-8", "replace").decode()) for curve in curves]
    try:
        if file.suffix.lower() == ".svg":
            file.write_text(svg(curves, title, metric), encoding="utf-8")
        else:
            _save_png(curves, title, metric, file)
    except OSError as error:
        raise ChartError(f"cannot write {file}: {error.strerror or error}. Name another file.") from error


def _save_png(curves: Sequence[Curve], title: str, metric: str, file: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ChartError(
            f"{file}: PNG needs matplotlib, which is not installed here. Name a file that ends with .svg, which needs "
            f"nothing, or: {shlex.quote(sys.executable)} -m pip install matplotlib"
        ) from error
    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    axes = figure.add_subplot(title=title, xlabel="epoch", ylabel=metric)
    for number, curve in enumerate(curves):
        color = _COLORS[number % len(_COLORS)]
        for part in curve.parts if len(curve.parts) > 1 else ():
            axes.plot(list(part), list(part.values()), color=color, linewidth=1, alpha=0.35)
        axes.plot(list(curve.points), list(curve.points.values()), color=color, linewidth=2.5, label=curve.name)
    axes.grid(color="#dddddd")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    figure.savefig(file, dpi=150, format="png")


def _range(curves: Sequence[Curve]) -> tuple[float, float, int]:
    """Return the lowest and the highest value, which differ, and the last epoch."""
    values = [value for curve in curves for points in (curve.points, *curve.parts) for value in points.values()]
    low, high = min(values, default=0.0), max(values, default=1.0)
    return low, high if high > low else low + 0.001, max((max(curve.points, default=1) for curve in curves), default=1)


def _interpolated(points: Points, last: int, dots: int) -> Iterator[tuple[int, float]]:
    """Yield the dots of a line through points, at least one for each dot of the width that it spans."""
    places = [((epoch - 1) * (dots - 1) / max(1, last - 1), value) for epoch, value in sorted(points.items())]
    for x, value in places[:1]:
        yield round(x), value
    for (x, value), (end, reached) in pairwise(places):
        steps = max(1, round((end - x) * 4))  # steep lines have no gaps
        for step in range(1, steps + 1):
            share = step / steps
            yield round(x + (end - x) * share), value + (reached - value) * share

"""Charts as inline SVG: no library, no script; colours and fonts come from the page's style."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from .page_parts import Markup

WIDTH = 520


@dataclass(frozen=True)
class Curve:
    """Heights of equal bins over the whole x range; `kind` is a class of the page's style."""

    name: str
    heights: tuple[float, ...]
    kind: str
    filled: bool


@dataclass(frozen=True)
class Mark:
    """A vertical line at x with a word."""

    x: float
    label: str
    kind: str


@dataclass(frozen=True)
class Bar:
    label: str
    value: float
    shown: str
    kind: str


@dataclass(frozen=True)
class Range:
    """An estimate with its bounds against a limit; `kind` is the decision on it.

    `ideal` is where nothing is lost: 0 for a change, 1 for a share.
    """

    estimate: float
    lower: float
    upper: float
    limit: float
    ideal: float
    kind: str


def drawing(identity: str, title: str, description: str, height: int, body: str) -> Markup:
    """The frame of a chart, with words for those who cannot see it."""
    return Markup(
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{identity}-t {identity}-d">'
        f'<title id="{identity}-t">{html.escape(title)}</title>'
        f'<desc id="{identity}-d">{html.escape(description)}</desc>{body}</svg>'
    )


def density_chart(
    identity: str,
    title: str,
    description: str,
    low: float,
    high: float,
    curves: Sequence[Curve],
    marks: Sequence[Mark] = (),
    x_name: str = "cosine",
) -> Markup:
    """Curves over one axis, filled or as lines, with marked places."""
    left, right, top, bottom, height = 12.0, WIDTH - 12.0, 30.0, 206.0, 248
    highest = max((max(curve.heights) for curve in curves), default=1.0) or 1.0

    def across(x: float) -> float:
        return left + (x - low) / (high - low) * (right - left)

    body = []
    for curve in curves:
        step = (high - low) / len(curve.heights)
        points = [
            (across(low + (nth + 0.5) * step), bottom - share / highest * (bottom - top))
            for nth, share in enumerate(curve.heights)
        ]
        body.append(_curve(points, bottom, curve))
    body.append(_line(left, bottom, right, bottom, "axis"))
    for x in ticks(low, high):
        body.append(_line(across(x), bottom, across(x), bottom + 4, "axis"))
        body.append(_text(across(x), bottom + 18, _number(x), "tick", "middle"))
    body.append(_text((left + right) / 2, bottom + 36, x_name, "tick", "middle"))
    shown = sorted((mark for mark in marks if low <= mark.x <= high), key=lambda mark: mark.x)
    for nth, mark in enumerate(shown):
        x, level = across(mark.x), 12 + 13 * (nth % 2)
        anchor = "start" if x < (left + right) / 2 else "end"
        body.append(_line(x, level - 8, x, bottom, f"mark {mark.kind}"))
        offset = 5 if anchor == "start" else -5
        body.append(_text(x + offset, level, mark.label, f"label {mark.kind}", anchor))
    return drawing(identity, title, description, height, "".join(body))


def bar_chart(identity: str, title: str, description: str, bars: Sequence[Bar]) -> Markup:
    """Horizontal bars, labels on the left, values at the ends."""
    left, right, step = 136.0, WIDTH - 64.0, 22.0
    most = max((bar.value for bar in bars), default=1.0) or 1.0
    body = []
    for nth, bar in enumerate(bars):
        y = 6 + nth * step
        length = max(1.5, bar.value / most * (right - left))
        body.append(_text(left - 8, y + 12.5, bar.label, "tick name", "end"))
        body.append(
            f'<rect class="bar {bar.kind}" x="{left:.1f}" y="{y:.1f}" width="{length:.1f}" '
            f'height="15" rx="3"/>'
        )
        body.append(_text(left + length + 7, y + 12.5, bar.shown, "tick", "start"))
    return drawing(identity, title, description, int(10 + len(bars) * step), "".join(body))


def range_chart(
    identity: str, title: str, description: str, value: Range, unit: str, below: str, above: str
) -> Markup:
    """Where an estimate and its bounds lie; `below` and `above` name both sides of the limit."""
    left, right, middle = 12.0, WIDTH - 12.0, 52.0
    ends = (value.lower, value.upper, value.limit, value.estimate, value.ideal)
    finite = [end for end in ends if math.isfinite(end)]
    reach = (max(finite) - min(finite)) or 1.0
    low, high = min(finite) - 0.18 * reach, max(finite) + 0.12 * reach

    def across(x: float) -> float:
        return left + (min(max(x, low), high) - low) / (high - low) * (right - left)

    limit = across(value.limit)
    body = [
        _zone("forbidden", left, limit),
        _zone("allowed", limit, right),
        _line(limit, 22, limit, 82, "mark limit"),
        _text(limit - 6, 18, below, "label limit", "end"),
        _text(limit + 6, 18, above, "label", "start"),
        _line(across(value.ideal), 28, across(value.ideal), 76, "zero"),
        _line(across(value.lower), middle, across(value.upper), middle, f"range {value.kind}"),
        _line(across(value.lower), 44, across(value.lower), 60, f"range {value.kind}"),
        _line(across(value.upper), 44, across(value.upper), 60, f"range {value.kind}"),
        f'<circle class="point {value.kind}" cx="{across(value.estimate):.1f}" cy="52" r="6"/>',
    ]
    for x in ticks(low, high):
        body.append(_line(across(x), 82, across(x), 86, "axis"))
        body.append(_text(across(x), 100, _number(x), "tick", "middle"))
    body.append(_line(left, 82, right, 82, "axis"))
    body.append(_text((left + right) / 2, 118, unit, "tick", "middle"))
    return drawing(identity, title, description, 124, "".join(body))


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers within the range."""
    rough = (high - low) / about
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(scale * nice for nice in (1, 2, 2.5, 5, 10) if scale * nice >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(nth * step, 10) for nth in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _curve(points: list[tuple[float, float]], bottom: float, curve: Curve) -> str:
    path = " ".join(f"L{x:.1f} {y:.1f}" for x, y in points)
    start = f"M{points[0][0]:.1f} {bottom:.1f} "
    end = f" L{points[-1][0]:.1f} {bottom:.1f}"
    kind = "area" if curve.filled else "trace"
    return f'<path class="{kind} {curve.kind}" d="{start}{path}{end}"/>'


def _zone(kind: str, x1: float, x2: float) -> str:
    return f'<rect class="{kind}" x="{x1:.1f}" y="28" width="{x2 - x1:.1f}" height="48" rx="4"/>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, kind: str, anchor: str) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{html.escape(words)}</text>'

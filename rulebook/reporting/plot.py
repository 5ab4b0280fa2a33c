"""Error against step size as an inline picture: SVG text made here, coloured by the page that holds it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from rulebook.markup.axes import Scale, decades, log_scale, power_of_ten

__all__ = ["ladder_plot"]

_WIDTH, _HEIGHT = 420, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 12, 42  # margins, which hold the labels
_MOST_TICKS = 7


def ladder_plot(ladder: Sequence[tuple[float, float]], levels: Mapping[str, float | None]) -> str:
    """Both axes logarithmic; "" where fewer than two points can be drawn.

    Args:
        ladder: (step size, difference) pairs; what is not finite and positive is left out, as it has no logarithm.
        levels: name -> a difference to compare with, drawn as a line of its own; None where it is not known.
    """
    points = sorted((h, d) for h, d in ladder if 0 < h < math.inf and 0 < d < math.inf)
    if len(points) < 2:
        return ""
    known = {name: level for name, level in levels.items() if level is not None and 0 < level < math.inf}
    x_low, x_high = decades([h for h, _ in points])
    y_low, y_high = decades([*(d for _, d in points), *known.values()])
    x = log_scale(x_low, x_high, _LEFT, _WIDTH - _RIGHT)
    y = log_scale(y_low, y_high, _HEIGHT - _BOTTOM, _TOP)
    parts = [*_grid(x_low, x_high, x, vertical=True), *_grid(y_low, y_high, y, vertical=False), *_labels()]
    parts += [part for i, name in enumerate(levels) if name in known for part in _level(i, name, y(known[name]))]
    drawn = [(x(h), y(d)) for h, d in points]
    parts.append(f'<polyline class="curve" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in drawn)}"/>')
    parts += [
        f'<circle class="point" cx="{a:.1f}" cy="{b:.1f}" r="3"><title>step {h:.1e}, difference {d:.1e}</title></circle>'
        for (a, b), (h, d) in zip(drawn, points, strict=True)
    ]
    return (
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="difference against step size">{"".join(parts)}</svg>'
    )


def _level(number: int, name: str, at: float) -> Iterator[str]:
    """A line across the picture with its name; names alternate between the ends, so that lines close together stay readable."""
    left = number % 2 == 0
    label = at + 14 if at < _TOP + 14 else at - 5
    yield f'<line class="level level{number}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
    end = f'x="{_LEFT + 5}" text-anchor="start"' if left else f'x="{_WIDTH - _RIGHT - 5}" text-anchor="end"'
    yield f'<text {end} y="{label:.1f}">{escape(name)}</text>'


def _grid(low: int, high: int, scale: Scale, *, vertical: bool) -> Iterator[str]:
    """A line and a label for every power of ten, or every few."""
    for power in range(low, high + 1, -(-(high - low) // _MOST_TICKS)):
        at = scale(10.0**power)
        label = power_of_ten(power)
        if vertical:
            yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
            yield f'<text x="{at:.1f}" y="{_HEIGHT - _BOTTOM + 17}" text-anchor="middle">{label}</text>'
        else:
            yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>'
            yield f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{label}</text>'


def _labels() -> Iterator[str]:
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    yield f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">step size</text>'
    yield f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">difference</text>'

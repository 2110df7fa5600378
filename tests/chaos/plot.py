"""Lines over time, as an SVG that any browser and GitHub show, by light and by night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT, LEFT, TOP, RIGHT, FOOT = 760, 170, 60, 34, 150, 26
#: Told apart by most who see colours differently, on white and on black (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")


@dataclass(frozen=True)
class Panel:
    """``lines`` by name; all in the unit that the title names."""

    title: str
    lines: Mapping[str, Points]


def svg(along: str, panels: Sequence[Panel]) -> str:
    """The panels below each other; ``along`` names the unit of their common axis."""
    last = max(x for panel in panels for points in panel.lines.values() for x, _ in points)
    height = len(panels) * (HEIGHT + TOP + FOOT)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="12" fill="#808080">'
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate(0 {number * (HEIGHT + TOP + FOOT)})">')
        parts += _panel(panel, last, along)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Panel, last: float, along: str) -> list[str]:
    most = max((y for points in panel.lines.values() for _, y in points), default=0) or 1.0
    right, bottom = WIDTH - RIGHT, TOP + HEIGHT
    parts = [f'<text x="{LEFT}" y="{TOP - 12}" font-weight="bold">{escape(panel.title)}</text>']
    for step in range(5):
        y = bottom - HEIGHT * step / 4
        parts.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#808080" stroke-opacity=".3"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(most * step / 4)}</text>')
        x = LEFT + (right - LEFT) * step / 4
        parts.append(f'<text x="{x:.0f}" y="{bottom + 16}" text-anchor="middle">{_number(last * step / 4)}</text>')
    parts.append(f'<text x="{right + 24}" y="{bottom + 16}">{escape(along)}</text>')
    for number, (name, points) in enumerate(panel.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [(LEFT + (right - LEFT) * x / last, bottom - HEIGHT * y / most) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{right + 12}" y="{TOP + 12 + 18 * number}" fill="{colour}">{escape(name)}</text>')
    return parts


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"

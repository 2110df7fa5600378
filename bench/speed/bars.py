"""Bars in groups, or piled up, as an SVG that any browser and GitHub show, by light and by night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tests.chaos.plot import COLOURS

WIDTH, LEFT, RIGHT, HEAD, FOOT = 760, 150, 170, 30, 18
THICK, BETWEEN = 13, 9
#: More are told apart when a bar is piled up of many parts.
MANY = (*COLOURS, "#56b4e9", "#999999", "#8c6bb1", "#f0e442")


@dataclass(frozen=True)
class Bars:
    """``groups``: for each label the values by series, in the unit that the title names; ``mark`` is a line at one."""

    title: str
    groups: Mapping[str, Mapping[str, float]]
    form: str = "{:.0f}"
    piled: bool = False
    mark: float | None = None

    @property
    def series(self) -> list[str]:
        return list(dict.fromkeys(name for values in self.groups.values() for name in values))

    @property
    def height(self) -> int:
        rows = sum((1 if self.piled else len(values)) * THICK + BETWEEN for values in self.groups.values())
        return HEAD + max(rows, 18 * len(self.series)) + FOOT


def svg(panels: Sequence[Bars]) -> str:
    """The panels below each other."""
    height = sum(panel.height for panel in panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="12" fill="#808080">'
    ]
    top = 0
    for panel in panels:
        parts.append(f'<g transform="translate(0 {top})">')
        parts += _panel(panel)
        parts.append("</g>")
        top += panel.height
    return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Bars) -> list[str]:
    colours = dict(zip(panel.series, MANY, strict=False))
    totals = [sum(values.values()) if panel.piled else max(values.values()) for values in panel.groups.values()]
    scale = (WIDTH - LEFT - RIGHT - 40) / max(*totals, panel.mark or 0, 1e-9)
    parts = [f'<text x="{LEFT}" y="16" font-weight="bold">{escape(panel.title)}</text>']
    y = HEAD
    for label, values in panel.groups.items():
        high = (1 if panel.piled else len(values)) * THICK
        parts.append(f'<text x="{LEFT - 8}" y="{y + high / 2 + 4:.1f}" text-anchor="end">{escape(label)}</text>')
        x = float(LEFT)
        for number, (name, value) in enumerate(values.items()):
            at = y if panel.piled else y + number * THICK
            wide = value * scale
            parts.append(
                f'<rect x="{x:.1f}" y="{at}" width="{wide:.1f}" height="{THICK - 2}" fill="{colours[name]}">'
                f"<title>{escape(name)}: {panel.form.format(value)}</title></rect>"
            )
            x = x + wide if panel.piled else x
            if not panel.piled:
                parts.append(f'<text x="{LEFT + wide + 4:.1f}" y="{at + 10}">{panel.form.format(value)}</text>')
        if panel.piled:
            parts.append(f'<text x="{x + 4:.1f}" y="{y + 10}">{panel.form.format(sum(values.values()))}</text>')
        y += high + BETWEEN
    if panel.mark is not None:
        x = LEFT + panel.mark * scale
        parts.append(f'<path d="M{x:.1f} {HEAD - 6}V{y}" stroke="#808080" stroke-dasharray="3 3"/>')
    for number, name in enumerate(panel.series):
        at = HEAD + 18 * number
        parts.append(f'<rect x="{WIDTH - RIGHT + 12}" y="{at}" width="11" height="11" fill="{colours[name]}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 29}" y="{at + 10}">{escape(name)}</text>')
    return parts

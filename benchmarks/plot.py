"""Bars on a logarithmic scale, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from xml.sax.saxutils import escape

from report import number

WIDTH, LABELS, BAR, GAP, TOP = 760, 230, 14, 12, 62
PLOT = WIDTH - LABELS - 70
# Colours of modelwire and of the others. Each series of a group is paler than the one before it.
OURS, OTHERS = "#1b7f79", "#8a8f98"
PALENESS = (1.0, 0.65, 0.4)


def bars(title: str, unit: str, groups: Mapping[str, Mapping[str, float]], *, ours: str = "modelwire") -> str:
    """One group of bars for each label, one bar for each series. Labels that begin with `ours` stand out in colour."""
    values = [value for group in groups.values() for value in group.values() if value > 0]
    lowest = 10 ** math.floor(math.log10(min(values)))
    scale = PLOT / math.log10(max(values) / lowest * 1.05)
    series = list(dict.fromkeys(key for group in groups.values() for key in group))
    out: list[str] = []
    y = TOP
    for label, group in groups.items():
        color = OURS if label.startswith(ours) else OTHERS
        middle = y + BAR * len(group) / 2 + 4
        out.append(f'<text x="{LABELS - 8}" y="{middle:.0f}" text-anchor="end">{escape(label)}</text>')
        for key, value in group.items():
            length = max(1.0, scale * math.log10(value / lowest)) if value > 0 else 1.0
            opacity = PALENESS[series.index(key) % len(PALENESS)]
            out.append(
                f'<rect x="{LABELS}" y="{y}" width="{length:.0f}" height="{BAR - 2}" fill="{color}"'
                f' fill-opacity="{opacity}"/><text x="{LABELS + length + 4:.0f}" y="{y + 10}" class="n">'
                f"{number(value)}</text>"
            )
            y += BAR
        y += GAP
    return _picture([*_frame(title, unit, series, lowest, scale, y), *out], y + 24)


def _frame(title: str, unit: str, series: list[str], lowest: float, scale: float, bottom: int) -> list[str]:
    """The title, the legend of the shades, and the powers of ten."""
    shades = ", ".join(series) if len(series) > 1 else ""
    note = f"{unit}, logarithmic scale" + (f"; from dark to pale: {shades}" if shades else "")
    out = [
        f'<text x="8" y="22" class="t">{escape(title)}</text>',
        f'<text x="8" y="42" class="n">{escape(note)}</text>',
    ]
    power = 0
    while scale * power <= PLOT:
        x = LABELS + scale * power
        out.append(f'<line x1="{x:.0f}" y1="{TOP - 8}" x2="{x:.0f}" y2="{bottom}" class="g"/>')
        out.append(f'<text x="{x:.0f}" y="{bottom + 14}" text-anchor="middle" class="n">{lowest * 10**power:g}</text>')
        power += 1
    return out


def _picture(body: list[str], height: int) -> str:
    style = (
        "text{font:13px system-ui,sans-serif;fill:#3a3f47}.n{font-size:11px}.t{font-size:16px;font-weight:600}"
        ".g{stroke:#d5d8dd;stroke-width:1}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
    paper = f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>'
    return "\n".join([head, f"<style>{style}</style>", paper, *body, "</svg>", ""])

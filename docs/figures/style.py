"""How the figures of the documents look, and how one becomes an SVG that is legible on a light and on a dark page."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path

from lastlayer.marks import CIRCLE, HUES, marks

#: Name → (light page, dark page). Figures are drawn in the light colours; the SVG has both.
PAGE = {
    "paper": ("#fcfcfa", "#15171a"),
    "soft": ("#565e67", "#a5adb5"),
    "rule": ("#d8dadc", "#383d43"),
    "tint": ("#eceef0", "#23282e"),
    "good": ("#046a44", "#4cc79b"),
}
COLOURS = {name: light for name, (light, _) in PAGE.items()}
INK = HUES[0][0]
SIZE = 12.0
#: The width in inches of a figure for a narrow page: its letters are as large there as the text.
NARROW = 4.7
SETTINGS: dict[str, Any] = {
    "svg.hashsalt": "lastlayer",
    # Text stays text, so that it can be searched, read aloud and copied.
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": SIZE,
    "text.color": INK,
    "axes.edgecolor": COLOURS["soft"],
    "axes.labelcolor": COLOURS["soft"],
    "axes.titlecolor": INK,
    "axes.titlesize": SIZE,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "xtick.color": COLOURS["soft"],
    "ytick.color": COLOURS["soft"],
    "xtick.labelsize": SIZE - 1,
    "ytick.labelsize": SIZE - 1,
    "figure.facecolor": COLOURS["paper"],
    "figure.dpi": 72.0,
    # A margin on the card, in inches.
    "figure.constrained_layout.h_pad": 0.2,
    "figure.constrained_layout.w_pad": 0.2,
    "hatch.linewidth": 1.0,
    "lines.linewidth": 2.6,
    "lines.solid_capstyle": "round",
    "axes.unicode_minus": True,
}


@dataclass(frozen=True)
class Drawn:
    """A figure, and the same in words: for a reader who does not see it, and for the test that it is current."""

    figure: Figure
    words: str


def colour(mapping: str) -> str:
    """The light colour of a mapping, the same as on the page and in the report; grey for none."""
    if not mapping:
        return COLOURS["soft"]
    return HUES[marks([mapping])[mapping].hue][0]


def marker(mapping: str) -> Path:
    """The shape of a mapping, the same as on the page and in the report."""
    text = marks([mapping])[mapping].shape
    if text == CIRCLE:
        return Path.unit_circle()
    points: list[tuple[float, float]] = []
    for command, numbers in re.findall(r"([MLHVZ])([^MLHVZ]*)", text):
        values = [float(value) for value in re.findall(r"-?[\d.]+", numbers)]
        if command == "H":
            points.append((values[0], points[-1][1]))
        elif command == "V":
            points.append((points[-1][0], values[0]))
        else:
            points += zip(values[::2], values[1::2], strict=True)
    # SVG's y grows downwards.
    return Path(np.array([*points, points[0]]) * (1, -1), closed=True)


def styled(draw: Callable[[], Drawn]) -> Drawn:
    """The figure, drawn under the settings of this module."""
    with matplotlib.rc_context(SETTINGS):
        drawn = draw()
        drawn.figure.canvas.draw()
    return drawn


def svg(drawn: Drawn) -> str:
    """SVG text: the same bytes for the same figure and matplotlib."""
    with matplotlib.rc_context(SETTINGS):
        text = io.StringIO()
        metadata = {
            "Date": None,
            "Creator": None,
            "Title": drawn.words,
            "Description": json.dumps(digest(drawn.figure)),
        }
        drawn.figure.savefig(text, format="svg", metadata=metadata)
    lines = (line.rstrip() for line in text.getvalue().splitlines())
    return _with_two_palettes("\n".join(lines) + "\n")


def _with_two_palettes(text: str) -> str:
    """Colours as CSS variables, with their values for a light and for a dark page."""
    pairs = {f"hue{i}": pair for i, pair in enumerate(HUES)} | PAGE
    for name, (light, _) in pairs.items():
        text = text.replace(light, f"var(--{name})")
    light, dark = ("".join(f"--{name}:{pair[side]};" for name, pair in pairs.items()) for side in (0, 1))
    style = f"<style>:root{{{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    # Text was laid out for this font; where it is missing, Verdana has the same widths.
    text = text.replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    head, tag, rest = text.partition("<defs>")
    return f"{head}{style}\n {tag}{rest}"


def digest(figure: Figure) -> list[list[float]]:
    """Every line and patch as (number of points, mean x, mean y) in data, to compare a stored figure with a new one."""
    found = []
    for axes in figure.axes:
        paths = [line.get_xydata() for line in axes.lines]
        paths += [patch.get_patch_transform().transform_path(patch.get_path()).vertices for patch in axes.patches]
        paths += [path.vertices for collection in axes.collections for path in collection.get_paths()]
        for points in paths:
            finite = np.asarray(points, dtype=float)
            finite = finite[np.isfinite(finite).all(axis=1)] if len(finite) else np.zeros((0, 2))
            mean = finite.mean(axis=0) if len(finite) else np.zeros(2)
            found.append([len(finite), *(float(f"{value:.4g}") for value in mean)])
    return found


def bare(axes: Axes) -> None:
    """No frame, no ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[["left", "bottom"]].set_visible(False)


def share_bar(
    axes: Axes, left: float, y: float, p: Any, mapping: str, *, height: float = 0.62, width: float = 1.0
) -> None:
    """Two classes as one bar: the first class solid, the second tinted; each with its number."""
    first = width * float(p[0])
    axes.barh(y, first, height, left, color=colour(mapping), linewidth=0)
    axes.barh(y, width - first, height, left + first, color=COLOURS["tint"], edgecolor=colour(mapping), linewidth=1.2)
    inside = {"va": "center", "fontweight": "bold"}
    if p[0] > 0.15:
        axes.text(left + first / 2, y, decimal(p[0]), color=COLOURS["paper"], ha="center", **inside)
    if p[1] > 0.25:
        axes.text(left + (width + first) / 2, y, decimal(p[1]), color=INK, ha="center", **inside)


def no_answer(axes: Axes, left: float, y: float, text: str, height: float = 0.62, width: float = 1.0) -> None:
    """An empty, dashed bar: the mapping is undefined there."""
    axes.barh(y, width, height, left, color="none", edgecolor=COLOURS["soft"], linewidth=1.2, linestyle=(0, (4, 3)))
    axes.text(left + width / 2, y, text, color=COLOURS["soft"], ha="center", va="center", fontsize=SIZE - 1)


def decimal(value: float, digits: int = 2) -> str:
    """`.62`, `1.00`, `−.5`: as the question wrote them."""
    text = f"{float(value):.{digits}f}".replace("-", "−")
    return text[1:] if text.startswith("0.") else text

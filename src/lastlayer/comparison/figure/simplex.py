"""Three probabilities as a point in a triangle, and its path while the scores are scaled from 0.1 to 10."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lastlayer.comparison.answers import Answers, Vector
from lastlayer.comparison.figure.curves import SCALES
from lastlayer.comparison.figure.styles import INK, Style
from lastlayer.functions import probabilities

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])


def draw_simplex(axes: Axes, answers: Answers, styles: dict[str, Style]) -> None:
    """Points that coincide get smaller one by one, so that each leaves a ring."""
    axes.fill(*CORNERS.T, facecolor="#f6f6f6", edgecolor="#999999", linewidth=1.0)
    for k, (corner, below) in enumerate(zip(CORNERS, (0.06, 0.06, -0.03), strict=True)):
        axes.text(corner[0], corner[1] - below, f"class {k}", ha="center", fontsize=9, color=INK)
    for mapping in answers.question.mappings:
        with np.errstate(over="ignore"):
            scaled = SCALES[:, None] * answers.reached
        axes.plot(*_place(probabilities(scaled, mapping=mapping, on_domain="nan")).T, **styles[mapping.label].line)
    points = {row.name: _place(row.probabilities) for row in answers.rows if row.probabilities is not None}
    for names in _together(points, styles):
        point = points[names[0]]
        for i, name in enumerate(names):
            style = styles[name]
            size = 7 + 4 * (len(names) - 1 - i)
            axes.plot(
                *point, marker=style.marker, markersize=size, color=style.colour, mec="white", mew=0.7, zorder=4 + i
            )
    axes.set_aspect("equal")
    axes.set_xlim(-0.05, 1.05)
    axes.axis("off")
    key = [
        Line2D([], [], marker=style.marker, markersize=8, color=style.colour, linestyle="none", label=name)
        for name, style in styles.items()
        if style.is_named and name in points
    ]
    axes.legend(handles=key, loc="upper right", frameon=False, fontsize=9, labelcolor="linecolor", handletextpad=0.2)
    axes.set_title("Each mapping's path from 0.1 to 10 times the scores", fontsize=10, loc="left", color=INK, pad=12)


def _place(p: Vector) -> Vector:
    """Where probabilities (..., 3) are. Missing mass has no place in the triangle: what is left is shown in proportion."""
    with np.errstate(invalid="ignore"):
        place: Vector = p / p.sum(axis=-1, keepdims=True) @ CORNERS
    return place


def _together(points: dict[str, Vector], styles: dict[str, Style]) -> list[list[str]]:
    """The names in groups of points that cover each other; the grey ones are drawn first."""
    groups: list[list[str]] = []
    for name in sorted(points, key=lambda name: styles[name].is_named):
        near = [group for group in groups if np.hypot(*(points[group[0]] - points[name])) < 0.02]
        if near:
            near[0].append(name)
        else:
            groups.append([name])
    return groups

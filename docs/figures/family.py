"""Figures of the third lesson: max, argmax and softmax; temperature; the triangle; α from softmax to sparsemax."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from style import COLOURS, INK, NARROW, SIZE, Drawn, bare, colour, decimal

import lastlayer as ll

#: Three scores whose mappings differ well.
SCORES = np.array([1.5, 0.9, 0.3])


def max_argmax_softmax(*, is_narrow: bool = False) -> Drawn:
    """max(x, 0), the one-hot argmax of (x, 0) and softmax of (x, 0), each with its slope."""
    figure = Figure(figsize=(NARROW, 7.0) if is_narrow else (7.6, 3.0), layout="constrained")
    x = np.linspace(-4, 4, 161)
    pair = np.stack([x, np.zeros_like(x)], axis=1)
    argmax = ll.hardmax(pair)[:, 0]
    panels = (
        ("max(x, 0)", "a kink at the tie", pair.max(axis=1), COLOURS["soft"], (-0.3, 4)),
        ("argmax", "slope 0, and a jump", argmax, colour("hardmax"), (-0.06, 1.06)),
        ("softmax", "a slope everywhere", ll.softmax(pair)[:, 0], colour("softmax"), (-0.06, 1.06)),
    )
    for axes, (title, note, y, line, limits) in zip(
        figure.subplots(*((3, 1) if is_narrow else (1, 3))), panels, strict=True
    ):
        whole = np.where(np.isclose(x, 0) & (title.startswith("argmax")), np.nan, y)
        axes.plot(x, whole, color=line)
        axes.set_xlim(-4, 4)
        axes.set_ylim(*limits)
        axes.set_xticks([-4, 0, 4])
        axes.set_yticks([0, 1] if limits[1] < 2 else [0, 2, 4])
        axes.set_title(f"{title}\n")
        axes.text(0, 1.04, note, transform=axes.transAxes, color=COLOURS["soft"], fontsize=SIZE - 1)
    return Drawn(
        figure,
        "Against a score x next to 0: max(x, 0) has a kink at 0; the one-hot argmax is 0, then jumps to 1, with slope 0 on both "
        "sides; softmax rises smoothly and has a slope everywhere.",
    )


def temperature(*, is_narrow: bool = False) -> Drawn:
    """softmax([1.5, 0.9, 0.3] / T) for five temperatures, as bars."""
    figure = Figure(figsize=(NARROW, 4.6) if is_narrow else (7.6, 2.7), layout="constrained")
    temperatures = (0.1, 0.5, 1.0, 2.0, 10.0)
    panels = list(figure.subplots(*((2, 3) if is_narrow else (1, 5))).flat)
    for axes in panels[len(temperatures) :]:
        axes.remove()
    said = []
    for axes, value in zip(panels, temperatures, strict=False):
        p = ll.softmax(SCORES / value)
        columns(axes, p, "softmax")
        axes.set_title(f"T = {value:g}", loc="center")
        said.append(f"T = {value:g}: {', '.join(decimal(entry) for entry in p)}")
    return Drawn(figure, f"Softmax of [1.5, 0.9, 0.3] divided by a temperature T. {'; '.join(said)}.")


def alphas() -> Drawn:
    """The three probabilities of α-entmax against α, from softmax to sparsemax."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    values = np.linspace(1, 2, 101)
    p = np.array([ll.entmax(SCORES, alpha=alpha) for alpha in values])
    for column, style in zip(p.T, ("-", (0, (5, 2)), (0, (1.5, 1.5))), strict=True):
        axes.plot(values, column, color=colour("entmax"), linestyle=style)
    zero = float(values[int(np.argmax(p[:, 2] == 0))])
    for score, entry, offset in zip(SCORES, p[0], (0.08, 0.03, -0.1), strict=True):
        axes.text(1.02, float(entry) + offset, f"score {score:g}", color=INK)
    axes.annotate(
        f"exactly 0 from α = {zero:.2f}",
        (zero, 0),
        (36, 10),
        textcoords="offset points",
        ha="center",
        color=COLOURS["soft"],
    )
    axes.set_xlim(1, 2)
    axes.set_ylim(-0.02, 1)
    axes.set_xticks([1, 1.5, 2], ["α = 1\nsoftmax", "1.5\nentmax", "2\nsparsemax"])
    axes.set_yticks([0, 0.5, 1])
    axes.set_title("probabilities of [1.5, 0.9, 0.3]")
    ends = (", ".join(decimal(entry) for entry in p[place]) for place in (0, -1))
    return Drawn(
        figure,
        "α-entmax of [1.5, 0.9, 0.3]: {} at α = 1, which is softmax; {} at α = 2, which is sparsemax. The smallest score gets "
        "exactly 0 from α = {:.2f} on.".format(*ends, zero),
    )


def triangle() -> Drawn:
    """The probabilities of three classes as points of a triangle, as the scores grow from nothing."""
    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    axes = figure.subplots()
    bare(axes)
    axes.set_aspect("equal")
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    axes.fill(*corners.T, color=COLOURS["tint"], linewidth=0, zorder=0)
    axes.plot(*np.vstack([corners, corners[:1]]).T, color=COLOURS["soft"], linewidth=1.2)
    factors = np.concatenate([[0], np.geomspace(0.02, 12, 120)])
    for name in ("softmax", "entmax", "sparsemax"):
        path = ll.probabilities(factors[:, None] * SCORES, mapping=name) @ corners
        axes.plot(*path.T, color=colour(name))
    still = ll.ratio(SCORES) @ corners
    axes.plot(*still[:, None], "D", color=colour("ratio"), markersize=10, markeredgewidth=0)
    axes.annotate(
        "ratio: stays here", still, (14, 2), textcoords="offset points", color=colour("ratio"), fontweight="bold"
    )
    centre = corners.mean(axis=0)
    axes.plot(*centre[:, None], "o", color=INK, markersize=5)
    axes.annotate(
        "scores near 0:\nall alike", centre, (0, 12), textcoords="offset points", color=COLOURS["soft"], ha="center"
    )
    sides = (("left", "top", -0.09), ("right", "top", -0.09), ("center", "bottom", 0.03))
    for place, (corner, score, (side, edge, offset)) in enumerate(zip(corners, SCORES, sides, strict=True)):
        text = f"class {place} (score {score:g})"
        axes.text(corner[0], corner[1] + offset, text, ha=side, va=edge, color=COLOURS["soft"])
    _direct_labels(axes, corners)
    axes.set_xlim(-0.06, 1.06)
    axes.set_ylim(-0.14, 0.95)
    return Drawn(
        figure,
        "A triangle whose corners are three certain classes. As the scores [1.5, 0.9, 0.3] grow, softmax, entmax and sparsemax go "
        "from the middle to the corner of class 0: softmax on a curve inside, sparsemax along the edge, where class 2 has exactly "
        "0, entmax between them. The ratio stays at one point.",
    )


def _direct_labels(axes: Axes, corners: np.ndarray) -> None:
    """Each name next to its path: softmax's above, the others' below the edge that they reach."""
    for name, factor, offset, side in (
        ("softmax", 1.3, (-8, 12), "right"),
        ("entmax", 1.9, (0, -18), "center"),
        ("sparsemax", 0.85, (38, -18), "center"),
    ):
        place = ll.probabilities(factor * SCORES, mapping=name) @ corners
        axes.annotate(name, place, offset, textcoords="offset points", color=colour(name), fontweight="bold", ha=side)


def columns(axes: Axes, p: np.ndarray, mapping: str, true: int | None = None) -> None:
    """The probabilities of three classes as columns, each with its number; the true class has a mark."""
    bare(axes)
    axes.set_ylim(-0.16 if true is not None else 0, 1.15)
    axes.set_xlim(-0.6, 2.6)
    axes.bar(range(3), p, 0.8, color=colour(mapping), linewidth=0)
    axes.axhline(0, color=COLOURS["soft"], linewidth=1)
    for place, entry in enumerate(p):
        axes.text(place, float(entry) + 0.02, decimal(entry), ha="center", va="bottom", fontsize=SIZE - 1)
    if true is not None:
        axes.text(true, -0.03, "✓ true", ha="center", va="top", color=COLOURS["good"], fontweight="bold")

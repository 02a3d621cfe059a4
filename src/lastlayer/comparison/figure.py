"""A comparison as a picture: bars per mapping, what scaling and shifting do, and for three classes the simplex."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lastlayer.comparison.answers import Answers
from lastlayer.files import replace_file
from lastlayer.functions import probabilities
from lastlayer.mappings import ProbabilityMapping
from lastlayer.words.numbers import short

Vector = NDArray[np.float64]
Style = dict[str, Any]

#: Softmax, where the two families meet, and the ratio, which it is compared with, stand out; the others take these hues
#: in turn (after Okabe & Ito's, which stay apart for colour-blind readers). Dashes mark the regularized family.
EMPHASIS = {"softmax": "#111111", "ratio": "#d55e00"}
HUES = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#7c4801",
    "#6d28d9",
    "#be123c",
    "#64748b",
)
SCALES = np.geomspace(0.1, 10.0, 241)
#: The unit is the largest score, or 1 where all are smaller.
SHIFTS = np.linspace(-3.0, 3.0, 241)
INK = "#333333"


def require_format(path: Path) -> None:
    """Check the file's ending before anything is drawn; no ending means PNG.

    Raises:
        ValueError: matplotlib writes no such format.
    """
    known = FigureCanvasBase.get_supported_filetypes()
    ending = path.suffix[1:].lower()
    if ending and ending not in known:
        raise ValueError(
            f"{path} ends in .{ending}, which is no format for figures; choose {', '.join(sorted(known))}."
        )


def save(comparison: Answers, path: Path) -> None:
    """Write the picture, in the format that the file's name asks for; an earlier file survives a failure.

    Raises:
        OSError: the file cannot be written.
    """
    figure = draw(comparison)
    replace_file(path, lambda temporary: figure.savefig(temporary, dpi=150, format=path.suffix[1:] or "png"))


def draw(comparison: Answers) -> Figure:
    """The figure; mappings that are undefined at these scores say so in their row."""
    three = len(comparison.reached) == 3
    rows = 1.6 + 0.32 * max(6, len(comparison.rows))
    figure = Figure(
        figsize=(11.0, 2.1 * rows) if three else (12.0, rows + 0.6),
        layout="constrained",
    )
    panels = figure.subplots(2, 2).ravel() if three else figure.subplots(1, 3, width_ratios=[1.25, 1.0, 1.0])
    styles = _styles(comparison.question.mappings)
    _bars(panels[0], comparison)
    _moving(panels[-2], comparison, styles, "scale")
    _moving(panels[-1], comparison, styles, "shift")
    if three:
        _simplex(panels[1], comparison, styles)
    handles, labels = panels[-1].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=6,
        frameon=False,
        fontsize=9,
        handlelength=3,
    )
    figure.suptitle(_title(comparison), fontsize=12, color=INK)
    return figure


def _title(comparison: Answers) -> str:
    """The scores that reach the mappings."""
    shown = ", ".join(short(x) for x in comparison.reached[:8]) + (", …" if len(comparison.reached) > 8 else "")
    after = "" if comparison.question.activation.is_identity else " after the activation"
    return f"Scores ({shown}){after}, and what each mapping makes of them"


def _styles(mappings: tuple[ProbabilityMapping, ...]) -> dict[str, Style]:
    """A line style by label."""
    hues = itertools.cycle(HUES)
    styles: dict[str, Style] = {}
    for mapping in mappings:
        emphasis = mapping.name in EMPHASIS
        styles[mapping.label] = {
            "color": EMPHASIS[mapping.name] if emphasis else next(hues),
            "linewidth": 2.6 if emphasis else 1.5,
            "linestyle": "-" if mapping.family == "normalized" else (0, (5, 1.5)),
            "zorder": 3 if emphasis else 2,
        }
    return styles


def _bars(axes: Axes, comparison: Answers) -> None:
    """One stacked bar per mapping; a gap before 1 is missing mass."""
    classes = len(comparison.reached)
    shades = np.linspace(0.1, 0.9, classes)
    for place, row in enumerate(comparison.rows):
        if row.probabilities is None:
            axes.text(
                0.02,
                place,
                "undefined here",
                va="center",
                fontsize=9,
                color="#888888",
                style="italic",
            )
            continue
        left = 0.0
        for shade, p in zip(shades, row.probabilities, strict=True):
            axes.barh(
                place,
                p,
                left=left,
                color=colormaps["viridis"](shade),
                edgecolor="white",
                linewidth=0.8,
            )
            if p > 0.12:
                # The upper half of the colour map is light.
                ink = "white" if shade < 0.6 else INK
                axes.text(
                    left + p / 2,
                    place,
                    f"{p:.2f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color=ink,
                )
            left += float(p)
    axes.set_yticks(range(len(comparison.rows)), [row.name for row in comparison.rows], fontsize=9)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("probability, class 0 leftmost" if classes > 1 else "probability")
    axes.set_title("Probabilities, one bar per mapping", fontsize=10, loc="left", color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)


def _moving(axes: Axes, comparison: Answers, styles: dict[str, Style], how: str) -> None:
    """How p0 moves when all scores are multiplied by a constant, or a constant is added to them."""
    x = comparison.reached
    scaled = how == "scale"
    # A score near the largest float would overflow the axis.
    size = min(float(np.max(np.abs(x), initial=1.0, where=np.isfinite(x))), 1e6)
    amounts = SCALES if scaled else SHIFTS * size
    with np.errstate(over="ignore"):
        scores = amounts[:, None] * x if scaled else x + amounts[:, None]
    top = 0.0
    for mapping in comparison.question.mappings:
        p = probabilities(scores, mapping=mapping, on_domain="nan")[:, 0]
        axes.plot(amounts, p, label=mapping.label, **styles[mapping.label])
        top = max(top, *p[np.isfinite(p)], 0.01)
    axes.axvline(1.0 if scaled else 0.0, color="#aaaaaa", linewidth=0.8, linestyle=":")
    if scaled:
        axes.set_xscale("log")
        axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.set_ylim(-0.02 * top, 1.03 * top)
    axes.set_xlabel("scores multiplied by" if scaled else "constant added to every score")
    axes.set_ylabel("probability of class 0")
    title = "Scaling: softmax sharpens, the ratio stays" if scaled else "Shifting: softmax stays, the ratio moves"
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)


def _simplex(axes: Axes, comparison: Answers, styles: dict[str, Style]) -> None:
    """Three probabilities as a point in a triangle, and its path while the scores are scaled from 0.1 to 10."""
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    axes.fill(*corners.T, facecolor="#f6f6f6", edgecolor="#999999", linewidth=1.0)
    for k, (corner, below) in enumerate(zip(corners, (0.06, 0.06, -0.03), strict=True)):
        axes.text(
            corner[0],
            corner[1] - below,
            f"class {k}",
            ha="center",
            fontsize=9,
            color=INK,
        )
    for mapping, row in zip(comparison.question.mappings, comparison.rows, strict=True):
        style = styles[mapping.label]
        with np.errstate(over="ignore"):
            scaled = SCALES[:, None] * comparison.reached
        path = probabilities(scaled, mapping=mapping, on_domain="nan")
        # Missing mass has no place in the triangle: what is left is shown in proportion.
        path = path / path.sum(axis=-1, keepdims=True) @ corners
        axes.plot(*path.T, **style)
        if row.probabilities is not None:
            point = row.probabilities / row.probabilities.sum() @ corners
            # The two that stand out are larger and lie below, so that a point on top of them leaves a ring.
            size, front = (13, 4) if mapping.name in EMPHASIS else (8, 5)
            axes.plot(
                *point,
                marker="o",
                markersize=size,
                color=style["color"],
                markeredgecolor="white",
                zorder=front,
            )
    axes.set_aspect("equal")
    axes.axis("off")
    axes.set_title(
        "The simplex: paths from 0.1 to 10 times the scores",
        fontsize=10,
        loc="left",
        color=INK,
        pad=12,
    )

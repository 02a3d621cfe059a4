"""The picture of the short answer: what each mapping sees, and who is the more certain at which size of the scores."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from style import COLOURS, INK, NARROW, SIZE, Drawn, bare, colour, decimal, no_answer, share_bar

import lastlayer as ll

QUESTION = np.array([1.0, 0.5])
#: The question's scores, the same proportions, the same difference.
ROWS = ((1.0, 0.5), (100.0, 50.0), (-1.0, -1.5))


def answer(*, is_narrow: bool = False) -> Drawn:
    """The bars of three rows of scores, and next to them the share of the largest class against the factor; below if narrow."""
    figure = Figure(figsize=(NARROW, 6.4) if is_narrow else (8.9, 3.5), layout="constrained")
    bars, curves = figure.subplots(2, 1) if is_narrow else figure.subplots(1, 2, width_ratios=(1.8, 1))
    sees = _what_each_sees(bars, SIZE if is_narrow else SIZE + 1)
    scale = scale_curves(curves)
    return Drawn(figure, f"{sees} {scale}")


def _what_each_sees(axes: Axes, size: float) -> str:
    columns = {
        "ratio": (0.92, "divide by sum", "sees proportions"),
        "softmax": (2.2, "softmax", "sees differences"),
    }
    bare(axes)
    axes.set_xlim(0, 3.25)
    axes.set_ylim(2.5, -1.15)
    said = []
    axes.text(0.02, -0.62, "scores", color=COLOURS["soft"], va="bottom")
    for place, scores in enumerate(ROWS):
        axes.text(0.02, place, f"[{scores[0]:g}, {scores[1]:g}]".replace("-", "−"), va="center", fontsize=size)
        probabilities = {name: ll.probabilities(scores, mapping=name, on_domain="nan") for name in columns}
        for name, (start, _, _) in columns.items():
            if np.isfinite(probabilities[name]).all():
                share_bar(axes, start, place, probabilities[name], name)
            else:
                no_answer(axes, start, place, "reversed:\n" + " and ".join(map(decimal, divided(scores))))
        said.append(
            f"scores {list(scores)}: " + ", ".join(f"{name} {_words(p, scores)}" for name, p in probabilities.items())
        )
    for name, (start, title, sees) in columns.items():
        axes.text(start, -0.92, title, fontweight="bold", color=colour(name), va="bottom")
        axes.text(start, -0.62, sees, color=COLOURS["soft"], va="bottom")
    return "; ".join(said) + "."


def scale_curves(axes: Axes) -> str:
    """p of the first class of c·[1, 0.5], for c from 0.1 to 10, with the crossing marked."""
    factors = np.geomspace(0.1, 10, 81)
    softmax = ll.softmax(factors[:, None] * QUESTION)[:, 0]
    ratio = ll.ratio(factors[:, None] * QUESTION)[:, 0]
    crossing = turning(QUESTION)
    axes.set_xscale("log")
    axes.plot(factors, ratio, color=colour("ratio"))
    axes.plot(factors, softmax, color=colour("softmax"))
    axes.plot([crossing], [ratio[0]], "o", color=COLOURS["paper"], markeredgecolor=INK, markeredgewidth=2, markersize=9)
    axes.annotate(
        f"× {crossing:.2f}", (crossing, ratio[0]), (10, -20), textcoords="offset points", fontweight="bold", color=INK
    )
    axes.text(0.11, ratio[0] + 0.02, "ratio", color=colour("ratio"), fontweight="bold")
    axes.text(3.0, 0.93, "softmax", color=colour("softmax"), fontweight="bold", ha="right")
    axes.set_xlim(0.1, 10)
    axes.set_ylim(0.48, 1.02)
    axes.set_xticks([0.1, 1, 10], ["× 0.1", "× 1", "× 10"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks([0.5, 0.75, 1.0], [".50", ".75", "1.00"])
    axes.set_title("certainty, as [1, 0.5] grows")
    return (
        f"Multiplied by a factor, [1, 0.5] gives the ratio {decimal(ratio[0])} for the first class at every size; softmax goes "
        f"from {decimal(softmax[0])} at × 0.1 to {decimal(softmax[-1])} at × 10, and passes the ratio at × {crossing:.2f}."
    )


def turning(scores: np.ndarray) -> float:
    """The factor at which softmax becomes as certain as the ratio: for two positive scores log(x0/x1) / (x0 − x1)."""
    high, low = float(scores.max()), float(scores.min())
    return float(np.log(high / low) / (high - low))


def divided(scores: tuple[float, ...]) -> np.ndarray:
    """x / Σ x, also where it gives no probabilities."""
    return np.array(scores) / sum(scores)


def _words(p: np.ndarray, scores: tuple[float, ...]) -> str:
    if np.isfinite(p).all():
        return f"{decimal(p[0])} and {decimal(p[1])}"
    return "has no answer, since the division gives {} and {}, the reverse order".format(*map(decimal, divided(scores)))

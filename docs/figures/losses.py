"""Figures of the second lesson, what the loss does: the log loss, its slopes, and ten steps down them."""

from __future__ import annotations

import numpy as np
from answer import QUESTION
from matplotlib.figure import Figure
from style import COLOURS, INK, Drawn, colour, decimal

import lastlayer as ll

#: The true class of the question's scores in these figures: the one that both mappings hold for less likely.
TRUE = 1


def log_loss() -> Drawn:
    """−log p against p, with three predictions."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    p = np.linspace(0.02, 1, 99)
    axes.plot(p, -np.log(p), color=INK)
    said = []
    for value, words in ((0.9, "sure and right"), (0.5, "undecided"), (0.1, "sure and wrong")):
        loss = float(-np.log(value))
        axes.plot([value], [loss], "o", color=COLOURS["paper"], markeredgecolor=INK, markeredgewidth=2, markersize=9)
        side, offset = ("right", (28, 16)) if value > 0.6 else ("left", (10, 12))
        axes.annotate(f"{words}: {loss:.2f}", (value, loss), offset, textcoords="offset points", ha=side)
        said.append(f"{decimal(value, 1)} gives {loss:.2f}")
    axes.set_xlim(0, 1.06)
    axes.set_ylim(0, 4)
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([0, 1, 2, 3])
    axes.set_xlabel("probability of the true class")
    axes.set_title("log loss")
    return Drawn(
        figure, f"The log loss against the probability of the true class: {', '.join(said)}; 0 would be infinite."
    )


def slopes() -> Drawn:
    """The slope of the loss at the true score x, next to a score of 4, for softmax and for the ratio."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    x = np.geomspace(0.05, 4, 80)
    ends = {}
    for name in ("ratio", "softmax"):
        slope = [slope_at_true(value, name) for value in x]
        axes.plot(x, slope, color=colour(name))
        ends[name] = slope[0]
    axes.axhline(0, color=COLOURS["rule"], linewidth=1, zorder=0)
    axes.axvspan(-0.4, 0, facecolor="none", edgecolor=COLOURS["rule"], hatch="///", linewidth=0)
    steep, gentle = (f"{ends[name]:.2f} at x = 0.05".replace("-", "−") for name in ("ratio", "softmax"))
    axes.text(0.25, -15, f"ratio: {steep}", color=colour("ratio"), fontweight="bold")
    axes.text(1.6, -3.2, f"softmax: never below −1\n({gentle})", color=INK, fontweight="bold", va="center")
    axes.set_xlim(-0.4, 4)
    axes.set_ylim(-21, 1.5)
    axes.set_xticks([0, 1, 2, 3, 4])
    axes.set_yticks([-20, -10, 0])
    axes.set_xlabel("score x of the true class; the other score is 4")
    axes.set_title("slope of the log loss in x")
    return Drawn(
        figure,
        f"Next to a score of 4, the slope at the true score is {ends['ratio']:.2f} for the ratio and {ends['softmax']:.2f} for "
        "softmax at x = 0.05. The ratio’s slope has no bound as x goes to 0; softmax’s stays between −1 and 0.".replace(
            "-", "−"
        ),
    )


def slope_at_true(x: float, mapping: str) -> float:
    """The gradient of the loss of scores (4, x), true class 1, at x."""
    return float(ll.loss_and_grad(np.array([[4.0, x]]), [TRUE], mapping=mapping, reduction="sum")[1][0, TRUE])


def steps() -> Drawn:
    """Gradient descent of step 1 from [1, 0.5], true class 1, in the plane of the two scores."""
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.subplots()
    paths = {name: descent(QUESTION, name, 10) for name in ("ratio", "softmax")}
    low = -1.6
    axes.axvspan(low, 0, facecolor="none", edgecolor=COLOURS["rule"], hatch="///", linewidth=0)
    axes.axhspan(low, 0, xmin=-low / (1.8 - low), facecolor="none", edgecolor=COLOURS["rule"], hatch="///", linewidth=0)
    axes.plot([low, 2.4], [low, 2.4], color=COLOURS["rule"], linewidth=1.4, linestyle=(0, (4, 3)))
    for name, path in paths.items():
        axes.plot(*path.T, color=colour(name), marker="o", markersize=6, markeredgewidth=0)
    out, last = paths["ratio"][-1], paths["softmax"][-1]
    title = f"ratio: out after {len(paths['ratio']) - 1} steps"
    axes.annotate("start [1, 0.5]", QUESTION, (8, -16), textcoords="offset points")
    axes.text(0.52, 1.78, f"{title}\n{pair(out)}", color=colour("ratio"), fontweight="bold", va="center")
    axes.text(
        -0.62, 1.5, "softmax:\nten small steps", color=INK, fontweight="bold", va="center", ha="right", **on_paper()
    )
    axes.text(
        -0.8, -0.8, "the ratio has\nno answer here", color=COLOURS["soft"], ha="center", va="center", **on_paper()
    )
    axes.text(
        1.76, 0.86, "below the line\nclass 0 is ahead", color=COLOURS["soft"], ha="right", va="center", fontsize=11
    )
    axes.set_xlim(low, 1.8)
    axes.set_ylim(low, 2.4)
    axes.set_xticks([-1, 0, 1])
    axes.set_yticks([-1, 0, 1, 2])
    axes.set_xlabel("score of class 0")
    axes.set_title("score of class 1, the true one")
    return Drawn(
        figure,
        f"From [1, 0.5] two gradient steps of size 1 take the ratio to {pair(out)}, where it has no answer. Ten steps take softmax "
        f"to {pair(last)}.",
    )


def pair(scores: np.ndarray) -> str:
    """`[−0.13, 1.92]`"""
    return f"[{scores[0]:.2f}, {scores[1]:.2f}]".replace("-", "−")


def on_paper() -> dict[str, str]:
    """A text that a hatch must not cross."""
    return {"backgroundcolor": COLOURS["paper"]}


def descent(scores: np.ndarray, mapping: str, most: int) -> np.ndarray:
    """The scores after 0, 1, 2 … steps of size 1, up to the first that the mapping has no answer for."""
    path = [np.asarray(scores, dtype=float)]
    for _ in range(most):
        gradient = ll.loss_and_grad(path[-1][None], [TRUE], mapping=mapping, on_domain="nan")[1][0]
        if not np.isfinite(gradient).all():
            break
        path.append(path[-1] - gradient)
    return np.array(path)

"""Figures of the first lesson, from scores to probabilities: a constant added, and what to put before the division."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from answer import QUESTION, scale_curves
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from style import COLOURS, NARROW, SIZE, Drawn, bare, colour, decimal, share_bar

import lastlayer as ll

Elementwise = Callable[[np.ndarray], np.ndarray]
#: What people put before the division, with the mapping whose colour it has ("" where no mapping has this g).
TRIES: tuple[tuple[str, Elementwise, str], ...] = (
    ("|x|", np.abs, ""),
    ("x²", np.square, "spherical"),
    ("max(0, x)", lambda x: np.maximum(0, x), ""),
    ("softplus", lambda x: np.logaddexp(0, x), "softplus_ratio"),
    ("exp x", np.exp, "softmax"),
)
#: The three tests, and how they are written below the bars.
TESTS = {"always an answer": "an answer", "keeps the order": "keeps order", "ignores a constant": "ignores + c"}


def scale() -> Drawn:
    """Who is the more certain, against the size of the scores."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    return Drawn(figure, scale_curves(figure.subplots()))


def shift() -> Drawn:
    """p of the first class of [1, 0.5] + c: softmax is flat, the ratio moves and then has no answer."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    constants = np.linspace(-3, 3, 121)
    moved = constants[:, None] + QUESTION
    ratio = ll.ratio(moved, on_domain="nan")[:, 0]
    softmax = ll.softmax(moved)[:, 0]
    edge = -float(QUESTION.min())
    axes.axvspan(-3, edge, facecolor="none", edgecolor=COLOURS["rule"], hatch="///", linewidth=0)
    axes.plot(constants, ratio, color=colour("ratio"))
    axes.plot(constants, softmax, color=colour("softmax"))
    axes.text(
        -1.75,
        0.9,
        "the ratio has\nno answer",
        color=colour("ratio"),
        ha="center",
        va="center",
        backgroundcolor=COLOURS["paper"],
    )
    axes.text(0.0, 0.8, "ratio", color=colour("ratio"), fontweight="bold")
    axes.text(2.0, float(softmax[0]) + 0.02, "softmax", color=colour("softmax"), fontweight="bold")
    axes.set_xlim(-3, 3)
    axes.set_ylim(0.48, 1.02)
    axes.set_xticks([-2, -1, 0, 1, 2], ["− 2", "− 1", "+ 0", "+ 1", "+ 2"])
    axes.set_yticks([0.5, 0.75, 1.0], [".50", ".75", "1.00"])
    axes.set_title("certainty, as a constant is added to [1, 0.5]")
    return Drawn(
        figure,
        f"Softmax gives {decimal(softmax[0])} for the first class whatever is added. The ratio goes from 1.00 at {edge:g} down to "
        f"{decimal(ratio[-1])} at + 3, and has no answer below {edge:g}.".replace("-", "−"),
    )


def before_the_division(*, is_narrow: bool = False) -> Drawn:
    """Five functions g: their graphs, what g(x) / Σ g(x) gives before and after a constant, and which tests each passes."""
    if is_narrow:
        figure = Figure(figsize=(NARROW, 14.5), layout="constrained")
        graphs, shares = figure.subplots(len(TRIES), 2, width_ratios=(1, 1.5)).T
    else:
        figure = Figure(figsize=(8.2, 4.6), layout="constrained")
        graphs, shares = figure.subplots(2, len(TRIES), height_ratios=(1, 1.5))
    said = []
    for place, (name, g, mapping) in enumerate(TRIES):
        _graph(graphs[place], name, g, mapping)
        passed = _shares(shares[place], g, mapping, is_first=place == 0)
        said.append(f"{name} " + (f"passes {', '.join(passed)}" if passed else "passes none"))
    return Drawn(figure, "Before the division: " + "; ".join(said) + ".")


def passes(g: Elementwise) -> dict[str, bool]:
    """The three tests, tried on a grid: is g positive, so that no sum is zero, does it rise, do its shares ignore a constant?"""
    grid = np.linspace(-4, 4, 161)
    scores = np.array([0.3, -0.4, 1.1])
    shares = [g(scores + constant) / g(scores + constant).sum() for constant in (0.0, 1.0, 2.5)]
    return dict(
        zip(
            TESTS,
            (
                bool((g(grid) > 0).all()),
                bool((np.diff(g(grid)) > 0).all()),
                bool(np.allclose(shares[1:], shares[0], rtol=1e-12)),
            ),
            strict=True,
        )
    )


def _graph(axes: Axes, name: str, g: Elementwise, mapping: str) -> None:
    x = np.linspace(-2, 2, 61)
    axes.plot(x, g(x), color=colour(mapping))
    axes.set_xlim(-2, 2)
    axes.set_ylim(-0.15, 4)
    axes.set_xticks([-2, 0, 2])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=COLOURS["rule"], linewidth=1, zorder=0)
    axes.set_title(name, color=colour(mapping), loc="center", fontsize=SIZE + 1)


def _shares(axes: Axes, g: Elementwise, mapping: str, *, is_first: bool) -> list[str]:
    bare(axes)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(6.0, -1.2)
    for place, (constant, words) in enumerate(((0.0, "[1, 0.5]"), (2.0, "[3, 2.5]"))):
        values = g(QUESTION + constant)
        share_bar(axes, 0, 1.7 * place, values / values.sum(), mapping, height=0.8)
        axes.text(0, 1.7 * place - 0.46, words, color=COLOURS["soft"], fontsize=SIZE - 2, va="bottom")
    passed = []
    for place, (test, is_passed) in enumerate(passes(g).items()):
        style = {"color": COLOURS["good"], "fontweight": "bold"} if is_passed else {"color": COLOURS["soft"]}
        axes.text(0, 3.2 + 1.05 * place, "✓" if is_passed else "✗", va="center", fontsize=SIZE, **style)
        axes.text(0.13, 3.2 + 1.05 * place, TESTS[test], va="center", fontsize=SIZE - 1, color=style["color"])
        if is_passed:
            passed.append(test)
    return passed

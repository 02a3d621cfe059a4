"""How one class's probability moves when all scores are multiplied by a constant, or a constant is added to them."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes

from lastlayer.comparison.answers import Answers, Vector
from lastlayer.comparison.claims import turning_scale
from lastlayer.comparison.figure.labels import name_at_the_end
from lastlayer.comparison.figure.styles import INK, MUTED, Style
from lastlayer.functions import probabilities
from lastlayer.words.numbers import short

SCALES = np.geomspace(0.1, 10.0, 241)
#: The unit is the largest score, or 1 where all are smaller.
SHIFTS = np.linspace(-3.0, 3.0, 241)
#: The two curves that the titles speak of.
TOLD = ("softmax", "ratio")


def draw_scaled(axes: Axes, answers: Answers, styles: dict[str, Style], followed: int) -> None:
    """The scores times 0.1 to 10, and where softmax overtakes the ratio."""
    with np.errstate(over="ignore"):
        scores = SCALES[:, None] * answers.reached
    curves = _curves(answers, scores, followed)
    _draw(axes, SCALES, curves, styles, now=1.0)
    axes.set_xscale("log")
    axes.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("all scores multiplied by")
    axes.set_ylabel(f"probability of class {followed}")
    _finish(axes, curves, styles)
    _mark_crossing(axes, answers, curves, followed)
    axes.set_title(_title("Multiply", curves), fontsize=10, loc="left", color=INK)


def draw_shifted(axes: Axes, answers: Answers, styles: dict[str, Style], followed: int) -> None:
    """A constant added to every score, and where the ratio has no answer."""
    # A score near the largest float would overflow the axis.
    size = min(float(np.max(np.abs(answers.reached), initial=1.0, where=np.isfinite(answers.reached))), 1e6)
    amounts = SHIFTS * size
    with np.errstate(over="ignore"):
        scores = answers.reached + amounts[:, None]
    curves = _curves(answers, scores, followed)
    _draw(axes, amounts, curves, styles, now=0.0)
    axes.set_xlabel("constant added to every score")
    axes.set_ylabel(f"probability of class {followed}")
    _finish(axes, curves, styles)
    _hatch(axes, amounts, curves)
    axes.set_title(_title("Add", curves), fontsize=10, loc="left", color=INK)


def _curves(answers: Answers, scores: Vector, followed: int) -> dict[str, Vector]:
    return {
        mapping.label: probabilities(scores, mapping=mapping, on_domain="nan")[:, followed]
        for mapping in answers.question.mappings
    }


def _draw(axes: Axes, amounts: Vector, curves: dict[str, Vector], styles: dict[str, Style], now: float) -> None:
    """The lines, and on those in colour a mark where the scores are as given."""
    axes.axvline(now, color="#aaaaaa", linewidth=0.8, linestyle=":")
    here = int(np.argmin(np.abs(amounts - now)))
    for label, p in curves.items():
        style = styles[label]
        axes.plot(amounts, p, label=label, **style.line)
        if style.is_named and np.isfinite(p[here]):
            axes.plot(
                now, p[here], marker=style.marker, markersize=8, color=style.colour, mec="white", mew=0.7, zorder=4
            )
    axes.set_xlim(amounts[0], amounts[-1])
    axes.spines[["top", "right"]].set_visible(False)


def _finish(axes: Axes, curves: dict[str, Vector], styles: dict[str, Style]) -> None:
    """The height of the axes, and the names at the lines' ends."""
    finite = np.concatenate([p[np.isfinite(p)] for p in curves.values()])
    top = float(np.max(finite, initial=0.01))
    axes.set_ylim(-0.03 * top, 1.05 * top)
    named = [(label, float(p[-1]), styles[label].colour) for label, p in curves.items() if styles[label].is_named]
    ends = [end for end in named if math.isfinite(end[1])]
    others = sum(not style.is_named for style in styles.values())
    name_at_the_end(axes, ends, room=0.075)
    if others:
        axes.text(1.03, -0.09, f"grey: {others} others", transform=axes.transAxes, fontsize=8, color=MUTED, va="top")


def _mark_crossing(axes: Axes, answers: Answers, curves: dict[str, Vector], followed: int) -> None:
    """The multiple at which softmax and the ratio agree, if both are drawn and it is on the axis."""
    if (
        not set(TOLD) <= curves.keys()
        or np.isnan(curves["ratio"]).any()
        or np.all(answers.reached == answers.reached[0])
    ):
        return
    # With more than two classes only the largest one's curves cross there.
    if len(answers.reached) > 2 and answers.reached[followed] != answers.reached.max():
        return
    turn = turning_scale(answers.reached) if np.isfinite(answers.reached).all() else None
    if turn is None or not SCALES[0] < turn < SCALES[-1]:
        return
    height = float(curves["ratio"][0])
    axes.plot(turn, height, marker="o", markersize=11, mfc="none", mec=INK, mew=1.4, zorder=5)
    low, high = axes.get_ylim()
    is_high = height > (low + high) / 2
    axes.annotate(
        f"equal at {short(turn)} ×",
        xy=(turn, height),
        xytext=(10, -16 if is_high else 16),
        textcoords="offset points",
        va="center",
        fontsize=9,
        color=INK,
        bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1},
        zorder=6,
    )


def _hatch(axes: Axes, amounts: Vector, curves: dict[str, Vector]) -> None:
    """Where the ratio is undefined: below minus the smallest score."""
    undefined = np.isnan(curves.get("ratio", np.zeros(1)))
    if not undefined.any():
        return
    edge = amounts[-1] if undefined.all() else amounts[int(np.argmin(undefined))]
    axes.axvspan(amounts[0], edge, facecolor="none", edgecolor="#e9d9cd", hatch="////", linewidth=0, zorder=0)
    if edge - amounts[0] > 0.25 * (amounts[-1] - amounts[0]):
        axes.text(
            (amounts[0] + edge) / 2,
            axes.get_ylim()[0] + 0.06 * np.ptp(axes.get_ylim()),
            "ratio undefined",
            ha="center",
            fontsize=8,
            color="#b0561a",
        )


def _title(how: str, curves: dict[str, Vector]) -> str:
    """What the curves of softmax and the ratio do, or the first that is drawn."""
    told = [label for label in TOLD if label in curves] or list(curves)[:1]
    courses = ",\n".join(f"{_name(label)} {_course(curves[label])}" for label in told)
    return f"{how}: {courses}"


def _name(label: str) -> str:
    return "the ratio" if label == "ratio" else label


def _course(p: Vector) -> str:
    """In words, from the first defined value to the last."""
    defined = p[np.isfinite(p)]
    if not defined.size:
        return "has no answer"
    first, last = short(float(defined[0]), 2), short(float(defined[-1]), 2)
    if np.ptp(defined) < 5e-4:
        return f"stays at {last}"
    return f"starts and ends at {last}" if first == last else f"goes from {first} to {last}"

"""Figures of the fourth lesson, does it matter: three predictions and their scores, recorded studies, a reliability diagram."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import numpy as np
from family import columns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from style import COLOURS, INK, NARROW, SIZE, Drawn, colour, decimal, marker

import lastlayer as ll
from lastlayer.sklearn import ScoreCalibrator

PREDICTIONS = {"sure and right": (0.8, 0.1, 0.1), "undecided": (0.4, 0.35, 0.25), "sure and wrong": (0.1, 0.8, 0.1)}
#: Differences from here on are drawn at the edge, with their number.
MOST = 0.22


def three_predictions(*, is_narrow: bool = False) -> Drawn:
    """Three predictions of three classes, class 0 true, with log loss and Brier score."""
    figure = Figure(figsize=(NARROW, 8.0) if is_narrow else (7.6, 3.0), layout="constrained")
    panels = figure.subplots(*((3, 1) if is_narrow else (1, 3)))
    said = []
    for axes, (name, p) in zip(panels, PREDICTIONS.items(), strict=True):
        columns(axes, np.array(p), "softmax", true=0)
        loss, brier = scores_of(p)
        axes.set_title(f"{name}\n", loc="center")
        words = f"log loss {loss:.2f}, Brier {brier:.2f}"
        axes.text(0.5, 1.04, words, transform=axes.transAxes, ha="center", color=COLOURS["soft"])
        said.append(f"{name}, {', '.join(decimal(entry) for entry in p)}: {words}")
    return Drawn(figure, f"Three predictions of three classes; class 0 is the true one. {'; '.join(said)}.")


def scores_of(p: tuple[float, ...]) -> tuple[float, float]:
    """Log loss and Brier score of one prediction, class 0 true."""
    values = np.array(p)
    return float(ll.loss(np.log(values), 0)), float(np.sum((values - np.eye(len(p))[0]) ** 2))


def studies() -> dict[str, Any]:
    """The recorded studies that the page shows too: benchmarks/explore_studies.py makes them."""
    text = (files("lastlayer.explore") / "data" / "studies.json").read_text(encoding="utf-8")
    return {table["name"]: table for table in json.loads(text)["tables"]}


def real_data(*, is_narrow: bool = False) -> Drawn:
    """The Brier score's difference from softmax's, with its interval, for every mapping on four tables."""
    tables = studies()
    digits = tables["digits"]["mappings"]
    names = sorted((name for name in digits if name != "softmax"), key=lambda name: digits[name]["brier"][0])
    figure = Figure(figsize=(NARROW, 13.0) if is_narrow else (7.6, 7.0), layout="constrained")
    panels = figure.subplots(*((4, 1) if is_narrow else (2, 2)), sharey=True)
    said = []
    for axes, (table, found) in zip(panels.flat, tables.items(), strict=True):
        for place, name in enumerate(names):
            _difference(axes, place, name, found["mappings"][name]["brier"])
        axes.axvline(0, color=INK, linewidth=1.4, zorder=0)
        axes.set_xlim(-0.06, MOST)
        axes.set_ylim(len(names) - 0.5, -0.7)
        axes.set_xticks([0, 0.1, 0.2])
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_title(f"{table.replace('_', ' ')}\n")
        size = f"{found['rows']} rows, {found['classes']} classes"
        axes.text(0, 1.03, size, transform=axes.transAxes, fontsize=SIZE - 2, color=COLOURS["soft"])
        worse = [name for name in names if _is_worse(found["mappings"][name]["brier"])]
        said.append(f"{table.replace('_', ' ')}: {', '.join(worse)}")
    between = "\n" if is_narrow else " "
    figure.supxlabel(
        f"Brier score minus softmax's: right of the line is worse;{between}hollow: no difference found",
        fontsize=SIZE - 1,
        color=COLOURS["soft"],
    )
    return Drawn(figure, f"Mappings whose Brier score is worse than softmax’s. {'; '.join(said)}.")


def _is_worse(cell: list[Any]) -> bool:
    return cell[-1] == "differs" and cell[1] > 0


def _difference(axes: Axes, place: int, name: str, cell: list[Any]) -> None:
    _, difference, low, high, verdict = cell
    is_filled = verdict == "differs"
    mark = {"marker": marker(name), "markersize": 9, "markeredgecolor": colour(name), "markeredgewidth": 1.4}
    face = colour(name) if is_filled else COLOURS["paper"]
    if low > MOST:
        axes.plot([MOST - 0.012], [place], markerfacecolor=face, clip_on=False, **mark)
        axes.text(
            MOST - 0.03, place, f"+{difference:.2f} →", ha="right", va="center", color=colour(name), fontsize=SIZE - 1
        )
        return
    axes.plot([low, min(high, MOST)], [place, place], color=colour(name), linewidth=2)
    axes.plot([difference], [place], markerfacecolor=face, **mark)


def planted(rows: int = 20_000, classes: int = 4, factor: float = 2.2) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a model that is `factor` times too sure, and labels that its right scores give."""
    random = np.random.default_rng(0)
    right = random.normal(size=(rows, classes)) * 1.5
    labels = (right + random.gumbel(size=right.shape)).argmax(axis=1)
    return factor * right, labels


def fitted_temperature() -> float:
    return float(ScoreCalibrator().fit(*planted()).temperature_)


def reliability() -> Drawn:
    """How often the model is right against how sure it says it is, before and after a temperature."""
    scores, labels = planted()
    temperature = fitted_temperature()
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0.25, 1], [0.25, 1], color=COLOURS["rule"], linewidth=1.4, linestyle=(0, (4, 3)))
    for divisor, line in ((1.0, colour("hardmax")), (temperature, INK)):
        sure, right = _curve(scores / divisor, labels)
        axes.plot(sure, right, color=line, marker="o", markersize=6, markeredgewidth=0)
    axes.text(0.87, 0.40, "too sure:\nbelow the diagonal", color=colour("hardmax"), fontweight="bold", ha="center")
    axes.text(0.45, 0.66, f"divided by T = {temperature:.2f}", color=INK, fontweight="bold", ha="center")
    axes.set_xlim(0.25, 1.01)
    axes.set_ylim(0.25, 1.01)
    axes.set_xticks([0.25, 0.5, 0.75, 1], ["25 %", "50 %", "75 %", "100 %"])
    axes.set_yticks([0.25, 0.5, 0.75, 1], ["25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel("how sure the model says it is")
    axes.set_title("how often it is right")
    return Drawn(
        figure,
        f"A model that is too sure: its curve is below the diagonal. With its scores divided by {temperature:.2f} the curve follows "
        "the diagonal.",
    )


def _curve(scores: np.ndarray, labels: np.ndarray, n_bins: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Mean confidence and accuracy in bins of equally many rows."""
    p = ll.softmax(scores)
    sure, is_right = p.max(axis=1), p.argmax(axis=1) == labels
    order = np.array_split(np.argsort(sure), n_bins)
    return np.array([sure[part].mean() for part in order]), np.array([is_right[part].mean() for part in order])

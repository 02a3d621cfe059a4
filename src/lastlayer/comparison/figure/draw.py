"""The panels of a comparison's picture."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from lastlayer.comparison.answers import Answers
from lastlayer.comparison.figure.bars import draw_bars
from lastlayer.comparison.figure.curves import draw_scaled, draw_shifted
from lastlayer.comparison.figure.simplex import draw_simplex
from lastlayer.comparison.figure.styles import INK, styles
from lastlayer.words.numbers import short


def draw(answers: Answers) -> Figure:
    """The figure; mappings that are undefined at these scores say so in their row. The curves follow the label, or the largest
    score."""
    three = len(answers.reached) == 3
    rows = 1.6 + 0.32 * max(6, len(answers.rows))
    figure = Figure(
        figsize=(12.0, 2.1 * rows) if three else (15.0, rows + 0.6),
        layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.1, wspace=0.04),
    )
    panels = figure.subplots(2, 2).ravel() if three else figure.subplots(1, 3, width_ratios=[1.25, 1.0, 1.0])
    label = answers.question.label
    followed = int(np.argmax(answers.reached)) if label is None else label
    drawn = styles(answers)
    draw_bars(panels[0], answers, drawn, followed)
    panels[0].set_title("What each mapping makes of the scores", fontsize=10, loc="left", color=INK)
    draw_scaled(panels[-2], answers, drawn, followed)
    draw_shifted(panels[-1], answers, drawn, followed)
    if three:
        draw_simplex(panels[1], answers, drawn)
    figure.suptitle(_title(answers), fontsize=12, color=INK, x=0.01, ha="left")
    return figure


def _title(answers: Answers) -> str:
    """The scores that reach the mappings, and the label."""
    shown = ", ".join(short(x) for x in answers.reached[:8]) + (", …" if len(answers.reached) > 8 else "")
    after = "" if answers.question.activation.is_identity else " after the activation"
    label = "" if answers.question.label is None else f"; true class {answers.question.label}"
    return f"Scores ({shown}){after}{label}"

"""One stacked bar per mapping."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes

from lastlayer.comparison.answers import Answers
from lastlayer.comparison.figure.styles import INK, MUTED, Style
from lastlayer.comparison.largest import largest_classes

#: The most classes that have a piece each. If there are more, the largest have one, and the others share one.
MOST_PIECES = 8
REST = "#dfe2e6"


def draw_bars(axes: Axes, answers: Answers, styles: dict[str, Style], followed: int) -> None:
    """The pieces are the classes, named above the first bar; a gap before 1 is missing mass."""
    shown = _shown(answers, followed)
    colours = colormaps["viridis"](np.linspace(0.1, 0.9, len(shown)))
    named = others_named = False
    for place, row in enumerate(answers.rows):
        if row.probabilities is None:
            axes.text(0.02, place, "undefined here", va="center", fontsize=9, color=MUTED, style="italic")
            continue
        pieces = [float(row.probabilities[k]) for k in shown]
        left = 0.0
        for k, p, colour in zip(shown, pieces, colours, strict=True):
            axes.barh(place, p, left=left, color=colour, edgecolor="white", linewidth=0.8 if p > 0.01 else 0)
            if p > 0.12:
                # The upper half of the colour map is light.
                ink = "white" if np.dot(colour[:3], (0.3, 0.6, 0.1)) < 0.5 else INK
                axes.text(left + p / 2, place, f"{p:.2f}", ha="center", va="center", fontsize=8, color=ink)
            if not named and p > 0.08:
                axes.text(left + p / 2, place - 0.62, f"class {k}", ha="center", va="bottom", fontsize=8, color=INK)
            left += p
        rest = float(np.sum(row.probabilities)) - sum(pieces) if len(shown) < len(row.probabilities) else 0.0
        if rest > 0:
            axes.barh(place, rest, left=left, color=REST, edgecolor="white", linewidth=0.8)
            if rest > 0.25 and not others_named:
                others, others_named = f"{len(row.probabilities) - len(shown)} others", True
                axes.text(left + rest / 2, place, others, ha="center", va="center", fontsize=8, color=INK)
        named = True
    axes.set_yticks(range(len(answers.rows)), [row.name for row in answers.rows], fontsize=9)
    for label in axes.get_yticklabels():
        style = styles[label.get_text()]
        if style.is_named:
            label.set_color(style.colour)
            label.set_fontweight("bold")
    axes.set_ylim(len(answers.rows) - 0.5, -1.1)
    axes.set_xlim(0, 1)
    axes.set_xlabel("probability")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)


def _shown(answers: Answers, followed: int) -> list[int]:
    """The classes with a piece, in their order; of many the largest and the one that is followed."""
    classes = len(answers.reached)
    return (
        list(range(classes)) if classes <= MOST_PIECES else largest_classes(answers.reached, followed, MOST_PIECES - 2)
    )

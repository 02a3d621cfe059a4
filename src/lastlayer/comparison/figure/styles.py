"""How each mapping is drawn: its mark, the same as everywhere, or grey where there are too many to tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.path import Path as Shape

from lastlayer import marks
from lastlayer.comparison.answers import Answers
from lastlayer.comparison.first import FIRST

INK = "#333333"
FAINT = "#c9ccd1"
MUTED = "#777777"
#: The most chosen mappings that are all in colour.
MOST_COLOURS = 8
_HOURGLASS = Shape([(-1, 1), (1, 1), (-1, -1), (1, -1), (-1, 1)], closed=True)
_MARKERS: dict[str, Any] = {
    marks.CIRCLE: "o",
    marks.SQUARE: "s",
    marks.DIAMOND: "D",
    marks.UP: "^",
    marks.DOWN: "v",
    marks.PLUS: "P",
    marks.HOURGLASS: _HOURGLASS,
}


@dataclass(frozen=True)
class Style:
    """How a line and the point on it are drawn; a named one is in colour."""

    colour: str
    marker: Any
    is_named: bool
    is_dashed: bool

    @property
    def line(self) -> dict[str, Any]:
        """Keywords of `plot`. Dashes mark the regularized family."""
        return {
            "color": self.colour,
            "linewidth": 2.2 if self.is_named else 1.0,
            "linestyle": (0, (5, 1.5)) if self.is_dashed else "-",
            "zorder": 3 if self.is_named else 1,
        }


def styles(answers: Answers) -> dict[str, Style]:
    """A style by label."""
    mappings = answers.question.mappings
    named = [mapping.label for mapping in mappings]
    if len(named) > MOST_COLOURS or not answers.question.is_chosen:
        named = [label for label in named if label in FIRST] or named[:MOST_COLOURS]
    drawn = marks.marks([mapping.label for mapping in mappings])
    return {
        mapping.label: Style(
            marks.HUES[drawn[mapping.label].hue][0] if mapping.label in named else FAINT,
            _MARKERS[drawn[mapping.label].shape],
            mapping.label in named,
            mapping.family == "regularized" and mapping.label != "softmax",
        )
        for mapping in mappings
    }

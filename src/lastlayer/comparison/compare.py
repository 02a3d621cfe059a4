"""`ll.compare([1, 0.5])`: a comparison that shows itself, as text, HTML, a figure or the page to play with."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lastlayer.comparison.answers import Answers
from lastlayer.comparison.exploration import Exploration
from lastlayer.comparison.html import to_html
from lastlayer.comparison.json_form import to_json_dict
from lastlayer.comparison.question import Question
from lastlayer.comparison.summary import in_short
from lastlayer.comparison.text import Paper, as_text, layout
from lastlayer.mappings import ProbabilityMapping

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def compare(
    scores: Sequence[float],
    *,
    mappings: str | ProbabilityMapping | Sequence[str | ProbabilityMapping] | None = None,
    label: int | None = None,
    temperature: float = 1.0,
    softcap: float | None = None,
) -> Comparison:
    """What each mapping makes of one vector of scores (logits), and what people say about softmax, judged on it.

    Args:
        scores: one real number per class, (K,).
        mappings: which ones, as names or records, or a single one; None for all.
        label: the index of the true class; adds its loss and gradient.
        temperature, softcap: applied to the scores first, as for `loss`.

    Raises:
        ValueError: no scores, a NaN, an unknown mapping, a softcap or temperature that is not a positive number.
        TypeError: scores that are not real numbers, or a parameter that a mapping does not have.
        IndexError: `label` is not the index of a score.

    >>> compare([1, 0.5], mappings=["softmax", "ratio"]).rows[1].probabilities
    array([0.66666667, 0.33333333])
    >>> compare([1, 0.5]).in_short[:66]
    'both put class 0 first. Here the ratio is the more certain one, 0.'
    """
    return Comparison.of(Question.ask(scores, label=label, softcap=softcap, temperature=temperature, mappings=mappings))


class Comparison(Answers):
    """The answers, and every way to look at them. A notebook shows bars and the claims."""

    @property
    def in_short(self) -> str:
        """The bottom line."""
        return in_short(self)

    def text(self, *, width: int | None = None, everything: bool = False) -> str:
        """The text that the command prints, `width` characters wide (None: the terminal's width)."""
        width = min(shutil.get_terminal_size().columns, 100) if width is None else width
        return as_text(layout(self, Paper(width, everything, in_python=True)))

    def to_dict(self) -> dict[str, Any]:
        """The question, every row and every claim as JSON can carry them, as `lastlayer compare --json` prints."""
        return to_json_dict(self)

    def plot(self, path: str | Path | None = None) -> Figure:
        """The comparison as a matplotlib figure, written to `path` if there is one.

        Raises:
            ImportError: matplotlib is missing: pip install "lastlayer[study]".
            ValueError: matplotlib writes no file of that kind.
        """
        try:
            figure = importlib.import_module("lastlayer.comparison.figure")
        except ModuleNotFoundError as missing:
            raise ImportError(f'plot needs {missing.name}: pip install "lastlayer[study]"') from missing
        if path is not None:
            figure.require_format(Path(path))
            figure.save(self, Path(path))
        drawn: Figure = figure.draw(self)
        return drawn

    def explore(self) -> Exploration:
        """The page to play with, at these scores. A notebook shows it; `.open()` and `.save(path)` elsewhere.

        Raises:
            ValueError: what the page cannot show: scores that are infinite or above 1e300, more than 50 of them, or a temperature
                or softcap that its dials do not reach.
        """
        return Exploration.of(self.question)

    def _repr_html_(self) -> str:
        """Bars and claims."""
        return to_html(self)

    def __repr__(self) -> str:
        """The text."""
        return self.text()

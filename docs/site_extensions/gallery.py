"""The gallery: the order of its examples, and figures that look the same in each."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
from sphinx.application import Sphinx
from sphinx_gallery.sorting import _SortKey

#: From the first question to a mapping of one's own: each example, and what its card says.
LINES = {
    "compare": "Which of the two is more certain about [1, 0.5]?",
    "temperature": "One number makes softmax surer, or less sure.",
    "sparsemax_attention": "Weights that are exactly zero.",
    "calibration": "A network that is too sure, and the map that mends it.",
    "overflow": "Where exp(x) / Σ exp(x) fails, and log(softmax(x)).",
    "label_smoothing": "Why a smoothed label stops the scores from growing.",
    "linear_head": "The loss of a large vocabulary, without its scores.",
    "own_mapping": "One record gives probabilities, loss and gradients.",
}
ORDER = tuple(LINES)
_CARD = re.compile(r'(<div class="sphx-glr-thumbcontainer") tooltip="[^"]*"')


class ExampleOrder(_SortKey):
    """Files in the order of ORDER; a file that is not in it is an error."""

    def __call__(self, filename: str) -> int:
        return ORDER.index(Path(filename).stem)


def plain_figures(settings: dict[str, Any], file: str) -> None:
    """Before each example: matplotlib's defaults, with letters that stay legible in a column of text."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(
        {"figure.figsize": (7, 3.6), "font.size": 11, "axes.spines.top": False, "axes.spines.right": False}
    )


def with_lines(body: str) -> str:
    """The HTML of the gallery's page with a line of LINES on each card, in their order."""
    lines = iter(LINES.values())
    return _CARD.sub(lambda match: f'{match[1]} tooltip="{escape(next(lines))}"', body)


def say(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    if page == "gallery/index":
        context["body"] = with_lines(context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", say)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

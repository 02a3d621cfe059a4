"""The gallery: the order of its examples, and figures that look the same in each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from sphinx_gallery.sorting import _SortKey

#: From the first question to a mapping of one's own.
ORDER = (
    "compare",
    "temperature",
    "sparsemax_attention",
    "calibration",
    "overflow",
    "label_smoothing",
    "linear_head",
    "own_mapping",
)


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

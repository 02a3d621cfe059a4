"""Which classes stand for all where there are many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def largest_classes(scores: NDArray[np.float64], label: int | None, most: int) -> list[int]:
    """The classes of the `most` largest scores, the largest first, and the label. All, if that leaves out one class alone.

    >>> largest_classes(np.array([1.0, 5.0, 2.0, 4.0, 3.0]), 0, 2)
    [1, 3, 0]
    """
    largest: list[int] = np.argsort(-scores, kind="stable").tolist()
    # One class alone is not worth a line that hides it.
    shown = largest if len(largest) <= most + 1 else largest[:most]
    return shown if label is None or label in shown else [*shown, label]

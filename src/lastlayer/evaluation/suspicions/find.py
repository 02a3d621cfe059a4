"""All suspicions, each cause once."""

from __future__ import annotations

import numpy as np

from lastlayer.evaluation.read import Inputs
from lastlayer.evaluation.suspicions.class_order import class_order
from lastlayer.evaluation.suspicions.double_softmax import double_softmax
from lastlayer.evaluation.suspicions.shifted_labels import shifted_labels
from lastlayer.findings import Finding

#: How much more another order must explain than a shift.
_MARGIN = 0.1


def find_suspicions(inputs: Inputs, predicted: np.ndarray, is_correct: np.ndarray) -> list[Finding]:
    """What speaks against the scores and labels being what they were taken for.

    Args:
        inputs: scores and labels.
        predicted: (n,) the class with the largest score.
        is_correct: (n,) whether it is the label.
    """
    found = [double_softmax(inputs), *_order(inputs, predicted, is_correct)]
    return [finding for finding in found if finding is not None]


def _order(inputs: Inputs, predicted: np.ndarray, is_correct: np.ndarray) -> list[Finding | None]:
    """A shift of the labels, or another order of the columns: a shift is one too, and explains the accuracy first if it does as well."""
    shifted = shifted_labels(inputs, predicted)
    order = class_order(inputs, predicted, is_correct)
    if shifted is None or order is None:
        return [shifted or order]
    permuted = order.facts["permuted_accuracy"]
    is_order = permuted is not None and permuted > shifted.facts["shifted_accuracy"] + _MARGIN
    return [order if is_order else shifted]

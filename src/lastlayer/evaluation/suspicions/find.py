"""All suspicions, each cause once."""

from __future__ import annotations

import numpy as np

from lastlayer.evaluation.read import Inputs
from lastlayer.evaluation.suspicions.class_order import class_order
from lastlayer.evaluation.suspicions.double_softmax import double_softmax
from lastlayer.evaluation.suspicions.shifted_labels import shifted_labels
from lastlayer.findings import Finding


def find_suspicions(inputs: Inputs, predicted: np.ndarray, is_correct: np.ndarray) -> list[Finding]:
    """What speaks against the scores and labels being what they were taken for.

    Args:
        inputs: scores and labels.
        predicted: (n,) the class with the largest score.
        is_correct: (n,) whether it is the label.
    """
    found = [double_softmax(inputs)]
    # A shift is a permutation of the classes as well: it explains the accuracy first.
    shifted = shifted_labels(inputs, predicted)
    found.append(shifted if shifted is not None else class_order(inputs, predicted, is_correct))
    return [finding for finding in found if finding is not None]

"""Labels that count from another class than the columns."""

from __future__ import annotations

import numpy as np

from lastlayer.evaluation.read import Inputs
from lastlayer.evaluation.suspicions.agreement import is_far_better
from lastlayer.findings import Finding


def shifted_labels(inputs: Inputs, predicted: np.ndarray) -> Finding | None:
    """Whether labels plus or minus one, modulo K, agree far better with the predictions; K ≥ 3.

    Than the labels, and than the opposite shift: scores with the wrong sign avoid the label and agree with both shifts.
    """
    labels, n_classes = inputs.labels, inputs.scores.n_classes
    if n_classes < 3:
        return None
    best = max((1, -1), key=lambda shift: np.mean(predicted == (labels + shift) % n_classes))
    shifted, opposite = (labels + best) % n_classes, (labels - best) % n_classes
    if not all(is_far_better(predicted, other, shifted, n_classes, inputs.groups) for other in (labels, opposite)):
        return None
    facts = {
        "least": int(labels.min()),
        "most": int(labels.max()),
        "classes": n_classes,
        "read_as": "",
        "shift": best,
        "accuracy": float(np.mean(predicted == labels)),
        "shifted_accuracy": float(np.mean(predicted == shifted)),
    }
    return Finding("labels_off_by_one", "", facts)

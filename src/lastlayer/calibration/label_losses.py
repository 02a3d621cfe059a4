"""The log loss of one label per row, under any mapping."""

from __future__ import annotations

import numpy as np

from lastlayer.functions import loss, probabilities
from lastlayer.mappings import ProbabilityMapping


def losses_of_labels(
    record: ProbabilityMapping, scores: np.ndarray, labels: np.ndarray, p: np.ndarray | None = None
) -> np.ndarray:
    """−log p of the label (m,) in float64, of scores (m, K), whose probabilities p are computed unless they are known.

    It is +inf where p is 0, and in rows outside the mapping's domain.
    """
    if record.family == "normalized":
        # Its loss is exact where p underflows, and takes no log p of other classes.
        losses = loss(scores, labels, mapping=record, on_domain="nan", reduction="none")
    else:
        p = probabilities(scores, mapping=record, on_domain="nan") if p is None else p
        with np.errstate(divide="ignore"):
            losses = -np.log(p[np.arange(len(labels)), labels].astype(np.float64))
    return np.where(np.isnan(losses), np.inf, losses.astype(np.float64)) + 0.0

"""Whether a temperature is clearly better than equal scores, which are scores without information."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from lastlayer.calibration.score_rows import ScoreRows, for_each_block
from lastlayer.functions import loss
from lastlayer.mappings import ProbabilityMapping


def scaled(scores: np.ndarray, beta: float) -> np.ndarray:
    """β x, in which infinite scores stay infinite even at β = 0."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        product = scores * scores.dtype.type(beta)
    return product if beta else np.where(np.isinf(scores), scores, product)


def own_losses(record: ProbabilityMapping, scores: ScoreRows, labels: np.ndarray, beta: float) -> np.ndarray:
    """The mapping's loss of each row of β x, (n,): log loss or Fenchel–Young."""
    losses = np.empty(scores.n)

    def work(rows: slice) -> None:
        losses[rows] = loss(scaled(scores[rows], beta), labels[rows], mapping=record, on_domain="nan", reduction="none")

    for_each_block(scores.n, scores.n_classes, work)
    return losses


def is_clearly_below(
    losses: np.ndarray, of_equal: np.ndarray, weights: np.ndarray | None, groups: np.ndarray | None
) -> bool:
    """Whether the 95 % t interval of the mean difference of two losses (n,) is below 0.

    A row, or a group of rows, is one independent observation. A row that both losses make infinite or undefined says nothing.
    """
    with np.errstate(invalid="ignore"):
        difference = losses - of_equal
    known = np.isfinite(difference)
    difference = difference[known]
    if not len(difference):
        return False
    w = np.ones(len(difference)) if weights is None else weights[known]
    mean = float(np.average(difference, weights=w))
    residuals = w * (difference - mean)
    if groups is not None:
        codes = np.unique(groups[known], return_inverse=True)[1]
        residuals = np.bincount(codes, weights=residuals)
    n = len(residuals)
    if n < 2:
        return False
    error = math.sqrt(float(np.sum(residuals**2)) * n / (n - 1)) / float(w.sum())
    return mean + float(stats.t.ppf(0.975, n - 1)) * error < 0.0

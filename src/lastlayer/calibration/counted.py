"""The rows that a map is fitted to, and the unit in which their scores are of moderate size."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from lastlayer.calibration.calibrator import Calibrator
from lastlayer.calibration.fitted import UnboundedError
from lastlayer.calibration.score_rows import ScoreRows, for_each_block

#: Scores whose typical spread is within these bounds are fitted as they are.
SMALL, LARGE = 2.0**-14, 2.0**14
#: The largest power of two by which scores are multiplied, a number of their type, and the largest score that it may make.
MOST_DOUBLINGS, MOST_SIZE = {"float32": 120, "float64": 1000}, 59


@dataclass(frozen=True)
class Counted:
    """The rows that count.

    Attributes:
        scores, labels, weights, groups: those of these rows. `scores.scale` is the power of two by which they are multiplied.
        spread: the typical difference between the scores of a row, after that; 0 if no row has one.
    """

    scores: ScoreRows
    labels: np.ndarray
    weights: np.ndarray | None
    groups: np.ndarray | None
    spread: float


def counted(
    scores: ScoreRows, labels: np.ndarray, weights: np.ndarray | None, groups: np.ndarray | None = None
) -> Counted:
    """Leave out rows that no map can fit and rows of weight 0.

    A label whose score is −inf, or whose probability is 0 without a floor, has an infinite loss under every map, as has one whose
    score is finite where another is +inf.

    Raises:
        UnboundedError: no row is left.
    """
    can_fit, spread, size = np.empty(scores.n, dtype=bool), np.empty(scores.n), np.empty(scores.n)

    def work(rows: slice) -> None:
        x, y = scores[rows], labels[rows]
        of_label, most, least = x[np.arange(len(y)), y], x.max(axis=-1), x.min(axis=-1)
        can_fit[rows] = (of_label > -np.inf) & ((of_label == most) | (most < np.inf))
        if not (np.isfinite(most) & np.isfinite(least)).all():
            is_finite = np.isfinite(x)
            most = np.max(x, axis=-1, initial=-np.inf, where=is_finite)
            least = np.minimum(np.min(x, axis=-1, initial=np.inf, where=is_finite), most)
            most, least = (np.where(np.isfinite(end), end, 0) for end in (most, least))
        with np.errstate(over="ignore"):
            spread[rows] = np.minimum(most.astype(np.float64) - least, np.finfo(np.float64).max)
        size[rows] = np.maximum(np.abs(most), np.abs(least))

    for_each_block(scores.n, scores.n_classes, work)
    if weights is not None:
        can_fit &= weights > 0
    if not can_fit.any():
        raise UnboundedError(
            "opposed",
            "No label has a weight above 0 and a score above −inf (a probability above 0), so the loss is infinite for every map; "
            "check the order of the columns and of the labels.",
        )
    typical = spread[can_fit & (spread > 0)]
    middle = float(np.median(typical)) if len(typical) else 0.0
    scale = 1.0
    if middle and not SMALL <= middle <= LARGE:
        wanted = min(-math.log2(middle), MOST_SIZE - math.log2(max(size.max(), 1e-300)))
        scale = 2.0 ** round(max(-MOST_DOUBLINGS[scores.dtype.name], min(MOST_DOUBLINGS[scores.dtype.name], wanted)))
    scores = replace(scores, scale=scores.scale * scale)
    if not can_fit.all():
        rows = np.flatnonzero(can_fit)
        scores, labels = scores.take(rows), labels[rows]
        weights, groups = (None if given is None else given[rows] for given in (weights, groups))
    return Counted(scores, labels, weights, groups, middle * scale)


def is_finite(scores: ScoreRows) -> bool:
    """Whether no score is infinite."""
    return all(for_each_block(scores.n, scores.n_classes, lambda rows: bool(np.isfinite(scores[rows]).all())))


def in_unit(calibrator: Calibrator, scale: float) -> Calibrator:
    """The map that gives the same of scores that are multiplied by `scale`."""
    if scale == 1.0:
        return calibrator
    if calibrator.weight is not None:
        return replace(calibrator, weight=calibrator.weight / scale)
    if calibrator.matrix is not None:
        return replace(calibrator, matrix=calibrator.matrix / scale)
    return replace(calibrator, temperature=calibrator.temperature * scale)

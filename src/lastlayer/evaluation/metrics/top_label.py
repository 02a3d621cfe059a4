"""The calibration error of the top label and the reliability diagram.

It judges one model against 0, so that chance is taken off and ties are kept apart; a study's error (`lastlayer.study.fit.bins`)
is the plain one, because it compares models on the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lastlayer.calibration.score_rows import for_each_block
from lastlayer.evaluation import intervals
from lastlayer.evaluation.metrics.binned_error import corrected_gaps
from lastlayer.evaluation.metrics.bins import N_BINS, bin_edges
from lastlayer.evaluation.metrics.calibrated_range import calibrated_range, n_draws

#: Random numbers that are drawn at a time.
DRAWN = 1 << 20
#: The share of a calibrated model's accuracies inside the band of a reliability diagram.
BAND = 0.95


@dataclass(frozen=True)
class TopLabelBins:
    """Rows in bins of their confidence.

    Attributes:
        order: (n,) the rows with the confidence ascending; rows without one are left out.
        confidence: (n,) in this order.
        starts: (B,) the place in it where each bin begins.
        n, expected, variance: (B,) rows; Σp, the correct rows that are expected; Σp(1 − p), their variance.
    """

    order: np.ndarray
    confidence: np.ndarray
    starts: np.ndarray
    n: np.ndarray
    expected: np.ndarray
    variance: np.ndarray

    def sums(self, rows: np.ndarray) -> np.ndarray:
        """Sums per bin (B,) of one number per row, in the order of the caller."""
        return np.add.reduceat(rows[self.order].astype(np.float64), self.starts)

    def errors(self, hits: np.ndarray, *, design_effect: float = 1.0) -> np.ndarray:
        """The debiased calibration error at these numbers of correct rows (…, B), not below 0."""
        gaps: np.ndarray = corrected_gaps(hits, self.expected, self.variance, design_effect=design_effect).sum(axis=-1)
        return np.maximum(gaps / len(self.order), 0.0)


def top_label_bins(confidence: np.ndarray, n_bins: int = N_BINS) -> TopLabelBins:
    """Bins of equal mass of the confidence (n,); NaN is left out. At least one row must have a confidence."""
    order = np.argsort(confidence, kind="stable")
    order = order[: len(order) - np.count_nonzero(np.isnan(confidence))]
    ascending = confidence[order].astype(np.float64)
    starts = np.append(0, np.searchsorted(ascending, bin_edges(ascending, n_bins)))
    sums = [np.add.reduceat(rows, starts) for rows in (ascending, ascending * (1 - ascending))]
    return TopLabelBins(order, ascending, starts, np.diff(np.append(starts, len(order))), *sums)


def top_label_error(
    confidence: np.ndarray, is_correct: np.ndarray, groups: np.ndarray | None = None
) -> tuple[float, float]:
    """(debiased, plain) expected calibration error of the top label.

    plain = Σ_b n_b/n · |accuracy_b − confidence_b| over bins of equal mass. From the debiased error the bias is subtracted that
    chance adds to each gap (`corrected_gaps`), more if rows of one group (n,) depend on each other; it is not below 0. Rows whose
    confidence (n,) is NaN are left out; both are NaN if no row is left.

    Source: Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks, equation 3; Kumar, Liang & Ma 2019,
    Verified uncertainty calibration.

    >>> top_label_error(np.ones(10), np.arange(10) < 9)  # p = 1 leaves no room for chance
    (0.1, 0.1)
    """
    if np.isnan(confidence).all():
        return math.nan, math.nan
    bins = top_label_bins(confidence)
    hits = bins.sums(is_correct)
    debiased = bins.errors(hits, design_effect=top_label_design_effect(bins, is_correct, groups))
    return float(debiased), float(np.abs(hits - bins.expected).sum() / len(bins.order))


def row_influence(bins: TopLabelBins, is_correct: np.ndarray) -> np.ndarray:
    """The influence of each row on Σ_b |gap_b| (n,), in the order of the bins: sign(gap) · (confidence − correct)."""
    signs = np.sign(bins.expected - bins.sums(is_correct))
    influence: np.ndarray = np.repeat(signs, bins.n) * (bins.confidence - is_correct[bins.order])
    return influence


def top_label_design_effect(bins: TopLabelBins, is_correct: np.ndarray, groups: np.ndarray | None) -> float:
    """The design effect of groups (n,) on the calibration error of the top label; 1 without groups."""
    return 1.0 if groups is None else intervals.design_effect(row_influence(bins, is_correct), groups[bins.order])


def drawn_hits(bins: TopLabelBins, seed: int, draws: int) -> np.ndarray:
    """Correct rows per bin (draws, B) if each row is correct with the probability that is its confidence."""
    n = len(bins.order)
    ends = np.append(bins.starts[1:], n)

    def work(part: slice) -> np.ndarray:
        # A generator per block: the draws do not depend on the number of threads.
        generator = np.random.default_rng([seed, 0, part.start])
        is_hit = generator.random((part.stop - part.start, n)) < bins.confidence
        places = zip(bins.starts, ends, strict=True)
        return np.stack([np.count_nonzero(is_hit[:, start:end], axis=1) for start, end in places], axis=1)

    return np.concatenate(for_each_block(draws, n, work, entries=DRAWN))


def reliability(
    confidence: np.ndarray,
    is_correct: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    seed: int = 0,
    draws: int = 200,
) -> tuple[Mapping[str, float], ...]:
    """The bins of a reliability diagram, the lowest confidence first: n, confidence, accuracy, low, high.

    In 95 of 100 cases the accuracy of a calibrated model with these probabilities would be from low to high; the band is
    wider by the root of the design effect if rows of one group (n,) depend on each other. Rows whose confidence (n,) is NaN are
    left out.
    """
    if np.isnan(confidence).all():
        return ()
    bins = top_label_bins(confidence)
    drawn = drawn_hits(bins, seed, n_draws(len(bins.order), draws))
    return reliability_of(
        bins,
        bins.sums(is_correct),
        drawn,
        design_effect=top_label_design_effect(bins, is_correct, groups),
    )


def reliability_of(
    bins: TopLabelBins, hits: np.ndarray, drawn: np.ndarray, *, design_effect: float = 1.0
) -> tuple[Mapping[str, float], ...]:
    """The same from correct rows per bin (B,) and drawn ones (draws, B)."""
    bands = [calibrated_range(drawn[:, b] / n, BAND) for b, n in enumerate(bins.n)]
    scale = math.sqrt(design_effect)

    def wider(end: float, middle: float) -> float:
        # The end itself, to the last bit, without groups.
        return min(1.0, max(0.0, (1 - scale) * middle + scale * end))

    return tuple(
        {
            "n": int(n),
            "confidence": float(expected / n),
            "accuracy": float(right / n),
            "low": wider(low, float(expected / n)),
            "high": wider(high, float(expected / n)),
        }
        for n, expected, right, (low, high) in zip(bins.n, bins.expected, hits, bands, strict=True)
    )

"""The class-wise calibration error: how far the probability of each class is from its frequency."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from lastlayer.calibration.score_rows import BLOCK, blocks, for_each_block
from lastlayer.evaluation.metrics.binned_error import corrected_gaps
from lastlayer.evaluation.metrics.calibrated_range import n_draws
from lastlayer.evaluation.metrics.class_bins import ClassBins, ClassSums, class_sums
from lastlayer.evaluation.metrics.drawn_labels import DrawnHits, draw_entries
from lastlayer.evaluation.predictions import Predictions

#: Parts of the rows whose sums are added up apart, in this order whatever the number of threads; fewer if the sums are large.
PARTS = 16
MOST_SUMS = 1_000_000
#: A block has at least this number of rows, so that clearing the sums of its bins is a small part of the work.
LEAST_HEIGHT = 16


@dataclass(frozen=True)
class ClassWise:
    """The class-wise calibration error of a model.

    Attributes:
        bins: of every class.
        sums: per class and bin.
        n: rows with probabilities.
        drawn: (draws,) the debiased error if the labels are drawn from the probabilities, independently.
        design_effect: of groups of rows that depend on each other; drawn errors are larger by its root.
    """

    bins: ClassBins
    sums: ClassSums
    n: int
    drawn: np.ndarray
    design_effect: float = 1.0

    @property
    def per_class(self) -> np.ndarray:
        """The debiased errors of the classes (K,); below 0 where the gaps are smaller than chance alone makes them."""
        sums = self.sums
        gaps = corrected_gaps(sums.hits, sums.expected, sums.variance, design_effect=self.design_effect)
        errors: np.ndarray = gaps.reshape(-1, self.bins.n_bins).sum(axis=1) / self.n
        return errors

    @property
    def value(self) -> float:
        """The debiased error, not below 0."""
        return max(0.0, float(self.per_class.mean()))

    @property
    def plain(self) -> float:
        """(1/K) Σ_k Σ_b |hits − Σp| / n."""
        n_classes = self.bins.edges.shape[1]
        return float(np.abs(self.sums.hits - self.sums.expected).sum() / (self.n * n_classes))

    @property
    def mean_probability(self) -> np.ndarray:
        """The mean probability of each class (K,)."""
        means: np.ndarray = self.sums.expected.reshape(-1, self.bins.n_bins).sum(axis=1) / self.n
        return means


def class_wise(predictions: Predictions, bins: ClassBins, is_valid: np.ndarray, *, seed: int, draws: int) -> ClassWise:
    """The mean over the classes of Σ_b n_b/n · |frequency_b − mean probability_b|, debiased, in one walk.

    `is_valid` (n,) says which rows have probabilities; the others are left out. At least one must have some.

    Source: Kull, Perello-Nieto, Kängsepp, Silva Filho, Song & Flach 2019, Beyond temperature scaling, section 2, with bins of
    equal mass; debiased as in `corrected_gaps`.
    """
    n, n_classes, size = predictions.n, predictions.n_classes, bins.size
    hits = DrawnHits(n_draws(n, draws), n, size)

    def work(part: slice) -> ClassSums:
        sums = ClassSums(np.zeros(size, dtype=np.int64), np.zeros(size), np.zeros(size))
        for place in blocks_of(part, n_classes):
            p, labels = valid_rows(predictions, place, is_valid)
            if len(p) == 0:
                continue
            keys = bins.keys(p)
            sums += class_sums(keys, p, labels, size)
            # A generator per block: the draws do not depend on the number of threads.
            entries = draw_entries(p, hits.draws, np.random.default_rng([seed, 1, place.start]))
            hits.add(keys.ravel()[entries], place.start)
        return sums

    n_parts = max(2, min(PARTS, MOST_SUMS // size))
    parts = for_each_block(n, n_classes, work, entries=math.ceil(n / n_parts) * n_classes)
    sums = reduce(add, parts)
    n_valid = int(np.count_nonzero(is_valid))
    return ClassWise(bins, sums, n_valid, drawn_errors(hits, sums) / (n_valid * n_classes))


def drawn_errors(hits: DrawnHits, sums: ClassSums) -> np.ndarray:
    """The sum of the corrected gaps of each draw (draws,), not below 0."""
    none = corrected_gaps(np.zeros(len(sums.expected)), sums.expected, sums.variance)
    total = none.sum()
    # Only bins that were drawn differ from those without a hit.
    changes = [
        (corrected_gaps(count, sums.expected[keys], sums.variance[keys]) - none[keys]).sum() for keys, count in hits
    ]
    return np.maximum(total + np.array(changes), 0.0)


def class_wise_influence(predictions: Predictions, found: ClassWise, is_valid: np.ndarray) -> np.ndarray:
    """The influence of each valid row on the class-wise error (n valid,): (1/K) Σ_k sign(gap) · (p_k − y_k), in one walk."""
    signs = np.sign(found.sums.expected - found.sums.hits).astype(np.float32)

    def work(place: slice) -> np.ndarray:
        p, labels = valid_rows(predictions, place, is_valid)
        of_entry = signs[found.bins.keys(p)]
        of_row: np.ndarray = np.einsum("ij,ij->i", of_entry, p, dtype=np.float64)
        return of_row - of_entry[np.arange(len(labels)), labels]

    return np.concatenate(for_each_block(predictions.n, predictions.n_classes, work)) / predictions.n_classes


def blocks_of(part: slice, n_classes: int) -> Iterator[slice]:
    """Blocks of a part of the rows."""
    for place in blocks(part.stop - part.start, n_classes, max(BLOCK, LEAST_HEIGHT * n_classes)):
        yield slice(part.start + place.start, part.start + place.stop)


def valid_rows(predictions: Predictions, place: slice, is_valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of the rows of a block that have probabilities."""
    p, labels, kept = predictions.block(place)[0], predictions.labels[place], is_valid[place]
    return (p, labels) if kept.all() else (p[kept], labels[kept])

"""One inner fold: fits along C on some training rows, and what they lose on others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lastlayer.functions import log_probabilities, probabilities
from lastlayer.mappings import ProbabilityMapping
from lastlayer.sklearn.path import PathPoint, fit_path
from lastlayer.study.fit.folds import Pair
from lastlayer.study.fit.metrics import brier_rows
from lastlayer.study.fit.model import SEARCH_ITERATIONS, SEARCH_TOL


class InnerFold:
    """Fits a mapping on the first rows of a pair and judges each of the others.

    The loss of a row is the mean of its Brier score and its log loss, each divided by what the class frequencies lose on the
    judged rows; so 1 is no better than they are. Where a probability may be zero, the log loss may be infinite, and the Brier
    score alone counts. Log loss alone would neglect the primary metric; Brier alone does not see how far a confident wrong row
    is off, which is what too weak a penalty does.
    """

    def __init__(
        self, mapping: ProbabilityMapping, features: np.ndarray, labels: np.ndarray, pair: Pair, seed: int
    ) -> None:
        fitted, judged = pair
        self._mapping, self._seed = mapping, seed
        #: The fits so far, by C.
        self.points: dict[float, PathPoint] = {}
        # A class without a fitted row has no scores; its rows are not judged (see inner_folds).
        classes, self._labels = np.unique(labels[fitted], return_inverse=True)
        self._features, self._judged = features[fitted], features[judged]
        self._truth = np.searchsorted(classes, labels[judged])
        frequencies = np.bincount(self._labels) / len(self._labels)
        self._brier_unit = float(np.mean(brier_rows(np.tile(frequencies, (len(judged), 1)), self._truth)))
        self._log_unit = -float(np.mean(np.log(frequencies)[self._truth]))

    @property
    def n_judged(self) -> int:
        """Rows that are judged."""
        return len(self._truth)

    def along(self, strengths: Sequence[float], start: PathPoint | None = None) -> Iterator[np.ndarray]:
        """The loss of each judged row at each C, fitted only when it is asked for, each from where the last fit ended.

        The first one begins at `start`, an earlier fit of this fold.
        """
        path = fit_path(
            self._mapping,
            self._features,
            self._labels,
            strengths,
            seed=self._seed,
            tol=SEARCH_TOL[self._mapping.linear.method],
            max_iter=SEARCH_ITERATIONS,
            start=start,
        )
        for point in path:
            self.points[point.C] = point
            yield self._losses(self._judged @ point.coef.T + point.intercept)

    def _losses(self, scores: np.ndarray) -> np.ndarray:
        if "full_support" not in self._mapping.laws:
            p = np.asarray(probabilities(scores, mapping=self._mapping, on_domain="nan"))
            return brier_rows(p, self._truth) / self._brier_unit
        log_p = np.asarray(log_probabilities(scores, mapping=self._mapping, on_domain="nan"))
        # A mapping of somebody's own may have a domain that test rows leave.
        log_loss = np.nan_to_num(-log_p[np.arange(len(scores)), self._truth], nan=np.inf)
        return 0.5 * (brier_rows(np.exp(log_p), self._truth) / self._brier_unit + log_loss / self._log_unit)

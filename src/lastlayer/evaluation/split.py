"""The rows that are judged, and the rows that maps are fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lastlayer.calibration import ScoreRows


@dataclass(frozen=True)
class Split:
    """What is judged, and what the maps are fitted to.

    Attributes:
        scores, labels, groups: the judged rows.
        folds: (n,) the fold of each judged row.
        fit_scores, fit_labels, fit_groups: other rows to fit to; None for the judged rows outside a fold.
    """

    scores: ScoreRows
    labels: np.ndarray
    groups: np.ndarray | None
    folds: np.ndarray
    fit_scores: ScoreRows | None = None
    fit_labels: np.ndarray | None = None
    fit_groups: np.ndarray | None = None

    @property
    def has_others(self) -> bool:
        """Whether the maps are fitted to other rows than those that are judged."""
        return self.fit_scores is not None

    @property
    def fitted_scores(self) -> ScoreRows:
        """The scores that the final maps are fitted to."""
        return self.scores if self.fit_scores is None else self.fit_scores

    @property
    def fitted_labels(self) -> np.ndarray:
        """Their labels."""
        return self.labels if self.fit_labels is None else self.fit_labels

    @property
    def fitted_groups(self) -> np.ndarray | None:
        """Their groups."""
        return self.fit_groups if self.has_others else self.groups

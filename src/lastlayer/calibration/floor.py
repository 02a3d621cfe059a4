"""Probabilities of exactly 0: what they are raised to before a map is fitted or applied."""

from __future__ import annotations

import numpy as np

from lastlayer.calibration.score_rows import ScoreRows, for_each_block


def floor_of(scores: ScoreRows) -> float:
    """Half the smallest probability above 0; 0, which is no floor, for scores.

    No map can change log 0, so that one zero at a true class would make the log loss of every map infinite, and a map that adds
    up scores would give NaN. A file without a zero has a floor too: a zero may come later.

    >>> floor_of(ScoreRows(np.array([[0.0, 1.0], [0.1, 0.9]]), "probabilities"))
    0.05
    """
    if scores.kind == "scores":
        return 0.0

    def least(rows: slice) -> float:
        values = scores.raw(rows.start, rows.stop)
        both = np.concatenate([values, 1 - values], axis=1) if scores.is_one_column else values
        return float(np.min(both, initial=1.0, where=both > 0))

    found = for_each_block(scores.n, scores.n_classes, least)
    return max(min(found, default=1.0) / 2, float(np.finfo(scores.dtype).tiny))

"""What the calibration bins of one mapping say: how far, and on which side, what is said is from what is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from lastlayer.report.reading import Reading, Row


@dataclass(frozen=True)
class Calibration:
    """Bins with rows in them as (confidence, accuracy, n), and their averages weighted by n."""

    bins: tuple[tuple[float, float, float], ...]

    @property
    def n(self) -> float:
        """Rows in all bins."""
        return sum(n for _, _, n in self.bins)

    @property
    def confidence(self) -> float:
        """The mean top probability."""
        return sum(confidence * n for confidence, _, n in self.bins) / self.n if self.n else math.nan

    @property
    def accuracy(self) -> float:
        """The share of rows whose likeliest class is right."""
        return sum(accuracy * n for _, accuracy, n in self.bins) / self.n if self.n else math.nan

    @property
    def gap(self) -> float:
        """The mean distance of a bin from the diagonal."""
        return sum(abs(a - c) * n for c, a, n in self.bins) / self.n if self.n else math.nan

    @property
    def tendency(self) -> str:
        """Under- or over-confident where the gaps have mostly one side and make 0.01 at least (with hyphens that do not break)."""
        one_sided = self.accuracy - self.confidence
        if math.isnan(one_sided) or abs(one_sided) < max(0.5 * self.gap, 0.01):
            return ""
        return "under‑confident" if one_sided > 0 else "over‑confident"


def calibration_of(row: Row) -> Calibration:
    """The bins of a mapping's top probability; empty bins and bins without values are left out."""
    return _calibration(row.calibration, "confidence", "accuracy")


def positive_of(reading: Reading, row: Row) -> Calibration:
    """The bins of a mapping's probability of the second of two classes, with the share of rows that have it."""
    frame = reading.results.positive
    return _calibration(frame[frame["mapping"] == row.label], "probability", "share")


def _calibration(frame: pd.DataFrame, said: str, seen: str) -> Calibration:
    known = frame[[said, seen, "n"]].apply(pd.to_numeric, errors="coerce").dropna()
    known = known[known["n"] > 0].sort_values(said)
    return Calibration(tuple((float(c), float(a), float(n)) for c, a, n in known.itertuples(index=False)))

"""One walk over all rows: what decides which rows count and what the numbers are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lastlayer.calibration import ScoreRows
from lastlayer.calibration.score_rows import for_each_block

#: Rows that are looked at for how many digits their numbers have.
_SAMPLE = 256
#: Most decimals of a number that count as rounded.
_DECIMALS = 6


@dataclass(frozen=True)
class RowFacts:
    """What is known about each row of an array, (n,) each.

    Attributes:
        low, high: the least and the largest number; NaN in rows with a NaN.
        sums: the sum of the numbers, in float64.
        zeros: how many numbers are exactly 0; in rows of one column, 0 or 1.
    """

    low: np.ndarray
    high: np.ndarray
    sums: np.ndarray
    zeros: np.ndarray

    @property
    def has_nan(self) -> np.ndarray:
        """(n,) whether the row has a NaN."""
        return np.isnan(self.low)

    def take(self, rows: np.ndarray) -> RowFacts:
        """These rows."""
        return RowFacts(self.low[rows], self.high[rows], self.sums[rows], self.zeros[rows])


def row_facts(array: np.ndarray) -> RowFacts:
    """Walk over an array (n, K) or (n,) in blocks."""
    rows = ScoreRows(array)
    n, width = len(array), 1 if rows.is_one_column else rows.n_classes
    low, high, sums = np.empty(n, rows.dtype), np.empty(n, rows.dtype), np.empty(n)
    zeros = np.zeros(n, dtype=np.int32)

    def look(part: slice) -> None:
        values = rows.raw(part.start, part.stop)
        low[part], high[part] = values.min(axis=1), values.max(axis=1)
        # inf − inf in a row of scores is NaN, which says that it is no distribution.
        with np.errstate(invalid="ignore"):
            values.sum(axis=1, dtype=np.float64, out=sums[part])
        if np.any(low[part] == 0):
            zeros[part] = np.count_nonzero(values == 0, axis=1)

    for_each_block(n, width, look)
    return RowFacts(low, high, sums, zeros)


def sum_tolerance(array: np.ndarray) -> float:
    """How far from 1 the sum of a row of probabilities may be, by the precision of the numbers.

    10⁻³ for float32 and float64, and 10⁻² for numbers of half precision, whatever the type that holds them. K numbers rounded to
    d decimals are off by 10⁻ᵈ / 2 each: by at most K · 10⁻ᵈ / 2 together, and by √(K / 12) · 10⁻ᵈ as one standard deviation.
    """
    digits = digits_of(array)
    tolerance = 1e-2 if digits.is_half else 1e-3
    if digits.decimals is None:
        return tolerance
    step, width = 10.0**-digits.decimals, 1 if array.ndim == 1 else array.shape[1]
    return max(tolerance, min(0.5 * width * step, (0.5 + width**0.5) * step, 0.05))


@dataclass(frozen=True)
class Digits:
    """How precise numbers are.

    Attributes:
        is_half: whether they have half precision, whatever the type that holds them.
        decimals: to which all are rounded; None if they are not.
    """

    is_half: bool
    decimals: int | None


def digits_of(array: np.ndarray) -> Digits:
    """The digits of an array (n, K) or (n,), by a sample of its rows."""
    rows = np.unique(np.linspace(0, len(array) - 1, _SAMPLE).astype(np.int64))
    sample = np.asarray(array[rows])
    sample = sample.reshape(len(rows), -1)
    sample = sample[np.isfinite(sample).all(axis=1)]
    is_half = array.dtype == np.float16 or (array.dtype == np.float32 and _is_short(sample))
    return Digits(is_half, _decimals(sample))


def _is_short(sample: np.ndarray) -> bool:
    """Whether float32 numbers have at most the 11 significant bits of float16, or the 8 of bfloat16."""
    bits = np.ascontiguousarray(sample).view(np.uint32)
    return not np.any(bits & np.uint32((1 << 13) - 1))


def _decimals(sample: np.ndarray) -> int | None:
    """The decimals to which all numbers are rounded; None if they are not, or are whole."""
    if sample.dtype.kind != "f" or not np.any(sample != np.round(sample)):
        return None
    slack = 4 * float(np.finfo(sample.dtype).eps)
    values = sample.astype(np.float64)
    for decimals in range(1, _DECIMALS + 1):
        if np.all(np.abs(values - np.round(values, decimals)) <= slack * np.abs(values)):
            return decimals
    return None

"""Numbers that stand for a missing value: −999, 9999, −1."""

from __future__ import annotations

import numpy as np

#: Sizes that people fill gaps with.
_SIZES = (99.0, 999.0, 9999.0, 99999.0, 999999.0)
_SENTINELS = frozenset({*_SIZES, *(-size for size in _SIZES), 9998.0, -9998.0, 8888.0, -8888.0})
#: Rows that hold it at the least, and distinct other values that a column of quantities has.
_ROWS, _DISTINCT = 2, 10
#: Distance from all other values, as a share of their range.
_FAR = 0.75


def sentinel_in(values: np.ndarray) -> tuple[float, int] | None:
    """The number that may stand for a missing value in `values` (n,) of float64, and in how many rows; None if there is none.

    It is the smallest or the largest, occurs more than once, and lies far from all others: 99, 999, … of either sign, or the
    only number below zero if that is −1 or −9.
    """
    known = values[~np.isnan(values)]
    if known.size == 0:
        return None
    for extreme in (known.min(), known.max()):
        if extreme not in _SENTINELS and extreme not in (-1.0, -9.0):
            continue
        others = known[known != extreme]
        count = known.size - others.size
        if count < _ROWS or others.size < _DISTINCT or np.unique(others).size < _DISTINCT:
            continue
        low, high = others.min(), others.max()
        is_far = min(abs(extreme - low), abs(extreme - high)) > _FAR * (high - low)
        if is_far if extreme in _SENTINELS else low > 0:
            return float(extreme), count
    return None

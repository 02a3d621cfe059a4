"""Error measures against values of arbitrary precision: units in the last place (ULP), and absolute."""

from __future__ import annotations

from typing import Any

import numpy as np


def ulp(value: Any, dtype: Any) -> float:
    """The spacing of `dtype` at |value|, at least the smallest subnormal."""
    info = np.finfo(dtype)
    with np.errstate(over="ignore", under="ignore"):
        size = dtype.type(min(float(abs(value)), float(info.max)))
    return max(float(np.spacing(size)), float(info.smallest_subnormal))


def ulp_error(got: Any, exact: Any, dtype: Any) -> float:
    """|got − exact| in ULP of the exact value; inf if only one of them is NaN or infinite."""
    got = float(got)
    if np.isnan(got):
        return float("inf")
    if np.isinf(got):
        beyond = float(np.finfo(dtype).max)
        return 0.0 if (exact > beyond) == (got > 0) and abs(exact) > beyond else float("inf")
    return float(abs(exact - got)) / ulp(exact, dtype)


def absolute_error(got: Any, exact: Any) -> float:
    """|got − exact|; inf if the result is not finite."""
    return float(abs(exact - float(got))) if np.isfinite(float(got)) else float("inf")

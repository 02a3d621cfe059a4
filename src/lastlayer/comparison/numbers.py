"""Numbers as text, short enough for a sentence or a table cell."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def short(value: float, digits: int = 4) -> str:
    """`digits` significant digits: 0.6225, 1.386, 4.14e-8, inf.

    >>> [short(v) for v in (0.62245933, 1.0, -4.14e-8, 123456.0, float("inf"))]
    ['0.6225', '1', '-4.14e-8', '1.235e5', 'inf']
    """
    if not math.isfinite(value):
        return str(float(value))
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}e{int(exponent)}"
    return "0" if text == "-0" else text


def cell(value: float, decimals: int) -> str:
    """`decimals` digits after the point, so that columns line up; 0 and 1 bare only where they are exact.

    >>> [cell(v, 3) for v in (0.62245933, 0.0, 1.0, 0.99999, 4.14e-8, -0.0004, 12345.6)]
    ['0.622', '0', '1', '1.000', '4e-8', '-4e-4', '1e4']
    """
    if not math.isfinite(value) or value in (0, 1, -1):
        return short(value)
    if 10**-decimals <= abs(value) < 1000:
        return f"{value:.{decimals}f}"
    mantissa, exponent = f"{value:.{decimals - 3}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def tuple_of(values: Sequence[float] | NDArray[np.float64], most: int = 3) -> str:
    """(0.6225, 0.3775); of more than `most` + 1 numbers the first `most` and how many follow.

    >>> tuple_of([1.0, 0.5]), tuple_of(range(10))
    ('(1, 0.5)', '(0, 1, 2, … 7 more)')
    """
    if len(values) <= most + 1:
        return f"({', '.join(short(float(v)) for v in values)})"
    return f"({', '.join(short(float(v)) for v in values[:most])}, … {len(values) - most} more)"

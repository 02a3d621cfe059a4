"""Numbers as text: for a table's cell, a sentence, an axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

INFINITY = "∞"
MISSING = "–"
MINUS = "−"
THIN = "\N{NARROW NO-BREAK SPACE}"


def decimals_for(half_widths: Iterable[float], *, digits: int, at_least: int = 2, at_most: int = 6) -> int:
    """Decimals at which the typical interval's half-width shows `digits` significant digits."""
    finite = sorted(width for width in half_widths if math.isfinite(width) and width > 0)
    if not finite:
        return max(at_least, digits + 1)
    typical = finite[len(finite) // 2]
    return min(max(digits - 1 - math.floor(math.log10(typical)), at_least), at_most)


def number(value: float, decimals: int, *, sign: bool = False) -> str:
    """A number with a true minus sign; infinities as ∞, NaN as a dash, huge ones in powers of ten."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return f"{MINUS if value < 0 else '+' if sign else ''}{INFINITY}"
    text = f"{abs(value):.{decimals}f}" if abs(value) < 1e5 else f"{abs(value):.2e}"
    if float(text) == 0:
        return text
    return f"{MINUS if value < 0 else '+' if sign else ''}{text}"


def interval(low: float, high: float, decimals: int, *, sign: bool = False) -> str:
    """`[low, high]`, or nothing if there is none."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"[{number(low, decimals, sign=sign)}, {number(high, decimals, sign=sign)}]"


def share(value: float) -> str:
    """A share as a percentage; what is not zero never reads as zero, what is not all never as 100 %."""
    if math.isnan(value):
        return MISSING
    if 0 < value < 0.0005:
        return f"<{THIN}0.1{THIN}%"
    if 0.9995 <= value < 1:
        return f">{THIN}99.9{THIN}%"
    return f"{100 * value:.1f}".removesuffix(".0") + f"{THIN}%"


def percent(share: float) -> str:
    """A share as a percentage in a sentence; what is not zero never reads as zero.

    >>> percent(0.0321), percent(0.00001)
    ('3.2 %', 'less than 0.1 %')
    """
    if 0 < share < 0.0005:
        return "less than 0.1 %"
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def seconds(value: float) -> str:
    """A duration in the unit that reads best."""
    if math.isnan(value):
        return MISSING
    if value < 0.0995:
        return f"{1000 * value:.2g}{THIN}ms" if value < 0.00995 else f"{1000 * value:.0f}{THIN}ms"
    return f"{value:.2g}{THIN}s" if value < 9.95 else f"{value:,.0f}{THIN}s"


def p_value(value: float) -> str:
    """`p = 0.41`, or nothing if there is none.

    >>> p_value(0.4123), p_value(0.0203), p_value(0.0001)
    ('p = 0.41', 'p = 0.020', 'p < 0.001')
    """
    if math.isnan(value):
        return ""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def compact(value: float) -> str:
    """Three significant digits with a true minus sign: scales, factors, strengths.

    >>> [compact(v) for v in (0.012345, -2.0, 1e-7, float("inf"))]
    ['0.0123', '−2', '1e-7', '∞']
    """
    if not math.isfinite(value):
        return number(value, 0)
    return f"{MINUS if value < 0 else ''}{short(abs(value), 3)}"


def integer(value: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{value:,}".replace(",", THIN) if value >= 10_000 else str(value)


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


def probability(value: float) -> str:
    """Four significant digits of a probability; what is not 1 never reads as 1, as in a table's cell.

    >>> [probability(v) for v in (0.62245933, 1.0, 0.99999, 4.14e-8, 0.0)]
    ['0.6225', '1', '1.0000', '4.14e-8', '0']
    """
    text = short(value)
    return "1.0000" if text == "1" and value < 1 else text


def typed(value: float) -> str:
    """All digits of a number, as a person would type it: what a command reads back as the same number.

    >>> [typed(v) for v in (1.0, 0.5, -123456.7, 1e300)]
    ['1', '0.5', '-123456.7', '1e+300']
    """
    return repr(float(value)).removesuffix(".0")


def cell(value: float, decimals: int) -> str:
    """`decimals` digits after the point, so that columns line up; 0 and 1 bare only where they are exact.

    >>> [cell(v, 3) for v in (0.62245933, 0.0, 1.0, 0.99999, 4.14e-8, -0.0004, 1000.0, 12345.6, 123456.7)]
    ['0.622', '0', '1', '1.000', '4e-8', '-4e-4', '1000', '12346', '1e5']
    """
    if not math.isfinite(value) or value in (0, 1, -1):
        return short(value)
    if 10**-decimals <= abs(value) < 1000:
        return f"{value:.{decimals}f}"
    # At most as wide as the others.
    if 1000 <= abs(value) < 10 ** (decimals + 2) - 0.5:
        return f"{value:.0f}"
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


def ratio(value: float | None) -> str:
    """A ratio of times to two digits after the point, fewer where it is large; a small one never reads as zero.

    >>> [ratio(x) for x in (0.0042, 0.094, 1.88, 23.4, 410.0, None)]
    ['0.004', '0.09', '1.88', '23', '410', '']
    """
    if value is None:
        return ""
    if 0 < value < 0.01:
        return f"{value:.1g}"
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def two_digits(value: float) -> str:
    """An error to two digits; a large one as a power of ten.

    >>> [two_digits(x) for x in (0.513, 56.2, 1.2e7, float("inf"))]
    ['0.51', '56', '1e7', '∞']
    """
    if value == float("inf"):
        return "∞"
    if value >= 10_000:
        mantissa, _, exponent = f"{value:.0e}".partition("e+")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.2f}" if value < 1 else f"{value:.2g}" if value < 100 else f"{value:.0f}"


def three_digits(value: float) -> str:
    """Three digits.

    >>> [three_digits(x) for x in (0.01234, 5.678, 1234.5)]
    ['0.0123', '5.68', '1234']
    """
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"

"""Numbers and names as the report prints them, in the terminal and on the page alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

INFINITY = "∞"
MISSING = "–"
MINUS = "−"
THIN = "\N{NARROW NO-BREAK SPACE}"


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` characters: the middle goes, since names of variants differ at their ends."""
    if len(text) <= width:
        return text
    head = width // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def shorten_apart(texts: Sequence[str], width: int) -> list[str]:
    """`shorten` each; those that come out alike get a number, so that no two rows carry one name."""
    shown: list[str] = []
    for text in texts:
        short = shorten(text, width)
        number = 1
        while short in shown:
            number += 1
            tail = f"·{number}"
            short = shorten(text, width - len(tail)) + tail
        shown.append(short)
    return shown


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
    """`[low, high]`, or nothing where there is none."""
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


def seconds(value: float) -> str:
    """A duration in the unit that reads best."""
    if math.isnan(value):
        return MISSING
    if value < 0.0995:
        return f"{1000 * value:.2g}{THIN}ms" if value < 0.00995 else f"{1000 * value:.0f}{THIN}ms"
    return f"{value:.2g}{THIN}s" if value < 9.95 else f"{value:,.0f}{THIN}s"


def probability_of_chance(value: float) -> str:
    """A p-value."""
    if math.isnan(value):
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def compact(value: float) -> str:
    """Three significant digits: scales, factors, strengths."""
    if not math.isfinite(value):
        return number(value, 0)
    text = f"{abs(value):.3g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}e{int(exponent)}"
    return f"{MINUS if value < 0 else ''}{text}"


def integer(value: int) -> str:
    """A count with thin spaces between thousands."""
    return f"{value:,}".replace(",", THIN) if value >= 10_000 else str(value)


def plural(count: int, noun: str, several: str = "") -> str:
    """`3 folds`, `1 fold`."""
    return f"{integer(count)} {noun if count == 1 else several or noun + 's'}"


def listing(names: Sequence[str], *, at_most: int = 12) -> str:
    """`a, b and c`; a long list ends in how many more there are."""
    shown = list(names)
    if len(shown) > at_most:
        shown = [*shown[: at_most - 1], f"{len(names) - at_most + 1} more"]
    if len(shown) <= 1:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def sentence(text: str) -> str:
    """First letter large, a full stop at the end."""
    text = text.strip()
    if not text:
        return ""
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")

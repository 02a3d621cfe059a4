"""What the numbers of the page may be: one table, for Python, the address, the dials and the page's functions."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Range:
    """Numbers from `least` to `most`, both included; only even ones where `even` is set."""

    least: float
    most: float
    even: bool = False

    def __contains__(self, value: float) -> bool:
        """Whether a number is in it; NaN is not."""
        return self.least <= value <= self.most and not (self.even and value % 2)

    def __str__(self) -> str:
        """As it is said to a person: "from 0.001 to 1000"."""
        return f"from {self.least:g} to {self.most:g}{', even ones' if self.even else ''}".replace("e+", "e")


#: The page multiplies scores by up to 1000, twice, and sums 50 of them: a float64 must hold that.
SCORES = Range(-1e300, 1e300)
RANGES: dict[str, Range] = {
    "scores": SCORES,
    "shift": SCORES,
    "scale": Range(-3, 3),
    "rate": Range(1e-3, 10),
    "temperature": Range(1e-3, 1e3),
    "softcap": Range(1e-3, 1e5),
    "alpha": Range(1, 100),
    "order": Range(2, 18, even=True),
}
#: What comes before a mapping or belongs to one, and may be given to the page.
PARAMETERS = ("temperature", "softcap", "alpha", "order")


def as_words() -> dict[str, dict[str, float | bool]]:
    """`LL.RANGES` of the scripts."""
    return {name: asdict(range_) for name, range_ in RANGES.items()}

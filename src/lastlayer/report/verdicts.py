"""What a comparison found, as sentences for somebody who has never met a confidence interval's formula."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from lastlayer.study.schema import COMPARISONS

MINUS = "−"


@dataclass(frozen=True)
class MetricWords:
    """A metric's name, which way is better, and the unit that its differences are said in."""

    name: str
    is_lower_better: bool
    scale: float = 1.0
    unit: str = ""


WORDS = {
    "brier": MetricWords("Brier score", is_lower_better=True),
    "accuracy": MetricWords("accuracy", is_lower_better=False, scale=100.0, unit=" points"),
    "log_loss": MetricWords("log loss", is_lower_better=True),
    "ece": MetricWords("calibration error", is_lower_better=True),
}


@dataclass(frozen=True)
class Finding:
    """One mapping against another on one metric; `difference` is mapping minus versus."""

    mapping: str
    versus: str
    metric: str
    difference: float
    verdict: str
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    p_holm: float = math.nan
    detectable: float = math.nan
    is_significant: bool = False
    margin: float = math.nan
    n_comparisons: int = 0
    #: Share of test rows with infinite log loss, and of those outside the domain.
    infinite_share: float = 0.0
    infinite_share_versus: float = 0.0

    def columns(self) -> dict[str, Any]:
        """What a row of `COMPARISONS` holds of it."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name in COMPARISONS}


def finding_sentence(finding: Finding) -> str:
    """The finding as one sentence that stands alone."""
    words = WORDS[finding.metric]
    if finding.verdict == "not comparable":
        return f"{_capital(words.name)} is not comparable: {_why_not(finding)}."
    if finding.verdict == "differs":
        return (
            f"{_capital(words.name)} is {_size(finding)} {_direction(finding)} than {finding.versus}’s "
            f"(interval {_interval(finding)}, p {_p(finding.p_holm)} after Holm’s correction)."
        )
    if finding.verdict == "equal":
        there = ", a small difference that is not chance" if finding.is_significant else ""
        return (
            f"{_capital(words.name)} is equal to {finding.versus}’s within the margin of {_margin(finding)}: "
            f"the difference is {_signed(finding)}, interval {_interval(finding)}{there}."
        )
    return (
        f"{_capital(words.name)} cannot be told apart from {finding.versus}’s: the difference is {_signed(finding)}, "
        f"interval {_interval(finding)}{_by_chance(finding)}; the smallest difference this study could have seen is "
        f"{_amount(finding, finding.detectable)}."
    )


def mapping_verdict(findings: Sequence[Finding]) -> str:
    """What is to be said of one mapping: the primary metric in full, what else differs, and what does not."""
    primary, *others = findings
    parts = [finding_sentence(primary)]
    differing = [finding for finding in others if finding.verdict == "differs"]
    if differing:
        parts.append(
            f"{_capital(listing([WORDS[f.metric].name for f in differing]))} {'differ' if len(differing) > 1 else 'differs'} too: "
            f"{listing([f'{_size(f)} {_direction(f)} (interval {_interval(f)})' for f in differing])}."
        )
    equal = [WORDS[finding.metric].name for finding in others if finding.verdict == "equal"]
    if equal:
        parts.append(f"{_capital(listing(equal))} {'are' if len(equal) > 1 else 'is'} equal within the margin.")
    unclear = [
        f"{WORDS[f.metric].name} (interval {_interval(f)}{_by_chance(f)}; could have seen {_amount(f, f.detectable)})"
        for f in others
        if f.verdict == "cannot be told apart"
    ]
    if unclear:
        parts.append(f"Cannot be told apart in {listing(unclear)}.")
    parts.extend(finding_sentence(finding) for finding in others if finding.verdict == "not comparable")
    return " ".join(parts)


def _why_not(finding: Finding) -> str:
    reasons = []
    for mapping, infinite in (
        (finding.mapping, finding.infinite_share),
        (finding.versus, finding.infinite_share_versus),
    ):
        if finding.metric == "log_loss" and infinite > 0:
            reasons.append(
                f"{mapping}’s is infinite, as {percent(infinite)} of the test rows got no probability for their class"
            )
    return listing(reasons) or "in some test folds no row was inside the mapping’s domain"


def _direction(finding: Finding) -> str:
    is_better = (finding.difference < 0) == WORDS[finding.metric].is_lower_better
    return f"{'higher' if finding.difference > 0 else 'lower'} ({'better' if is_better else 'worse'})"


def _by_chance(finding: Finding) -> str:
    """Why an interval without zero is no difference yet."""
    if finding.low <= 0.0 <= finding.high:
        return ""
    return f", but p {_p(finding.p_holm)} after Holm’s correction for {finding.n_comparisons} comparisons"


def _size(finding: Finding) -> str:
    return _amount(finding, abs(finding.difference))


def _amount(finding: Finding, value: float) -> str:
    words = WORDS[finding.metric]
    return f"{_plain(value * words.scale, _decimals(finding))}{words.unit}"


def _margin(finding: Finding) -> str:
    words = WORDS[finding.metric]
    return f"{finding.margin * words.scale:g}{words.unit}"


def _signed(finding: Finding) -> str:
    words = WORDS[finding.metric]
    return f"{_sign(finding.difference * words.scale, _decimals(finding))}{words.unit}"


def _interval(finding: Finding) -> str:
    words, decimals = WORDS[finding.metric], _decimals(finding)
    return f"{_sign(finding.low * words.scale, decimals)} to {_sign(finding.high * words.scale, decimals)}{words.unit}"


def _decimals(finding: Finding) -> int:
    """Decimals at which half the interval's width shows two significant digits."""
    half = (finding.high - finding.low) / 2 * WORDS[finding.metric].scale
    return min(max(1 - math.floor(math.log10(half)), 1), 6) if half > 0 else 4


def _plain(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}"


def _sign(value: float, decimals: int) -> str:
    text = _plain(abs(value), decimals)
    return text if float(text) == 0 else f"{'+' if value > 0 else MINUS}{text}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}" if value < 0.1 else f"= {value:.2f}"


def percent(share: float) -> str:
    """A share as a percentage; what is not zero never reads as zero.

    >>> percent(0.0321), percent(0.00001)
    ('3.2 %', 'less than 0.1 %')
    """
    if 0 < share < 0.0005:
        return "less than 0.1 %"
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def listing(items: Iterable[str]) -> str:
    """`a, b and c`."""
    shown = list(items)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def plural(count: int, noun: str, several: str = "") -> str:
    """`3 folds`, `1 fold`."""
    return f"{count} {noun if count == 1 else several or noun + 's'}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]

"""What a comparison found, as sentences for somebody who has never met a confidence interval's formula."""

from __future__ import annotations

from collections.abc import Sequence

from lastlayer.findings import METRICS
from lastlayer.study.statistics.comparisons import Comparison, Verdict
from lastlayer.words.lists import capital, listing, verb
from lastlayer.words.numbers import decimals_for, number, p_value, percent


def comparison_sentence(comparison: Comparison) -> str:
    """The comparison as one sentence that needs no other."""
    name, versus = capital(METRICS[comparison.metric].name), comparison.versus
    if comparison.verdict == Verdict.NOT_COMPARABLE:
        return f"{name} is not comparable: {_why_not(comparison)}."
    if comparison.verdict == Verdict.DIFFERS:
        return (
            f"{name} is {_size(comparison)} {_direction(comparison)} than {versus}’s "
            f"(interval {_interval(comparison)}, {p_value(comparison.p_holm)} after Holm’s correction)."
        )
    if comparison.verdict == Verdict.EQUAL:
        there = ", a small difference that is not chance" if comparison.is_significant else ""
        return (
            f"{name} is equal to {versus}’s within the margin of {margin(comparison.metric, comparison.margin)}: "
            f"the difference is {_signed(comparison)}, interval {_interval(comparison)}{there}."
        )
    return (
        f"{name} cannot be told apart from {versus}’s: the difference is {_signed(comparison)}, "
        f"interval {_interval(comparison)}{_by_chance(comparison)}; the smallest difference this study could have seen is "
        f"{_amount(comparison, comparison.detectable)}."
    )


def mapping_verdict(comparisons: Sequence[Comparison]) -> str:
    """What there is to say of one mapping: the primary metric in full, what else differs, and what does not."""
    primary, *others = comparisons
    by_verdict = {verdict: [c for c in others if c.verdict == verdict] for verdict in Verdict}
    parts = [comparison_sentence(primary)]
    if differing := by_verdict[Verdict.DIFFERS]:
        sizes = [f"{_size(c)} {_direction(c)} (interval {_interval(c)})" for c in differing]
        parts.append(f"{capital(_names(differing))} {verb(len(differing), 'differ')} too: {listing(sizes)}.")
    if equal := by_verdict[Verdict.EQUAL]:
        parts.append(f"{capital(_names(equal))} {'are' if len(equal) > 1 else 'is'} equal within the margin.")
    if unclear := by_verdict[Verdict.UNCLEAR]:
        seen = [
            f"{METRICS[c.metric].name} (interval {_interval(c)}{_by_chance(c)}; could have seen {_amount(c, c.detectable)})"
            for c in unclear
        ]
        parts.append(f"Cannot be told apart in {listing(seen)}.")
    parts.extend(comparison_sentence(c) for c in by_verdict[Verdict.NOT_COMPARABLE])
    return " ".join(parts)


def margin(metric: str, value: float) -> str:
    """`0.5 points`: a margin of a metric in the unit of its differences."""
    return f"{value * METRICS[metric].scale:g}{METRICS[metric].unit}"


def _names(comparisons: Sequence[Comparison]) -> str:
    return listing([METRICS[comparison.metric].name for comparison in comparisons])


def _why_not(comparison: Comparison) -> str:
    sides = (
        (comparison.mapping, comparison.infinite_share),
        (comparison.versus, comparison.infinite_share_versus),
    )
    reasons = [
        f"{mapping}’s is infinite, as {percent(share)} of the test rows got no probability for their class"
        for mapping, share in sides
        if comparison.metric == "log_loss" and share > 0
    ]
    return listing(reasons) or "in some test folds no row was inside the mapping’s domain"


def _direction(comparison: Comparison) -> str:
    mean = comparison.difference.mean
    side = "better" if METRICS[comparison.metric].is_improvement(mean) else "worse"
    return f"{'higher' if mean > 0 else 'lower'} ({side})"


def _by_chance(comparison: Comparison) -> str:
    """Why an interval without zero is no difference yet."""
    if comparison.difference.low <= 0.0 <= comparison.difference.high:
        return ""
    return f", but {p_value(comparison.p_holm)} after Holm’s correction for {comparison.n_comparisons} comparisons"


def _size(comparison: Comparison) -> str:
    return _amount(comparison, abs(comparison.difference.mean))


def _signed(comparison: Comparison) -> str:
    return _amount(comparison, comparison.difference.mean, sign=True)


def _amount(comparison: Comparison, value: float, *, sign: bool = False) -> str:
    metric = METRICS[comparison.metric]
    return f"{number(value * metric.scale, _decimals(comparison), sign=sign)}{metric.unit}"


def _interval(comparison: Comparison) -> str:
    metric, decimals = METRICS[comparison.metric], _decimals(comparison)
    low, high = (end * metric.scale for end in (comparison.difference.low, comparison.difference.high))
    return f"{number(low, decimals, sign=True)} to {number(high, decimals, sign=True)}{metric.unit}"


def _decimals(comparison: Comparison) -> int:
    """Decimals at which half the interval's width shows two significant digits."""
    half = (comparison.difference.high - comparison.difference.low) / 2 * METRICS[comparison.metric].scale
    return decimals_for([half], digits=2, at_least=1) if half > 0 else 4

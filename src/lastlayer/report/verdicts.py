"""What a comparison found, as sentences for somebody who has never met a confidence interval's formula."""

from __future__ import annotations

from collections.abc import Sequence

from lastlayer.findings import METRICS
from lastlayer.study.statistics.comparisons import Comparison, Verdict
from lastlayer.words.lists import capital, listing, verb
from lastlayer.words.numbers import decimals_for, number, p_value, percent

#: The power at which detectable differences are computed, `POWER` of the study, in words.
OFTEN = "four times out of five"
#: The words of a verdict, in the order of a table: what to take first, what to leave last.
ORDER = ("better", "equal", "cannot be told apart", "worse", "not comparable")


def verdict_word(comparison: Comparison) -> str:
    """The verdict with its direction: `better` or `worse` where the mapping differs, otherwise the stored word.

    >>> from lastlayer.study.statistics.corrected_t import Estimate
    >>> verdict_word(Comparison("ratio", "softmax", "brier", Estimate(0.2, 0.1, 0.3), Verdict.DIFFERS))
    'worse'
    """
    if comparison.verdict != Verdict.DIFFERS:
        return comparison.verdict.value
    return "better" if METRICS[comparison.metric].is_improvement(comparison.difference.mean) else "worse"


def comparison_sentence(comparison: Comparison) -> str:
    """The comparison as one sentence that needs no other."""
    name, versus = capital(METRICS[comparison.metric].name), comparison.versus
    if comparison.verdict == Verdict.NOT_COMPARABLE:
        return f"{name} is not comparable: {_why_not(comparison)}."
    if comparison.verdict == Verdict.DIFFERS:
        return (
            f"{name} is {_size(comparison)} {_direction(comparison)} than {versus}’s "
            f"({_interval(comparison)}; {p_value(comparison.p_holm)} after Holm’s correction)."
        )
    if comparison.verdict == Verdict.EQUAL:
        there = " The small difference is not chance." if comparison.is_significant else ""
        return (
            f"{name} is equal to {versus}’s within the margin of {margin(comparison.metric, comparison.margin)} "
            f"({_signed(comparison)}, plausibly {_interval(comparison)}).{there}"
        )
    return (
        f"No difference found in {METRICS[comparison.metric].name} ({_signed(comparison)}, plausibly {_interval(comparison)}"
        f"{_by_chance(comparison)}). {_noticed(comparison)}"
    )


def mapping_verdict(comparisons: Sequence[Comparison]) -> str:
    """What there is to say of one mapping: the primary metric in full, what else differs, and what does not."""
    primary, *others = comparisons
    by_verdict = {verdict: [c for c in others if c.verdict == verdict] for verdict in Verdict}
    parts = [comparison_sentence(primary)]
    if differing := by_verdict[Verdict.DIFFERS]:
        sizes = [f"{_size(c)} {_direction(c)} ({_interval(c)})" for c in differing]
        parts.append(f"{capital(_names(differing))} {verb(len(differing), 'differ')} too: {listing(sizes)}.")
    if equal := by_verdict[Verdict.EQUAL]:
        parts.append(f"{capital(_names(equal))} {'are' if len(equal) > 1 else 'is'} equal within the margin.")
    if unclear := by_verdict[Verdict.UNCLEAR]:
        seen = [
            f"{METRICS[c.metric].name} ({_interval(c)}{_by_chance(c)}; {_amount(c, c.detectable)} would have been noticed)"
            for c in unclear
        ]
        parts.append(f"Cannot be told apart in {listing(seen)}.")
    parts.extend(comparison_sentence(c) for c in by_verdict[Verdict.NOT_COMPARABLE])
    return " ".join(parts)


def margin(metric: str, value: float) -> str:
    """`0.5 points`: a margin of a metric in the unit of its differences, to two digits."""
    text, unit = f"{value * METRICS[metric].scale:.2g}", METRICS[metric].unit
    return f"{text}{unit.removesuffix('s') if text == '1' else unit}"


def _noticed(comparison: Comparison) -> str:
    """The power of the comparison."""
    return f"A difference of {_amount(comparison, comparison.detectable)} would have been noticed {OFTEN}."


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

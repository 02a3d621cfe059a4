"""The question of a study and its answer, in one paragraph, from the comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lastlayer.findings.metrics import PRIMARY
from lastlayer.report.reading import Reading, Row
from lastlayer.study.schema import REFERENCE
from lastlayer.study.statistics.comparisons import Comparison, Verdict
from lastlayer.words.lists import listing, plural, sentence, verb
from lastlayer.words.names import shorten
from lastlayer.words.numbers import decimals_for, number
from lastlayer.words.printable import clean


def question(reading: Reading) -> str:
    """What was done to what."""
    results = reading.results
    target = f", to predict {shorten(clean(results.target), 60)}" if results.target else ""
    return (
        f"On {shorten(clean(results.dataset), 80)} ({plural(results.n_samples, 'row')}, {plural(results.n_features, 'feature')}, "
        f"{plural(results.n_classes, 'class', 'classes')}{target}), one linear model was trained under "
        f"{plural(len(reading.rows), 'mapping')} from scores to probabilities, on the same "
        f"{plural(reading.n_fits, 'train–test split')} for each. Does it make a difference which one?"
    )


def answer(reading: Reading) -> tuple[str, str]:
    """The answer as a first word or two and the rest of the paragraph."""
    pairs = reading.compared(PRIMARY)
    if not pairs:
        return "Nothing was compared.", _without_comparison(reading)
    differs = [pair for pair in pairs if pair[1].verdict == Verdict.DIFFERS]
    equal = [row.name for row, c in pairs if c.verdict == Verdict.EQUAL]
    unclear = [row.name for row, c in pairs if c.verdict == Verdict.UNCLEAR]
    uncomparable = [row.name for row, c in pairs if c.verdict == Verdict.NOT_COMPARABLE]
    if differs:
        short, of = ("Yes.", f"{len(differs)} of {plural(len(pairs), 'mapping')} {verb(len(differs), 'differ')}")
        parts = [f"By the {PRIMARY.name}, {of} from {REFERENCE}. {_sides(differs)}"]
    elif len(equal) == len(pairs):
        short = "No."
        parts = []
    else:
        short = "Not that this study could see."
        of = f"none of {plural(len(pairs), 'mapping')}"
        parts = [f"By the {PRIMARY.name}, {of} was found to differ from {REFERENCE}."]
    margin = reading.results.settings.margin.get(PRIMARY.key)
    if equal:
        within = "" if margin is None else f", within the margin of {margin:g}"
        parts.append(f"Equal to it{within}: {listing(equal)}.")
    if unclear:
        parts.append(f"Cannot be told apart from it here: {listing(unclear)}.")
    if uncomparable:
        parts.append(f"Not comparable: {listing(uncomparable)}.")
    parts.append(_other_metrics(reading))
    return short, " ".join(filter(None, parts))


def _sides(differs: Sequence[tuple[Row, Comparison]]) -> str:
    """`Better: a (−0.01) and b (−0.004). Worse: c (+0.2).`, the largest differences first."""
    decimals = decimals_for(((c.difference.high - c.difference.low) / 2 for _, c in differs), digits=1, at_least=2)
    ordered = sorted(differs, key=lambda pair: -abs(pair[1].difference.mean))
    sides = []
    for side, is_better in (("Better", True), ("Worse", False)):
        names = [
            f"{row.name} ({number(c.difference.mean, decimals, sign=True)})"
            for row, c in ordered
            if PRIMARY.is_improvement(c.difference.mean) == is_better
        ]
        if names:
            sides.append(f"{side}: {listing(names, at_most=6)}.")
    return " ".join(sides)


def _other_metrics(reading: Reading) -> str:
    """`In accuracy 4 of 9 differ, in log loss 3 (3 not comparable), in calibration error none.`"""
    parts: list[str] = []
    for metric in reading.metrics:
        pairs = reading.compared(metric)
        if metric is not PRIMARY and pairs:
            differs = sum(c.verdict == Verdict.DIFFERS for _, c in pairs)
            of = "" if parts else f" of {len(pairs)} {verb(differs, 'differ')}"
            unknown = sum(c.verdict == Verdict.NOT_COMPARABLE for _, c in pairs)
            parts.append(f"in {metric.name} {differs or 'none'}{of}{f' ({unknown} not comparable)' if unknown else ''}")
    return sentence(", ".join(parts))


def _without_comparison(reading: Reading) -> str:
    known = [(row.estimate(PRIMARY).mean, row) for row in reading.rows if math.isfinite(row.estimate(PRIMARY).mean)]
    why = f"There is no comparison with {REFERENCE} in these results."
    if not known:
        return why
    best, row = min(known, key=lambda item: item[0])
    return sentence(f"{why} The best mean {PRIMARY.name} is {number(best, 4)} ({row.name})")

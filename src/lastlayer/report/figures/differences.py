"""Figure: every mapping's paired difference from softmax, with the margin within which it would count as equal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from lastlayer.findings.metrics import Metric
from lastlayer.report.figures.figure import Figure, Panel
from lastlayer.report.figures.forest import WIDTH, ForestLine, forest
from lastlayer.report.reading import Reading, Row
from lastlayer.report.verdicts import OFTEN, verdict_word
from lastlayer.study.schema import REFERENCE
from lastlayer.study.statistics.comparisons import Comparison, Verdict
from lastlayer.words.lists import listing, sentence
from lastlayer.words.numbers import decimals_for, interval, number


def differences_figure(reading: Reading) -> Figure | None:
    """One forest plot of differences per metric; None where nothing was compared."""
    metrics = [metric for metric in reading.metrics if reading.compared(metric)]
    if not metrics:
        return None
    first = _who_differs(reading.compared(metrics[0]), metrics[0])
    see = f"{sentence(metrics[0].name).rstrip('.')}: {first}"
    how = (
        "Each mark is the mean of a mapping’s value minus softmax’s on the same test rows. The thick bar is its "
        f"{100 * reading.results.settings.level:g} % interval; the thin one is wider by Holm’s correction for the number of mappings, and "
        "agrees with the verdicts: where it does not reach zero, the mapping differs. The shaded band is the margin: a mapping "
        f"whose thick bar lies inside it is called equal. {_power(reading, metrics[0])}"
    ).rstrip()
    panels = [_panel(reading, metric) for metric in metrics]
    # The sentence above the figure says it of the first panel.
    panels[0] = replace(panels[0], note="")
    return Figure("differences", f"How far each mapping is from {REFERENCE}", see, how, panels)


def difference_decimals(pairs: Sequence[tuple[Row, Comparison]]) -> int:
    """Decimals of a metric's differences: two significant digits of the typical interval's half-width."""
    widths = ((c.difference.high - c.difference.low) / 2 for _, c in pairs)
    return decimals_for(widths, digits=2, at_least=3, at_most=5)


def _panel(reading: Reading, metric: Metric) -> Panel:
    pairs = reading.compared(metric)
    decimals = difference_decimals(pairs)
    lines = [
        ForestLine(
            name=row.name,
            mark=row.mark,
            estimate=comparison.difference,
            value=number(comparison.difference.mean, decimals, sign=True),
            tooltip=_describe(row, comparison, decimals),
            adjusted=comparison.adjusted,
        )
        for row, comparison in pairs
    ]
    ends = ("← better", "worse →") if metric.is_lower_better else ("← worse", "better →")
    plot, height = forest(
        lines,
        reference=0.0,
        margin=reading.results.settings.margin.get(metric.key),
        left_end=ends[0],
        right_end=ends[1],
    )
    return Panel(
        kind="forest",
        title=f"{sentence(metric.name).rstrip('.')}, difference from {REFERENCE}",
        description="; ".join(line.tooltip for line in lines),
        width=WIDTH,
        height=height,
        drawing=plot,
        note=_who_differs(pairs, metric),
    )


def _describe(row: Row, comparison: Comparison, decimals: int) -> str:
    difference = comparison.difference
    if math.isnan(difference.mean):
        return f"{row.name}: {verdict_word(comparison)}"
    bounds = interval(difference.low, difference.high, decimals, sign=True)
    text = f"{row.name}: {number(difference.mean, decimals, sign=True)} {bounds}".rstrip()
    return f"{text}, {verdict_word(comparison)}"


def _power(reading: Reading, metric: Metric) -> str:
    """What the comparisons could have seen, from the least to the most of the mappings that differ by nothing seen."""
    pairs = reading.compared(metric)
    sizes = [c.detectable for _, c in pairs if c.verdict == Verdict.UNCLEAR and math.isfinite(c.detectable)]
    if not sizes:
        return ""
    least, most = (number(size, difference_decimals(pairs)) for size in (min(sizes), max(sizes)))
    between = least if least == most else f"{least} to {most}, depending on the mapping,"
    return f"Where nothing was found, a difference of {between} in {metric.name} would have been noticed {OFTEN}."


def _who_differs(pairs: Sequence[tuple[Row, Comparison]], metric: Metric) -> str:
    """Which mappings are better, which worse, and which cannot be compared."""
    differs = [(row, c) for row, c in pairs if c.verdict == Verdict.DIFFERS]
    unknown = [row.name for row, c in pairs if c.verdict == Verdict.NOT_COMPARABLE]
    sides: dict[str, list[str]] = {"better": [], "worse": []}
    for row, comparison in differs:
        sides["better" if metric.is_improvement(comparison.difference.mean) else "worse"].append(row.name)
    parts = [_are(names, side, len(differs)) for side, names in sides.items() if names]
    if not differs:
        parts.append(f"none of {len(pairs)} found to differ from {REFERENCE}")
    if unknown:
        parts.append(f"{listing(unknown, at_most=6)} cannot be compared here, because {_why(len(unknown), metric)}")
    return f"{'; '.join(parts)}."


def _are(names: Sequence[str], side: str, n_differ: int) -> str:
    """`only ratio is worse`, `spherical and taylor are worse`"""
    only = "only " if len(names) == n_differ == 1 else ""
    return f"{only}{listing(names, at_most=6)} {'is' if len(names) == 1 else 'are'} {side}"


def _why(n_unknown: int, metric: Metric) -> str:
    it, their = ("it", "its") if n_unknown == 1 else ("they", "their")
    if metric.key == "log_loss":
        return f"{it} gave some true classes probability zero"
    return f"in some test folds no row was in {their} domain"

"""Every comparison with softmax: one table per metric."""

from __future__ import annotations

from lastlayer.report.figures.differences import difference_decimals
from lastlayer.report.reading import Reading
from lastlayer.report.tables.table import Cell, Table, head
from lastlayer.report.verdicts import verdict_word
from lastlayer.study.statistics.comparisons import Comparison
from lastlayer.words.lists import capital
from lastlayer.words.numbers import interval, number, p_value


def comparison_tables(reading: Reading) -> list[Table]:
    """Per metric: difference from softmax, verdict with the corrected p-value, and the smallest difference it could have seen."""
    tables = []
    for metric in reading.metrics:
        pairs = reading.compared(metric)
        if not pairs:
            continue
        decimals = difference_decimals(pairs)
        tables.append(
            Table(
                f"comparison-{metric.key}",
                f"{capital(metric.name)}, mapping minus softmax",
                ["Difference", "Verdict", "Noticed"],
                [(head(row), _cells(comparison, decimals)) for row, comparison in pairs],
            )
        )
    return tables


def _cells(comparison: Comparison, decimals: int) -> list[Cell]:
    difference = comparison.difference
    bounds = interval(difference.low, difference.high, decimals, sign=True)
    word = verdict_word(comparison)
    return [
        Cell(number(difference.mean, decimals, sign=True), difference.mean, bounds),
        Cell(word, under=p_value(comparison.p_holm), is_word=True, tone=word if word in ("better", "worse") else ""),
        Cell(number(comparison.detectable, decimals), comparison.detectable),
    ]

"""The table of the metrics of the model as it is, next to the class frequencies and to a calibrated model."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lastlayer.evaluation import Evaluation
from lastlayer.evaluation.result import Measure
from lastlayer.report.evaluation.numbers import bounds
from lastlayer.report.tables.table import Cell, Head, Table
from lastlayer.words.numbers import MISSING, decimals_for, number

#: Metric → its heading and its meaning.
METRICS = {
    "log_loss": ("Log loss", "minus the mean logarithm of the probability of the true class"),
    "brier": ("Brier score", "the mean squared distance between the probabilities and the true class, from 0 to 2"),
    "accuracy": ("Accuracy", "the share of rows whose likeliest class is the true one"),
    "top5": ("Top-5 accuracy", "the share of rows whose true class is among the five likeliest"),
    "ece": (
        "Calibration error",
        "how far the top probability is from the share of rows that it gets right, the mean over bins with equally many rows",
    ),
    "classwise_ece": ("Class-wise error", "the same for the probability of each class, the mean over the classes"),
}


@dataclass(frozen=True)
class MetricRow:
    """A metric as text; `interval`, `frequencies` and `calibrated` are empty where they say nothing."""

    key: str
    heading: str
    measure: Measure
    value: str
    interval: str
    frequencies: str
    calibrated: str


def metric_rows(evaluation: Evaluation) -> list[MetricRow]:
    """One row per metric that the evaluation has, in the order of `METRICS`."""
    found = [(key, evaluation.metrics[key]) for key in METRICS if key in evaluation.metrics]
    return [_row(key, measure) for key, measure in found]


def metric_table(evaluation: Evaluation) -> Table:
    """Value with its interval, that of the class frequencies, and the range of a calibrated model."""
    rows = metric_rows(evaluation)
    meanings = " ".join(f"{row.heading}: {METRICS[row.key][1]}." for row in rows)
    brier = (
        " With two classes this Brier score is twice scikit-learn’s brier_score_loss."
        if evaluation.n_classes == 2
        else ""
    )
    return Table(
        id="metrics",
        caption="The model as it is, with 95 % intervals",
        columns=["This model", "To compare"],
        rows=[
            (Head(row.heading), [Cell(row.value, _known(row.measure.value), row.interval), _compared(row)])
            for row in rows
        ],
        note=f"{meanings}{brier} Frequencies: what the shares of the classes, given to every row, would reach. If "
        "calibrated: where the estimate would lie in 98 of 100 cases, were the labels drawn from the probabilities; chance "
        "alone makes it larger than 0.",
        corner="Metric",
        kind="narrow",
    )


def _compared(row: MetricRow) -> Cell:
    if row.calibrated:
        return Cell(row.calibrated, under="if calibrated")
    return Cell(row.frequencies or MISSING, _known(row.measure.frequencies), "frequencies" if row.frequencies else "")


def _row(key: str, measure: Measure) -> MetricRow:
    decimals = decimals_for([(measure.high - measure.low) / 2], digits=1, at_least=3, at_most=5)
    frequencies = measure.frequencies
    band = measure.if_calibrated
    return MetricRow(
        key=key,
        heading=METRICS[key][0],
        measure=measure,
        value=number(measure.value, decimals),
        interval=bounds(measure.low, measure.high, decimals),
        frequencies="" if frequencies is None else number(frequencies, decimals),
        calibrated="" if band is None else f"{number(band[0], decimals)} to {number(band[1], decimals)}",
    )


def _known(value: float | None) -> float | None:
    """The number for the page's machine-readable value; HTML has none for what is missing."""
    return None if value is None or math.isnan(value) else value

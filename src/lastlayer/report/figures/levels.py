"""Figure: every mapping's mean and interval on every metric, softmax as the reference line."""

from __future__ import annotations

import math

from lastlayer.findings.metrics import PRIMARY, Metric
from lastlayer.report.figures.figure import Figure, Panel
from lastlayer.report.figures.forest import WIDTH, ForestLine, forest
from lastlayer.report.reading import Reading, Row
from lastlayer.study.schema import REFERENCE
from lastlayer.words.lists import listing, plural, sentence
from lastlayer.words.numbers import decimals_for, interval, number


def levels_figure(reading: Reading) -> Figure:
    """One forest plot per metric."""
    panels = [_panel(reading, metric) for metric in reading.metrics]
    off_scale = list(dict.fromkeys(name for panel in panels for name in panel.drawing.off_scale))
    level = f"{100 * reading.results.settings.level:g} %"
    how = (
        f"Marks are means over {plural(reading.n_fits, 'fit')}, bars approximate {level} intervals; the dashed line is softmax’s "
        "mean. All mappings met the same folds, so two bars may overlap and the mappings still differ: "
        "the paired differences say more."
    )
    if off_scale:
        how += f" An arrow marks a value off the scale, which is written to its right: {listing(off_scale, at_most=6)}."
    return Figure("levels", "The mean of each mapping", _see(reading), how, panels, is_folded=True)


def metric_decimals(reading: Reading, metric: Metric) -> int:
    """Decimals of a metric on the page: two significant digits of the typical interval's half-width."""
    estimates = (row.estimate(metric) for row in reading.rows)
    return decimals_for(((e.high - e.low) / 2 for e in estimates), digits=2, at_least=3, at_most=4)


def _panel(reading: Reading, metric: Metric) -> Panel:
    decimals = metric_decimals(reading, metric)
    lines = [
        ForestLine(
            name=row.name,
            mark=row.mark,
            estimate=row.estimate(metric),
            value=number(row.estimate(metric).mean, decimals),
            tooltip=_describe(row, metric, decimals),
        )
        for row in reading.rows
    ]
    reference = reading.reference
    plot, height = forest(lines, reference=reference.estimate(metric).mean if reference else math.nan)
    return Panel(
        kind="forest",
        title=f"{sentence(metric.name).rstrip('.')}, {metric.direction}",
        description="; ".join(line.tooltip for line in lines),
        width=WIDTH,
        height=height,
        drawing=plot,
        note=sentence(_extremes(reading, metric)),
    )


def _describe(row: Row, metric: Metric, decimals: int) -> str:
    estimate = row.estimate(metric)
    if math.isnan(estimate.mean):
        return f"{row.name}: no estimate"
    return f"{row.name}: {number(estimate.mean, decimals)} {interval(estimate.low, estimate.high, decimals)}".rstrip()


def _extremes(reading: Reading, metric: Metric) -> str:
    """Who is best and worst on the metric, and for whom it is infinite."""
    finite = [(row.estimate(metric).mean, row) for row in reading.rows if math.isfinite(row.estimate(metric).mean)]
    infinite = [row.name for row in reading.rows if math.isinf(row.estimate(metric).mean)]
    parts = []
    if finite:
        values, decimals = ([mean for mean, _ in finite], metric_decimals(reading, metric))
        best, worst = (min(values), max(values)) if metric.is_lower_better else (max(values), min(values))
        if number(best, decimals) == number(worst, decimals):
            parts.append(f"{number(best, decimals)} for {'all' if len(finite) > 1 else finite[0][1].name}")
        else:
            at_best = listing([row.name for mean, row in finite if mean == best], at_most=4)
            at_worst = listing([row.name for mean, row in finite if mean == worst], at_most=4)
            parts += [f"best {number(best, decimals)} ({at_best})", f"worst {number(worst, decimals)} ({at_worst})"]
            softmax = next((mean for mean, row in finite if row.is_reference), None)
            if softmax is not None and softmax not in (best, worst):
                parts.append(f"{REFERENCE} {number(softmax, decimals)}")
    if infinite:
        parts.append(f"infinite for {listing(infinite, at_most=6)}")
    return ", ".join(parts) or "no estimates"


def _see(reading: Reading) -> str:
    """The extremes of the primary metric, and how many of the others' intervals reach softmax's mean."""
    metric = reading.metrics[0] if reading.metrics else PRIMARY
    text = sentence(f"{metric.name}: {_extremes(reading, metric)}")
    reference = reading.reference.estimate(metric).mean if reading.reference else math.nan
    known = [row.estimate(metric) for row in reading.others if row.estimate(metric).has_interval]
    if known and math.isfinite(reference):
        reaching = sum(estimate.low <= reference <= estimate.high for estimate in known)
        text += f" {reaching} of the {plural(len(known), 'other interval')} {'reaches' if reaching == 1 else 'reach'} {REFERENCE}’s mean."
    return text

"""Figure: reliability diagrams of softmax, of the advised or best mapping, and of the one furthest from the diagonal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from lastlayer.findings.metrics import METRICS, PRIMARY
from lastlayer.report.figures.calibration import Calibration, calibration_of, positive_of
from lastlayer.report.figures.figure import Figure, Panel
from lastlayer.report.figures.levels import metric_decimals
from lastlayer.report.figures.scale import Scale
from lastlayer.report.reading import Reading, Row
from lastlayer.study.schema import REFERENCE
from lastlayer.words.lists import listing
from lastlayer.words.names import shorten
from lastlayer.words.numbers import number
from lastlayer.words.printable import clean

WIDTH, HEIGHT = 260.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 42.0, 250.0, 8.0, 208.0


@dataclass(frozen=True)
class Diagram:
    """A reliability diagram in SVG units; `band` is the outline of the intervals of the points, `words` name the axes."""

    points: Sequence[tuple[float, float]]
    behind: Sequence[tuple[float, float]]
    band: Sequence[tuple[float, float]]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    x: Scale
    y: Scale
    words: tuple[str, str]


@dataclass(frozen=True)
class Frame:
    """The axes of a panel, from `low` to 1."""

    low: float

    @property
    def x(self) -> Scale:
        """What is said."""
        return Scale(self.low, 1.0, LEFT, RIGHT)

    @property
    def y(self) -> Scale:
        """What is seen."""
        return Scale(self.low, 1.0, BOTTOM, TOP)

    def points(self, calibration: Calibration) -> list[tuple[float, float]]:
        """Where the bins are."""
        return [(self.x.place(confidence), self.y.place(accuracy)) for confidence, accuracy, _ in calibration.bins]

    def band(self, calibration: Calibration, times: int, level: float) -> list[tuple[float, float]]:
        """The outline of the intervals of the bins, each row counted once though it is in `times` repeats."""
        ends = [(c, *wilson(a, n / times, level)) for c, a, n in calibration.bins]
        upper = [(self.x.place(c), self.y.place(high)) for c, _, high in ends]
        lower = [(self.x.place(c), self.y.place(low)) for c, low, _ in reversed(ends)]
        return upper + lower


def wilson(share: float, n: float, level: float) -> tuple[float, float]:
    """Wilson's interval of a share of n rows.

    (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n). Source: Wilson 1927, Probable inference.

    >>> [round(end, 4) for end in wilson(0.5, 100.0, 0.95)]
    [0.4038, 0.5962]
    """
    z = NormalDist().inv_cdf((1.0 + level) / 2.0)
    middle, scale = share + z * z / (2 * n), 1 + z * z / n
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def reliability_figure(reading: Reading) -> Figure:
    """A bin's accuracy against its mean top probability; for two classes the second one's share against its probability."""
    is_positive = reading.results.n_classes == 2 and not reading.results.positive.empty
    found = [(row, positive_of(reading, row) if is_positive else calibration_of(row)) for row in reading.rows]
    calibrations = {row.label: calibration for row, calibration in found}
    chosen = _chosen(reading, found)
    behind = calibrations.get(REFERENCE, Calibration(()))
    panels = []
    for row in chosen:
        own = calibrations[row.label]
        shown = own.bins if row.is_reference else (*own.bins, *behind.bins)
        frame = Frame(0.0 if is_positive else lowest((c, a) for c, a, _ in shown))
        panels.append(_panel(reading, row, own, behind, frame, is_positive))
    return Figure(
        "reliability",
        "Do the probabilities mean what they say?",
        _see(reading, found),
        _how(reading, is_positive, bool(behind.bins)),
        panels,
        "three",
    )


def _chosen(reading: Reading, found: Sequence[tuple[Row, Calibration]]) -> list[Row]:
    """softmax, the advised mapping or the best other one, and the one furthest from the diagonal."""
    known = [(row, calibration) for row, calibration in found if calibration.bins]
    advised = reading.advised if reading.advised and not reading.advised.is_reference else None
    others = [row for row, _ in known if not row.is_reference and math.isfinite(row.estimate(PRIMARY).mean)]
    best = advised or min(others, key=lambda row: row.estimate(PRIMARY).mean, default=None)
    farthest = max(known, key=lambda item: item[1].gap, default=(None,))[0]
    wanted = [row for row in (reading.reference, best, farthest) if row is not None]
    shown = {row.label: row for row in wanted if any(row is other for other, _ in known)}
    return list(shown.values())


def _how(reading: Reading, is_positive: bool, has_reference: bool) -> str:
    if is_positive:
        name = shorten(clean(reading.results.class_names[1]), 40)
        what = (
            f"Test rows are sorted by their probability of ‘{name}’ into 15 bins of equal size; a point is one bin, and its height "
            f"the share of its rows that are ‘{name}’. On the diagonal a stated 80 % happens 80 % of the time; above it the "
            "probability is too low."
        )
    else:
        what = (
            "Test rows are sorted by their top probability into 15 bins of equal size; a point is one bin. On the diagonal a "
            "stated 80 % is right 80 % of the time; above it the model is under-confident, below it over-confident."
        )
    grey = f" The grey line is {REFERENCE}’s." if has_reference else ""
    return (
        f"{what} The band is each bin’s {100 * reading.results.settings.level:g} % interval.{grey} Rows of all folds are pooled; rows "
        "outside a mapping’s domain are not in it. The calibration errors are those of the table, means over the test folds: a "
        "fold’s few rows per bin add chance to them, so the pooled points may lie nearer to the diagonal than they say."
    )


def lowest(points: Iterable[tuple[float, float]]) -> float:
    """Where the axes begin: the tenth below every bin, so that confident models do not crowd one corner."""
    values = [value for point in points for value in point]
    return max(0.0, min(math.floor(10 * min(values, default=0.0)) / 10, 0.8))


def _panel(
    reading: Reading, row: Row, calibration: Calibration, behind: Calibration, frame: Frame, is_positive: bool
) -> Panel:
    bins = ", ".join(f"{number(c, 2)} right {number(a, 2)}" for c, a, _ in calibration.bins)
    settings = reading.results.settings
    words = ("probability", "share of rows") if is_positive else ("confidence", "accuracy")
    notes = (_error(reading, row), "" if is_positive else calibration.tendency)
    return Panel(
        kind="reliability",
        title=shorten(row.name, 40),
        description=f"Stated and observed, bin by bin: {bins}.",
        width=WIDTH,
        height=HEIGHT,
        drawing=Diagram(
            points=frame.points(calibration),
            behind=[] if row.is_reference else frame.points(behind),
            band=frame.band(calibration, settings.repeats, settings.level),
            x_ticks=frame.x.ticks(4),
            y_ticks=frame.y.ticks(4),
            x=frame.x,
            y=frame.y,
            words=words,
        ),
        mark=row.mark,
        note=", ".join(filter(None, notes)),
    )


def _error(reading: Reading, row: Row) -> str:
    """The calibration error of the main table."""
    metric = METRICS["ece"]
    mean = row.estimate(metric).mean
    return "" if math.isnan(mean) else f"{metric.name} {number(mean, metric_decimals(reading, metric))}"


def _see(reading: Reading, found: Sequence[tuple[Row, Calibration]]) -> str:
    """The least and the largest calibration error of the table."""
    metric = METRICS["ece"]
    means = [(row.estimate(metric).mean, row, calibration) for row, calibration in found]
    known = sorted((item for item in means if math.isfinite(item[0])), key=lambda item: item[0])
    if not known:
        return "No mapping gave probabilities, so there is nothing to calibrate."
    decimals = metric_decimals(reading, metric)
    least, nearest, _ = known[0]
    text = f"{nearest.name} has the least calibration error, {number(least, decimals)}"
    if len(known) > 1:
        most, farthest, far = known[-1]
        text += f"; {farthest.name} has the largest, {number(most, decimals)}"
        is_top = reading.results.n_classes != 2 or reading.results.positive.empty
        if is_top and far.tendency:
            text += f", and is {far.tendency}: it says {number(far.confidence, 2)} on average "
            text += f"and is right {number(far.accuracy, 2)} of the time"
    softmax = next((mean for mean, row, _ in known[1:-1] if row.is_reference), None)
    if softmax is not None:
        text += f"; {REFERENCE}’s is {number(softmax, decimals)}"
    absent = [row.name for mean, row, _ in means if not math.isfinite(mean)]
    return f"{text}." + (f" No probabilities at all: {listing(absent)}." if absent else "")

"""The ladder of calibration maps, simplest first: each with its difference to the model as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from lastlayer.evaluation import Evaluation
from lastlayer.evaluation.intervals import LEVEL
from lastlayer.evaluation.result import MapResult
from lastlayer.marks import Mark
from lastlayer.report.calibration_maps import NONE, map_label
from lastlayer.report.evaluation.method import ADVICE_RULE
from lastlayer.report.evaluation.numbers import bounds, loss_decimals
from lastlayer.report.palette import marks
from lastlayer.report.tables.table import Cell, Head, Table
from lastlayer.words.lists import listing, plural
from lastlayer.words.numbers import MISSING, integer, number, short


@dataclass(frozen=True)
class Rung:
    """A map as text.

    Attributes:
        word: "advised", "better", "worse" or "unclear" than the model as it is; empty for the model itself unless advised.
        tone: better, worse or none.
        change: its temperature and other parameters.
    """

    result: MapResult
    label: str
    mark: Mark
    word: str
    tone: str
    log_loss: str
    difference: str
    interval: str
    change: str


def rungs(evaluation: Evaluation) -> list[Rung]:
    """One per map that was tried, in the order of the ladder."""
    decimals = loss_decimals(evaluation)
    found = _marks(evaluation)
    n_tried = sum(result.name != NONE for result in evaluation.maps)
    return [_rung(result, found[result.name], decimals, n_tried) for result in evaluation.maps]


def widening(n_tried: int) -> float:
    """How much wider the interval of a map is at the level of the advice, 1 − 0.05/m for m maps (Bonferroni).

    The ratio of normal quantiles; with a t interval of few rows the true ratio is a little larger.

    >>> widening(1), round(widening(6), 3)
    (1.0, 1.346)
    """
    quantile = NormalDist().inv_cdf
    return quantile(1 - (1 - LEVEL) / 2 / max(n_tried, 1)) / quantile(1 - (1 - LEVEL) / 2)


def ladder_table(evaluation: Evaluation) -> Table:
    """One row per map: what it is worth, the difference with its interval, log loss, parameters."""
    return Table(
        id="maps",
        caption=_caption(evaluation),
        columns=["Verdict", "Difference", "Log loss", "Brier", "ECE", "Parameters", "Temperature"],
        rows=[(Head(rung.label, rung.mark), _cells(rung)) for rung in rungs(evaluation)],
        note="Difference: the map’s log loss minus that of the model as it is, on the same rows, with its 95 % interval; below 0 is "
        "better. Better: even at a level that allows for the number of maps. Advised: "
        f"{ADVICE_RULE[0].lower()}{ADVICE_RULE[1:]} Parameters: the numbers that were fitted.{_fewer_rows(evaluation)}",
        corner="Map",
        kind="main",
    )


def _fewer_rows(evaluation: Evaluation) -> str:
    """Which maps were not fitted to all rows."""
    n_rows = evaluation.n_rows if evaluation.n_fit_rows is None else evaluation.n_fit_rows
    fewer = [found for found in evaluation.maps if found.name != NONE and found.n_fitted < n_rows]
    if not fewer:
        return ""
    names, rows = (
        listing([map_label(found.name, found.mapping) for found in fewer]),
        sorted({f.n_fitted for f in fewer}),
    )
    return f" Fitted to a part of the {plural(n_rows, 'row')}, drawn at random: {names} ({listing([integer(n) for n in rows])} rows)."


def _caption(evaluation: Evaluation) -> str:
    if evaluation.fit_source is not None:
        return "Calibration maps, simplest first, fitted on other rows"
    return f"Calibration maps, simplest first, cross-fitted in {plural(evaluation.folds or 0, 'fold')}"


def _marks(evaluation: Evaluation) -> dict[str, Mark]:
    """A mark per map; the model as it is has that of its mapping, so that another mapping has its mark of the studies."""
    labels = {
        found.name: evaluation.mapping.partition(":")[0] if found.name == NONE else found.name
        for found in evaluation.maps
    }
    found = marks(list(labels.values()))
    return {name: found[label] for name, label in labels.items()}


def _rung(result: MapResult, mark: Mark, decimals: int, n_tried: int) -> Rung:
    difference = result.difference
    # The advice needs this level, and a map must not look better here than it does there.
    high = difference.value + (difference.high - difference.value) * widening(n_tried)
    is_better, is_worse = high < 0, difference.low > 0
    if math.isinf(difference.value):
        is_better, is_worse = difference.value < 0, difference.value > 0
    is_none = result.name == NONE
    tone = "" if is_none else "better" if is_better else "worse" if is_worse else ""
    return Rung(
        result=result,
        label=map_label(result.name, result.mapping),
        mark=mark,
        word="advised" if result.adopted else "" if is_none else tone or "unclear",
        tone=tone,
        log_loss=number(result.log_loss.value, decimals),
        difference=MISSING if is_none else number(difference.value, decimals, sign=True),
        interval="" if is_none else bounds(difference.low, difference.high, decimals, sign=True),
        change=_temperature(result),
    )


def _temperature(result: MapResult) -> str:
    """`1.83`; a map with a weight or a matrix in its place, and the model as it is, have none."""
    calibrator = result.calibrator
    if result.name == NONE or calibrator.weight is not None or calibrator.matrix is not None:
        return MISSING
    return short(calibrator.temperature)


def _cells(rung: Rung) -> list[Cell]:
    result = rung.result
    interval = result.interval
    has_interval = interval is not None and not math.isnan(interval.low) and rung.change != MISSING
    between = f"{short(interval.low)} to {short(interval.high)}" if interval is not None and has_interval else ""
    difference, loss = result.difference.value, result.log_loss.value
    return [
        Cell(rung.word, is_word=True, tone=rung.tone),
        Cell(rung.difference, None if math.isnan(difference) else difference, rung.interval),
        Cell(rung.log_loss, None if math.isnan(loss) else loss),
        Cell(number(result.brier.value, 4), result.brier.value),
        Cell(number(result.ece, 4), result.ece),
        Cell(integer(result.degrees_of_freedom)),
        Cell(rung.change, under=between),
    ]

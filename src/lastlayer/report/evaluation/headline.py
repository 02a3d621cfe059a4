"""The verdict of an evaluation with what shows it: a bin outside its band, an average, or another sign that chance does not explain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lastlayer.evaluation import Evaluation
from lastlayer.evaluation.result import Measure
from lastlayer.report.calibration_maps import NONE, map_name
from lastlayer.report.evaluation.numbers import between, whole_percents
from lastlayer.words.lists import capital, plural
from lastlayer.words.numbers import integer, number

#: Rows hide a miscalibration that is worth a word if a calibrated model shows a calibration error from here on.
_WORTH_A_WORD = 0.01


def headline(evaluation: Evaluation) -> str:
    """`Overconfident: where it says about 90 % (200 of 3000 rows), it is right 78 % of the time`."""
    said = _SIGNS[evaluation.verdict](evaluation)
    return f"{capital(evaluation.verdict)}{f': {said}' if said else ''}"


def is_above(measure: Measure | None) -> bool:
    """Whether a calibration error is above the range of a calibrated model."""
    return measure is not None and measure.if_calibrated is not None and measure.value > measure.if_calibrated[1]


def is_outside(one: Mapping[str, float]) -> bool:
    """Whether the accuracy of a bin is outside the band of a calibrated model."""
    # Comparisons with NaN are false: a bin without a band is not outside.
    return one["accuracy"] < one["low"] or one["accuracy"] > one["high"]


def _calibrated(evaluation: Evaluation) -> str:
    """No example: a single bin is off by chance, and would contradict the verdict."""
    said = f"these {plural(evaluation.n_rows, 'row')} show no sign of miscalibration"
    found = evaluation.metrics.get("ece")
    high = math.nan if found is None or found.if_calibrated is None else found.if_calibrated[1]
    if not high >= _WORTH_A_WORD:
        return said
    return f"{said}, but would hide a small one: a calibration error below about {number(high, 3)}"


def _too_sure(evaluation: Evaluation) -> str:
    side = [one for one in evaluation.reliability if one["confidence"] > one["accuracy"]]
    return _clearest(evaluation, side, 1)


def _not_sure_enough(evaluation: Evaluation) -> str:
    side = [one for one in evaluation.reliability if one["confidence"] < one["accuracy"]]
    return _clearest(evaluation, side, -1)


def _clearest(evaluation: Evaluation, side: Sequence[Mapping[str, float]], sign: int) -> str:
    """The bin that adds most to the calibration error, else all rows together, else the temperature."""
    worst = _worst(side)
    if worst is not None:
        return _example(worst, evaluation.n_rows)
    if _direction_of_gap(evaluation) == sign:
        accuracy = evaluation.metrics["accuracy"].value
        said, right = whole_percents(accuracy + evaluation.confidence_gap.value, accuracy)
        return f"it says {said} on average, and is right {right} of the time"
    if _direction_of_temperature(evaluation) == sign:
        return f"the temperature that fits best is {_temperature(evaluation)}, {'above' if sign > 0 else 'below'} 1"
    return ""


def _miscalibrated(evaluation: Evaluation) -> str:
    """The first sign there is; bins are named only where all of them together are off by more than chance explains."""
    if math.isinf(evaluation.metrics["log_loss"].value):
        return "it gives some true classes the probability 0"
    if is_above(evaluation.metrics.get("ece")):
        sides = (
            _worst([one for one in evaluation.reliability if one["confidence"] > one["accuracy"]]),
            _worst([one for one in evaluation.reliability if one["confidence"] < one["accuracy"]]),
        )
        examples = [_example(one, evaluation.n_rows) for one in sides if one is not None]
        return ", and ".join(examples) or "its calibration error is above that of a calibrated model"
    by_class = evaluation.metrics.get("classwise_ece")
    if by_class is not None and by_class.if_calibrated is not None and is_above(by_class):
        low, high = by_class.if_calibrated
        return (
            f"class by class its probabilities are off by {number(by_class.value, 3)}, where a calibrated model shows "
            f"{number(low, 3)} to {number(high, 3)}"
        )
    if evaluation.advice.mapping != NONE:
        return f"{map_name(evaluation.advice.mapping)} lowers its log loss"
    gap, temperature = _direction_of_gap(evaluation), _direction_of_temperature(evaluation)
    if gap * temperature < 0:
        more, side = ("more", "below") if gap > 0 else ("less", "above")
        return f"it says {more} than it is right on average, but the temperature that fits best is {_temperature(evaluation)}, {side} 1"
    return ""


#: The verdict → what shows it.
_SIGNS = {
    "calibrated": _calibrated,
    "overconfident": _too_sure,
    "underconfident": _not_sure_enough,
    "miscalibrated": _miscalibrated,
}


def _direction_of_gap(evaluation: Evaluation) -> int:
    """1 where the top probabilities are clearly too high on average, −1 where they are too low, 0 where that is unclear."""
    gap = evaluation.confidence_gap
    return (gap.low > 0) - (gap.high < 0)


def _direction_of_temperature(evaluation: Evaluation) -> int:
    """1 where the temperature is clearly above 1, −1 where it is below, 0 where that is unclear or none was fitted."""
    interval = next((found.interval for found in evaluation.maps if found.name == "temperature"), None)
    return 0 if interval is None else (interval.low > 1) - (interval.high < 1)


def _temperature(evaluation: Evaluation) -> str:
    interval = evaluation.map("temperature").interval
    assert interval is not None
    return f"{number(interval.value, 3)}{between(interval, 3)}"


def _worst(bins: Sequence[Mapping[str, float]]) -> Mapping[str, float] | None:
    """The bin that adds most to the calibration error, by gap and rows, among those outside their bands."""
    outside = [one for one in bins if one["n"] > 0 and is_outside(one)]
    return max(outside, key=lambda one: one["n"] * abs(one["confidence"] - one["accuracy"]), default=None)


def _example(one: Mapping[str, float], n_rows: int) -> str:
    said, right = whole_percents(one["confidence"], one["accuracy"])
    rows = f"{integer(int(one['n']))} of {plural(n_rows, 'row')}"
    return f"where it says about {said} ({rows}), it is right {right} of the time"

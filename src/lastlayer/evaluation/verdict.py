"""One word for the model as it is."""

from __future__ import annotations

import math

from lastlayer.evaluation.intervals import Estimate
from lastlayer.evaluation.ladder import Ladder
from lastlayer.evaluation.metrics import Measures

#: The words for a model that errs in one direction.
DIRECTIONS = {1: "overconfident", -1: "underconfident"}


def verdict_of(measures: Measures, ladder: Ladder) -> str:
    """ "calibrated" where nothing speaks against it, otherwise which way the model errs.

    Calibrated: no map helps, the log loss is finite, and neither calibration error, of the top label or of the classes, is larger
    than a calibrated model would show.

    Too sure or not sure enough is decided by the mean top probability minus accuracy and by the fitted temperature. Where
    neither is clearly off, or one contradicts the other, the word is "miscalibrated": in different ways for different classes or
    probabilities.
    """
    if ladder.advised == "none" and _may_be_calibrated(measures):
        return "calibrated"
    temperature = next((found.interval for found in ladder.maps if found.name == "temperature"), None)
    directions = {_side(measures.confidence_gap, 0.0), 0 if temperature is None else _side(temperature, 1.0)} - {0}
    return DIRECTIONS[directions.pop()] if len(directions) == 1 else "miscalibrated"


def _may_be_calibrated(measures: Measures) -> bool:
    """Whether a calibrated model could have this log loss and these calibration errors."""
    if not math.isfinite(measures.metrics["log_loss"].value):
        return False
    errors = [measures.metrics[name] for name in ("ece", "classwise_ece")]
    return all(one.if_calibrated is not None and one.value <= one.if_calibrated[1] for one in errors)


def _side(estimate: Estimate, neutral: float) -> int:
    """1 where the interval lies above the neutral value, −1 where it lies below, 0 where it holds it or there is none."""
    return int(estimate.low > neutral) - int(estimate.high < neutral)

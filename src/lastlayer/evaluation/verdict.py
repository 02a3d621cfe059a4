"""One word for the model as it is."""

from __future__ import annotations

from lastlayer.evaluation.ladder import Ladder
from lastlayer.evaluation.metrics import Measures


def verdict_of(measures: Measures, ladder: Ladder) -> str:
    """ "calibrated" where no map helps and the calibration error is one that a calibrated model would show, otherwise which way it errs.

    Too sure or not sure enough is decided by the mean top probability minus accuracy, then by the temperature; where neither is
    clearly off it is "miscalibrated": in different ways for different classes or probabilities.
    """
    ece = measures.metrics["ece"]
    assert ece.if_calibrated is not None
    if ladder.advised == "none" and ece.value <= ece.if_calibrated[1]:
        return "calibrated"
    gap = measures.confidence_gap
    if gap.low > 0 or gap.high < 0:
        return "overconfident" if gap.low > 0 else "underconfident"
    temperature = next((found.interval for found in ladder.maps if found.name == "temperature"), None)
    if temperature is not None and (temperature.low > 1 or temperature.high < 1):
        return "overconfident" if temperature.low > 1 else "underconfident"
    return "miscalibrated"

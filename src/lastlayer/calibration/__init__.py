"""Calibration maps: from the scores of a model that is already trained to better probabilities."""

from lastlayer.calibration.calibrator import Calibrator
from lastlayer.calibration.score_rows import KINDS, ScoreRows

__all__ = ["KINDS", "Calibrator", "ScoreRows"]

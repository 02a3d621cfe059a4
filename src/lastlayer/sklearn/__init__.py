"""scikit-learn: a linear classifier under any mapping, and calibrated probabilities of any classifier."""

from lastlayer.sklearn.classifier import LastLayerClassifier
from lastlayer.sklearn.score_calibrator import ScoreCalibrator

__all__ = ["LastLayerClassifier", "ScoreCalibrator"]

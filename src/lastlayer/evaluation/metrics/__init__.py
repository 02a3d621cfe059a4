"""The metrics of a model's probabilities: proper scores, calibration errors, classes and confusions."""

from lastlayer.evaluation.metrics.measure import Measures, measure
from lastlayer.evaluation.metrics.rows import measure_rows
from lastlayer.evaluation.metrics.top_label import reliability, top_label_error

__all__ = ["Measures", "measure", "measure_rows", "reliability", "top_label_error"]

"""What studies and evaluations store and reports put into words: findings and metrics, as numbers and identifiers."""

from lastlayer.findings.finding import Finding
from lastlayer.findings.metrics import METRICS, PRIMARY, Metric

__all__ = ["METRICS", "PRIMARY", "Finding", "Metric"]

"""What studies and evaluations store and reports put into words: findings and metrics, as numbers and identifiers."""

from lastlayer.findings.finding import Finding
from lastlayer.findings.metrics import DESCRIPTIVE, METRICS, PRIMARY, Metric

__all__ = ["DESCRIPTIVE", "METRICS", "PRIMARY", "Finding", "Metric"]

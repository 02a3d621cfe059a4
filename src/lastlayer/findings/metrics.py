"""The metrics a report shows, in order, the primary one first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric: its column in the results, its name in a sentence, its heading, its range, and which way is better."""

    key: str
    name: str
    heading: str
    best: float
    worst: float
    meaning: str

    @property
    def is_lower_better(self) -> bool:
        """Whether a smaller value is the better one."""
        return self.best < self.worst

    @property
    def direction(self) -> str:
        """`lower is better` or `higher is better`."""
        return "lower is better" if self.is_lower_better else "higher is better"

    def is_improvement(self, difference: float) -> bool:
        """Whether a difference (mapping minus reference) is for the better."""
        return difference < 0 if self.is_lower_better else difference > 0


METRICS: tuple[Metric, ...] = (
    Metric(
        "brier",
        "Brier score",
        "Brier",
        0.0,
        2.0,
        "the squared distance between the probabilities and the true class, from 0 to 2",
    ),
    Metric(
        "accuracy", "accuracy", "Accuracy", 1.0, 0.0, "the share of test rows whose likeliest class is the true one"
    ),
    Metric(
        "log_loss",
        "log loss",
        "Log loss",
        0.0,
        float("inf"),
        "minus the mean logarithm of the probability given to the true class, infinite as soon as one is zero",
    ),
    Metric(
        "ece",
        "calibration error",
        "ECE",
        0.0,
        1.0,
        "the expected calibration error of the top label: how far, on average over 15 bins with equally many rows, "
        "the top probability is from the share of rows it gets right",
    ),
)

PRIMARY = METRICS[0]

"""The metrics of studies and reports: one record per metric, the primary one first."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        key: its column in the results and its key in JSON.
        name: in a sentence.
        heading: of a table's column.
        best: the value of a perfect model.
        worst: the value at the other end of the range.
        meaning: what it measures, to follow "name: ".
        margin: differences inside ± this count as equal, at most, unless a study is asked otherwise; 0 for a metric that is
            not compared.
        margin_share: the margin is at most this share of what the class frequencies leave to gain.
        scale: what a difference is multiplied by when it is put into words.
        unit: what follows that number, with its blank.
        counts_rows: whether the metric moves in steps of one test row.
    """

    key: str
    name: str
    heading: str
    best: float
    worst: float
    meaning: str
    margin: float = 0.0
    margin_share: float = 0.0
    scale: float = 1.0
    unit: str = ""
    counts_rows: bool = False

    @property
    def is_lower_better(self) -> bool:
        """Whether a smaller value is the better one."""
        return self.best < self.worst

    @property
    def direction(self) -> str:
        """`lower is better` or `higher is better`."""
        return "lower is better" if self.is_lower_better else "higher is better"

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest value."""
        return min(self.best, self.worst), max(self.best, self.worst)

    @property
    def largest_difference(self) -> float:
        """The largest difference that two values can have."""
        return abs(self.worst - self.best)

    def is_improvement(self, difference: float) -> bool:
        """Whether a difference (mapping minus reference) is for the better."""
        return difference < 0 if self.is_lower_better else difference > 0


# The metrics that mappings are compared by. The margins: half a point of accuracy, and as much in the others, since a wrong row costs 2 in the Brier score.
METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric(
            key="brier",
            name="Brier score",
            heading="Brier",
            best=0.0,
            worst=2.0,
            meaning="the squared distance between the probabilities and the true class, from 0 to 2",
            margin=0.01,
            margin_share=0.02,
        ),
        Metric(
            key="accuracy",
            name="accuracy",
            heading="Accuracy",
            best=1.0,
            worst=0.0,
            meaning="the share of test rows whose likeliest class is the true one",
            margin=0.005,
            margin_share=0.01,
            scale=100.0,
            unit=" points",
            counts_rows=True,
        ),
        Metric(
            key="log_loss",
            name="log loss",
            heading="Log loss",
            best=0.0,
            worst=float("inf"),
            meaning="minus the mean logarithm of the probability given to the true class, infinite as soon as one is zero",
            margin=0.01,
            margin_share=0.015,
        ),
        Metric(
            key="ece",
            name="calibration error",
            heading="ECE",
            best=0.0,
            worst=1.0,
            meaning="the expected calibration error of the top label: how far, on average over 15 bins with equally many rows, "
            "the top probability is from the share of rows it gets right",
            margin=0.01,
            margin_share=0.02,
        ),
    )
}
#: What people ask for besides: shown with intervals, without verdicts.
DESCRIPTIVE: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric(
            key="skill",
            name="Brier skill",
            heading="Skill",
            best=1.0,
            worst=float("-inf"),
            meaning="the share of the class frequencies’ Brier score that the model removes: 1 is perfect, 0 is no better than "
            "they are, negative is worse",
        ),
        Metric(
            key="balanced_accuracy",
            name="balanced accuracy",
            heading="Balanced",
            best=1.0,
            worst=0.0,
            meaning="the mean over the classes of the share of their test rows that are predicted right",
        ),
        Metric(
            key="roc_auc",
            name="ROC AUC",
            heading="ROC AUC",
            best=1.0,
            worst=0.0,
            meaning="how often a row of a class gets a larger probability of it than a row of another class; the mean over the "
            "classes where there are more than two",
        ),
        Metric(
            key="average_precision",
            name="average precision",
            heading="AP",
            best=1.0,
            worst=0.0,
            meaning="the mean precision over all thresholds, weighted by the recall each one adds; of the second class of two, "
            "the mean over the classes where there are more",
        ),
    )
}
#: The metric of the verdicts and of the decision.
PRIMARY = METRICS["brier"]

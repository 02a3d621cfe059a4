"""What each mapping computes, its loss, and how the linear model is trained under it; then the baselines."""

from __future__ import annotations

from dataclasses import dataclass

from lastlayer.mappings import ProbabilityMapping
from lastlayer.marks import Mark
from lastlayer.report.mappings import records
from lastlayer.report.reading import Reading

#: `linear.method` of a mapping's record → how its model is trained.
METHODS = {
    "loss": "Descent on this loss.",
    "interior_point": (
        "An interior-point path, which keeps the scores of all training rows positive. A test row may still get a negative "
        "score: it then has no probabilities and counts as wrong."
    ),
    "margin": (
        "Its own loss is already zero when all scores are equal, so there is nothing to learn from it. The multiclass hinge loss "
        "maxⱼ (xⱼ + 1[j ≠ y]) − x_y is used instead."
    ),
}
_SOFTMAX = "Newton steps on this loss: it is logistic regression."
#: Baseline → how it is trained.
BASELINES = {
    "class_frequencies": "Every row gets the shares of the classes in the training part. Whatever learns anything is better.",
    "logistic_regression": "scikit-learn’s LogisticRegression as people use it: its defaults, C = 1, on the same encoded features.",
    "boosted_trees": (
        "scikit-learn’s HistGradientBoostingClassifier with its defaults, on the same encoded features (on a sample of the "
        "training rows where the table is very large). Its boundary bends, which no linear model’s does without splines."
    ),
}


@dataclass(frozen=True)
class Training:
    """A mapping or baseline: its equation and its loss (empty for a baseline), and how it is trained."""

    name: str
    mark: Mark
    equation: str
    loss: str
    text: str


def trainings(reading: Reading) -> list[Training]:
    """Every mapping whose record is known, then every baseline."""
    known = records(reading.rows)
    return [
        *(
            Training(
                row.name, row.mark, known[row.label].equation, known[row.label].loss_name, _method(known[row.label])
            )
            for row in reading.rows
            if row.label in known
        ),
        *(Training(row.name, row.mark, "", "", BASELINES[row.label]) for row in reading.baselines),
    ]


def _method(mapping: ProbabilityMapping) -> str:
    if mapping.name == "softmax":
        return _SOFTMAX
    restarts = (
        "" if "convex_loss" in mapping.laws else " The loss is not convex, so the best of several starts is kept."
    )
    return METHODS[mapping.linear.method] + restarts

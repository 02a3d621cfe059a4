"""Accuracy below that of guesses, and columns in another order than the classes."""

from __future__ import annotations

import numpy as np
from scipy import stats
from scipy.optimize import linear_sum_assignment

from lastlayer.evaluation.intervals import standard_error
from lastlayer.evaluation.read import Inputs
from lastlayer.evaluation.suspicions.agreement import chance, is_far_better
from lastlayer.findings import Finding

#: The level of the test against guesses.
_LEVEL = 1e-3
#: Classes up to which a permutation is looked for: the table of confusions has K² entries, and the assignment takes K³ steps.
_MOST_CLASSES = 2000


def class_order(inputs: Inputs, predicted: np.ndarray, is_correct: np.ndarray) -> Finding | None:
    """Whether the accuracy is clearly below that of guesses, or far higher under another order of the columns.

    Guesses have the frequencies of the predictions: chance = Σ_k P(predicted = k) P(label = k). The order is found on one half of
    the rows and judged on the other.
    """
    labels, n_classes = inputs.labels, inputs.scores.n_classes
    expected = chance(predicted, labels, n_classes)
    p = _p_below(is_correct, expected, inputs.groups)
    permuted = _permuted_accuracy(predicted, labels, n_classes, inputs.groups)
    if p >= _LEVEL and permuted is None:
        return None
    facts = {"accuracy": float(np.mean(is_correct)), "chance": expected, "p": p, "permuted_accuracy": permuted}
    return Finding("below_chance", "", facts)


def _p_below(is_correct: np.ndarray, expected: float, groups: np.ndarray | None) -> float:
    """The chance of an accuracy at most as high from guesses: binomial, or normal over groups."""
    if groups is None:
        return float(stats.binomtest(int(np.count_nonzero(is_correct)), len(is_correct), expected, "less").pvalue)
    error, freedom = standard_error(is_correct, groups)
    # With the error of guesses as the least: rows that are all wrong have none.
    least = np.sqrt(expected * (1 - expected) / (freedom + 1)) if freedom >= 0 else np.inf
    spread = max(error if np.isfinite(error) else np.inf, float(least))
    return float(stats.norm.cdf((np.mean(is_correct) - expected) / spread)) if spread > 0 else 1.0


def _permuted_accuracy(
    predicted: np.ndarray, labels: np.ndarray, n_classes: int, groups: np.ndarray | None
) -> float | None:
    """The accuracy, on the rows of one half, under the order of the columns that is best on the other; None without a large gain."""
    if n_classes > _MOST_CLASSES:
        return None
    units = np.arange(len(labels)) if groups is None else groups
    is_first = np.random.default_rng(0).permutation(int(units.max()) + 1)[units] % 2 == 0
    table = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(table, (predicted[is_first], labels[is_first]), 1)
    # No order can gain more than the most frequent label of each prediction.
    if 2 * (table.max(axis=1).sum() - np.trace(table)) < 0.1 * table.sum() or is_first.all():
        return None
    order = linear_sum_assignment(table, maximize=True)[1]
    judged = ~is_first
    others = np.argsort(order)[labels[judged]]
    judged_groups = None if groups is None else np.unique(groups[judged], return_inverse=True)[1]
    if not is_far_better(predicted[judged], labels[judged], others, n_classes, judged_groups):
        return None
    return float(np.mean(predicted[judged] == others))

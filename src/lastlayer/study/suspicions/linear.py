"""A cheap linear classifier on ranks: what the other columns reach together, and whether two parts of a table differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from lastlayer.study.suspicions.columns import Column, Kind

#: Levels of a category that get a column, and values above which a text is no category.
_LEVELS, _CATEGORY = 10, 50


def design(columns: Sequence[Column]) -> tuple[np.ndarray, list[int]]:
    """(n, p) ranks of numbers and their squares, levels of categories, gaps; and for each the position of its column.

    Ranks, so that no value is too large; squares, so that a change of spread is seen.
    """
    parts: list[np.ndarray] = []
    sources: list[int] = []
    for position, column in enumerate(columns):
        for part in _of_column(column):
            parts.append(part)
            sources.append(position)
    if not parts:
        return np.zeros((len(columns[0].codes) if columns else 0, 0)), []
    return np.column_stack(parts), sources


def _of_column(column: Column) -> list[np.ndarray]:
    is_known = column.is_known
    if not is_known.any():
        return []
    gaps = [1.0 - is_known] if 0.01 < 1 - is_known.mean() < 0.99 else []
    if column.kind is Kind.TEXT or column.distinct <= 2:
        return (_levels(column) if column.distinct <= _CATEGORY else []) + gaps
    score = np.zeros(len(is_known))
    # From −√3 to √3, which has the variance 1.
    score[is_known] = (rankdata(column.codes[is_known]) / (is_known.sum() + 1) - 0.5) * np.sqrt(12)
    return [score, np.where(is_known, score**2 - 1, 0.0), *gaps]


def _levels(column: Column) -> list[np.ndarray]:
    counts = np.bincount(column.codes[column.is_known], minlength=column.distinct)
    return [(column.codes == level).astype(np.float64) for level in np.argsort(-counts, kind="stable")[:_LEVELS]]


def fit_ridge(features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (p, k) and intercepts (k,) of the weighted least squares with a penalty of p / Σw on standardised columns.

    B = argmin Σ w‖y − b − Bᵀx‖² + p‖B‖², with weights that sum to n.
    """
    weights = weights * (len(weights) / weights.sum())
    middle, mean = weights @ features / len(weights), weights @ targets / len(weights)
    centred = features - middle
    weighted = centred * weights[:, None]
    gram = weighted.T @ centred
    gram[np.diag_indices_from(gram)] += max(features.shape[1], 1)
    coefficients = np.linalg.solve(gram, weighted.T @ (targets - mean))
    return coefficients, mean - middle @ coefficients


def predict_half(features: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """The classes of the test rows by a ridge classifier in which every class weighs the same."""
    known, targets = np.unique(labels[train], return_inverse=True)
    counts = np.bincount(targets)
    coefficients, intercepts = fit_ridge(features[train], np.eye(len(known))[targets], 1.0 / counts[targets])
    return known[np.argmax(features[test] @ coefficients + intercepts, axis=1)]


def predict_across(
    features: np.ndarray, labels: np.ndarray, generator: np.random.Generator, folds: int = 5
) -> np.ndarray:
    """(n,) each row's class by a classifier of the other folds, which are drawn within the classes."""
    fold = stratified(labels, generator, folds)
    predicted = np.empty_like(labels)
    for number in range(folds):
        test = np.flatnonzero(fold == number)
        train = np.flatnonzero(fold != number)
        if len(test) and len(train):
            predicted[test] = predict_half(features, labels, train, test)
        elif len(test):
            predicted[test] = np.bincount(labels).argmax()
    return predicted


def stratified(labels: np.ndarray, generator: np.random.Generator, folds: int) -> np.ndarray:
    """(n,) a fold for each row, at random, with every class spread evenly."""
    order = np.lexsort((generator.random(len(labels)), labels))
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = (np.arange(len(labels)) + int(generator.integers(folds))) % folds
    return fold


def auc_across(features: np.ndarray, is_late: np.ndarray, generator: np.random.Generator, folds: int = 5) -> float:
    """Area under the ROC curve at which a ridge classifier of the other folds tells late rows from early ones."""
    fold = stratified(is_late.astype(np.int64), generator, folds)
    score = np.zeros(len(is_late))
    for number in range(folds):
        train, test = fold != number, fold == number
        if 0 < is_late[train].sum() < train.sum() and test.any():
            weights, intercept = fit_ridge(
                features[train], is_late[train, None].astype(np.float64), np.ones(train.sum())
            )
            score[test] = (features[test] @ weights + intercept)[:, 0]
    ranks = rankdata(score)
    late = int(is_late.sum())
    early = len(is_late) - late
    return float((ranks[is_late].sum() - late * (late + 1) / 2) / max(late * early, 1))

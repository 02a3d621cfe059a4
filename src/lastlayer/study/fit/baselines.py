"""What every mapping is held against: the class frequencies, logistic regression as people use it, and boosted trees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

#: Boosted trees are fitted to at most this many cells times classes, drawn at random from more rows.
CELLS = 40_000_000
#: With more classes, boosted trees take hours: one tree per class and iteration.
MOST_CLASSES = 50
_MAX_ITER = 1000


@dataclass(frozen=True)
class Prediction:
    """Probabilities p (n, K) of the test rows, log p, and how the fit went."""

    p: np.ndarray
    log_p: np.ndarray
    n_iter: int = 1
    converged: bool = True
    #: Whether only some of the training rows were used.
    is_sampled: bool = False


#: Encoded training rows (n, d), labels 0 … K − 1, encoded test rows, K, seed → the prediction.
Baseline = Callable[[np.ndarray, np.ndarray, np.ndarray, int, int], Prediction]


def class_frequencies(train: np.ndarray, labels: np.ndarray, test: np.ndarray, classes: int, seed: int) -> Prediction:
    """Every row gets the frequencies of the classes among the training rows."""
    frequencies = np.bincount(labels, minlength=classes) / len(labels)
    p = np.tile(frequencies, (len(test), 1))
    with np.errstate(divide="ignore"):
        return Prediction(p, np.log(p))


def logistic_regression(train: np.ndarray, labels: np.ndarray, test: np.ndarray, classes: int, seed: int) -> Prediction:
    """scikit-learn's `LogisticRegression` with its defaults, C = 1, and iterations enough to converge."""
    model = LogisticRegression(max_iter=_MAX_ITER).fit(train, labels)
    scores = np.asarray(model.decision_function(test))
    if classes == 2:
        scores = np.stack([np.zeros(len(test)), scores], axis=-1)
    log_p = log_softmax(scores, axis=-1)
    n_iter = int(np.max(model.n_iter_))
    return Prediction(np.exp(log_p), log_p, max(n_iter, 1), n_iter < _MAX_ITER)


def boosted_trees(train: np.ndarray, labels: np.ndarray, test: np.ndarray, classes: int, seed: int) -> Prediction:
    """scikit-learn's `HistGradientBoostingClassifier` with its defaults."""
    most = max(CELLS // (train.shape[1] * classes), 50 * classes)
    is_sampled = len(train) > most
    if is_sampled:
        rows = _sample(labels, most, np.random.default_rng(seed))
        train, labels = train[rows], labels[rows]
    model = HistGradientBoostingClassifier(random_state=seed).fit(train, labels)
    p = np.asarray(model.predict_proba(test), dtype=np.float64)
    with np.errstate(divide="ignore"):
        return Prediction(p, np.log(p), max(int(model.n_iter_), 1), is_sampled=is_sampled)


def _sample(labels: np.ndarray, rows: int, generator: np.random.Generator) -> np.ndarray:
    """Positions of that many rows at random, with two rows of every class that has them."""
    order = generator.permutation(len(labels))
    places = np.argsort(labels[order], kind="stable")
    sorted_labels = labels[order][places]
    rank = np.arange(len(labels)) - np.searchsorted(sorted_labels, sorted_labels)
    first = order[places[rank < 2]]
    others = order[~np.isin(order, first)]
    return np.sort(np.concatenate([first, others[: max(rows - len(first), 0)]]))


#: The baselines by the names in `BASELINES`.
FITS_OF: dict[str, Baseline] = {
    "class_frequencies": class_frequencies,
    "logistic_regression": logistic_regression,
    "boosted_trees": boosted_trees,
}


def baselines_for(classes: int) -> tuple[str, ...]:
    """The baselines that a study of that many classes has."""
    return tuple(name for name in FITS_OF if name != "boosted_trees" or classes <= MOST_CLASSES)

"""Probabilities that went through softmax once more.

If p = softmax(q) and q sums to one, then q = log p + (1 − Σ_k log p_k) / K, so q can be computed. Any p gives some q, and the q of an
unsure model is often a distribution: with two classes, whenever the log-odds are within ±1, as after a few rounds of boosting. What a
second softmax leaves of a trained model, and an unsure model does not have, is that many rows of q are one-hot, up to the last digit,
for different classes, and that q predicts the labels better than p.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lastlayer.calibration import ScoreRows
from lastlayer.calibration.fit import UnboundedError, fit_map
from lastlayer.calibration.score_rows import blocks, for_each_block
from lastlayer.evaluation.intervals import standard_error
from lastlayer.evaluation.metrics import measure_rows
from lastlayer.evaluation.predictions import MappedScores
from lastlayer.evaluation.read import Inputs
from lastlayer.evaluation.read.row_facts import digits_of
from lastlayer.findings import Finding

#: How far below 0 rounding may bring q, if the numbers have few digits, and if they have many.
_COARSE_SLACK, _SLACK = 1e-2, 1e-4
#: The least probability that a loss of q is judged by: a saturated model gives some labels exactly 0.
_FLOOR = 1e-4
#: Largest values of q from here on are those of a trained model; at least this share of the rows must have them, and this many rows.
_SURE, _SHARE, _LEAST = 0.98, 0.02, 20
#: At least this share of the sure rows must be this near to one-hot, which a bound on the log-odds (rounds times learning rate) meets
#: by chance alone; farther away if the numbers have few digits.
_ONE_HOT, _ONE_HOT_SHARE = 3e-4, 0.025
#: At least this share of them must be of other classes than the most frequent one.
_OTHERS = 0.1
#: Rows, and their share, whose least value of q must be 0 to the last digit in a model that is less sure.
_LEAST_AT_ZERO, _AT_ZERO = 8, 0.003
#: Entries of q that its best temperature is found with.
_ENTRIES = 1_000_000
#: At least that many different confidences: a tree has as many as leaves, and its leaves may be at the bounds.
_VALUES = 20
#: From this nearness on, numbers are too coarse for that, and q must also be better than any temperature makes p.
_COARSE = 1e-3
#: The log loss of q must be below this share of that of p: underconfident models gain less.
_FAR = 0.9
#: A model is saturated if it is at least this sure of at least this share of the rows.
_SATURATED, _SATURATED_SHARE = 0.99, 0.2
#: How far from 1 the sum of given probabilities may be.
_SUM = 1e-2
#: Standard errors that a difference must exceed.
_CLEAR = 4.0

#: Scores (m, K) as softmax takes them → q (m, K).
Undo = Callable[[np.ndarray], np.ndarray]


def double_softmax(inputs: Inputs) -> Finding | None:
    """Whether the probabilities that are judged are a softmax of probabilities.

    These may be the user's probabilities, or scores that are themselves probabilities.
    """
    undos: list[Undo] = [_undone]
    if inputs.scores.is_one_column:
        # The sigmoid of a probability, besides the softmax of two.
        undos.append(_undone_sigmoid)
    found = [finding for finding in (_judge(inputs, undo) for undo in undos) if finding is not None]
    return min(found, key=lambda finding: finding.facts["undone_log_loss"], default=None)


@dataclass(frozen=True)
class _Rows:
    """(n,) each: the loss of p, the loss of q, the largest p, the largest q, the least q, the predicted class by p and by q, and whether q was given."""

    loss: np.ndarray
    undone_loss: np.ndarray
    confidence: np.ndarray
    undone_confidence: np.ndarray
    least: np.ndarray
    predicted: np.ndarray
    undone_predicted: np.ndarray
    is_given: np.ndarray


def _judge(inputs: Inputs, undo: Undo) -> Finding | None:
    scores = inputs.scores
    parts = blocks(scores.n, scores.n_classes)
    one_hot = _one_hot(scores)
    slack = _COARSE_SLACK if one_hot > _ONE_HOT else _SLACK
    # Nearly every file is done with after its first block.
    if not _is_distribution(undo(scores[parts[0]]), slack):
        return None
    walked = for_each_block(scores.n, scores.n_classes, lambda part: _walk(scores, inputs.labels, part, undo, slack))
    kept = [rows for rows in walked if rows is not None]
    if len(kept) < len(walked):
        return None
    rows = _Rows(*(np.concatenate([getattr(part, name) for part in kept]) for name in _Rows.__dataclass_fields__))
    is_given = bool(np.all(rows.is_given))
    if not (
        is_given
        or (_is_sure(rows, one_hot) and _is_wrong(inputs, rows, one_hot))
        or _is_bounded(inputs, rows, one_hot, undo)
    ):
        return None
    facts = {
        "rows": scores.n,
        "log_loss": float(np.mean(rows.loss)),
        "undone_log_loss": float(np.mean(rows.undone_loss)),
        # Whether the numbers themselves are q, and not its softmax.
        "are_probabilities": is_given or (scores.kind == "scores" and undo is _undone_sigmoid),
    }
    return Finding("double_softmax", "", facts)


def _one_hot(scores: ScoreRows) -> float:
    """How near to 1 a value of q is that may be 1, by the digits of the numbers."""
    digits = digits_of(scores.array)
    if digits.is_half:
        # Halves look rounded to three decimals; their step is relative to the number.
        return _COARSE
    # q is log p and a constant, and the least p that a second softmax leaves is 1 / (e + K − 1).
    largest = 1.0 if scores.kind == "scores" else math.e + scores.n_classes - 1
    step = 0.0 if digits.decimals is None else largest * 10.0**-digits.decimals
    return max(_ONE_HOT, 2 * step)


def _is_sure(rows: _Rows, one_hot: float) -> bool:
    """Whether q looks like a trained model's: sure of many rows and one-hot in many of these, and not for one class alone."""
    is_sure = rows.undone_confidence >= _SURE
    is_one_hot = rows.undone_confidence >= 1 - one_hot
    n_sure, n_one_hot = np.count_nonzero(is_sure), np.count_nonzero(is_one_hot)
    if n_sure < max(_SHARE * len(rows.loss), _LEAST) or n_one_hot < max(_ONE_HOT_SHARE * n_sure, 2):
        return False
    if len(np.unique(rows.confidence)) < _VALUES:
        return False
    return bool(np.bincount(rows.undone_predicted[is_one_hot]).max() <= (1 - _OTHERS) * n_one_hot)


def _is_bounded(inputs: Inputs, rows: _Rows, one_hot: float, undo: Undo) -> bool:
    """Whether q of a less sure model ends at 0 to the last digit, and predicts better than p, each with its best temperature.

    Different values close to 0, and none below, are what an exponential leaves; leaves of trees repeat their values.
    """
    near = rows.least[rows.least <= one_hot]
    if one_hot > _ONE_HOT or len(near) < max(_AT_ZERO * len(rows.least), _LEAST_AT_ZERO):
        return False
    if 2 * len(np.unique(near)) < len(near):
        return False
    # A part of the rows: q of all would be a copy of the file.
    scores, n_rows = inputs.scores, max(_ENTRIES // inputs.scores.n_classes, 1)
    rng = np.random.default_rng(0)
    chosen = np.arange(scores.n) if scores.n <= n_rows else np.sort(rng.choice(scores.n, n_rows, replace=False))
    some, labels = scores.take(chosen), inputs.labels[chosen]
    q = np.clip(undo(some.block(0, some.n)), _FLOOR**2, 1.0)
    gain = _best_losses(some, labels) - _best_losses(ScoreRows(q, "probabilities"), labels)
    return _is_clear(gain, None if inputs.groups is None else np.unique(inputs.groups[chosen], return_inverse=True)[1])


def _is_wrong(inputs: Inputs, rows: _Rows, one_hot: float) -> bool:
    """Whether the labels speak for q against p: its loss is clearly and far lower, or it is saturated and p clearly underconfident."""
    if one_hot > _COARSE and not _is_clear(
        _best_losses(inputs.scores, inputs.labels) - rows.undone_loss, inputs.groups
    ):
        return False
    is_far = float(np.mean(rows.undone_loss)) <= _FAR * float(np.mean(rows.loss))
    if is_far and _is_clear(rows.loss - rows.undone_loss, inputs.groups):
        return True
    # A saturated model has a large loss by itself, with or without the second softmax.
    is_saturated = bool(np.mean(rows.undone_confidence >= _SATURATED) >= _SATURATED_SHARE)
    hits = rows.predicted == inputs.labels
    return is_saturated and not inputs.scores.is_one_column and _is_clear(hits - rows.confidence, inputs.groups)


def _best_losses(scores: ScoreRows, labels: np.ndarray) -> np.ndarray:
    """(n,) the losses with the best temperature; −∞ if no temperature is the best."""
    try:
        found = fit_map("temperature", scores, labels).calibrator
    except UnboundedError:
        return np.full(scores.n, -np.inf)
    return measure_rows(MappedScores(scores, labels, "softmax", found))[0]


def _walk(scores: ScoreRows, labels: np.ndarray, part: slice, undo: Undo, slack: float) -> _Rows | None:
    """What is known about a block of rows; None if one of them is no distribution."""
    x = scores[part].astype(np.float64)
    q = undo(x)
    if not _is_distribution(q, slack):
        return None
    mine, place = labels[part], np.arange(len(x))
    top = x.max(axis=1)
    logsumexp = top + np.log(np.exp(x - top[:, None]).sum(axis=1))
    return _Rows(
        logsumexp - x[place, mine],
        -np.log(np.maximum(q[place, mine], _FLOOR)),
        np.exp(top - logsumexp),
        q.max(axis=1),
        q.min(axis=1),
        x.argmax(axis=1),
        q.argmax(axis=1),
        _is_given(scores, x),
    )


def _is_given(scores: ScoreRows, x: np.ndarray) -> np.ndarray:
    """(m,) whether the scores (m, K) of a row are a distribution themselves, which no model's scores are by chance."""
    is_possible = scores.kind == "scores" and not scores.is_one_column
    return is_possible & (np.abs(x.sum(axis=1) - 1) <= _SUM) & (x.min(axis=1) >= 0)


def _undone(scores: np.ndarray) -> np.ndarray:
    """The q that sums to one with softmax(q) = softmax(scores); NaN in rows with infinities."""
    scores = scores.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return scores + (1 - scores.sum(axis=1, keepdims=True)) / scores.shape[1]


def _undone_sigmoid(scores: np.ndarray) -> np.ndarray:
    """(1 − s, s) of the score difference s of two classes."""
    with np.errstate(invalid="ignore"):
        second = scores[:, 1:].astype(np.float64) - scores[:, :1]
    return np.concatenate([1 - second, second], axis=1)


def _is_distribution(q: np.ndarray, slack: float) -> bool:
    # NaN is below nothing, and is no distribution.
    return bool(np.all(q >= -slack))


def _is_clear(rows: np.ndarray, groups: np.ndarray | None) -> bool:
    """Whether the mean of rows is clearly above 0."""
    error, _ = standard_error(rows, groups)
    return not math.isnan(error) and float(np.mean(rows)) > _CLEAR * error and bool(np.mean(rows) > 0)

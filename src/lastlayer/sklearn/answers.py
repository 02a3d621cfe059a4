"""An answer for every row: probabilities that sum to one, also outside a mapping's domain.

- A row outside the domain gets max(x, 0)/Σ max(x, 0); if it has no positive score, the class frequencies of the training rows.
- A mapping that reserves probability for an outcome that is not a class gives the probabilities of the classes, given that the
  outcome is one of them: p/Σp.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

import lastlayer as ll
from lastlayer.sklearn.problem import Floats


def probabilities(scores: Floats, mapping: ll.ProbabilityMapping, frequencies: Floats) -> Floats:
    """p (n, K) of scores (n, K); every row sums to one."""
    p = np.asarray(ll.probabilities(scores, mapping=mapping, on_domain="nan"))
    outside = np.isnan(p).any(axis=1)
    if outside.any():
        p = np.where(outside[:, None], shares(scores, frequencies), p)
    # By the logarithms: all of p may underflow.
    return p if "sums_to_one" in mapping.laws else np.exp(log_probabilities(scores, mapping, frequencies))


def log_probabilities(scores: Floats, mapping: ll.ProbabilityMapping, frequencies: Floats) -> Floats:
    """log p, accurate where p is too small or too close to one for its logarithm to be; −∞ where p is zero."""
    log_p = np.asarray(ll.log_probabilities(scores, mapping=mapping, on_domain="nan"))
    outside = np.isnan(log_p).any(axis=1)
    if outside.any():
        with np.errstate(divide="ignore"):
            log_p = np.where(outside[:, None], np.log(shares(scores, frequencies)), log_p)
    return log_p if "sums_to_one" in mapping.laws else log_p - logsumexp(log_p, axis=1, keepdims=True)


def ranking(scores: Floats, mapping: ll.ProbabilityMapping, frequencies: Floats) -> Floats:
    """Values (n, K) in the order of the probabilities, without the ties of probabilities that are rounded to 0 or 1.

    They are the scores if the mapping preserves their order, else the log-probabilities. Rows outside the domain without a
    positive score have the class frequencies.
    """
    if "order_preserving" not in mapping.laws:
        return log_probabilities(scores, mapping, frequencies)
    if mapping.domain.is_valid is None:
        return scores
    outside = np.isnan(np.asarray(ll.probabilities(scores, mapping=mapping, on_domain="nan"))).any(axis=1)
    return np.where((outside & (scores <= 0).all(axis=1))[:, None], frequencies, scores)


def shares(scores: Floats, frequencies: Floats) -> Floats:
    """Each row's positive scores divided by their sum, or the class frequencies if there are none."""
    positive = np.maximum(scores, 0.0)
    # Divide by the largest first: the sum may overflow.
    largest = positive.max(axis=1, keepdims=True)
    positive = positive / np.where(largest > 0, largest, 1.0)
    return np.where(
        largest > 0, positive / np.where(largest > 0, positive.sum(axis=1, keepdims=True), 1.0), frequencies
    )

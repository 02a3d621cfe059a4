"""The public calls: validate, bring the class axis last, call down."""

from lastlayer.functions.config import set_num_threads, show_config
from lastlayer.functions.errors import DomainError
from lastlayer.functions.losses import cross_entropy, loss, loss_and_grad
from lastlayer.functions.named import (
    entmax,
    hardmax,
    log_softmax,
    ratio,
    sigmoid_ratio,
    softmax,
    softmax_plus_one,
    softplus_ratio,
    sparsemax,
    spherical,
    stablemax,
    taylor,
)
from lastlayer.functions.probabilities import log_probabilities, logsumexp, probabilities
from lastlayer.mappings.resolve import resolve_mapping

__all__ = [
    "DomainError",
    "cross_entropy",
    "entmax",
    "hardmax",
    "log_probabilities",
    "log_softmax",
    "logsumexp",
    "loss",
    "loss_and_grad",
    "probabilities",
    "ratio",
    "resolve_mapping",
    "set_num_threads",
    "show_config",
    "sigmoid_ratio",
    "softmax",
    "softmax_plus_one",
    "softplus_ratio",
    "sparsemax",
    "spherical",
    "stablemax",
    "taylor",
]

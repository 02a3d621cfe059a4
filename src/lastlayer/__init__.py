"""lastlayer: the last layer of a classifier. Scores in, probabilities and a loss out."""

from lastlayer.checks import check_mapping
from lastlayer.functions import (
    DomainError,
    cross_entropy,
    entmax,
    hardmax,
    log_probabilities,
    log_softmax,
    logsumexp,
    loss,
    loss_and_grad,
    probabilities,
    ratio,
    resolve_mapping,
    set_num_threads,
    show_config,
    sigmoid_ratio,
    softmax,
    softmax_plus_one,
    softplus_ratio,
    sparsemax,
    spherical,
    stablemax,
    taylor,
)
from lastlayer.mappings import MAPPINGS, ProbabilityMapping

__version__ = "0.1.0"

__all__ = [
    "MAPPINGS",
    "DomainError",
    "ProbabilityMapping",
    "check_mapping",
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

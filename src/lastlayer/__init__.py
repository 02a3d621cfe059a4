"""lastlayer: the last layer of a classifier. Scores in, probabilities and a loss out."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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
from lastlayer.version import __version__

if TYPE_CHECKING:
    from lastlayer.comparison import Comparison, compare  # type: ignore[no-redef]

__all__ = [
    "MAPPINGS",
    "Comparison",
    "DomainError",
    "ProbabilityMapping",
    "__version__",
    "check_mapping",
    "compare",
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

#: Loaded when they are first used: a program that only computes does not wait for the words.
_LATER = ("Comparison", "compare")


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module("lastlayer.comparison"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})

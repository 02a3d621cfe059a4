"""NumPy arrays: the compiled kernels for built-in mappings, the portable formulas for everything else."""

from __future__ import annotations

from typing import Any

import array_api_compat.numpy
import numpy as np

from lastlayer.backends import native
from lastlayer.backends.contract import Backend
from lastlayer.backends.extension import EXTENSION
from lastlayer.backends.memory import LARGE, new_array
from lastlayer.backends.native import KERNELS, QUANTITIES, has_kernel, is_apart, kernel_name, loss_of_rows
from lastlayer.backends.portable import portable_evaluate, portable_loss
from lastlayer.losses import LossOptions
from lastlayer.mappings import MAPPINGS, ProbabilityMapping

Array = Any

_DTYPES = tuple(np.dtype(name) for name in ("float32", "float64", "float16"))
#: Number and default parameter of each kernel whose mapping takes every score: all that a call by name needs.
_WITHOUT_DOMAIN = {
    name: (number, float(MAPPINGS[name].parameter or 0.0), None)
    for name, number in KERNELS.items()
    if MAPPINGS[name].domain.is_valid is None
}


def _has_kernel(mapping: ProbabilityMapping, scores: Array) -> bool:
    return has_kernel(mapping) and scores.dtype in _DTYPES


def _evaluate(mapping: ProbabilityMapping, scores: Array, quantity: str, out: Array | None = None) -> Array:
    compute = native.native_evaluate if _has_kernel(mapping, scores) else portable_evaluate
    return compute(mapping, scores, quantity, out)


def _loss(
    mapping: ProbabilityMapping,
    scores: Array,
    targets: Array,
    is_soft: bool,
    options: LossOptions,
    with_gradient: bool,
    out: Array | None = None,
) -> tuple[Any, Array | None]:
    compute = native.native_loss if _has_kernel(mapping, scores) else portable_loss
    return compute(mapping, scores, targets, is_soft, options, with_gradient, out)


def _serves(mapping: ProbabilityMapping, scores: Array, quantity: str) -> str:
    return kernel_name() if _has_kernel(mapping, scores) else "portable formulas"


def try_fast_evaluate(
    mapping: str | ProbabilityMapping, scores: Any, quantity: str, on_domain: str, out: Array | None = None
) -> Array | None:
    """A quantity of contiguous float32 or float64 rows that need no check; None if a check is needed.

    Ten scores are computed in less time than the full boundary takes.
    """
    if not _is_readable(scores) or (kernel := _kernel_without_checks(mapping, on_domain, scores)) is None:
        return None
    shape = scores.shape[:-1] if quantity == "log_partition" else scores.shape
    # A single number is neither scores nor an array to write a log-partition into.
    if not shape:
        return None
    if out is None:
        out = np.empty(shape, scores.dtype) if scores.nbytes < LARGE else new_array(shape, scores.dtype)
    elif not _is_writable_for(out, scores):
        return None
    EXTENSION.evaluate(scores, out, QUANTITIES[quantity], *kernel)
    return out


def try_fast_loss(
    mapping: str | ProbabilityMapping,
    scores: Any,
    labels: Any,
    options: LossOptions,
    on_domain: str,
    with_gradient: bool,
    out: Array | None = None,
) -> tuple[Any, Array | None] | None:
    """Loss and gradient of contiguous rows with valid labels and row weights; None if there is more to check or an error to raise."""
    if not _is_readable(scores) or scores.ndim != 2:
        return None
    seen = scores if options.activation.is_identity else None
    if (kernel := _kernel_without_checks(mapping, on_domain, seen)) is None:
        return None
    is_readable = type(labels) is np.ndarray and labels.dtype == np.int64 and labels.flags.carray
    if not is_readable or labels.shape != scores.shape[:1] or options.weight is not None:
        return None
    weight = options.sample_weight
    if weight is not None and not (
        _is_readable(weight)
        and weight.dtype == np.float64
        and weight.shape == labels.shape
        and weight.min() >= 0.0
        and weight.max() < float("inf")
    ):
        return None
    gradient = None
    if with_gradient:
        if out is not None and not _is_writable_for(out, scores, labels, weight):
            return None
        gradient = new_array(scores.shape, scores.dtype) if out is None else out
    value = loss_of_rows(scores, labels, None, gradient, options, kernel, scores.shape[:1], refuses_bad_labels=True)
    return None if value is None else (value, gradient)


def _is_readable(array: Any) -> bool:
    """A NumPy array that the kernels read in place."""
    return type(array) is np.ndarray and array.dtype in _DTYPES[:2] and array.flags.carray and array.size > 0


def _is_writable_for(out: Array, scores: Array, *others: Array | None) -> bool:
    """Whether the kernels may write straight into `out`: like the scores, sharing memory with nothing else that they read."""
    is_like_scores = out is scores or (
        _is_readable(out) and out.dtype == scores.dtype and out.shape == scores.shape and is_apart(out, scores)
    )
    return is_like_scores and is_apart(out, *others)


def _kernel_without_checks(mapping: Any, on_domain: str, seen: Array | None) -> tuple[int, float, None] | None:
    """Number and parameter of a mapping's kernel, if its domain holds at a glance at what it sees or NaN rows were asked for."""
    if on_domain not in ("raise", "nan"):
        return None
    if isinstance(mapping, str):
        if (known := _WITHOUT_DOMAIN.get(mapping)) is not None:
            return known
        mapping = MAPPINGS.get(mapping)
    if not isinstance(mapping, ProbabilityMapping) or not has_kernel(mapping):
        return None
    if on_domain != "nan" and (seen is None or not mapping.domain.holds_at_a_glance(seen, np)):
        return None
    value = mapping.parameter
    if value is not None and not isinstance(value, (int, float)):
        return None
    return KERNELS[mapping.name], float(value or 0.0), None


NUMPY = Backend(
    name="numpy",
    evaluate=_evaluate,
    loss=_loss,
    serves=_serves,
    namespace=lambda array: array_api_compat.numpy,
    try_fast_evaluate=try_fast_evaluate,
    try_fast_loss=try_fast_loss,
)

"""JAX arrays: the formulas, with the records' derivatives, which JAX does not take apart."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from array_api_compat import array_namespace

from lastlayer.backends.contract import Backend
from lastlayer.backends.jax.derivatives import gradient_of_loss, quantity_of_rows, reduced_loss
from lastlayer.backends.jax.records import LossCall, split_mapping
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping

Array = Any


def _is_eager(array: Array) -> bool:
    """Whether an array is in this process's memory: neither traced nor on a device that would have to be waited for."""
    if isinstance(array, jax.core.Tracer):
        return False
    return array.is_fully_addressable and all(device.platform == "cpu" for device in array.devices())


def _on_host(array: Array) -> np.ndarray:
    view = np.asarray(array)
    # NumPy has no bfloat16.
    return view.astype(np.float32) if view.dtype == jax.numpy.bfloat16 else view


def _evaluate(mapping: ProbabilityMapping, scores: Array, quantity: str, out: Array | None = None) -> Array:
    record, parameter = split_mapping(mapping)
    return quantity_of_rows(record, quantity, scores, parameter)


def _loss(
    mapping: ProbabilityMapping,
    scores: Array,
    targets: Array,
    is_soft: bool,
    options: LossOptions,
    with_gradient: bool,
    out: Array | None = None,
) -> tuple[Any, Array | None]:
    call, arrays = LossCall.split(mapping, targets, is_soft, options)
    value = reduced_loss(call, scores, arrays)
    return value, gradient_of_loss(call, scores, arrays) if with_gradient else None


_NAMESPACE = array_namespace(jax.numpy.zeros(0))

JAX = Backend(
    name="jax",
    evaluate=_evaluate,
    loss=_loss,
    serves=lambda mapping, scores, quantity: "portable formulas",
    namespace=lambda array: _NAMESPACE,
    is_eager=_is_eager,
    on_host=_on_host,
)

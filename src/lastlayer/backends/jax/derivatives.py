"""The formulas with the records' derivatives.

JAX would differentiate each operation of a formula: the result is NaN at a selection between branches, wrong at a kink, and loses
digits. The second derivative goes through the formula of the first, which JAX does differentiate. `jax.custom_vjp` refuses forward
mode.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from lastlayer.backends.jax.records import LossCall, with_parameter
from lastlayer.backends.portable import portable_evaluate, portable_loss, portable_pull_back, working_dtype
from lastlayer.losses import counted_rows, reduction_scale, row_losses
from lastlayer.mappings import ProbabilityMapping

Array = Any
Arrays = dict[str, Array | None]

#: What messages call an argument whose derivative is refused.
_NAMES = {"targets": "soft targets", "weight": "weight", "sample_weight": "sample_weight", "parameter": "alpha"}


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def quantity_of_rows(mapping: ProbabilityMapping, quantity: str, scores: Array, parameter: Array | None) -> Array:
    """A quantity of every row of scores (..., K), differentiable in the scores."""
    return portable_evaluate(with_parameter(mapping, parameter), scores, quantity)


def _keep_rows(mapping: ProbabilityMapping, quantity: str, scores: Any, parameter: Any) -> tuple[Array, Any]:
    kept = (scores.value, _constant("parameter", parameter))
    return quantity_of_rows(mapping, quantity, *kept), kept


def _pull_back_rows(mapping: ProbabilityMapping, quantity: str, kept: Any, cotangent: Any) -> tuple[Array, None]:
    return product_of_rows(mapping, quantity, _made(cotangent), *kept), None


quantity_of_rows.defvjp(_keep_rows, _pull_back_rows, symbolic_zeros=True)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def product_of_rows(
    mapping: ProbabilityMapping, quantity: str, cotangent: Array, scores: Array, parameter: Array | None
) -> Array:
    """The cotangent of a quantity pulled back to the scores, in the working dtype and rounded once."""
    return _product_of_rows(mapping, quantity, cotangent, scores, parameter)


def _product_of_rows(
    mapping: ProbabilityMapping, quantity: str, cotangent: Array, scores: Array, parameter: Array | None
) -> Array:
    return portable_pull_back(with_parameter(mapping, parameter), scores, cotangent, quantity, jnp)


def _keep_product_of_rows(
    mapping: ProbabilityMapping, quantity: str, cotangent: Any, scores: Any, parameter: Any
) -> tuple[Array, Any]:
    kept = (cotangent.value, scores.value, _constant("parameter", parameter))
    return product_of_rows(mapping, quantity, *kept), kept


def _pull_back_product_of_rows(mapping: ProbabilityMapping, quantity: str, kept: Any, cotangent: Any) -> Any:
    first, scores, parameter = kept
    _, pull = jax.vjp(lambda v, x: _product_of_rows(mapping, quantity, v, x, parameter), first, scores)
    return *pull(_made(cotangent)), None


product_of_rows.defvjp(_keep_product_of_rows, _pull_back_product_of_rows, symbolic_zeros=True)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def reduced_loss(call: LossCall, scores: Array, arrays: Arrays) -> Any:
    """The loss, reduced, differentiable in the scores."""
    mapping, targets, is_soft, options = call.join(arrays)
    return portable_loss(mapping, scores, targets, is_soft, options, False)[0]


def gradient_of_loss(call: LossCall, scores: Array, arrays: Arrays) -> Array:
    """The gradient of the loss: of the total for "parts", of each row's loss for "none"."""
    rows = scores.shape[:-1] if call.options.reduction == "none" else ()
    return product_of_loss(call, jnp.ones(rows, dtype=working_dtype(scores, jnp)), scores, arrays)


def _keep_loss(call: LossCall, scores: Any, arrays: Any) -> tuple[Any, Any]:
    kept = (scores.value, {name: _constant(name, array) for name, array in arrays.items()})
    return reduced_loss(call, *kept), kept


def _pull_back_loss(call: LossCall, kept: Any, cotangent: Any) -> tuple[Array, None]:
    # The denominator of parts does not depend on the scores.
    upstream = cotangent[0] if call.options.reduction == "parts" else cotangent
    return product_of_loss(call, _made(upstream), *kept), None


reduced_loss.defvjp(_keep_loss, _pull_back_loss, symbolic_zeros=True)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def product_of_loss(call: LossCall, upstream: Array, scores: Array, arrays: Arrays) -> Array:
    """The loss's gradient times the upstream one, in the working dtype and rounded once."""
    return _product_of_loss(call, upstream, scores, arrays)


def _product_of_loss(call: LossCall, upstream: Array, scores: Array, arrays: Arrays) -> Array:
    mapping, targets, is_soft, options = call.join(arrays)
    wide = scores.astype(working_dtype(scores, jnp))
    rows = row_losses(mapping, wide, targets, is_soft, options, jnp, with_gradient=True)
    factor = upstream.astype(wide.dtype) * reduction_scale(rows.denominators, options.reduction, jnp)
    # A row that does not count takes nothing from upstream, not even inf or NaN.
    factor = jnp.where(counted_rows(targets, is_soft, options, mapping.family, jnp), factor, 0.0)
    return (rows.gradient * factor[..., None]).astype(scores.dtype)


def _keep_product_of_loss(call: LossCall, upstream: Any, scores: Any, arrays: Any) -> tuple[Array, Any]:
    kept = (upstream.value, scores.value, {name: _constant(name, array) for name, array in arrays.items()})
    return product_of_loss(call, *kept), kept


def _pull_back_product_of_loss(call: LossCall, kept: Any, cotangent: Any) -> Any:
    upstream, scores, arrays = kept
    _, pull = jax.vjp(lambda u, x: _product_of_loss(call, u, x, arrays), upstream, scores)
    return *pull(_made(cotangent)), None


product_of_loss.defvjp(_keep_product_of_loss, _pull_back_product_of_loss, symbolic_zeros=True)


def _constant(name: str, argument: Any) -> Array | None:
    """The value of an argument without a derivative.

    Raises:
        TypeError: one is asked for.
    """
    if argument is None:
        return None
    if argument.perturbed and jnp.issubdtype(argument.value.dtype, jnp.floating):
        raise TypeError(
            f"{_NAMES[name]}: a constant here, whose gradient is not computed; pass it through jax.lax.stop_gradient."
        )
    return argument.value


def _made(cotangent: Any) -> Array:
    return jnp.zeros(cotangent.aval.shape, cotangent.aval.dtype) if isinstance(cotangent, SymbolicZero) else cotangent

"""Torch tensors: plain ones go straight to the rows, all others through the operators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import array_api_compat.torch
import torch

from lastlayer.backends.contract import Backend
from lastlayer.backends.extension import EXTENSION
from lastlayer.backends.torch.export import plain_evaluate, plain_loss
from lastlayer.backends.torch.fast_path import try_fast_evaluate, try_fast_loss
from lastlayer.backends.torch.operators import flatten, quantity_of_rows, reduced_loss
from lastlayer.backends.torch.records import by_rows, key_of, row_parameter
from lastlayer.backends.torch.rows import evaluate_rows, loss_rows, serves
from lastlayer.backends.torch.sharding import check_alike, is_sharded, mean_of_parts, register_rules
from lastlayer.backends.torch.tensor_state import (
    asks_for_gradient,
    has_readable_values,
    is_untransformed,
    refuse_gradient,
)
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping

if EXTENSION is not None:
    # Torch's threads still wait for work, spinning, when our kernels are called: the kernels use them.
    EXTENSION.borrow_threads()


def _evaluate(
    mapping: ProbabilityMapping, scores: torch.Tensor, quantity: str, out: torch.Tensor | None = None
) -> torch.Tensor:
    parameter = row_parameter(mapping)
    if _is_constant(scores) and (parameter is None or _is_constant(parameter)):
        return evaluate_rows(mapping, scores, quantity, out)
    if torch.onnx.is_in_onnx_export():
        return plain_evaluate(mapping, scores, quantity)
    if is_sharded(scores):
        register_rules()
        check_alike(**mapping.values)
    mapping = by_rows(mapping, scores.shape[:-1])
    result: torch.Tensor = quantity_of_rows(scores, row_parameter(mapping), key_of(mapping), quantity)
    return result


def _loss(
    mapping: ProbabilityMapping,
    scores: torch.Tensor,
    targets: torch.Tensor,
    is_soft: bool,
    options: LossOptions,
    with_gradient: bool,
    out: torch.Tensor | None = None,
) -> tuple[Any, torch.Tensor | None]:
    refuse_gradient("targets", targets)
    refuse_gradient("weight", options.weight)
    refuse_gradient("sample_weight", options.sample_weight)
    parameter, tracked = row_parameter(mapping), asks_for_gradient(scores)
    is_alone = parameter is None or (
        is_untransformed(parameter) and (with_gradient or not asks_for_gradient(parameter))
    )
    if is_untransformed(scores) and is_alone and (with_gradient or not tracked):
        return loss_rows(mapping, scores, targets, is_soft, options, with_gradient, out)
    if torch.onnx.is_in_onnx_export():
        return plain_loss(mapping, scores, targets, is_soft, options, with_gradient)
    if is_sharded(scores):
        register_rules()
        check_alike(targets=targets, weight=options.weight, sample_weight=options.sample_weight, **mapping.values)
        if options.reduction == "mean":
            parts = _loss(mapping, scores, targets, is_soft, replace(options, reduction="parts"), with_gradient)
            return mean_of_parts(*parts)
    mapping = by_rows(mapping, scores.shape[:-1])
    value, denominator, gradient = reduced_loss(scores, *flatten(mapping, targets, options), with_gradient or tracked)
    result = (value, denominator.detach()) if options.reduction == "parts" else value
    return result, gradient.detach() if with_gradient else None


def _is_constant(tensor: torch.Tensor) -> bool:
    """Whether only its values matter."""
    return is_untransformed(tensor) and not asks_for_gradient(tensor)


def _is_eager(array: torch.Tensor) -> bool:
    return has_readable_values(array) and array.device.type == "cpu"


def _on_host(array: torch.Tensor) -> Any:
    # Inside a transform of torch.func every operation, this one too, would be wrapped. Checks of floats are left to torch, whose
    # threads do them for large arrays.
    return array.detach().numpy() if is_untransformed(array) and not array.dtype.is_floating_point else None


def _check(array: torch.Tensor, what: str) -> None:
    if array.layout is not torch.strided:
        raise TypeError(
            f"{what}: tensors of layout {array.layout} are not served; give a dense one ({what}.to_dense())."
        )
    if array.is_nested:
        raise TypeError(f"{what}: nested tensors are not served; give a dense one (torch.nested.to_padded_tensor).")


def _namespace(array: torch.Tensor) -> Any:
    return array_api_compat.torch


TORCH = Backend(
    name="torch",
    evaluate=_evaluate,
    loss=_loss,
    serves=serves,
    namespace=_namespace,
    try_fast_evaluate=try_fast_evaluate,
    try_fast_loss=try_fast_loss,
    is_eager=_is_eager,
    on_host=_on_host,
    check=_check,
    is_compiling=torch.compiler.is_compiling,
    constant=torch.Tensor.detach,
    to_integers="targets.long()",
)

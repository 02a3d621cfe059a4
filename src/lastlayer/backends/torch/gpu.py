"""Rows of CUDA tensors on the Triton kernels. Nothing here waits for the device."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from functools import cache
from typing import Any

import torch

from lastlayer.activation import Activation
from lastlayer.backends.torch.reduction import inverse, row_denominators
from lastlayer.backends.versions import OLDEST_TRITON, is_at_least
from lastlayer.losses import LossOptions
from lastlayer.losses.options import NUMBERS
from lastlayer.mappings import ProbabilityMapping

Tensor = torch.Tensor

#: Rows scaled at a time without a kernel.
_ROWS = 4096


@cache
def _kernels() -> Any:
    """The kernels; None without a Triton that is new enough, which comes with torch's builds for GPUs."""
    if importlib.util.find_spec("triton") is None:
        return None
    import triton

    if not is_at_least(triton.__version__, OLDEST_TRITON):
        return None
    import lastlayer.kernels.triton

    return lastlayer.kernels.triton


def is_device(tensor: Tensor) -> bool:
    """Whether a tensor is on a device that the kernels run on."""
    return tensor.device.type == "cuda"


def _parameter(mapping: ProbabilityMapping) -> float | None:
    value = mapping.parameter
    # One parameter per row has no kernel; no kernel has the parameter NaN.
    return value if value is None or isinstance(value, (int, float)) else float("nan")


def serves(mapping: ProbabilityMapping, scores: Tensor, quantity: str) -> bool:
    """Whether a built-in mapping has a kernel for this quantity of these scores."""
    return (
        is_device(scores)
        and mapping.is_built_in
        and _kernels() is not None
        and _kernels().serves(mapping.name, _parameter(mapping), quantity, scores.dtype)
    )


def evaluate(mapping: ProbabilityMapping, scores: Tensor, quantity: str, out: Tensor | None = None) -> Tensor:
    """A quantity of every row, in `out` where its memory allows."""
    rows = _rows(scores)
    place = None if quantity == "log_partition" else _place(out, rows)
    result = _kernels().evaluate(rows, quantity, mapping.name, _parameter(mapping), place)
    if place is not None and out is not None:
        return out
    return result.reshape(scores.shape[:-1] if quantity == "log_partition" else scores.shape)


def loss(
    mapping: ProbabilityMapping,
    scores: Tensor,
    targets: Tensor,
    is_soft: bool,
    options: LossOptions,
    with_gradient: bool,
    out: Tensor | None = None,
) -> tuple[Any, Tensor | None]:
    """The loss, reduced, and its gradient, in `out` where its memory allows.

    Losses are summed in float64. The denominator of the mean follows from the labels alone, so the kernel writes gradients that
    are already divided by it.
    """
    rows, flat = _rows(scores), targets.reshape(-1, scores.shape[-1]) if is_soft else targets.reshape(-1)
    if options.sample_weight is not None:
        options = replace(options, sample_weight=options.sample_weight.reshape(-1))
    weights = options.sample_weight
    if options.reduction in ("mean", "parts"):
        denominator = row_denominators(flat, is_soft, options).sum()
    if options.reduction == "mean":
        scale = inverse(denominator)
        weights = scale.expand(rows.shape[0]) if weights is None else weights * scale
    place = _place(out, rows, flat, options.weight, weights)
    losses, gradient = _kernels().loss(
        rows,
        flat.contiguous(),
        mapping=mapping.name,
        parameter=_parameter(mapping),
        weight=options.weight,
        sample_weight=weights,
        **dict(zip(NUMBERS, options.numbers(), strict=True)),
        with_gradient=with_gradient,
        out=place,
    )
    if gradient is not None:
        gradient = out if place is not None else gradient.reshape(scores.shape)
    if options.reduction == "none":
        return losses.reshape(scores.shape[:-1]), gradient
    total = losses.sum(dtype=torch.float64).to(losses.dtype)
    if options.reduction == "parts":
        return (total, denominator.to(losses.dtype)), gradient
    return total, gradient


def serves_softmax_rows(scores: Tensor) -> bool:
    """Whether the kernels of `softmax_rows` read these scores: float64 has none."""
    return is_device(scores) and _kernels() is not None and scores.dtype.itemsize <= 4 and scores.shape[1] > 0


def row_sums(
    scores: Tensor, places: Tensor, activation: Activation, class_weight: Tensor | None, wants_distances: bool
) -> tuple[Tensor, Tensor]:
    """The numbers of `RowSums` (6, n) and the argmax (n,)."""
    found: tuple[Tensor, Tensor] = _kernels().row_sums(
        scores, places, activation.softcap, float(activation.temperature), class_weight, wants_distances
    )
    return found


def row_slopes(
    scores: Tensor,
    places: Tensor,
    numbers: Tensor,
    is_live: Tensor,
    activation: Activation,
    class_weight: Tensor | None,
    has_share: bool,
) -> None:
    """Replace scores by the slopes that the numbers of `RowSlopes` (6, n) say."""
    _kernels().row_slopes(
        scores, places, numbers, is_live, activation.softcap, float(activation.temperature), class_weight, has_share
    )


def sums_in_planes(tensor: Tensor) -> bool:
    """Whether sums like this tensor are kept in two planes by `add_terms`: bfloat16 on the device."""
    return is_device(tensor) and tensor.dtype == torch.bfloat16 and _kernels() is not None


def add_terms(terms: Tensor, gradient: Tensor, lower: Tensor | None, **options: Any) -> None:
    """A step of a float32 sum in two planes of 16 bits."""
    _kernels().add(terms, gradient, lower, **options)


def stack(head: Tensor, tail: Tensor, out: Tensor) -> None:
    """Copy two matrices into a third, one below the other."""
    _kernels().stack(head, tail, out)


def scale_in_place(numbers: Tensor, factor: Tensor, counted: Tensor | None = None) -> None:
    """Multiply numbers in place, rounded once; a factor of one costs nothing.

    Rows whose `counted` (N,) is false become 0 even if the factor is infinite or NaN. A factor of one leaves them unchanged.
    """
    if is_device(numbers) and _kernels() is not None and numbers.dtype.itemsize <= 4 and numbers.is_contiguous():
        _kernels().scale_in_place(numbers, factor.float(), counted)
        return
    wide = torch.promote_types(numbers.dtype, torch.float32)
    for start in range(0, len(numbers), _ROWS):
        part = numbers[start : start + _ROWS]
        by = factor if counted is None else torch.where(counted[start : start + _ROWS, None], factor, 0.0)
        part.copy_(part * by.to(wide).reshape(-1, *[1] * (part.ndim - 1)))


def _place(out: Tensor | None, scores: Tensor, *others: Tensor | None) -> Tensor | None:
    """The rows of `out` if a kernel may write there: like the scores, sharing memory with nothing that it reads but the scores."""
    if out is None or not _is_rows(out):
        return None
    rows = _rows(out)
    is_same = rows.data_ptr() == scores.data_ptr() and rows.stride() == scores.stride()
    read = [other for other in (None if is_same else scores, *others) if other is not None]
    return None if any(_storage(rows) == _storage(other) for other in read) else rows


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _is_rows(tensor: Tensor) -> bool:
    """Whether a view of the tensor as rows (N, K) shares its memory."""
    return tensor.is_contiguous() or (tensor.ndim == 2 and tensor.stride(-1) == 1)


def _rows(tensor: Tensor) -> Tensor:
    rows = tensor.detach().reshape(-1, tensor.shape[-1])
    return rows if rows.stride(-1) == 1 else rows.contiguous()

"""CPU tensors on the native kernels, as views of their memory; a bfloat16 tensor as its bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from lastlayer.activation import Activation
from lastlayer.backends.extension import EXTENSION
from lastlayer.backends.memory import new_array
from lastlayer.backends.native import has_kernel, native_evaluate, native_loss
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping

_DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def serves(mapping: ProbabilityMapping, scores: torch.Tensor) -> bool:
    """Strided tensors on the CPU under a built-in mapping."""
    return scores.is_cpu and scores.layout is torch.strided and scores.dtype in _DTYPES and has_kernel(mapping)


def evaluate(
    mapping: ProbabilityMapping, scores: torch.Tensor, quantity: str, out: torch.Tensor | None = None
) -> torch.Tensor:
    """A quantity of every row, in `out` if its layout allows."""
    array = native_evaluate(_with_arrays(mapping), _array(scores), quantity, None if out is None else _array(out))
    return _result(array, scores, out)


def loss(
    mapping: ProbabilityMapping,
    scores: torch.Tensor,
    targets: torch.Tensor,
    is_soft: bool,
    options: LossOptions,
    with_gradient: bool,
    out: torch.Tensor | None = None,
    gradient_scale: float = 1.0,
) -> tuple[Any, torch.Tensor | None]:
    """The loss, reduced, and its gradient, in `out` if its layout allows. `gradient_scale` multiplies it, except that of a mean."""
    goal = targets.detach()
    value, gradient = native_loss(
        _with_arrays(mapping),
        _array(scores),
        (goal if goal.dtype == torch.float64 else goal.float()).numpy() if is_soft else goal.numpy(),
        is_soft,
        replace(options, weight=_weights(options.weight), sample_weight=_weights(options.sample_weight)),
        with_gradient,
        None if out is None else _array(out),
        gradient_scale,
    )
    tensors = tuple(map(torch.from_numpy, value)) if isinstance(value, tuple) else torch.from_numpy(value)
    return tensors, None if gradient is None else _result(gradient, scores, out)


def pull_back(slopes: torch.Tensor, cotangents: torch.Tensor) -> torch.Tensor:
    """s (v − Σ s v / Σ s) of every row."""
    return _pulled(EXTENSION.pull_back, slopes, cotangents)


def pull_back_logarithms(logarithms: torch.Tensor, cotangents: torch.Tensor) -> torch.Tensor:
    """v − p Σ v of every row of softmax's log p, (1 − p) v where v is all on one class."""
    return _pulled(EXTENSION.pull_back_logarithms, logarithms, cotangents)


def _pulled(kernel: Any, results: torch.Tensor, cotangents: torch.Tensor) -> torch.Tensor:
    rows, others = results.detach().contiguous().numpy(), cotangents.detach().resolve_neg().contiguous().numpy()
    flat = rows.reshape(-1, rows.shape[-1])
    out = new_array(flat.shape, flat.dtype)
    kernel(flat, others.reshape(flat.shape), out)
    return torch.from_numpy(out.reshape(rows.shape))


def has_softmax_rows(scores: torch.Tensor) -> bool:
    """Whether the kernels of `softmax_rows` read these scores."""
    is_known = EXTENSION is not None and scores.is_cpu and scores.dtype in _DTYPES
    return is_known and scores.layout is torch.strided and scores.shape[1] > 0 and scores.stride(1) == 1


def row_sums(
    scores: torch.Tensor,
    places: torch.Tensor,
    activation: Activation,
    class_weight: torch.Tensor | None,
    wants_distances: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The numbers of `RowSums` (6, n) and the argmax (n,)."""
    rows = scores.shape[0]
    numbers, argmax = np.empty((6, rows)), np.empty(rows, dtype=np.int64)
    EXTENSION.row_sums(
        _bits(scores),
        places.contiguous().numpy(),
        numbers,
        argmax,
        wants_distances,
        _weights(class_weight),
        *_numbers(activation),
        scores.dtype == torch.bfloat16,
    )
    return torch.from_numpy(numbers), torch.from_numpy(argmax)


def row_slopes(
    scores: torch.Tensor,
    places: torch.Tensor,
    numbers: torch.Tensor,
    is_live: torch.Tensor,
    activation: Activation,
    class_weight: torch.Tensor | None,
) -> None:
    """Replace scores by the slopes that the numbers of `RowSlopes` (6, n) say."""
    EXTENSION.row_slopes(
        _bits(scores),
        places.contiguous().numpy(),
        numbers.numpy(),
        is_live.contiguous().numpy(),
        _weights(class_weight),
        *_numbers(activation),
        scores.dtype == torch.bfloat16,
    )


def _bits(scores: torch.Tensor) -> np.ndarray:
    """The scores' memory; half types as uint16."""
    array: np.ndarray = (scores.view(torch.uint16) if scores.dtype.itemsize == 2 else scores).numpy()
    return array


def _numbers(activation: Activation) -> tuple[float, float]:
    return float(activation.temperature), 0.0 if activation.softcap is None else activation.softcap


def place_columns(columns: torch.Tensor, rows: torch.Tensor) -> None:
    """Transpose scores (classes, N) into rows (N, classes) of float32 or float64."""
    EXTENSION.place_columns(columns.numpy(), rows.numpy())


def _array(tensor: torch.Tensor) -> np.ndarray:
    """The tensor's memory; bfloat16, which NumPy lacks, as uint16."""
    tensor = tensor.detach().resolve_neg()
    return tensor.view(torch.uint16).numpy() if tensor.dtype == torch.bfloat16 else tensor.numpy()


def _result(array: np.ndarray, scores: torch.Tensor, out: torch.Tensor | None) -> torch.Tensor:
    """The kernels' result as a tensor: `out` itself if it was written there."""
    if out is not None and array.ctypes.data == out.data_ptr() and array.size == out.numel():
        return out
    tensor = torch.from_numpy(np.asarray(array))
    return tensor.view(torch.bfloat16) if scores.dtype == torch.bfloat16 else tensor


def _weights(weights: Any) -> Any:
    return weights.detach().double().numpy() if isinstance(weights, torch.Tensor) else weights


def _with_arrays(mapping: ProbabilityMapping) -> ProbabilityMapping:
    """The mapping with a tensor among its parameters as a NumPy array."""
    if not any(isinstance(value, torch.Tensor) for value in mapping.values.values()):
        return mapping
    return mapping.replace(**{name: _weights(value) for name, value in mapping.values.items()})

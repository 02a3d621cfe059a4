"""Targets and weights at the boundary: kind, shape and range, before any score is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lastlayer.dispatch import framework_of
from lastlayer.functions.scores import Scores, as_array, is_eager, move_axis
from lastlayer.losses import LossOptions, check_labels, check_soft_targets

Array = Any


def prepare_targets(targets: Any, scores: Scores, ignore_index: int) -> tuple[Array, bool]:
    """Labels (...) or soft targets (..., K) as an array of the scores' library, and whether they are soft.

    Raises:
        TypeError: labels that are not integers, soft targets that are not floats, or another array library.
        IndexError: a label out of range.
        ValueError: a shape that fits neither, or soft targets that are no distributions.
    """
    targets = _like_scores(targets, scores, "targets")
    xp, values = scores.xp, scores.values
    name = str(targets.dtype).rpartition(".")[2]
    shape = tuple(values.shape)
    if targets.ndim == values.ndim and tuple(move_axis(targets, scores.axis, -1, xp).shape) == shape:
        if not name.startswith(("float", "bfloat")):
            raise TypeError(f"targets of the scores' shape are soft targets and must be floats, not {name}.")
        targets = move_axis(targets, scores.axis, -1, xp)
        if is_eager(targets):
            check_soft_targets(targets, xp)
        return targets, True
    if tuple(targets.shape) != shape[:-1]:
        given, whole = tuple(targets.shape), tuple(scores.restore(values).shape)
        raise ValueError(
            f"targets have shape {given} for scores of shape {whole}; "
            f"give labels of shape {shape[:-1]} or soft targets of shape {whole}."
        )
    if not name.startswith(("int", "uint")):
        raise TypeError(f"labels are {name}; give integers 0..{shape[-1] - 1}, for example targets.astype(int).")
    if is_eager(targets):
        framework = framework_of(targets)
        view = None if framework is None else framework.on_host(targets)
        seen, of = (targets, xp) if view is None else as_array(view)
        check_labels(seen, shape[-1], ignore_index, of)
    return targets, False


def prepare_weight(options: LossOptions, scores: Scores) -> LossOptions:
    """Class weights as an array (K,) of the scores' library.

    Raises:
        ValueError: another shape, or a negative or NaN weight.
    """
    if options.weight is None:
        return options
    weight = _like_scores(options.weight, scores, "weight")
    classes = scores.values.shape[-1]
    if tuple(weight.shape) != (classes,):
        raise ValueError(f"weight has shape {tuple(weight.shape)}; give one weight a class, shape ({classes},).")
    _check_non_negative(weight, scores, "weight")
    return replace(options, weight=weight)


def prepare_row_weights(options: LossOptions, scores: Scores) -> LossOptions:
    """Sample weights as an array (...) of the scores' library.

    Raises:
        ValueError: another shape, or a negative or NaN weight.
    """
    if options.sample_weight is None:
        return options
    weight = _like_scores(options.sample_weight, scores, "sample_weight")
    rows = tuple(scores.values.shape[:-1])
    if tuple(weight.shape) != rows:
        raise ValueError(f"sample_weight has shape {tuple(weight.shape)}; give one weight a row, shape {rows}.")
    _check_non_negative(weight, scores, "sample_weight")
    return replace(options, sample_weight=weight)


def _check_non_negative(weight: Array, scores: Scores, what: str) -> None:
    if is_eager(weight) and bool(scores.xp.any(~(weight >= 0))):
        raise ValueError(f"{what} has a negative or NaN entry; weights must be ≥ 0.")


def _like_scores(array: Any, scores: Scores, what: str) -> Array:
    """`array` in the scores' library and on their device; only plain Python and NumPy data is converted."""
    xp, values = scores.xp, scores.values
    array, own = as_array(array)
    if isinstance(array, np.ndarray) and not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if own is xp:
        return array
    if not isinstance(array, np.ndarray):
        raise TypeError(
            f"{what} is {type(array).__name__}, but the scores are {type(values).__name__}; use one library."
        )
    return xp.asarray(array, device=getattr(values, "device", None))

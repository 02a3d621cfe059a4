"""Targets and weights at the boundary: kind, shape and range, before any score is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lastlayer.arguments import is_array
from lastlayer.backends import NUMPY, working_dtype
from lastlayer.dispatch import backend_of
from lastlayer.functions.arrays import FLOATS, as_array, dtype_name, is_integer, look_at, move_axis
from lastlayer.functions.scores import Scores
from lastlayer.losses import LossOptions, check_labels, check_soft_targets, plain_labels
from lastlayer.losses.targets import fold_into
from lastlayer.mappings import Parameter, ProbabilityMapping

Array = Any


def prepare_targets(targets: Any, scores: Scores, options: LossOptions, is_strict: bool = True) -> tuple[Array, bool]:
    """Labels (...) or soft targets (..., K) as an array of the scores' library, and whether they are soft.

    Labels keep their value whatever their integer dtype: from here on they are int64 (int32 if the library has no wider integers, as
    JAX by default). Soft targets that are not strict may have any sum per row.

    Raises:
        TypeError: labels that are not integers, soft targets that are not floats, or another array library.
        IndexError: a label out of range.
        ValueError: a shape that fits neither, or soft targets that are no distributions.
    """
    if targets is None:
        raise TypeError("targets are None; give integer labels or soft targets.")
    array = _of_library(targets, scores, "targets")
    values = scores.values
    shape = tuple(values.shape)
    if array.ndim == values.ndim and _moved(tuple(array.shape), scores.axis) == shape:
        return _soft_targets(array, scores, options, is_strict), True
    if tuple(array.shape) != shape[:-1]:
        raise ValueError(_misfit(tuple(array.shape), scores))
    if not is_integer(array):
        array = _python_integers(targets, array, shape[-1], scores)
    seen = look_at(array, values)
    if seen is not None:
        given, given_xp = seen
        check_labels(given, shape[-1], options.ignore_index, given_xp)
    return _labels(array, scores, options.ignore_index), False


def _soft_targets(array: Array, scores: Scores, options: LossOptions, is_strict: bool) -> Array:
    xp, values = scores.xp, scores.values
    if dtype_name(array) not in FLOATS:
        raise TypeError(f"targets of the scores' shape are soft targets and must be floats, not {dtype_name(array)}.")
    seen, counted = look_at(array, values), None
    if options.sample_weight is not None:
        counted = look_at(options.sample_weight, values)
        # If it is unknown which rows count, no row can be refused.
        seen = None if counted is None else seen
    if seen is not None:
        given, given_xp = seen
        is_counted = None if counted is None else given_xp.asarray(counted[0]) != 0
        given = move_axis(given, scores.axis, -1, given_xp)
        check_soft_targets(given, given_xp, is_counted, is_strict, f"axis={scores.axis}")
    return move_axis(_in_library(array, scores), scores.axis, -1, xp)


def _labels(array: Array, scores: Scores, ignore_index: int) -> Array:
    xp = scores.xp
    array = plain_labels(array, ignore_index, np if isinstance(array, np.ndarray) else xp)
    if not isinstance(array, np.ndarray) or isinstance(scores.values, np.ndarray):
        return array
    widest = xp.__array_namespace_info__().dtypes(kind="signed integer")
    if "int64" not in widest:
        array = fold_into(np.int32, array, ignore_index, np)
    return _in_library(array, scores)


def _moved(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    axis %= len(shape)
    return (*shape[:axis], *shape[axis + 1 :], shape[axis])


def _misfit(given: tuple[int, ...], scores: Scores) -> str:
    """The message for targets whose shape fits neither as labels nor as soft targets; it names a class axis that would fit."""
    whole = tuple(scores.restore(scores.values).shape)
    fitting = [axis for axis in range(len(whole)) if (*whole[:axis], *whole[axis + 1 :]) == given]
    remedy = (
        f"they are labels for classes on axis {fitting[0]}: pass axis={fitting[0]}, or move that axis where the classes "
        f"are looked for, axis {scores.axis % len(whole)}"
        if fitting
        else f"give labels of shape {tuple(scores.values.shape[:-1])} or soft targets of shape {whole}"
    )
    return f"targets have shape {given} for scores of shape {whole}; {remedy}."


def _python_integers(data: Any, array: Array, classes: int, scores: Scores) -> Array:
    """Labels given as Python integers, possibly none; NumPy makes objects or floats of those beyond 64 bits.

    Raises:
        IndexError: an integer that no 64 bits hold.
        TypeError: anything but integers.
    """
    if not is_array(data) and isinstance(array, np.ndarray):
        if array.size == 0 and isinstance(data, (list, tuple)):
            return array.astype(np.int64)
        entries = np.asarray(data, dtype=object).reshape(-1).tolist()
        if entries and all(isinstance(entry, (int, np.integer)) and not isinstance(entry, bool) for entry in entries):
            place = next(i for i, entry in enumerate(entries) if not -(2**63) <= entry < 2**63)
            raise IndexError(f"label {entries[place]} at position {place} is outside 0..{classes - 1}; correct it.")
    how = (backend_of(array) or NUMPY).to_integers
    raise TypeError(f"labels are {dtype_name(array)}; give integers 0..{classes - 1}, for example {how}.")


def prepare_weight(options: LossOptions, scores: Scores) -> LossOptions:
    """Class weights as an array (K,) of the scores' library.

    Raises:
        TypeError: weights that are not real numbers.
        ValueError: another shape, or a weight that is negative, infinite or NaN.
    """
    if options.weight is None:
        return options
    classes = scores.values.shape[-1]
    return replace(options, weight=_weights(options.weight, scores, "weight", (classes,), "one weight per class"))


def prepare_row_weights(options: LossOptions, scores: Scores) -> LossOptions:
    """Sample weights as an array (...) of the scores' library.

    Raises:
        TypeError: weights that are not real numbers.
        ValueError: another shape, or a weight that is negative, infinite or NaN.
    """
    if options.sample_weight is None:
        return options
    rows = tuple(scores.values.shape[:-1])
    weights = _weights(options.sample_weight, scores, "sample_weight", rows, "one weight per row")
    return replace(options, sample_weight=weights)


def prepare_mapping(mapping: ProbabilityMapping, scores: Scores) -> ProbabilityMapping:
    """The mapping; a parameter with one value per row becomes an array of the scores' library.

    Raises:
        TypeError: values that are not real numbers, or another array library.
        ValueError: a shape that does not fit the rows, or a value outside the parameter's range.
    """
    for name, value in mapping.values.items():
        if is_array(value):
            rows = tuple(scores.values.shape[:-1])
            array = numbers_like(value, scores, name)
            sizes = tuple(array.shape)
            if len(sizes) > len(rows) or any(n not in (1, m) for n, m in zip(sizes[::-1], rows[::-1], strict=False)):
                raise ValueError(f"{name} has shape {sizes}; give a number, or one per row: shape {rows}.")
            _check_range(next(p for p in mapping.parameters if p.name == name), array, scores)
            return mapping.replace(**{name: array})
    return mapping


def numbers_like(values: Any, scores: Scores, what: str) -> Array:
    """Numbers given one by one or per row, as floats in the scores' library and on their device.

    Raises:
        TypeError: values that are not real numbers, or another array library.
    """
    return _in_library(_numbers(_of_library(values, scores, what), scores, what), scores)


def _check_range(parameter: Parameter, array: Array, scores: Scores) -> None:
    """Refuse values out of range, if they may be read now; otherwise such rows become NaN."""
    seen = look_at(array, scores.values)
    if seen is None:
        return
    given, given_xp = seen
    is_bad = ~((given >= parameter.minimum) & (given <= parameter.maximum))
    if bool(given_xp.any(is_bad)):
        first = float(
            given_xp.reshape(given, (-1,))[
                int(given_xp.argmax(given_xp.astype(given_xp.reshape(is_bad, (-1,)), given_xp.int32)))
            ]
        )
        raise ValueError(
            f"{parameter.name} has the entry {first:g}; each must be a finite number of at least {parameter.minimum:g}."
        )


def rows_that_count(labels: Array | None, options: LossOptions, scores: Array) -> Any:
    """Which rows are neither ignored nor of weight zero; None if their values may not be read now."""
    seen_scores = look_at(scores, scores)
    if seen_scores is None:
        return None
    xp, counted = seen_scores[1], True
    for array, nothing in ((labels, options.ignore_index), (options.sample_weight, 0)):
        if array is not None:
            seen = look_at(array, scores)
            if seen is None:
                return None
            counted = xp.asarray(seen[0] != nothing) & counted
    return counted


def _weights(weights: Any, scores: Scores, what: str, shape: tuple[int, ...], needs: str) -> Array:
    array = _numbers(_of_library(weights, scores, what), scores, what)
    if tuple(array.shape) != shape:
        raise ValueError(f"{what} has shape {tuple(array.shape)}; give {needs}, shape {shape}.")
    seen = look_at(array, scores.values)
    if seen is not None:
        given, given_xp = seen
        is_bad = ~((given >= 0) & (given < float("inf")))
        if bool(given_xp.any(is_bad)):
            raise ValueError(f"{what} has a negative, infinite or NaN entry; weights must be finite numbers ≥ 0.")
    return _in_library(array, scores)


def _numbers(array: Array, scores: Scores, what: str) -> Array:
    """Real numbers as floats: integers, and bool as 0 and 1, in the widest float dtype."""
    if dtype_name(array) in FLOATS:
        # Not every library has NumPy's half types.
        return array.astype(np.float32) if isinstance(array, np.ndarray) and array.dtype.itemsize < 4 else array
    if not is_integer(array) and dtype_name(array) != "bool":
        raise TypeError(f"{what} is an array of {dtype_name(array)}; give real numbers.")
    if isinstance(array, np.ndarray):
        return array.astype(np.float64)
    return scores.xp.astype(array, working_dtype(array, scores.xp))


def _of_library(data: Any, scores: Scores, what: str) -> Array:
    """Data as an array of the scores' library, or of NumPy, the only library whose arrays are converted to another."""
    array, backend = as_array(data, what)
    given_xp = backend.namespace(array)
    if given_xp is not scores.xp and backend is not NUMPY:
        raise TypeError(
            f"{what} is {type(array).__name__}, but the scores are {type(scores.values).__name__}; use one library."
        )
    here, there = getattr(scores.values, "device", None), getattr(array, "device", None)
    # JAX moves its arrays itself.
    if given_xp is scores.xp and hasattr(here, "type") and here != there:
        raise ValueError(f"{what} is on {there}, but the scores are on {here}; move it: {what}.to(scores.device).")
    return array


def _in_library(array: Array, scores: Scores) -> Array:
    """The array in the scores' library and on their device."""
    if not isinstance(array, np.ndarray) or isinstance(scores.values, np.ndarray):
        return array
    return scores.xp.asarray(array, device=getattr(scores.values, "device", None))

"""Scores at the boundary: their dtype, their class axis, the domain, and where results are written."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lastlayer.activation import Activation
from lastlayer.arguments import as_integer
from lastlayer.backends import Backend, working_dtype
from lastlayer.dispatch import backend_of
from lastlayer.functions.arrays import FLOATS, as_array, dtype_name, is_integer, look_at, move_axis
from lastlayer.functions.errors import DomainError
from lastlayer.mappings import ProbabilityMapping

Array = Any
Namespace = Any


class Scores(NamedTuple):
    """Checked scores with the class axis last, the place that this axis came from, and their backend."""

    values: Array
    axis: int
    xp: Namespace
    backend: Backend

    def restore(self, result: Array) -> Array:
        """Put the class axis of a (..., K) result back."""
        return move_axis(result, -1, self.axis, self.xp)


def prepare(scores: Any, axis: int) -> Scores:
    """Check scores and move the class axis last. Lists become NumPy arrays, integers float64.

    Raises:
        TypeError: bool, complex, object or other non-real scores, masked ones, or an axis that is no integer.
        ValueError: no class axis, or no classes.
    """
    scores, backend = as_array(scores, "scores")
    xp = backend.namespace(scores)
    scores = _real(scores, xp)
    if scores.ndim == 0:
        raise ValueError("the scores are a single number; give at least one axis, the classes: [1.0, 0.5].")
    axis = as_integer("axis", axis, "the number of the class axis")
    if not -scores.ndim <= axis < scores.ndim:
        raise ValueError(
            f"axis is {axis} for scores of shape {tuple(scores.shape)}; choose {-scores.ndim}..{scores.ndim - 1}."
        )
    if scores.shape[axis] == 0:
        raise ValueError(
            f"the class axis {axis} of scores of shape {tuple(scores.shape)} is empty; give at least one class."
        )
    return Scores(move_axis(scores, axis, -1, xp), axis, xp, backend)


def _real(scores: Array, xp: Namespace) -> Array:
    if dtype_name(scores) in FLOATS:
        return scores
    if is_integer(scores):
        return xp.astype(scores, working_dtype(scores, xp))
    raise TypeError(
        f"scores are {dtype_name(scores)}; give real numbers: float16, bfloat16, float32, float64, or integers."
    )


def is_eager(array: Array) -> bool:
    """Whether values may be read now: no device to wait for, no trace to break."""
    backend = backend_of(array)
    return backend is None or backend.is_eager(array)


def check_domain(
    mapping: ProbabilityMapping,
    scores: Array,
    on_domain: str,
    counted: Any = True,
    activation: Activation | None = None,
) -> None:
    """Raise DomainError for the first row that counts and is outside the mapping's domain, unless NaN rows were asked for.

    The mapping sees the scores after their activation, if there is one.
    """
    if on_domain == "nan" or mapping.domain.is_valid is None or (seen := look_at(scores, scores)) is None:
        return
    scores, xp = seen
    if activation is not None and not activation.is_identity:
        # In the precision of the loss: a half type would overflow, or round a number to zero.
        scores = activation(xp.astype(scores, working_dtype(scores, xp)), xp)
    if mapping.domain.holds_at_a_glance(scores, xp):
        return
    outside = ~mapping.domain.is_valid(scores, xp) & counted
    if not bool(xp.any(outside)):
        return
    first = int(xp.argmax(xp.astype(xp.reshape(outside, (-1,)), xp.int32)))
    row = xp.reshape(scores, (-1, scores.shape[-1]))[first, ...]
    where = f" in row {first}" if scores.ndim > 1 else ""
    shown = [float(row[i]) for i in range(min(6, row.shape[0]))]
    more = ", …" if row.shape[0] > len(shown) else ""
    raise DomainError(
        f"{mapping.label} needs {mapping.domain.description}, but the scores{where} are "
        f"[{', '.join(f'{x:g}' for x in shown)}{more}]; {mapping.domain.remedy}."
    )


def check_on_domain(on_domain: Any) -> None:
    """Raise ValueError for an `on_domain` that is neither "raise" nor "nan", even if the mapping takes every score."""
    if not isinstance(on_domain, str) or on_domain not in ("raise", "nan"):
        raise ValueError(f"on_domain is {on_domain!r}; choose 'raise' or 'nan'.")


def check_out(out: Any, scores: Scores) -> Array | None:
    """`out` with the class axis last, checked against the scores; None if there is none.

    Raises:
        TypeError: `out` is of another library or dtype.
        ValueError: `out` has another shape, or is read-only.
    """
    if out is None:
        return None
    values = scores.values
    if isinstance(out, np.ma.MaskedArray):
        raise TypeError("out is a masked array; give the plain array to write to, out.data.")
    # The array that a memmap or another subclass holds: what is written there is in `out` as well.
    out = np.asarray(out) if isinstance(out, np.ndarray) else out
    if type(out) is not type(values) or out.dtype != values.dtype:
        raise TypeError(
            f"out is {type(out).__name__} of {getattr(out, 'dtype', '?')}; it must be like the result: {values.dtype}."
        )
    shape = tuple(scores.restore(values).shape)
    if tuple(out.shape) != shape:
        raise ValueError(f"out has shape {tuple(out.shape)}; it must have the result's shape {shape}.")
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        raise ValueError("out is read-only; give a writable array.")
    return move_axis(out, scores.axis, -1, scores.xp)


def write(result: Array, last: Array | None, out: Any, scores: Scores) -> Array:
    """The result with its class axis put back, in `out` if there is one; `last` is what `check_out` returned for it."""
    if out is None:
        return scores.restore(result)
    if result is not last:
        last[...] = result  # type: ignore[index]
    return out

"""A temperature that is an array, one number or one per row: it divides the scores before the loss sees them.

So its derivatives, and those of the scores, follow from the division in every library that differentiates, second ones too.
"""

from __future__ import annotations

from typing import Any

from lastlayer.activation import Activation
from lastlayer.dispatch import framework_of, loss_dtype, working_dtype
from lastlayer.functions.arrays import Array, look_at
from lastlayer.functions.scores import Scores
from lastlayer.functions.targets import numbers_like
from lastlayer.losses import LossOptions


class Division:
    """Scores behind softcap and temperature, and the way back for a loss and its gradient.

    Raises:
        TypeError: a temperature of another library than the scores.
        ValueError: another shape than () or that of the rows, or a temperature that is not positive and finite.
    """

    def __init__(self, scores: Scores, targets: Array, is_soft: bool, options: LossOptions) -> None:
        xp, values = scores.xp, scores.values
        self._scores, self._xp = values, xp
        self._capped = Activation(softcap=options.activation.softcap)
        self._wide = xp.astype(values, working_dtype(values, xp))
        temperature = _checked(options.activation.temperature, scores)
        divisor = xp.astype(temperature, self._wide.dtype)
        self._divisor = divisor[..., None] if divisor.ndim else divisor
        is_counted = _counts(targets, is_soft, options)
        self._is_counted = None if is_counted is None else is_counted[..., None]
        capped = self._capped(self._wide, xp)
        if self._is_counted is not None:
            # Else an infinite score of a row that does not count would reach the temperature's derivative as 0 · inf.
            capped = xp.where(self._is_counted, capped, xp.ones_like(capped))
        self.values = capped / self._divisor

    def loss(self, found: Any) -> Any:
        """The loss, or its parts, in the dtype that the scores' loss has."""
        dtype = loss_dtype(self._scores, self._xp)
        if isinstance(found, tuple):
            return tuple(self._xp.astype(part, dtype) for part in found)
        return self._xp.astype(found, dtype)

    def gradient(self, found: Array) -> Array:
        """The gradient in the scores from that in the divided scores: a value, which no derivative follows."""
        framework = framework_of(self._wide)
        wide, divisor = self._wide, self._divisor
        if framework is not None:
            wide, divisor = framework.constant(wide), framework.constant(divisor)
        found = self._capped.pull_back(wide, found / divisor, self._xp)
        if self._is_counted is not None:
            found = self._xp.where(self._is_counted, found, self._xp.zeros_like(found))
        return self._xp.astype(found, self._scores.dtype)


def _checked(temperature: Array, scores: Scores) -> Array:
    array = numbers_like(temperature, scores, "temperature")
    rows = tuple(scores.values.shape[:-1])
    if tuple(array.shape) not in ((), rows):
        raise ValueError(f"temperature has shape {tuple(array.shape)}; give a number, or one per row: shape {rows}.")
    seen = look_at(array, scores.values)
    if seen is not None:
        given, own = seen
        if bool(own.any(~((given > 0) & (given < float("inf"))))):
            raise ValueError(
                "temperature has an entry that is not a positive finite number; divide by positive numbers."
            )
    return array


def _counts(targets: Array, is_soft: bool, options: LossOptions) -> Array | None:
    """Which rows are neither ignored nor of weight zero; None where all count."""
    is_counted = None if is_soft else targets != options.ignore_index
    if options.sample_weight is None:
        return is_counted
    has_weight = options.sample_weight != 0
    return has_weight if is_counted is None else is_counted & has_weight

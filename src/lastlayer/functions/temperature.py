"""A temperature that is an array, one number or one per row: the scores are divided by it before the loss.

Libraries that differentiate get all of its derivatives from this division.
"""

from __future__ import annotations

from typing import Any

from lastlayer.activation import Activation
from lastlayer.backends import loss_dtype, working_dtype
from lastlayer.functions.arrays import Array, look_at
from lastlayer.functions.scores import Scores
from lastlayer.functions.targets import numbers_like
from lastlayer.losses import LossOptions, counted_rows
from lastlayer.mappings import ProbabilityMapping


class Division:
    """Scores after softcap and temperature, and the way back for a loss and its gradient.

    Raises:
        TypeError: a temperature of another library than the scores.
        ValueError: another shape than () or that of the rows, or a temperature that is not positive and finite.
    """

    def __init__(
        self, mapping: ProbabilityMapping, scores: Scores, targets: Array, is_soft: bool, options: LossOptions
    ) -> None:
        xp, values = scores.xp, scores.values
        self._scores, self._xp, self._backend = values, xp, scores.backend
        self._capped = Activation(softcap=options.softcap)
        self._wide = xp.astype(values, working_dtype(values, xp))
        temperature = _checked(options.temperature, scores)
        divisor = xp.astype(temperature, self._wide.dtype)
        self._divisor = divisor[..., None] if divisor.ndim else divisor
        all_count = is_soft and options.sample_weight is None and options.weight is None
        is_counted = None if all_count else counted_rows(targets, is_soft, options, mapping.family, xp)
        self._is_counted = None if is_counted is None else is_counted[..., None]
        capped = self._capped(self._wide, xp)
        if self._is_counted is not None:
            # Else an infinite score of a row that does not count would make the temperature's derivative 0 · inf.
            capped = xp.where(self._is_counted, capped, xp.ones_like(capped))
        self.values = capped / self._divisor

    def loss(self, found: Any) -> Any:
        """The loss, or its parts, in the dtype that the scores' loss has."""
        dtype = loss_dtype(self._scores, self._xp)
        if isinstance(found, tuple):
            return tuple(self._xp.astype(part, dtype) for part in found)
        return self._xp.astype(found, dtype)

    def gradient(self, found: Array) -> Array:
        """The gradient in the scores from that in the divided scores, without derivative tracking."""
        wide, divisor = self._backend.constant(self._wide), self._backend.constant(self._divisor)
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
        given, given_xp = seen
        if bool(given_xp.any(~((given > 0) & (given < float("inf"))))):
            raise ValueError(
                "temperature has an entry that is not a positive finite number; divide by positive numbers."
            )
    return array

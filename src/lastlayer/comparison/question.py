"""What is to be compared: the scores, the true class, the activation and the mappings, checked once, here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lastlayer.activation import Activation
from lastlayer.arguments import as_integer, describe
from lastlayer.functions import resolve_mapping
from lastlayer.functions.arrays import as_array
from lastlayer.mappings import MAPPINGS, ProbabilityMapping


@dataclass(frozen=True)
class Question:
    """A vector of scores and how it is to be looked at. `scores` (K,) are as given, before the activation."""

    scores: NDArray[np.float64]
    label: int | None
    activation: Activation
    mappings: tuple[ProbabilityMapping, ...]
    #: Whether somebody named the mappings, so that all of them are of interest.
    is_chosen: bool = False

    @classmethod
    def ask(
        cls,
        scores: Sequence[float],
        *,
        label: int | None = None,
        softcap: float | None = None,
        temperature: float = 1.0,
        mappings: str | ProbabilityMapping | Sequence[str | ProbabilityMapping] | None = None,
    ) -> Question:
        """Check what a caller wants to know. `mappings` None means all of them; one named twice is shown once.

        Raises:
            ValueError: no scores, a NaN, an unknown mapping, a softcap or temperature that is not a positive number.
            TypeError: scores that are not real numbers, or a parameter that a mapping does not have.
            IndexError: `label` is not the index of a score.
        """
        values = np.array(as_array(scores, "scores")[0])
        values = _as_floats(values)
        if values.dtype.kind not in "iuf" or values.ndim != 1:
            raise TypeError(f"The scores are {describe(values)}; give one real number per class, as in 1 0.5.")
        if not len(values):
            raise ValueError("There are no scores; give one number per class, as in 1 0.5.")
        values = values.astype(np.float64)
        if np.isnan(values).any():
            raise ValueError(f"Score {int(np.isnan(values).argmax())} is NaN; give a number.")
        label = None if label is None else as_integer("label", label, "the index of the true class")
        if label is not None and not 0 <= label < len(values):
            choice = f"one from 0 to {len(values) - 1}" if len(values) > 1 else "0"
            raise IndexError(f"label is {label}, but there {_count(len(values))}; give {choice}.")
        # One name is a list of one, not of its letters.
        named = [mappings] if isinstance(mappings, str | ProbabilityMapping) else mappings
        records = MAPPINGS.values() if named is None else [resolve_mapping(mapping) for mapping in named]
        once = {record.label: record for record in records}
        if not once:
            raise ValueError(f"There are no mappings to compare; name some of {', '.join(MAPPINGS)}.")
        return cls(
            values,
            label,
            Activation(temperature, softcap),
            tuple(once.values()),
            mappings is not None,
        )


def _as_floats(values: NDArray[Any]) -> NDArray[Any]:
    """Python's integers beyond 64 bits, which NumPy keeps as objects, as the nearest floats; everything else as it is.

    Raises:
        ValueError: an integer beyond the largest float.
    """
    if values.dtype.kind != "O" or values.ndim != 1 or not all(type(value) in (int, float) for value in values):
        return values
    try:
        return values.astype(np.float64)
    except OverflowError:
        raise ValueError("A score is beyond the largest float64, about 1.8e308; give a smaller one.") from None


def _count(classes: int) -> str:
    return "is 1 class" if classes == 1 else f"are {classes} classes"

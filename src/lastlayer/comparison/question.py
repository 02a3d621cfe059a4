"""What is to be compared: the scores, the true class, the activation and the mappings, checked once, here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        mappings: Sequence[str | ProbabilityMapping] | None = None,
    ) -> Question:
        """Check what a caller wants to know. `mappings` None means all of them; one named twice is shown once.

        Raises:
            ValueError: no scores, a NaN, an unknown mapping, a softcap or temperature that is not a positive number.
            TypeError: scores that are not real numbers, or a parameter that a mapping does not have.
            IndexError: `label` is not the index of a score.
        """
        values = np.array(as_array(scores, "scores")[0])
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
        records = MAPPINGS.values() if mappings is None else [resolve_mapping(mapping) for mapping in mappings]
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


def _count(classes: int) -> str:
    return "is 1 class" if classes == 1 else f"are {classes} classes"

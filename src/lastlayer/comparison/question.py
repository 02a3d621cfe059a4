"""What is to be compared: the scores, the true class, the activation and the mappings, checked once, here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lastlayer.activation import Activation
from lastlayer.functions import resolve_mapping
from lastlayer.mappings import MAPPINGS, ProbabilityMapping


@dataclass(frozen=True)
class Question:
    """A vector of scores and how it is to be looked at. `scores` (K,) are as given, before the activation."""

    scores: NDArray[np.float64]
    label: int | None
    activation: Activation
    mappings: tuple[ProbabilityMapping, ...]

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
        """Check what a caller wants to know. `mappings` None stands for all of them; one named twice is shown once.

        Raises:
            ValueError: no scores, a NaN, an unknown mapping, a softcap or temperature that is not a positive number.
            TypeError: a parameter that a mapping has not.
            IndexError: `label` is not the index of a score.
        """
        if not len(scores):
            raise ValueError("There are no scores; give one number a class, as in 1 0.5.")
        for place, score in enumerate(scores):
            if math.isnan(score):
                raise ValueError(f"Score {place} is NaN; give a number.")
        if label is not None and not 0 <= label < len(scores):
            choice = f"one from 0 to {len(scores) - 1}" if len(scores) > 1 else "0"
            raise IndexError(f"label is {label}, but there {_count(len(scores))}; give {choice}.")
        records = MAPPINGS.values() if mappings is None else [resolve_mapping(mapping) for mapping in mappings]
        once = {record.label: record for record in records}
        if not once:
            raise ValueError(f"There are no mappings to compare; name some of {', '.join(MAPPINGS)}.")
        return cls(
            np.array(scores, dtype=np.float64),
            label,
            Activation(temperature, softcap),
            tuple(once.values()),
        )


def _count(classes: int) -> str:
    return "is 1 class" if classes == 1 else f"are {classes} classes"

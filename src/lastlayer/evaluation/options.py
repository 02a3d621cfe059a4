"""The options of an evaluation, checked before anything is read."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from numbers import Integral

from lastlayer.calibration import KINDS
from lastlayer.calibration.fit import MAPS, has_temperature
from lastlayer.evaluation.error import EvaluationError
from lastlayer.functions import resolve_mapping


def check_options(kind: str | None, mapping: str, folds: int, seed: int, maps: Sequence[str] | None) -> None:
    """Refuse what no evaluation can do.

    Raises:
        EvaluationError: an option is outside its range; names it and what to give.
    """
    if kind is not None and kind not in KINDS:
        raise EvaluationError(f"kind is {kind!r}; give one of {', '.join(KINDS)}, or nothing.")
    if isinstance(folds, bool) or not isinstance(folds, Integral) or not 2 <= folds <= 100:
        raise EvaluationError(f"folds is {folds!r}; give a whole number from 2 to 100.")
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise EvaluationError(f"seed is {seed!r}; give a whole number from 0 on.")
    if isinstance(maps, str) or (maps is not None and not maps):
        raise EvaluationError(f"maps is {maps!r}; give a list of names, or nothing for all.")
    try:
        resolve_mapping(mapping)
    except (TypeError, ValueError) as error:
        raise EvaluationError(str(error)) from error
    for name in maps or ():
        _check_map(name, mapping)


def _check_map(name: str, mapping: str) -> None:
    """Refuse a map that there is not, or that has no temperature to fit."""
    if name in MAPS and name != "temperature":
        return
    try:
        record = resolve_mapping(mapping if name == "temperature" else name)
    except (TypeError, ValueError) as error:
        near = difflib.get_close_matches(str(name), MAPS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"maps are {', '.join(MAPS)}, and the mappings."
        raise EvaluationError(f"There is no map {name!r}; {hint}") from error
    if not has_temperature(record):
        raise EvaluationError(
            f"The map {name!r} has nothing to fit: the probabilities of {record.label} do not depend on the scale of the scores; leave it out."
        )

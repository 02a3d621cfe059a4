"""What every calibrator fulfils: one sentence for the first field that does not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from lastlayer.calibration.score_rows import KINDS
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping

if TYPE_CHECKING:
    from lastlayer.calibration.calibrator import Calibrator

#: Name of a map → the arrays that it has, and those that it may have. A map named after a mapping has what a temperature has.
ARRAYS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "none": (frozenset(), frozenset()),
    "temperature": (frozenset(), frozenset()),
    "temperature_prior": (frozenset({"bias"}), frozenset()),
    "vector": (frozenset({"weight"}), frozenset({"bias"})),
    "matrix": (frozenset({"matrix"}), frozenset({"bias"})),
}
#: More classes are refused: a damaged number must not allocate all memory.
MOST_CLASSES = 10_000_000


def check_calibrator(calibrator: Calibrator) -> None:
    """Raise ValueError, whose sentence begins with the name of the field and ends with the remedy.

    Raises:
        ValueError: a field is outside its range, or the fields do not fit each other.
    """
    _check_name(calibrator.name, calibrator.mapping)
    k = calibrator.n_classes
    if not isinstance(k, int) or isinstance(k, bool) or not 2 <= k <= MOST_CLASSES:
        raise ValueError(f"n_classes is {k!r}; give a whole number from 2 to {MOST_CLASSES}.")
    if calibrator.kind not in KINDS:
        raise ValueError(f"kind is {calibrator.kind!r}; give {' or '.join(map(repr, KINDS))}.")
    if calibrator.is_one_column and k != 2:
        raise ValueError(f"is_one_column is True for {k} classes; one column is two classes, so give False.")
    _check_numbers(calibrator)
    _check_arrays(calibrator)
    names = calibrator.class_names
    if names is not None and (len(names) != k or not all(isinstance(name, str) for name in names)):
        raise ValueError(f"class_names has {len(names)} entries for {k} classes; give one text per class, or None.")


def _check_name(name: Any, mapping: Any) -> None:
    """The mapping exists, and the map is one of ours or is named after its mapping."""
    if not isinstance(mapping, str) or len(mapping) > 200:
        raise ValueError(f"mapping is {str(mapping)[:60]!r}; give a name such as 'softmax' or 'entmax:alpha=1.3'.")
    try:
        record = resolve_mapping(mapping)
    except (TypeError, ValueError) as error:
        raise ValueError(f"mapping is {mapping[:60]!r}: {error}") from error
    if name not in ARRAYS and name != record.name and not _is_label_of(name, record):
        raise ValueError(
            f"name is {str(name)[:60]!r}; give one of {', '.join(ARRAYS)}, or the name of the mapping, {record.label}."
        )


def _is_label_of(name: Any, record: ProbabilityMapping) -> bool:
    """Whether a map's name, such as "entmax:alpha=1.30", is that of the mapping with its parameters."""
    try:
        return isinstance(name, str) and len(name) <= 200 and resolve_mapping(name).label == record.label
    except (TypeError, ValueError):
        return False


def _check_numbers(calibrator: Calibrator) -> None:
    temperature, floor = calibrator.temperature, calibrator.floor
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature is {temperature!r}; give a positive finite number.")
    if temperature != 1 and (
        calibrator.weight is not None or calibrator.matrix is not None or calibrator.name == "none"
    ):
        raise ValueError(
            f"temperature is {temperature!r} for the map {calibrator.name}; give 1, since only maps without weight and matrix have one."
        )
    if not (math.isfinite(floor) and 0 <= floor < 1):
        raise ValueError(f"floor is {floor!r}; give a probability from 0 to below 1.")


def _check_arrays(calibrator: Calibrator) -> None:
    k = calibrator.n_classes
    needed, allowed = ARRAYS.get(calibrator.name, ARRAYS["temperature"])
    for field, shape in (("weight", (k,)), ("matrix", (k, k)), ("bias", (k,))):
        array = getattr(calibrator, field)
        if array is None:
            if field in needed:
                raise ValueError(f"{field} is missing; the map {calibrator.name} needs numbers of shape {shape}.")
            continue
        if field not in needed | allowed:
            raise ValueError(f"{field} is given, but the map {calibrator.name} has no {field}; leave it out.")
        if array.shape != shape:
            raise ValueError(f"{field} has the shape {array.shape}; {k} classes need {shape}.")
        if not np.isfinite(array).all():
            raise ValueError(f"{field} has an entry that is not a finite number; give finite numbers.")

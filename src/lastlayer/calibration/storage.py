"""calibrator.json: a calibrator as a small text file that a person can read, and that is checked when it is read.

A damaged or hostile file is refused by one sentence. Nothing in the file is executed, and no field decides how much memory is
allocated before it is checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lastlayer.files import replace_text
from lastlayer.findings.json_numbers import to_json

#: The number of the form. A change that an earlier version would misread takes the next one.
FORMAT = 1
#: The largest file: a matrix of 2000 classes takes about 80 MB.
MOST_BYTES = 128 * 2**20


def form_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a calibrator as JSON holds them, with the format's number first; float64 has all of its digits."""
    arrays = {name: value.tolist() for name, value in fields.items() if isinstance(value, np.ndarray)}
    form: dict[str, Any] = to_json({"format": FORMAT, **fields, **arrays})
    return form


def fields_of(form: Any) -> dict[str, Any]:
    """The fields that `form_of` was given, with their types checked.

    Raises:
        ValueError: `form` is not what `form_of` makes. The sentence begins with the name of the field.
    """
    if not isinstance(form, Mapping) or "format" not in form:
        raise ValueError("format is missing; give a file that Calibrator.write wrote.")
    if form["format"] != FORMAT or isinstance(form["format"], bool):
        raise ValueError(
            f"format is {_shown(form['format'])}, and this version reads {FORMAT}; use the version of lastlayer that wrote it."
        )
    if missing := [name for name in _READERS if name not in form]:
        raise ValueError(f"{missing[0]} is missing; write the calibrator again.")
    if unknown := [name for name in form if name not in _READERS and name != "format"]:
        raise ValueError(f"{_shown(unknown[0])} is no field of a calibrator; remove it.")
    return {name: read(name, form[name]) for name, read in _READERS.items()}


def write_form(path: Path, form: Mapping[str, Any]) -> None:
    """Write a form as text, whole or not at all: one line per field, and one per row of a matrix.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    lines = [f"  {json.dumps(name)}: {_text(value)}" for name, value in form.items()]
    replace_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def read_form(path: Path) -> Any:
    """What the JSON file at `path` holds.

    Raises:
        OSError: the file does not exist or cannot be read.
        ValueError: it is too large, or not JSON.
    """
    size = path.stat().st_size
    if not path.is_file() or size > MOST_BYTES:
        what = f"it has {size} bytes, and at most {MOST_BYTES} are read" if path.is_file() else "it is no file"
        raise ValueError(f"{what}; give a calibrator.json that Calibrator.write wrote.")
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"), object_pairs_hook=_without_repetition)
    # Deeply nested brackets end in a RecursionError; an integer of thousands of digits and broken text in a ValueError.
    except (ValueError, RecursionError) as error:
        reason = str(error)[:120] or type(error).__name__
        raise ValueError(f"it is not JSON ({reason}); give a calibrator.json that Calibrator.write wrote.") from error


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{_shown(next(name for name in names if names.count(name) > 1))} is given twice")
    return found


def _text(value: Any) -> str:
    """JSON on one line; a matrix with one line per row."""
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "[\n" + ",\n".join(f"    {json.dumps(row, allow_nan=False)}" for row in value) + "\n  ]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and abs(value) < 2**63)


def _number(name: str, value: Any) -> float:
    if not _is_number(value):
        raise ValueError(f"{name} is {_shown(value)}; give a number.")
    return float(value)


def _numbers(name: str, value: Any) -> np.ndarray | None:
    """A list of numbers, or of lists of numbers that have one length."""
    if value is None:
        return None
    rows = value if isinstance(value, list) and value and isinstance(value[0], list) else [value]
    if not all(isinstance(row, list) and all(map(_is_number, row)) for row in rows):
        raise ValueError(f"{name} is {_shown(value)}; give a list of numbers, for a matrix one list per row.")
    if len({len(row) for row in rows}) != 1:
        raise ValueError(f"{name} has rows of different lengths; give one number per class in each.")
    return np.array(value, dtype=np.float64)


def _reader(kind: type, words: str) -> Callable[[str, Any], Any]:
    def read(name: str, value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"{name} is {_shown(value)}; give {words}.")
        return value

    return read


def _names(name: str, value: Any) -> tuple[str, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{name} is {_shown(value)}; give a list of texts, one per class, or null.")
    return tuple(value)


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "name": _reader(str, "the name of a map as text"),
    "mapping": _reader(str, "the name of a mapping as text"),
    "n_classes": _reader(int, "a whole number"),
    "kind": _reader(str, "a text"),
    "is_one_column": _reader(bool, "true or false"),
    "temperature": _number,
    "weight": _numbers,
    "matrix": _numbers,
    "bias": _numbers,
    "floor": _number,
    "class_names": _names,
    "fitted_on": _reader(dict, "an object with facts by name"),
}

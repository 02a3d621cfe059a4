"""A fitted calibration map: from scores (n, K) to probabilities (n, K)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np

from lastlayer.calibration.code import numpy_line, torch_line
from lastlayer.calibration.invariants import check_calibrator
from lastlayer.calibration.score_rows import Kind, ScoreRows
from lastlayer.calibration.storage import fields_of, form_of, read_form, write_form
from lastlayer.files import expanded
from lastlayer.functions import log_probabilities, probabilities


@dataclass(frozen=True, eq=False)
class Calibrator:
    """p = mapping(A x + b), with A x one of x / T, w ∘ x and W x, of scores x (n, K).

    The scores of probabilities q are x = log max(q, floor). One column is two classes, with the scores (0, x) or the
    probabilities (1 − q, q).

    Attributes:
        name: "none", "temperature", "temperature_prior", "vector", "matrix", or the name of a mapping that replaces the model's,
            such as "sparsemax" and "entmax", which has a temperature of its own.
        mapping: the label of the mapping, such as "softmax" or "entmax:alpha=1.3".
        n_classes: K.
        kind: whether it takes scores or probabilities.
        is_one_column: whether it was fitted to one column for two classes.
        temperature: T > 0; 1 where `weight` or `matrix` is in its place.
        weight: w (K,), of vector scaling.
        matrix: W (K, K), of matrix scaling; the new score of class k is Σ_j W[k, j] x[j] + b[k].
        bias: b (K,), or None for 0.
        floor: the least probability, where it takes probabilities; 0 for none.
        class_names: the classes in the order of the columns, if they have names.
        fitted_on: what it was fitted on: file, rows, date, version.

    Raises:
        ValueError: a field is outside its range, or the fields do not fit each other.

    >>> calibrator = Calibrator("temperature", "softmax", 2, temperature=2.0)
    >>> calibrator.probabilities([[2.0, 0.0]]).round(3)
    array([[0.731, 0.269]])
    >>> calibrator.torch_code
    'probabilities = torch.softmax(scores / 2.0, dim=-1)'
    """

    name: str
    mapping: str
    n_classes: int
    kind: Kind = "scores"
    is_one_column: bool = False
    temperature: float = 1.0
    weight: np.ndarray | None = None
    matrix: np.ndarray | None = None
    bias: np.ndarray | None = None
    floor: float = 0.0
    class_names: tuple[str, ...] | None = None
    fitted_on: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Kept as Python's numbers and as float64: what is written is then what was computed with, digit for digit.
        object.__setattr__(self, "temperature", float(self.temperature))
        object.__setattr__(self, "floor", float(self.floor))
        for name in ("weight", "matrix", "bias"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, np.asarray(value, dtype=np.float64))
        check_calibrator(self)

    def transform(self, scores: np.ndarray) -> np.ndarray:
        """A x + b of scores x (…, K), in their type."""
        number = scores.dtype.type
        if self.matrix is not None:
            scores = scores @ self.matrix.T.astype(scores.dtype)
        elif self.weight is not None:
            scores = scores * self.weight.astype(scores.dtype)
        elif self.temperature != 1.0:
            limits = np.finfo(scores.dtype)
            # Scores too far apart for their type become infinite, which is as certain.
            with np.errstate(over="ignore"):
                scores = scores / number(min(max(self.temperature, float(limits.tiny)), float(limits.max)))
        return scores if self.bias is None else scores + self.bias.astype(scores.dtype)

    def scores(self, values: Any) -> np.ndarray:
        """The calibrated scores of the model's scores or probabilities (n, K), or (n,) for two classes."""
        return self.transform(self._rows(values).block(0, len(values)))

    def probabilities(self, values: Any) -> np.ndarray:
        """The calibrated probabilities (n, K) of the model's scores or probabilities (n, K), or (n,) for two classes.

        Raises:
            ValueError: the values have another number of classes.
        """
        return probabilities(self.scores(values), mapping=self.mapping, on_domain="nan")

    def log_probabilities(self, values: Any) -> np.ndarray:
        """The logarithms of `probabilities`, exact where these underflow."""
        return log_probabilities(self.scores(values), mapping=self.mapping, on_domain="nan")

    def _rows(self, values: Any) -> ScoreRows:
        array = np.asarray(values)
        if array.ndim not in (1, 2):
            raise ValueError(f"The {self.kind} have the shape {array.shape}; give (rows, classes).")
        rows = ScoreRows(array, self.kind, floor=self.floor)
        if rows.n_classes != self.n_classes:
            raise ValueError(
                f"The {self.kind} have {rows.n_classes} classes, and the calibrator was fitted to {self.n_classes}; give the same "
                "columns in the same order."
            )
        return rows

    @property
    def numpy_code(self) -> str:
        """One line of Python that makes `probabilities` of the model's `scores` (or `probabilities`) with NumPy, `np`.

        Mappings other than softmax are computed by lastlayer; long arrays are read from calibrator.json. The line computes in the
        type of the scores, so float16 loses digits that `probabilities` keeps: give it float32.
        """
        return numpy_line(self)

    @property
    def torch_code(self) -> str:
        """The same line with PyTorch, for tensors on any device."""
        return torch_line(self)

    def to_dict(self) -> dict[str, Any]:
        """The calibrator as JSON can hold it: every field by name, and the number of the form.

        >>> calibrator = Calibrator("temperature", "softmax", 3, temperature=1.5)
        >>> Calibrator.from_dict(calibrator.to_dict()).temperature
        1.5
        """
        return form_of({each.name: getattr(self, each.name) for each in fields(self)})

    @classmethod
    def from_dict(cls, form: Any) -> Self:
        """The calibrator that `to_dict` gave.

        Raises:
            ValueError: a field is missing, unknown, of another type or outside its range.
        """
        return cls(**fields_of(form))

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write a calibrator.json, whole or not at all; the path as it was written to.

        Raises:
            OSError: the folder or the file cannot be written.
        """
        place = expanded(path)
        write_form(place, self.to_dict())
        return place

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """The calibrator in a calibrator.json.

        Raises:
            OSError: the file does not exist or cannot be read.
            ValueError: it is damaged, or holds something else; the sentence names the file, the field and the remedy.
        """
        place = expanded(path)
        try:
            return cls.from_dict(read_form(place))
        except ValueError as error:
            raise ValueError(f"The file {place} holds no calibrator: {error}") from error

"""The first step of a saved model: a raw table becomes the features that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from lastlayer.study.data.datasets import Dataset
from lastlayer.study.data.forms import BOOLEAN, CATEGORY, DATE, NUMBER, TEXT, ColumnForm, apply_form
from lastlayer.study.data.names import find_column
from lastlayer.study.data.sources import raw_frame
from lastlayer.study.error import StudyError

_KINDS = (NUMBER, BOOLEAN, DATE, CATEGORY, TEXT)
#: What messages call the table.
_NAME = "the table"


class TableReader(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Pick the columns of a raw table and read each the way the study read it: as numbers, dates or text.

    Attributes are learnt from nothing: what there is to know are the arguments, plain lists and dicts of text.

    Args:
        columns: names of the features, in order.
        kinds: column → number, boolean, date, category or text.
        placeholders: column → texts that mean a missing value.
        decimals: column → decimal sign of numbers that are written with a unit or thousands separators.
        date_formats: column → the format of dates that are texts.
        inputs: names of all columns of an array, whose places are those of the array's columns; by default `columns`.
    """

    def __init__(
        self,
        columns: Sequence[str] = (),
        kinds: Mapping[str, str] | None = None,
        placeholders: Mapping[str, Sequence[str]] | None = None,
        decimals: Mapping[str, str] | None = None,
        date_formats: Mapping[str, str] | None = None,
        inputs: Sequence[str] | None = None,
    ) -> None:
        self.columns = columns
        self.kinds = kinds
        self.placeholders = placeholders
        self.decimals = decimals
        self.date_formats = date_formats
        self.inputs = inputs

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the arguments and that X has the columns.

        Raises:
            StudyError: a kind is unknown, or X lacks a column.
        """
        for column in self.columns:
            kind = (self.kinds or {}).get(column, NUMBER)
            if kind not in _KINDS:
                raise StudyError(f"Column {column!r} has the kind {kind!r}; there are {', '.join(_KINDS)}.")
        frame = self._frame(X)
        for column in self.columns:
            self._find(column, frame)
        self.n_features_in_ = frame.shape[1]
        self.is_fitted_ = True
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """The features of a table of pandas, polars or Arrow, or of an array (n, d) with the training table's columns.

        Raises:
            StudyError: a column is missing, or a cell is no number or date where one is expected.
        """
        frame = self._frame(X)
        read = {
            column: apply_form(frame[self._find(column, frame)].rename(column), self._form(column), _NAME)
            for column in self.columns
        }
        return pd.DataFrame(read, index=frame.index, columns=list(self.columns), copy=False)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """The names of the features."""
        return np.asarray(self.columns, dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "is_fitted_")

    def _form(self, column: str) -> ColumnForm:
        return ColumnForm(
            (self.kinds or {}).get(column, NUMBER),
            tuple((self.placeholders or {}).get(column, ())),
            (self.decimals or {}).get(column, ""),
            (self.date_formats or {}).get(column, ""),
        )

    def _frame(self, X: Any) -> pd.DataFrame:
        frame, has_names = raw_frame(X)
        if has_names:
            return frame
        # By position: the columns that the training table had. Fewer could be other ones, which nothing would show.
        names = self.columns if self.inputs is None else self.inputs
        if frame.shape[1] == len(names):
            return frame.set_axis(list(names), axis=1)
        raise StudyError(
            f"The array has {frame.shape[1]} columns, not {len(names)}; give the columns of the training table, or a DataFrame with their names."
        )

    @staticmethod
    def _find(column: str, frame: pd.DataFrame) -> str:
        return column if column in frame.columns else find_column(column, list(frame.columns), _NAME)


def table_reader(data: Dataset) -> TableReader:
    """The reader that makes a study's features of its raw table."""
    columns = [str(column) for column in data.features.columns]
    forms = {column: data.forms.get(column) or _form_of(data.features[column]) for column in columns}
    named = [str(name) for name in data.columns["column"]] if len(data.columns) else None
    return TableReader(
        columns,
        {column: form.kind for column, form in forms.items()},
        {column: list(form.placeholders) for column, form in forms.items() if form.placeholders},
        {column: form.decimal for column, form in forms.items() if form.decimal},
        {column: form.date_format for column, form in forms.items() if form.date_format},
        named,
    )


def _form_of(column: pd.Series) -> ColumnForm:
    """The form of a column whose dataset was made by hand."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return ColumnForm(DATE)
    return ColumnForm(NUMBER if pd.api.types.is_numeric_dtype(column.dtype) else TEXT)

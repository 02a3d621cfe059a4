"""From columns of any kind to the numbers that a linear model is trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from lastlayer.study.data.numbers import are_numbers
from lastlayer.study.error import StudyError
from lastlayer.study.fit.scales import Limiter, PowerOfTwoScaler
from lastlayer.study.fit.splines import SplineColumns
from lastlayer.study.fit.table_reader import TableReader

#: Cells of a text column that are looked at for codes of digits, and distinct codes from which on they are text.
_CELLS, _CATEGORIES = 50, 40


@dataclass(frozen=True)
class EncodedFold:
    """One split as numbers: float64 matrices of the training and the test rows."""

    train: np.ndarray
    test: np.ndarray


def encoder(features: pd.DataFrame, seed: int, splines: bool = False) -> Pipeline:
    """Numbers as they are, dates and text by skrub; then the mean for what is missing (with a column that says so) and scaling.

    Numbers of any size: a column of 1e300 is as good as one of 1. With `splines`, numbers of many values become cubic B-splines.

    Everything is learnt from the rows it is fitted on. The result is held within ± 1e100.
    """
    numeric = [column for column in features.columns if features[column].dtype == np.float64]
    others = [column for column in features.columns if features[column].dtype != np.float64]
    scaling = [StandardScaler(copy=False), Limiter()]
    if splines and numeric:
        parts = [("curves", make_pipeline(*_filling(), SplineColumns()), numeric)]
        if others:
            parts.append(("others", make_pipeline(vectorizer([], seed, codes(features, others)), *_filling()), others))
        return make_pipeline(ColumnTransformer(parts, sparse_threshold=0.0), *scaling)
    words = [vectorizer(numeric, seed, codes(features, others))] if others else []
    return make_pipeline(*words, *_filling(), *scaling)


def _filling() -> list[Any]:
    """Steps that leave no missing value; the imputer copies, so that no later step changes the caller's numbers."""
    return [PowerOfTwoScaler(), SimpleImputer(add_indicator=True, keep_empty_features=True)]


def vectorizer(numeric: list[str], seed: int, digits: Sequence[tuple[str, bool]] = ()) -> Any:
    """skrub's vectorizer of dates, text and categories; the `numeric` columns bypass it, since it rounds to float32.

    `digits` are text columns of digits alone, which it would make numbers of, each with whether they are few categories.
    """
    # skrub takes half a second to import, which a table of numbers need not wait for, nor each worker that fits one.
    from skrub import StringEncoder, TableVectorizer

    specific: list[tuple[Any, list[str]]] = [("passthrough", numeric)] if numeric else []
    few, many = ([name for name, is_few in digits if is_few == wanted] for wanted in (True, False))
    if few:
        one_hot = OneHotEncoder(drop="if_binary", dtype="float32", handle_unknown="ignore", sparse_output=False)
        specific.append((one_hot, few))
    if many:
        specific.append((StringEncoder(random_state=seed), many))
    return TableVectorizer(high_cardinality=StringEncoder(random_state=seed), specific_transformers=specific)


def codes(features: pd.DataFrame, columns: Iterable[str]) -> list[tuple[str, bool]]:
    """The text columns whose cells are digits, such as postal codes, each with whether it has few distinct ones."""
    found = []
    for column in columns:
        if pd.api.types.is_datetime64_any_dtype(features[column].dtype):
            continue
        first = features[column].dropna().iloc[:_CELLS]
        if len(first) and are_numbers(map(str, first)).all():
            found.append((column, bool(features[column].nunique() < _CATEGORIES)))
    return found


def encode_fold(
    features: pd.DataFrame, train: np.ndarray, test: np.ndarray, seed: int, splines: bool = False
) -> EncodedFold:
    """Fit the encoder on the training rows alone and encode both parts.

    Raises:
        StudyError: the columns cannot be encoded.
    """
    pipeline = encoder(features, seed, splines)
    try:
        # A test value may overflow where the training rows do not.
        with np.errstate(over="ignore", invalid="ignore"):
            return EncodedFold(pipeline.fit_transform(features.iloc[train]), pipeline.transform(features.iloc[test]))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        first = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise StudyError(
            f"The columns could not be made into features ({first}); remove or mend the column that this speaks of."
        ) from error


def encoded_counts(pipeline: Pipeline, columns: Iterable[str]) -> dict[str, int]:
    """How many numeric columns each column became in a fitted `encoder`, with or without a table reader and a classifier.

    The counts add up to the width of the encoded table. A column that is no feature has 0; the numbers of a list column,
    `emb[0]`, `emb[1]`, …, count for `emb` as well.
    """
    counts = _counts([step for _, step in pipeline.steps])
    lists: Counter[str] = Counter()
    for name, count in counts.items():
        lists[name.rpartition("[")[0]] += count
    return {column: counts.get(column, 0) or lists.get(column, 0) for column in columns}


def _counts(steps: Sequence[Any]) -> Counter[str]:
    owners: list[str] = []
    for step in steps:
        if isinstance(step, TableReader):
            owners = [str(column) for column in step.columns]
        elif isinstance(step, ColumnTransformer):
            parts = [_counts([inner for _, inner in part.steps]) for _, part, _ in step.transformers_]
            return sum(parts, Counter())
        elif hasattr(step, "input_to_outputs_"):
            sources = {output: name for name, outputs in step.input_to_outputs_.items() for output in outputs}
            owners = [str(sources[output]) for output in step.get_feature_names_out()]
        elif isinstance(step, PowerOfTwoScaler):
            owners = owners or list(step.columns_)
        elif isinstance(step, SimpleImputer):
            missing = step.indicator_.features_ if step.indicator_ is not None else ()
            owners = [*owners, *(owners[i] for i in missing)]
        elif isinstance(step, SplineColumns):
            owners = [owner for owner, width in zip(owners, step.widths, strict=True) for _ in range(width)]
    return Counter(owners)

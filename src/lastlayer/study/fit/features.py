"""From columns of any kind to the numbers that a linear model is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from lastlayer.study.error import StudyError
from lastlayer.study.fit.scales import PowerOfTwoScaler

#: Standardised values are held within ± this: one test value far beyond the training rows must not overflow the scores.
LARGEST = 1e100


@dataclass(frozen=True)
class EncodedFold:
    """One split as numbers: float64 matrices of the training and the test rows."""

    train: np.ndarray
    test: np.ndarray


def encoder(features: pd.DataFrame, seed: int) -> Pipeline:
    """Numbers as they are, dates and text by skrub; then the mean for what is missing (with a column that says so) and scaling.

    Numbers of any size: a column of 1e300 is as good as one of 1.

    Everything is learnt from the rows it is fitted on.
    """
    numeric = [column for column in features.columns if features[column].dtype == np.float64]
    steps = [PowerOfTwoScaler(), SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler()]
    if len(numeric) < len(features.columns):
        steps.insert(0, vectorizer(numeric, seed))
    return make_pipeline(*steps)


def vectorizer(numeric: list[str], seed: int) -> Any:
    """skrub's vectorizer of dates, text and categories; the `numeric` columns bypass it, since it rounds to float32."""
    # skrub takes half a second to import, which a table of numbers need not wait for, nor each worker that fits one.
    from skrub import StringEncoder, TableVectorizer

    return TableVectorizer(
        high_cardinality=StringEncoder(random_state=seed),
        specific_transformers=[("passthrough", numeric)] if numeric else (),
    )


def encode_fold(features: pd.DataFrame, train: np.ndarray, test: np.ndarray, seed: int) -> EncodedFold:
    """Fit the encoder on the training rows alone and encode both parts.

    Raises:
        StudyError: the columns cannot be encoded.
    """
    pipeline = encoder(features, seed)
    try:
        # A test value may overflow where the training rows do not.
        with np.errstate(over="ignore", invalid="ignore"):
            encoded = pipeline.fit_transform(features.iloc[train]), pipeline.transform(features.iloc[test])
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        first = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise StudyError(
            f"The columns could not be made into features ({first}); remove or mend the column that this speaks of."
        ) from error
    return EncodedFold(*(np.ascontiguousarray(np.clip(part, -LARGEST, LARGEST), dtype=np.float64) for part in encoded))

"""Numbers as splines: a linear model bends along them, and what has too few values stays as it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from lastlayer.study.fit.features import encode_fold, encoded_counts, encoder
from lastlayer.study.fit.splines import SplineColumns
from lastlayer.study.workers import quiet

GENERATOR = np.random.default_rng(3)
X = GENERATOR.normal(size=300)
TRAIN, TEST = np.arange(200), np.arange(200, 300)


def test_a_linear_model_bends() -> None:
    labels = (np.abs(X) > 0.7).astype(int)
    scores = {}
    for splines in (False, True):
        fold = encode_fold(pd.DataFrame({"x": X}), TRAIN, TEST, 0, splines)
        scores[splines] = LogisticRegression(C=10).fit(fold.train, labels[TRAIN]).score(fold.test, labels[TEST])
    assert scores[False] < 0.75
    assert scores[True] > 0.93


COLUMNS = {
    "many values": (X, 6),
    "two values": (np.sign(X), 1),
    "nine values": (np.arange(300) % 9, 1),
    "ten values": (np.arange(300) % 10, 6),
    "nearly all zero": (np.where(np.arange(300) % 20, 0.0, X), 4),
    "hardly any above zero": (np.where(np.arange(300) % 20, 0.0, np.abs(X)), 1),
    "half zero": (np.maximum(X, 0), 5),
    "huge": (X * 1e90, 6),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_how_many_columns_a_column_becomes(kind: str) -> None:
    values, expected = COLUMNS[kind]
    splines = SplineColumns().fit(values[:, None])
    encoded = splines.transform(values[:, None])
    assert splines.widths == [encoded.shape[1]]
    assert np.isfinite(encoded).all()
    assert encoded.shape[1] == expected
    if expected == 1:
        np.testing.assert_array_equal(encoded[:, 0], values)


def test_beyond_the_training_rows_splines_go_on_straight() -> None:
    splines = SplineColumns().fit(X[:, None])
    ends = splines.transform(np.array([[4.0], [5.0], [6.0]]) + X.max())
    np.testing.assert_allclose(ends[2] - ends[1], ends[1] - ends[0], rtol=1e-9, atol=1e-12)
    assert np.abs(ends[2] - ends[1]).max() > 0.1


def test_other_kinds_and_gaps_are_encoded_as_without_splines() -> None:
    gaps = X.copy()
    gaps[::5] = np.nan
    frame = pd.DataFrame({"gaps": gaps, "colour": ["red", "green", "blue"] * 100, "flag": (X > 0) * 1.0, "x": X})
    with quiet():
        fold = encode_fold(frame, TRAIN, TEST, 0, splines=True)
        pipeline = encoder(frame, 0, splines=True).fit(frame)
    assert np.isfinite(fold.train).all()
    assert np.isfinite(fold.test).all()
    counts = encoded_counts(pipeline, [*frame.columns, "unknown"])
    assert counts == {"gaps": 7, "colour": 3, "flag": 1, "x": 6, "unknown": 0}
    assert fold.train.shape[1] == 17

"""Columns of every kind become finite numbers, learnt from the training rows alone."""

from __future__ import annotations

import datetime
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from lastlayer.study.data.columns import check_features
from lastlayer.study.fit.features import encode_fold, vectorizer
from lastlayer.study.workers import quiet

TRAIN, TEST = np.arange(0, 60), np.arange(60, 80)


def mixed(n: int = 80) -> pd.DataFrame:
    generator = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "number": generator.normal(size=n),
            "far": 1.7e9 + np.arange(n, dtype=float),
            "colour": generator.choice(["red", "green", "blue"], n),
            "sentence": [f"row {i} says {word}" for i, word in enumerate(generator.choice(["yes", "no"], n))],
            "day": pd.date_range("2024-01-01", periods=n).strftime("%Y-%m-%d"),
            "time": [datetime.date(2020, 1, 1) + datetime.timedelta(days=i) for i in range(n)],
            "flag": generator.random(n) < 0.5,
            "late": np.where(np.arange(n) < 60, np.nan, 5.0),
        }
    )
    frame.loc[::7, "number"] = np.nan
    frame.loc[::5, "colour"] = None
    frame.loc[::9, "sentence"] = None
    frame.loc[79, "colour"] = "seen only in the test rows"
    return check_features(frame, "mixed.csv")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with quiet():
        yield


def test_every_kind_of_column_becomes_finite_numbers() -> None:
    fold = encode_fold(mixed(), TRAIN, TEST, seed=0)
    assert fold.train.shape[0] == 60
    assert fold.test.shape == (20, fold.train.shape[1])
    assert fold.train.dtype == fold.test.dtype == np.float64
    assert np.isfinite(fold.train).all()
    assert np.isfinite(fold.test).all()


def test_training_columns_are_scaled() -> None:
    train = encode_fold(mixed(), TRAIN, TEST, seed=0).train
    spread = train.std(axis=0)
    assert np.abs(train.mean(axis=0)).max() < 1e-6
    assert np.all((np.abs(spread - 1) < 1e-6) | (spread == 0))


def test_nothing_is_learnt_from_the_test_rows() -> None:
    frame = mixed()
    changed = frame.copy()
    changed.loc[TEST, "number"] = 1e6
    changed.loc[TEST, "colour"] = "other"
    changed.loc[TEST, "sentence"] = "quite another text"
    one, other = encode_fold(frame, TRAIN, TEST, seed=0), encode_fold(changed, TRAIN, TEST, seed=0)
    np.testing.assert_array_equal(one.train, other.train)
    assert not np.array_equal(one.test, other.test)


def test_numbers_keep_their_digits() -> None:
    """Neighbours that float32 cannot tell apart stay apart."""
    frame = pd.DataFrame({"far": 1.7e9 + np.arange(80.0)})
    train = encode_fold(frame, TRAIN, TEST, seed=0).train[:, 0]
    np.testing.assert_allclose(np.diff(train), np.diff(train)[0], rtol=1e-6)
    assert np.all(np.diff(train) > 0)


def test_numbers_alone_are_what_the_vectorizer_would_make_of_them() -> None:
    frame = mixed()[["number", "far", "flag", "late"]]
    passed = vectorizer(list(frame.columns), 0).fit_transform(frame)
    pd.testing.assert_frame_equal(passed, frame)
    fold = encode_fold(frame, TRAIN, TEST, seed=0)
    known = frame["number"][TRAIN].dropna()
    expected = (frame["number"][TEST] - known.mean()) / (known.std(ddof=0) * np.sqrt(len(known) / len(TRAIN)))
    np.testing.assert_allclose(fold.test[:, 0], expected.fillna(0.0), rtol=1e-9, atol=1e-9)


def test_workers_do_not_wait_for_skrub() -> None:
    code = "import sys, lastlayer.study.fit_split; sys.exit('skrub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

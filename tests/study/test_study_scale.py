"""A study of features of any scale: whole, silent, and the same as at scale 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lastlayer import MAPPINGS
from lastlayer.study import StudyError, run_study
from lastlayer.study.fit import model
from lastlayer.study.fit.features import encode_fold
from lastlayer.study.fit.scales import PowerOfTwoScaler

SCALES = [5e-324 * 2**20, 1e-310, 1e-300, 1e-170, 1e-155, 1e-60, 1e60, 1e154, 1e200, 1e300, 1e307]
ROWS = 40


def table(scale: float) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    labels = np.arange(ROWS) % 2
    x = generator.normal(size=ROWS) + 2 * labels
    return pd.DataFrame({"x": x * scale, "z": generator.normal(size=ROWS), "y": np.where(labels, "a", "b")})


def study(frame: pd.DataFrame, folder: Path, **options: object) -> object:
    frame.to_parquet(folder / "t.parquet")
    options = {"folds": 2, "repeats": 1, "C": 1.0, "mappings": ["softmax", "sparsemax"], **options}
    return run_study(folder / "t.parquet", target="y", out=folder / "out", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_is_standardised_away(scale: float) -> None:
    rows = np.arange(ROWS)
    usual, moved = (encode_fold(table(s).drop(columns="y"), rows[:20], rows[20:], 0) for s in (1.0, scale))
    # Subnormal numbers have fewer digits.
    rtol = 1e-12 if scale > 1e-307 else 1e-3
    np.testing.assert_allclose(moved.train, usual.train, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(moved.test, usual.test, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("kind", ["constant", "one huge", "one huge in the test rows", "both ends", "with gaps"])
@pytest.mark.parametrize("scale", SCALES)
def test_odd_columns_become_finite_numbers(kind: str, scale: float) -> None:
    x = np.linspace(-1, 1, ROWS)
    columns = {
        "constant": np.full(ROWS, scale),
        "one huge": np.where(np.arange(ROWS) == 3, np.finfo(float).max, x * scale),
        "one huge in the test rows": np.where(np.arange(ROWS) == 30, -np.finfo(float).max, x * scale),
        "both ends": np.where(np.arange(ROWS) % 2, scale, -scale),
        "with gaps": np.where(np.arange(ROWS) % 3, x * scale, np.nan),
    }
    frame = pd.DataFrame({"x": columns[kind], "z": x})
    fold = encode_fold(frame, np.arange(20), np.arange(20, ROWS), 0)
    assert np.isfinite(fold.train).all()
    assert np.isfinite(fold.test).all()
    assert np.abs(fold.test).max() <= 1e100
    # The column counts: it is no constant to the encoder unless it is one.
    assert (fold.train[:, 0].std() > 0.5) == (kind != "constant")


@pytest.mark.parametrize("scale", [1e-310, 1e-170, 1e200, 1e307])
def test_a_whole_study_of_any_scale_is_that_of_scale_one(scale: float, tmp_path: Path) -> None:
    (tmp_path / "usual").mkdir()
    usual, moved = study(table(1.0), tmp_path / "usual"), study(table(scale), tmp_path)
    for metric in ("accuracy", "brier", "log_loss"):
        np.testing.assert_allclose(moved.fits[metric], usual.fits[metric], rtol=1e-2, atol=1e-3)  # type: ignore[attr-defined]
    assert moved.fits["converged"].all()  # type: ignore[attr-defined]


def test_every_mapping_is_studied_on_mixed_scales(tmp_path: Path) -> None:
    frame = table(1e-170).assign(w=np.linspace(-1, 1, ROWS) * 1e300, v=np.where(np.arange(ROWS) == 5, 1.7e308, 0.5))
    results = study(frame, tmp_path, mappings=list(MAPPINGS))
    numbers = results.fits.query("mapping in @MAPPINGS")[["accuracy", "brier", "score_scale"]]  # type: ignore[attr-defined]
    assert np.isfinite(numbers.to_numpy()).all()
    assert [results.status(name) for name in MAPPINGS].count("failed") == 0  # type: ignore[attr-defined]


def test_usual_columns_are_left_as_they_are() -> None:
    values = np.array([[1.0, np.nan, 1e-50], [2.0, 1e50, 0.0]])
    np.testing.assert_array_equal(PowerOfTwoScaler().fit_transform(values), values)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StopIteration(), "StopIteration, without a message"),
        (ValueError("not\nfinite."), "(not finite)"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_a_fit_that_raises_says_why(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(model.LastLayerClassifier, "fit", fit)
    with pytest.raises(StudyError, match="softmax, which the others are compared with, could not be fitted") as caught:
        study(table(1.0), tmp_path)
    assert said in str(caught.value)
    assert "(StopIteration)" not in str(caught.value)

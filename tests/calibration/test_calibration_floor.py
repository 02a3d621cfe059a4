"""A probability of 0 that comes after the fit has one finite score, whoever computes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lastlayer import torch as lastlayer_torch
from lastlayer.calibration import Calibrator, ScoreRows
from lastlayer.calibration.fit import fit_map


@pytest.fixture(params=["temperature", "temperature_prior", "vector", "matrix", "sparsemax"])
def fitted(request: pytest.FixtureRequest) -> Calibrator:
    """A map of probabilities that have no zero, but some of 1e-200."""
    random = np.random.default_rng(0)
    scores = random.normal(size=(300, 3)) * 2
    labels = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rows = np.flatnonzero(labels != 2)[:3]
    p[rows, 2] = 1e-200
    p[rows] /= p[rows].sum(axis=1, keepdims=True)
    return fit_map(request.param, ScoreRows(p, "probabilities"), labels).calibrator


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_zero_is_raised_in_every_type_and_by_every_program(fitted: Calibrator, dtype: str) -> None:
    assert 0 < fitted.floor < 1e-200
    later = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]], dtype=dtype)
    want = fitted.probabilities(later)
    assert np.isfinite(want).all()
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    names = {"np": np, "torch": torch, "probabilities": later}
    exec(fitted.numpy_code, names)
    np.testing.assert_allclose(names["probabilities"], want, rtol=tolerance, atol=1e-30)
    names["probabilities"] = torch.from_numpy(later)
    exec(fitted.torch_code, names)
    np.testing.assert_allclose(names["probabilities"].numpy(), want, rtol=tolerance, atol=1e-30)
    # A network without parameters has the numbers of its map in float32.
    module = lastlayer_torch.Calibrator(torch.nn.Identity(), fitted)
    np.testing.assert_allclose(module(torch.from_numpy(later)).numpy(), want, rtol=1e-4, atol=1e-30)


def test_a_float32_is_raised_to_what_its_type_can_hold() -> None:
    calibrator = Calibrator("none", "softmax", 2, kind="probabilities", floor=1e-300)
    later = np.array([[1.0, 0.0]], dtype=np.float32)
    assert calibrator.scores(later)[0, 1] == pytest.approx(np.log(np.finfo(np.float32).tiny))
    assert calibrator.scores(later.astype(np.float64))[0, 1] == pytest.approx(np.log(1e-300))

"""Calibrators of every kind, and scores for them: what the tests of files, lines of code and modules share."""

from __future__ import annotations

import numpy as np
import pytest

from lastlayer.calibration import Calibrator

#: Name of a case → (classes, arrays and numbers). Two classes with one column are added by `calibrators`.
MAPS = {
    "none": {},
    "temperature": {"temperature": 1.0 / 3.0},
    "temperature_prior": {"temperature": 2.7182818284590455, "bias": [0.1, -0.3, 0.2]},
    "vector": {"weight": [0.5, 1.25, 0.1], "bias": [0.1, 0.0, -1.0 / 3.0]},
    "matrix": {"matrix": [[1.0, 0.1, 0.0], [0.2, 0.7, -0.1], [0.0, 0.3, 1.1]], "bias": [0.0, 0.5, -0.5]},
    "sparsemax": {"mapping": "sparsemax", "temperature": 0.7},
    "entmax": {"mapping": "entmax:alpha=1.3000000000000003", "temperature": 1.9},
    "taylor": {"mapping": "taylor:order=4", "temperature": 2.5},
}


def make(name: str, n_classes: int, **more: object) -> Calibrator:
    """The case of this name, with its arrays repeated up to `n_classes`."""
    given = {"mapping": "softmax", **MAPS[name], **more}
    for field in ("weight", "bias"):
        if field in given:
            given[field] = np.resize(given[field], n_classes)
    if "matrix" in given:
        # Not symmetric: a transpose must be seen.
        given["matrix"] = np.eye(n_classes) + 0.3 * np.triu(np.ones((n_classes, n_classes)), 1) / n_classes
    return Calibrator(name, n_classes=n_classes, **given)


@pytest.fixture
def make_calibrator():
    """`make_calibrator(name, n_classes, **fields)`: a case of `MAPS`."""
    return make


@pytest.fixture(params=[*MAPS])
def map_name(request: pytest.FixtureRequest) -> str:
    """Each map in turn."""
    return request.param


@pytest.fixture(params=["K", "many classes", "one column", "one dimension"])
def layout(request: pytest.FixtureRequest) -> str:
    """How the model gives its numbers."""
    return request.param


@pytest.fixture(params=["scores", "probabilities"])
def kind(request: pytest.FixtureRequest) -> str:
    """What the model gives."""
    return request.param


@pytest.fixture
def calibrator(map_name: str, layout: str, kind: str) -> Calibrator:
    """One calibrator per map, layout and kind."""
    n_classes = {"K": 3, "many classes": 40}.get(layout, 2)
    floor = 1e-6 if kind == "probabilities" else 0.0
    return make(map_name, n_classes, kind=kind, floor=floor, is_one_column=layout.startswith("one"))


@pytest.fixture
def values(calibrator: Calibrator, layout: str) -> np.ndarray:
    """Numbers of 50 rows as the model gives them, among them probabilities of exactly 0 and 1."""
    random = np.random.default_rng(0)
    scores = 3 * random.normal(size=(50, calibrator.n_classes))
    if calibrator.kind == "probabilities":
        scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        scores[:2] = np.eye(calibrator.n_classes)[:2]
    return {"one column": scores[:, 1:], "one dimension": scores[:, 1]}.get(layout, scores)

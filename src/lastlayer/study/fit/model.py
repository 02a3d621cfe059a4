"""The linear model that a study trains under every mapping."""

from __future__ import annotations

from typing import Any

import numpy as np

from lastlayer.mappings import ProbabilityMapping
from lastlayer.sklearn import LastLayerClassifier

#: Iterations of a fit while C is being chosen: enough to rank strengths.
SEARCH_ITERATIONS = 100
#: Tolerances of these fits. An error of a few hundredths in the objective changes the choice no more than another split does:
#: on the bundled datasets it stayed the same in nine splits of ten. A looser tolerance would change it: fits that stop early
#: are in effect penalised, and make large C look better than it is.
SEARCH_TOL = {"loss": 1e-3, "interior_point": 1e-2, "margin": 3e-2}


def linear_model(mapping: ProbabilityMapping, *, C: float, seed: int) -> LastLayerClassifier:
    """A model to fit."""
    return LastLayerClassifier(mapping, C=C, random_state=seed)


def scores_of(model: LastLayerClassifier, features: np.ndarray) -> np.ndarray:
    """The scores (n, K) of a fitted model, before the mapping."""
    scores: np.ndarray = features @ model.coef_.T + model.intercept_
    return scores


def iterations(model: LastLayerClassifier) -> int:
    """Iterations of the last fit, the largest where there are several."""
    return int(np.max(np.asarray(model.n_iter_)))


def facts(model: LastLayerClassifier) -> dict[str, Any]:
    """The columns of `FITS` that a fitted model knows."""
    return {
        "converged": bool(model.converged_),
        "is_cut_short": bool(model.is_cut_short_),
        "n_iter": iterations(model),
        "restart_spread": float(model.restart_spread_),
    }

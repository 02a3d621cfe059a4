"""The temperature is the one that other solvers find, in every form of the scores, and runs away only with a reason."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace

import numpy as np
import pytest
from calibrated_data import planted
from scipy import optimize

import lastlayer as ll
from lastlayer.calibration import ScoreRows
from lastlayer.calibration.fit import UnboundedError, fit_map

CLASSES = (2, 3, 10, 100, 1000)
FACTORS = (0.1, 0.5, 1.0, 3.0, 20.0)


def log_loss(scores: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """By logsumexp in float64, not by our kernels."""
    z = scores.astype(np.float64) / temperature
    largest = z.max(axis=1)
    total = largest + np.log(np.exp(z - largest[:, None]).sum(axis=1))
    return float(np.mean(total - z[np.arange(len(z)), labels]))


def independent(scores: np.ndarray, labels: np.ndarray) -> float:
    """Brent's method in log T on the loss, without a derivative; then bisection on a difference of losses."""

    def slope(u: float) -> float:
        step = 1e-4
        return log_loss(scores, labels, math.exp(u + step)) - log_loss(scores, labels, math.exp(u - step))

    return math.exp(optimize.brentq(slope, -6.0, 6.0, xtol=1e-12))


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("factor", FACTORS)
def test_a_planted_temperature_is_within_its_interval(classes: int, factor: float) -> None:
    scores, labels = planted(1500, classes, factor=factor)
    found = fit_map("temperature", ScoreRows(scores), labels)
    assert found.interval is not None
    low, high = found.interval
    # Seeds are fixed; three times the reach of the 95 % interval is left once in 10⁸.
    assert abs(math.log(found.calibrator.temperature / factor)) < 3 * math.log(high / found.calibrator.temperature)
    assert low < found.calibrator.temperature < high
    assert high / low < 1.6


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("classes", [2, 10, 200])
def test_the_temperature_is_that_of_an_independent_solver(classes: int, dtype: type) -> None:
    scores, labels = planted(1000, classes, factor=2.5, dtype=dtype)
    ours = fit_map("temperature", ScoreRows(scores), labels).calibrator.temperature
    assert ours == pytest.approx(independent(scores, labels), rel=1e-6)


def test_the_interval_covers_as_often_as_it_says() -> None:
    inside = 0
    for seed in range(200):
        scores, labels = planted(200, 3, factor=2.0, seed=seed)
        low, high = fit_map("temperature", ScoreRows(scores), labels).interval or (math.nan, math.nan)
        inside += low <= 2.0 <= high
    # 190 expected, with a standard deviation of 3.
    assert 180 <= inside <= 199


def test_groups_widen_the_interval() -> None:
    scores, labels = planted(100, 5, factor=2.0)
    repeated, again = np.repeat(scores, 10, axis=0), np.repeat(labels, 10)
    alone = fit_map("temperature", ScoreRows(repeated), again).interval
    grouped = fit_map("temperature", ScoreRows(repeated), again, groups=np.repeat(np.arange(100), 10)).interval
    once = fit_map("temperature", ScoreRows(scores), labels).interval
    assert alone
    assert once
    assert grouped
    assert grouped == pytest.approx(once, rel=1e-6), "ten copies of a row in one group are one row"
    assert math.log(grouped[1] / grouped[0]) > 3 * math.log(alone[1] / alone[0])


def test_weights_are_repeated_rows() -> None:
    scores, labels = planted(300, 4, factor=1.7)
    weights = np.random.default_rng(0).integers(0, 4, 300)
    weighted = fit_map("temperature", ScoreRows(scores), labels, sample_weight=weights.astype(float))
    repeated = fit_map("temperature", ScoreRows(np.repeat(scores, weights, axis=0)), np.repeat(labels, weights))
    assert weighted.calibrator.temperature == pytest.approx(repeated.calibrator.temperature, rel=1e-9)


@pytest.mark.parametrize("mapping", ["sparsemax", "entmax:alpha=1.3", "entmax"])
def test_regularized_mappings_minimize_their_own_loss(mapping: str) -> None:
    scores, labels = planted(400, 6, factor=3.0)
    found = fit_map(mapping, ScoreRows(scores), labels).calibrator
    if mapping == "entmax":
        assert found.mapping.startswith("entmax:alpha=")

    def loss(u: float) -> float:
        return float(ll.loss(scores, labels, mapping=found.mapping, temperature=math.exp(u)))

    best = optimize.minimize_scalar(loss, bounds=(-3, 6), method="bounded", options={"xatol": 1e-9})
    assert found.temperature == pytest.approx(math.exp(best.x), rel=1e-4)


@pytest.mark.parametrize("mapping", ["softplus_ratio", "sigmoid_ratio", "taylor", "stablemax", "softmax_plus_one"])
def test_other_mappings_keep_theirs(mapping: str) -> None:
    scores, labels = planted(400, 4, factor=3.0)
    found = fit_map("temperature", ScoreRows(scores), labels, mapping=mapping).calibrator
    losses = [
        float(ll.loss(scores, labels, mapping=mapping, temperature=found.temperature * step))
        for step in (0.97, 1, 1.03)
    ]
    assert found.mapping == mapping
    assert losses[1] < min(losses[0], losses[2])


def test_the_search_does_not_depend_on_where_it_begins() -> None:
    scores, labels = planted(500, 5, factor=8.0)
    plain = fit_map("temperature", ScoreRows(scores), labels).calibrator
    for first in (1e-6, 0.01, 1e3, 1e9):
        begun = fit_map("temperature", ScoreRows(scores), labels, initial=replace(plain, temperature=first)).calibrator
        assert begun.temperature == pytest.approx(plain.temperature, rel=1e-9)


UNBOUNDED = {
    "separable": (np.eye(4)[np.arange(80) % 4] * 3.0, np.arange(80) % 4),
    "constant": (np.full((80, 4), 2.5), np.arange(80) % 4),
    "opposed": (planted(400, 4)[0], planted(400, 4)[0].argmin(axis=1)),
}


@pytest.mark.parametrize("mapping", ["softmax", "sparsemax", "entmax:alpha=1.5", "softplus_ratio"])
@pytest.mark.parametrize("reason", UNBOUNDED)
def test_a_temperature_that_runs_away_says_why(reason: str, mapping: str) -> None:
    scores, labels = UNBOUNDED[reason]
    with pytest.raises(UnboundedError) as error:
        fit_map("temperature", ScoreRows(scores), labels, mapping=mapping)
    assert error.value.reason == reason


def test_noise_has_no_clear_temperature() -> None:
    random = np.random.default_rng(3)
    clear = 0
    for _ in range(40):
        with contextlib.suppress(UnboundedError):
            found = fit_map("temperature", ScoreRows(random.normal(size=(300, 3))), random.integers(0, 3, 300))
            clear += found.is_clear
    assert clear <= 4, "1/T of pure noise is within two standard errors of 0"


def test_scale_invariant_mappings_have_no_temperature() -> None:
    scores, labels = planted(50, 3)
    with pytest.raises(ValueError, match="A temperature does not change ratio"):
        fit_map("temperature", ScoreRows(np.abs(scores)), labels, mapping="ratio")


def test_infinite_scores_count_where_they_can() -> None:
    scores, labels = planted(500, 5, factor=2.0)
    masked = np.concatenate([scores, np.full((500, 2), -np.inf)], axis=1)
    with_mask = fit_map("temperature", ScoreRows(masked), labels).calibrator.temperature
    assert with_mask == pytest.approx(
        fit_map("temperature", ScoreRows(scores), labels).calibrator.temperature, rel=1e-9
    )
    # A label whose score is −inf has an infinite loss at any temperature; the other rows decide.
    lost, some = masked.copy(), labels.copy()
    some[:7] = 5
    others = fit_map("temperature", ScoreRows(scores[7:]), labels[7:]).calibrator.temperature
    assert fit_map("temperature", ScoreRows(lost), some).calibrator.temperature == pytest.approx(others, rel=1e-9)
    certain = scores.copy()
    certain[3, labels[3]] = np.inf
    without = np.delete(np.arange(500), 3)
    expected = fit_map("temperature", ScoreRows(scores[without]), labels[without]).calibrator.temperature
    assert fit_map("temperature", ScoreRows(certain), labels).calibrator.temperature == pytest.approx(
        expected, rel=1e-9
    )


def test_probabilities_and_one_column_are_scores_in_other_clothes() -> None:
    scores, labels = planted(800, 2, factor=1.6)
    plain = fit_map("temperature", ScoreRows(scores), labels).calibrator.temperature
    p = ll.softmax(scores)
    assert fit_map("temperature", ScoreRows(p, "probabilities"), labels).calibrator.temperature == pytest.approx(
        plain, rel=1e-8
    )
    column = scores[:, 1] - scores[:, 0]
    assert fit_map("temperature", ScoreRows(column), labels).calibrator.temperature == pytest.approx(plain, rel=1e-8)
    as_column = ScoreRows(p[:, 1:], "probabilities")
    assert fit_map("temperature", as_column, labels).calibrator.temperature == pytest.approx(plain, rel=1e-8)

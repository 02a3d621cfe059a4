"""Rows that no map can fit, rows of weight 0, and scores of extreme size: nothing of them reaches a fitted map."""

from __future__ import annotations

import math

import numpy as np
import pytest
from calibrated_data import planted

import lastlayer as ll
from lastlayer.calibration import Calibrator, ScoreRows, matrix
from lastlayer.calibration.fit import UnboundedError, fit_map

MAPS = ("temperature", "temperature_prior", "vector", "matrix", "sparsemax", "entmax", "entmax:alpha=1.3")
#: Mappings whose temperature is searched on a grid.
SEARCHED = ("softplus_ratio", "sigmoid_ratio", "stablemax", "taylor")


def fitted(name: str, scores: np.ndarray, labels: np.ndarray, **options: object) -> Calibrator:
    return fit_map(name, ScoreRows(scores), labels, **options).calibrator


@pytest.mark.parametrize("name", [name for name in MAPS if name != "matrix"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_label_with_a_score_of_minus_infinity_is_left_out_of_every_map(name: str, dtype: type) -> None:
    scores, labels = planted(400, 4, factor=2.0, dtype=dtype)
    lost, some = np.concatenate([scores, scores[:9]]), np.concatenate([labels, labels[:9]])
    lost[np.arange(400, 409), some[400:]] = -np.inf
    # A finite label has no probability where another score is +inf.
    lost[408, some[408]], lost[408, (some[408] + 1) % 4] = 0.0, np.inf
    expected = fitted(name, scores, labels).probabilities(scores)
    np.testing.assert_allclose(fitted(name, lost, some).probabilities(scores), expected, rtol=1e-6)


@pytest.mark.parametrize("name", SEARCHED)
def test_the_search_leaves_them_out_too(name: str) -> None:
    scores, labels = planted(300, 4, factor=3.0)
    lost, some = np.concatenate([scores, scores[:1]]), np.concatenate([labels, labels[:1]])
    lost[300, some[300]] = -np.inf
    alone = fitted("temperature", scores, labels, mapping=name).temperature
    assert fitted("temperature", lost, some, mapping=name).temperature == pytest.approx(alone, rel=1e-9)


@pytest.mark.parametrize("name", [*MAPS, *SEARCHED])
def test_labels_that_all_have_minus_infinity_say_so(name: str) -> None:
    scores, labels = planted(40, 4)
    scores[np.arange(40), labels] = -np.inf
    with pytest.raises(UnboundedError, match="the loss is infinite for every map") as error:
        fit_map(name, ScoreRows(scores), labels)
    assert error.value.reason == "opposed"
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    with pytest.raises(UnboundedError, match="the loss is infinite for every map"):
        fit_map("temperature", ScoreRows(p, "probabilities"), labels)


@pytest.mark.parametrize("name", MAPS)
def test_rows_of_weight_zero_change_nothing(name: str) -> None:
    scores, labels = planted(500, 4, factor=2.0)
    more = np.concatenate([scores, -5 * planted(700, 4, seed=3)[0]])
    others = np.concatenate([labels, planted(700, 4, seed=3)[1]])
    weight = np.repeat([1.0, 0.0], [500, 700])
    alone = fitted(name, scores, labels, sample_weight=np.ones(500))
    together = fitted(name, more, others, sample_weight=weight)
    assert together.mapping == alone.mapping
    np.testing.assert_allclose(together.probabilities(scores), alone.probabilities(scores), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", MAPS)
def test_a_whole_weight_is_a_row_repeated(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A matrix's penalty is chosen on rows that are drawn at random.
    monkeypatch.setattr(matrix, "PENALTIES", (10.0,))
    scores, labels = planted(600, 3, factor=2.0)
    weight = np.random.default_rng(0).integers(1, 4, 600)
    weighted = fitted(name, scores, labels, sample_weight=weight.astype(float))
    repeated = fitted(name, np.repeat(scores, weight, axis=0), np.repeat(labels, weight))
    np.testing.assert_allclose(weighted.probabilities(scores), repeated.probabilities(scores), atol=1e-4)


def test_weights_choose_the_parameter() -> None:
    (soft, of_soft), (hard, _) = planted(500, 5), planted(500, 5, seed=1)
    p = ll.probabilities(hard, mapping="entmax:alpha=1.8")
    of_hard = (p.cumsum(axis=1) > np.random.default_rng(0).random((500, 1))).argmax(axis=1)
    scores, labels = np.concatenate([soft, hard]), np.concatenate([of_soft, of_hard])
    at = [
        ll.resolve_mapping(fitted("entmax", scores, labels, sample_weight=np.repeat(w, 500)).mapping).parameter
        for w in ([1.0, 0.0], [0.0, 1.0])
    ]
    assert at[1] > at[0] + 0.1


def test_all_weight_on_one_label_is_fitted_or_refused_with_a_reason() -> None:
    scores, labels = planted(200, 3)
    with pytest.raises(UnboundedError):
        fit_map("temperature", ScoreRows(scores), labels, sample_weight=np.zeros(200))
    right = scores.argmax(axis=1)
    with pytest.raises(UnboundedError) as error:
        fit_map("temperature", ScoreRows(scores), right, sample_weight=(right == 0).astype(float))
    assert error.value.reason == "separable"
    with pytest.raises(UnboundedError) as error:
        fit_map("temperature", ScoreRows(scores), np.zeros(200, int), sample_weight=(right == 1).astype(float))
    assert error.value.reason == "opposed"


def small_problem(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """A few rows with ties, infinities, offsets, or scales from 1e-30 to 1e30."""
    n, k = int(random.integers(1, 25)), int(random.integers(2, 5))
    scores = random.normal(size=(n, k)) * 10.0 ** random.uniform(-30, 30)
    case = random.integers(0, 6)
    if case == 1:
        scores = np.round(2 * scores / np.abs(scores).max())
    elif case == 2:
        scores[random.random(scores.shape) < 0.2] = -np.inf
    elif case == 3:
        scores[random.random(scores.shape) < 0.1] = np.inf
    elif case == 4:
        scores *= 10.0 ** random.uniform(-30, 30, size=(n, 1))
    elif case == 5:
        scores += 10.0 ** random.uniform(-5, 30)
    if random.random() < 0.4:
        scores = np.where(np.isinf(scores), scores, np.clip(scores, -1e36, 1e36)).astype(np.float32)
    labels = random.integers(0, k, n) if random.random() < 0.7 else np.zeros(n, dtype=int)
    weight = None if random.random() < 0.5 else random.choice([0, 1, 2, 1e-20, 1e10], n).astype(float)
    return scores, labels, weight


@pytest.mark.parametrize("seed", range(4))
def test_small_problems_are_fitted_or_refused_with_a_reason(seed: int) -> None:
    random = np.random.default_rng(seed)
    n_fitted = 0
    for _ in range(500):
        scores, labels, weight = small_problem(random)
        try:
            found = fit_map("temperature", ScoreRows(scores), labels, sample_weight=weight)
        except UnboundedError:
            continue
        n_fitted += 1
        assert 0 < found.calibrator.temperature < math.inf
        if np.isfinite(scores).all():
            assert np.isfinite(found.calibrator.probabilities(scores)).all()
    assert n_fitted > 100


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_unit_of_the_scores_does_not_matter(name: str, scale: float, dtype: type) -> None:
    scores, labels = planted(400, 4, factor=2.0, dtype=dtype)
    scaled = scores * dtype(scale)
    expected = fitted(name, scores, labels).probabilities(scores)
    np.testing.assert_allclose(fitted(name, scaled, labels).probabilities(scaled), expected, atol=2e-3)


@pytest.mark.parametrize("name", ["temperature", "temperature_prior", "vector", "matrix"])
def test_an_offset_that_all_scores_share_does_not_matter(name: str) -> None:
    scores, labels = planted(400, 4, factor=2.0)
    expected = fitted(name, scores, labels).probabilities(scores)
    moved = scores + 1e6
    np.testing.assert_allclose(fitted(name, moved, labels).probabilities(moved), expected, atol=1e-4)


@pytest.mark.parametrize("name", ["vector", "matrix"])
def test_an_offset_that_takes_the_digits_is_refused(name: str) -> None:
    scores, labels = planted(400, 4, factor=2.0)
    with pytest.raises(ValueError, match="float32 keeps too few digits for a weight per class; subtract the largest"):
        fit_map(name, ScoreRows((scores + 1e6).astype(np.float32)), labels)
    with pytest.raises(ValueError, match="float64 keeps too few digits"):
        fit_map(name, ScoreRows(scores + 1e30), labels)


def test_a_matrix_does_not_mix_infinite_scores() -> None:
    scores, labels = planted(100, 4)
    scores[0, (labels[0] + 1) % 4] = -np.inf
    with pytest.raises(ValueError, match="A score is infinite"):
        fit_map("matrix", ScoreRows(scores), labels)


@pytest.mark.parametrize("name", [*MAPS, "none"])
def test_a_zero_that_comes_later_has_a_finite_score(name: str) -> None:
    scores, labels = planted(300, 3)
    p = ll.softmax(scores)
    found = fit_map(name, ScoreRows(p, "probabilities"), labels).calibrator
    assert found.floor == (0.0 if name == "none" else p.min() / 2)
    later = found.probabilities(np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]))
    assert np.isfinite(later).all()
    np.testing.assert_allclose(later.sum(axis=1), 1.0)


@pytest.mark.parametrize("mapping", ["softmax", "sparsemax", "entmax:alpha=1.5"])
@pytest.mark.parametrize("margin", [0.0, 100.0, 300.0])
@pytest.mark.parametrize("n_errors", [1, 5])
def test_one_large_error_among_right_rows_leaves_the_temperature_clear(
    mapping: str, margin: float, n_errors: int
) -> None:
    scores, _ = planted(500, 10, spread=4.0)
    labels = scores.argmax(axis=1)
    scores[0, labels[0]] += margin
    labels[:n_errors] = (labels[:n_errors] + 1) % 10
    assert fit_map("temperature", ScoreRows(scores), labels, mapping=mapping).is_clear


def test_groups_are_the_observations_that_make_a_temperature_clear() -> None:
    scores, labels = planted(30, 3)
    many, again = np.repeat(scores * 0.5, 40, axis=0), np.repeat(labels, 40)
    groups = np.repeat(np.arange(3), 400)
    for mapping in ("softmax", "softplus_ratio"):
        alone = fit_map("temperature", ScoreRows(many), again, mapping=mapping)
        grouped = fit_map("temperature", ScoreRows(many), again, mapping=mapping, groups=groups)
        assert alone.is_clear
        assert not grouped.is_clear
        assert grouped.interval[1] > 2 * alone.interval[1]


def test_many_classes_are_refused_where_they_would_take_hours() -> None:
    with pytest.raises(ValueError, match="There are 2001 classes, and vector is fitted to at most 2000"):
        fit_map("vector", ScoreRows(np.zeros((2, 2001))), np.zeros(2, dtype=int))


@pytest.mark.parametrize(
    "name", ["entmax:alpha=1.3", "entmax:alpha=1.0", "taylor:order=2", "taylor:order=4", " softmax"]
)
def test_a_name_with_its_parameter_makes_a_map(name: str) -> None:
    scores, labels = planted(300, 3)
    found = fit_map(name, ScoreRows(scores), labels).calibrator
    assert found.name == name
    assert Calibrator.from_dict(found.to_dict()).mapping == ll.resolve_mapping(name).label
    with pytest.raises(ValueError, match="give one of none, temperature"):
        Calibrator("entmax:alpha=1.4", "entmax:alpha=1.3", 3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_vector_scaling_of_masked_classes_is_finite_or_refused(dtype: type) -> None:
    random = np.random.default_rng(0)
    n_fitted = 0
    for _ in range(150):
        n, k = int(random.integers(5, 25)), int(random.integers(2, 5))
        scores = random.normal(size=(n, k)).astype(dtype)
        scores[random.random((n, k)) < 0.2] = -np.inf
        scores[np.isinf(scores).all(axis=1)] = 0.0
        labels = random.integers(0, k, n)
        try:
            found = fit_map("vector", ScoreRows(scores), labels).calibrator
        except UnboundedError:
            continue
        n_fitted += 1
        counts = np.isfinite(scores[np.arange(n), labels])
        p = found.probabilities(scores[counts])
        assert np.isfinite(p).all()
        assert (p[np.isinf(scores[counts])] == 0).all()
    assert n_fitted > 20

"""The ladder: judged on other rows than it was fitted to, the simplest good map advised, and what was not tried is said."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from calibrated_data import planted

import lastlayer as ll
from lastlayer.calibration import ScoreRows
from lastlayer.calibration.fit import Fitted, fit_map
from lastlayer.evaluation import Evaluation, EvaluationError, evaluate_scores, ladder


def codes(evaluation: Evaluation) -> set[str]:
    return {finding.code for finding in evaluation.findings}


def test_no_map_is_fitted_to_a_row_that_it_is_judged_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row carries its number in a score, so that the rows of every fit and of every judgement are known."""
    scores, labels = planted(200, 4)
    scores = np.round(scores, 3) + np.arange(200)[:, None] * 1e3
    fits: list[set[int]] = []
    judged: list[tuple[Any, slice]] = []

    def numbers(rows: ScoreRows) -> set[int]:
        return set(np.round(rows.block(0, rows.n)[:, 0] / 1e3).astype(int))

    def spy(name: str, rows: ScoreRows, *arguments: Any, **options: Any) -> Fitted:
        fitted = fit_map(name, rows, *arguments, **options)
        fits.append(numbers(rows))
        by_calibrator[id(fitted.calibrator)] = numbers(rows)
        kept.append(fitted)
        return fitted

    by_calibrator: dict[int, set[int]] = {}
    kept: list[Fitted] = []
    crossed = ladder.CrossFitted

    def watch(rows: ScoreRows, y: np.ndarray, calibrators: Any, folds: np.ndarray) -> Any:
        for fold, calibrator in enumerate(calibrators):
            judged.append((by_calibrator[id(calibrator)], numbers(rows.take(np.flatnonzero(folds == fold)))))
        return crossed(rows, y, calibrators, folds)

    monkeypatch.setattr(ladder, "fit_map", spy)
    monkeypatch.setattr(ladder, "CrossFitted", watch)
    evaluate_scores(scores, labels)
    assert len(judged) == 5 * 6
    for fitted, seen in judged:
        assert fitted
        assert seen
        assert not fitted & seen
        assert fitted | seen == set(range(200))


def test_a_group_is_never_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, labels = planted(120, 3)
    groups = np.random.default_rng(0).integers(0, 30, 120)
    seen: list[np.ndarray] = []
    crossed = ladder.CrossFitted
    monkeypatch.setattr(ladder, "CrossFitted", lambda *given: seen.append(given[3]) or crossed(*given))
    found = evaluate_scores(scores, labels, groups=groups)
    assert found.n_groups == len(np.unique(groups))
    assert seen
    assert all(len(set(folds[groups == group])) == 1 for folds in seen for group in np.unique(groups))


def test_other_rows_to_fit_to_replace_the_folds() -> None:
    scores, labels = planted(1000, 4, factor=3.0)
    others, their_labels = planted(800, 4, factor=3.0, seed=1)
    found = evaluate_scores(scores, labels, fit=others, fit_labels=their_labels)
    assert (found.folds, found.n_fit_rows, found.n_rows) == (None, 800, 1000)
    alone = fit_map("temperature", ScoreRows(others), their_labels).calibrator
    assert found.map("temperature").calibrator.temperature == pytest.approx(alone.temperature)
    expected = float(ll.loss(scores, labels, temperature=alone.temperature))
    assert found.map("temperature").log_loss.value == pytest.approx(expected)


def test_overconfidence_gets_a_temperature_and_no_more() -> None:
    scores, labels = planted(1500, 5, factor=2.0)
    found = evaluate_scores(scores, labels)
    assert (found.verdict, found.advice.mapping, found.advice.code) == ("overconfident", "temperature", "advise_map")
    assert [one.name for one in found.maps if one.adopted] == ["temperature"]
    assert found.advised.interval is not None
    assert found.advised.interval.low < 2 < found.advised.interval.high
    assert found.advised.difference.high < 0
    assert found.calibration_part.low > 0
    assert found.calibration_part.value + found.remaining.value == pytest.approx(found.metrics["log_loss"].value)
    assert found.advised.ece < found.metrics["ece"].value / 3
    assert evaluate_scores(scores / 5, labels).verdict == "underconfident"


def test_a_bias_and_a_weight_per_class_are_advised_where_they_are_needed() -> None:
    scores, labels = planted(3000, 4)
    shifted = evaluate_scores(scores + np.array([1.5, 0, 0, -1.0]), labels)
    assert shifted.advice.mapping == "temperature_prior"
    scaled = evaluate_scores(scores * np.array([0.4, 1, 1, 2.5]), labels)
    assert scaled.advice.mapping == "vector"


def test_a_sparse_mapping_is_shown_and_not_advised() -> None:
    """Its log loss may be finite on few rows, and is infinite as soon as a row to come has a true class of probability 0."""
    for seed in range(25):
        found = evaluate_scores(*planted(60, 3, factor=1.4, seed=seed))
        assert found.advice.mapping not in ("sparsemax", "entmax")
        assert {"sparsemax", "entmax"} <= {one.name for one in found.maps} | {one.mapping for one in found.left_out}


def test_nothing_is_advised_where_nothing_helps() -> None:
    scores, labels = planted(1500, 5)
    found = evaluate_scores(scores, labels)
    assert (found.verdict, found.advice.mapping, found.advice.code) == ("calibrated", "none", "advise_none")
    assert found.calibrator.probabilities(scores) == pytest.approx(ll.softmax(scores))
    assert found.reliability_after == ()


def test_a_zero_at_a_true_class_is_mended_by_a_floor() -> None:
    scores, labels = planted(600, 3)
    p = np.round(ll.softmax(2 * scores), 2)
    p /= p.sum(axis=1, keepdims=True)
    found = evaluate_scores(p, labels)
    assert found.kind == "probabilities"
    assert {"probabilities", "zero_probability"} <= codes(found)
    assert found.metrics["log_loss"].value == math.inf
    assert found.map("none").calibrator.floor == 0.0
    assert found.advice.mapping != "none"
    assert math.isfinite(found.advised.log_loss.value)
    assert 0 < found.calibrator.floor < 0.01
    assert found.advised.difference.value == -math.inf
    assert found.to_dict()["maps"][1]["difference"]["value"] == "-inf"


def test_equal_scores_have_no_temperature_but_class_frequencies() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    found = evaluate_scores(np.zeros((1000, 3)), labels)
    assert "no_information" in codes(found)
    assert next(one for one in found.findings if one.code == "no_information").facts["reason"] == "constant"
    assert "temperature" not in {one.name for one in found.maps}
    assert ("map_unbounded", "temperature") in {(one.code, one.mapping) for one in found.left_out}
    assert found.advice.mapping == "temperature_prior"


def test_separable_rows_have_no_temperature() -> None:
    labels = np.arange(300) % 3
    found = evaluate_scores(np.eye(3)[labels] * 4.0, labels)
    assert "temperature_unbounded" in codes(found)
    assert [one.name for one in found.maps] == ["none"]
    assert found.advice.mapping == "none"


def test_one_error_in_many_rows_has_no_temperature_in_its_fold() -> None:
    """The fold without the error is separable, whose temperature is 0: the map cannot be judged, and no number is made up."""
    labels = np.arange(300) % 3
    scores = np.eye(3)[labels] * 4.0
    scores[7] = scores[8]
    found = evaluate_scores(scores, labels)
    assert "temperature" not in {one.name for one in found.maps}
    finding = next(one for one in found.findings if one.code == "temperature_unbounded")
    assert finding.facts == {"rows": 240, "of": 300}, "the rows outside the fold with the error"
    reasons = {one.mapping: one.facts["reason"] for one in found.left_out if one.code == "map_unbounded"}
    assert reasons["temperature"] == "separable_in_a_fold"
    assert "no_information" not in codes(found)


def test_opposed_scores_get_no_temperature() -> None:
    scores, labels = planted(800, 3)
    found = evaluate_scores(-scores, labels)
    assert "no_information" in codes(found)
    assert next(one for one in found.findings if one.code == "no_information").facts["reason"] == "opposed"
    assert "temperature" not in {one.name for one in found.maps}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"mapping": "sparsemax"},
            ["none", "temperature", "temperature_prior", "vector", "matrix", "softmax", "entmax"],
        ),
        ({"mapping": "softplus_ratio", "maps": ["softmax"]}, ["none", "softmax"]),
        ({"maps": ["entmax:alpha=1.2", "temperature", "temperature"]}, ["none", "entmax:alpha=1.2", "temperature"]),
    ],
)
def test_other_mappings_and_chosen_maps(given: dict[str, Any], expected: list[str]) -> None:
    scores, labels = planted(400, 4)
    found = evaluate_scores(scores, labels, **given)
    assert [one.name for one in found.maps] == expected
    assert found.mapping == given.get("mapping", "softmax")
    assert found.map("none").calibrator.mapping == found.mapping
    freedom = {one.name: one.degrees_of_freedom for one in found.maps}
    known = {"none": 0, "temperature": 1, "temperature_prior": 4, "vector": 7, "matrix": 15, "softmax": 1, "entmax": 2}
    assert freedom == {name: known.get(name, 1) for name in expected}


def test_the_ratio_has_no_temperature_and_no_negative_score() -> None:
    scores, labels = planted(300, 3)
    found = evaluate_scores(np.exp(scores), labels, mapping="ratio")
    assert ("map_without_effect", "temperature") in {(one.code, one.mapping) for one in found.left_out}
    assert found.metrics["log_loss"].value == pytest.approx(float(ll.loss(scores, labels)))
    with pytest.raises(EvaluationError, match=r"ratio has no probabilities for \d+ of 300 rows, row \d+ \(from 0\)"):
        evaluate_scores(scores, labels, mapping="ratio")


def test_what_is_too_large_or_redundant_is_said() -> None:
    scores, labels = planted(600, 2)
    assert {(one.code, one.mapping) for one in evaluate_scores(scores, labels).left_out} == {("map_same_as", "matrix")}
    column = evaluate_scores(scores[:, 1] - scores[:, 0], labels)
    assert {(one.code, one.mapping) for one in column.left_out} == {
        ("map_same_as", "vector"),
        ("map_same_as", "matrix"),
    }
    few, their_labels = planted(300, 20)
    assert ("map_few_rows", "matrix") in {
        (one.code, one.mapping) for one in evaluate_scores(few, their_labels).left_out
    }
    assert "matrix" in {one.name for one in evaluate_scores(few, their_labels, maps=["matrix"]).maps}, (
        "asked for by name"
    )
    masked = scores.copy()
    masked = np.concatenate([masked, np.full((600, 1), -np.inf)], axis=1)
    left_out = {(one.code, one.mapping) for one in evaluate_scores(masked, labels).left_out}
    assert {("map_infinite_scores", "vector"), ("map_infinite_scores", "matrix")} <= left_out


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"kind": "logits"}, r"kind is 'logits'; give one of scores, probabilities"),
        ({"folds": 1}, r"folds is 1; give a whole number from 2 to 100"),
        ({"folds": True}, r"folds is True"),
        ({"mapping": "softmaxx"}, r"did you mean 'softmax'"),
        ({"maps": ["platt"]}, r"There is no map 'platt'; maps are none, temperature"),
        ({"maps": ["temprature"]}, r"There is no map 'temprature'; did you mean 'temperature'\?"),
        ({"maps": ["ratio"]}, r"The map 'ratio' has nothing to fit"),
        ({"kind": "scores", "maps": ["temperature"], "mapping": "ratio"}, r"The map 'temperature' has nothing to fit"),
        ({"maps": "temperature"}, r"maps is 'temperature'; give a list"),
        ({"maps": []}, r"maps is \[\]; give a list"),
        ({"seed": -1}, r"seed is -1; give a whole number from 0 on"),
        ({"kind": "probabilities", "mapping": "sparsemax"}, r"holds probabilities, and a mapping is for scores"),
    ],
)
def test_wrong_options_are_one_sentence(given: dict[str, Any], says: str) -> None:
    scores, labels = planted(60, 3)
    with pytest.raises(EvaluationError, match=says):
        evaluate_scores(ll.softmax(scores), labels, **given)


def test_the_same_call_gives_the_same_numbers() -> None:
    scores, labels = planted(300, 4, factor=2.0)
    first, second = (evaluate_scores(scores, labels).to_dict() for _ in range(2))
    timed = ("seconds", "started")
    assert {k: v for k, v in first.items() if k not in timed} == {k: v for k, v in second.items() if k not in timed}


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    scores, labels = planted(200, 3)
    found = evaluate_scores(scores, labels, folds=np.int64(4), seed=np.int32(2), maps=["temperature"])
    assert found.to_dict()["settings"]["folds"] == 4


def test_progress_counts_to_its_total() -> None:
    scores, labels = planted(200, 3)
    said: list[tuple[int, int, str]] = []
    evaluate_scores(scores, labels, progress=lambda *given: said.append(given))
    assert [done for done, _, _ in said] == list(range(len(said)))
    assert {total for _, total, _ in said} == {len(said)}
    assert said[0][2] == "reading"
    assert {"metrics", "temperature", "matrix", "entmax"} <= {what for _, _, what in said}

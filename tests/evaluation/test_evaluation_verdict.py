"""The word for the model as it is, on planted models: small calibrated ones, wrong classes, mixed directions, groups."""

from __future__ import annotations

import math

import numpy as np
import pytest
from calibrated_data import planted
from running import IS_NIGHTLY
from scipy import stats

from lastlayer import softmax
from lastlayer.evaluation import evaluate_scores

#: (rows, classes): in turn.
SHAPES = [(100, 2), (150, 3), (100, 20), (300, 10), (500, 50), (200, 5), (1000, 30), (2000, 3), (400, 50), (100, 50)]
SPREADS = [1.0, 2.0, 3.0]


def test_small_calibrated_models_are_called_calibrated() -> None:
    """Both ranges hold 99 of 100 from above. A range that is a quarter narrower, or one map too many, loses several in 100."""
    draws = 600 if IS_NIGHTLY else 60
    verdicts = []
    for draw in range(draws):
        rows, classes = SHAPES[draw % len(SHAPES)]
        data = planted(rows, classes, spread=SPREADS[draw // len(SHAPES) % 3], seed=draw)
        verdicts.append(evaluate_scores(*data, maps=["temperature", "temperature_prior"], seed=draw).verdict)
    # 96 of 100, less what chance alone takes from few sets.
    assert verdicts.count("calibrated") >= (0.96 if IS_NIGHTLY else 0.93) * draws


@pytest.mark.parametrize("rows_per_group", [1, 3, 5])
def test_copies_of_rows_in_one_group_are_called_calibrated(rows_per_group: int) -> None:
    verdicts = []
    for seed in range(60 if IS_NIGHTLY else 12):
        scores, labels = (np.repeat(one, rows_per_group, axis=0) for one in planted(600, 3, seed=seed))
        groups = np.repeat(np.arange(600), rows_per_group)
        verdicts.append(evaluate_scores(scores, labels, groups=groups, maps=["temperature"], seed=seed).verdict)
    assert verdicts.count("calibrated") >= 0.9 * len(verdicts)


def test_a_model_that_mixes_up_two_classes_is_not_calibrated() -> None:
    """The top label is right: probability was moved between two classes below it, which no temperature undoes."""
    scores, labels = planted(6000, 4, spread=1.5)
    p = softmax(scores)
    moved = 0.4 * p[:, 2]
    moved[(p.argmax(axis=1) >= 2) | (p[:, 3] + moved >= p.max(axis=1))] = 0.0
    p += moved[:, np.newaxis] * [0.0, 0.0, -1.0, 1.0]
    found = evaluate_scores(p, labels, kind="probabilities", maps=["temperature"])
    ece, class_wise = (found.metrics[name] for name in ("ece", "classwise_ece"))
    assert found.advice.mapping == "none"
    assert ece.value <= ece.if_calibrated[1]
    assert class_wise.value > class_wise.if_calibrated[1]
    assert found.verdict == "miscalibrated"


def test_directions_that_disagree_are_no_direction() -> None:
    """Most rows are not sure enough, which the gap says; few are sure and wrong, and the temperature must bear their losses."""
    random = np.random.default_rng(0)
    scores = 1.2 * random.normal(size=(4000, 4))
    labels = (2 * scores + random.gumbel(size=scores.shape)).argmax(axis=1)
    wrong = random.random(4000) < 0.06
    scores[wrong] = [12.0, 0.0, 0.0, 0.0]
    labels[wrong] = random.integers(0, 4, np.count_nonzero(wrong))
    found = evaluate_scores(scores, labels, maps=["temperature"])
    assert found.confidence_gap.high < 0
    assert found.map("temperature").interval.low > 1
    assert found.verdict == "miscalibrated"
    # Without the temperature there is one direction.
    assert evaluate_scores(scores, labels, maps=["none"]).verdict == "underconfident"


def test_the_temperature_decides_where_the_gap_is_not_clear() -> None:
    """Probability moved from the second class to the third: the top label is right, and the rest too sharp for its labels."""
    scores, labels = planted(4000, 4, spread=1.5, seed=1)
    p, rows = softmax(scores), np.arange(4000)
    order = np.argsort(-p, axis=1)
    moved = 0.45 * p[rows, order[:, 1]]
    p[rows, order[:, 1]] -= moved
    p[rows, order[:, 2]] += moved
    found = evaluate_scores(p, labels, kind="probabilities", maps=["temperature"])
    assert found.confidence_gap.low < 0 < found.confidence_gap.high
    assert found.map("temperature").interval.low > 1
    assert found.verdict == "overconfident"


def test_an_infinite_loss_is_never_calibrated() -> None:
    """One label has the probability 0; nothing else is wrong, and no map is tried."""
    scores, labels = planted(600, 3)
    p = softmax(scores)
    assert evaluate_scores(p, labels, kind="probabilities", maps=["none"]).verdict == "calibrated"
    row = int(np.argmin(p[np.arange(600), labels]))
    p[row, labels[row]] = 0.0
    p[row] /= p[row].sum()
    found = evaluate_scores(p, labels, kind="probabilities", maps=["none"])
    assert found.metrics["log_loss"].value == math.inf
    assert all(found.metrics[name].value <= found.metrics[name].if_calibrated[1] for name in ("ece", "classwise_ece"))
    assert found.verdict == "miscalibrated"


def top_label_truth(factor: float) -> float:
    """The calibration error of the top label of two classes, over 400 000 rows without the noise of labels."""
    scores, _ = planted(400_000, 2, seed=99)
    p = softmax(scores * factor)
    right = softmax(scores)[np.arange(len(p)), p.argmax(axis=1)]
    return float(np.abs(right - p.max(axis=1)).mean())


def log_loss_truth(factor: float) -> float:
    """The mean log loss of two classes, over the probabilities of the labels."""
    scores, _ = planted(400_000, 2, seed=99)
    p = softmax(scores * factor)
    return float(-(softmax(scores) * np.log(p)).sum(axis=1).mean())


@pytest.mark.parametrize("factor", [0.7, 1.5])
def test_intervals_cover_as_often_as_they_say_and_no_more(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the width covers in half of the sets; more than is needed shows in the width over the spread of the values.

    The interval of the calibration error reaches down to 0 where a calibrated model may show the value, and is wider for it.
    """
    monkeypatch.setattr("lastlayer.evaluation.metrics.calibrated_range.MOST_DRAWS", 200)
    sets = 600 if IS_NIGHTLY else 100
    truths = {"temperature": factor, "ece": top_label_truth(factor), "log_loss": log_loss_truth(factor)}
    found: dict[str, list[list[float]]] = {name: [] for name in truths}
    for seed in range(sets):
        one = evaluate_scores(*planted(400, 2, factor=factor, seed=seed), maps=["temperature"], seed=seed)
        for name, estimate in {"temperature": one.map("temperature").interval, **one.metrics}.items():
            if name in truths:
                found[name].append([estimate.value, estimate.low, estimate.high])
    for name, truth in truths.items():
        values, lows, highs = np.array(found[name]).T
        covered = np.count_nonzero((lows <= truth) & (truth <= highs))
        assert covered >= stats.binom.ppf(1e-3, sets, 0.95), name
        assert covered <= (0.985 * sets if IS_NIGHTLY else sets - 1), name
        # 95 of 100 estimates lie within 1.96 standard deviations of their mean, on either side.
        width = np.mean(highs - lows) / (2 * 1.96 * values.std(ddof=1))
        assert 0.8 < width < (1.5 if name == "ece" else 1.25), name

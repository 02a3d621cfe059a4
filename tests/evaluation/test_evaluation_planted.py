"""On planted data the answer is the planted one: calibrated is called calibrated, advice does no harm, temperatures are found."""

from __future__ import annotations

import numpy as np
import pytest
from calibrated_data import planted
from running import IS_NIGHTLY

import lastlayer as ll
from lastlayer.evaluation import evaluate_scores

#: (rows, classes): in turn.
SHAPES = [(150, 2), (200, 3), (400, 10), (300, 2), (600, 5)]


def test_a_calibrated_model_is_called_calibrated() -> None:
    draws = 200 if IS_NIGHTLY else 40
    verdicts = [evaluate_scores(*planted(*SHAPES[draw % len(SHAPES)], seed=draw)).verdict for draw in range(draws)]
    # Issue: at least 95 of 100.
    assert verdicts.count("calibrated") >= 0.95 * draws


@pytest.mark.parametrize(("factor", "verdict"), [(2.0, "overconfident"), (0.5, "underconfident")])
def test_a_miscalibrated_model_is_not(factor: float, verdict: str) -> None:
    found = [evaluate_scores(*planted(600, 4, factor=factor, seed=seed)) for seed in range(5)]
    assert [one.verdict for one in found] == [verdict] * 5
    assert all(one.map("temperature").difference.high < 0 for one in found)


def test_the_advised_map_is_not_worse_on_new_rows() -> None:
    """On calibrated sets the advice costs nothing, on others it gains; each change is measured on rows that nothing has seen."""
    draws = 200 if IS_NIGHTLY else 40
    honest, others = [], []
    for draw in range(draws):
        rows, classes = SHAPES[draw % len(SHAPES)]
        random = np.random.default_rng(draw)
        is_honest = draw % 2 == 0
        factor = 1.0 if is_honest else random.choice([0.3, 0.6, 1.5, 3.0])
        scores, labels = planted(rows + 2000, classes, factor=factor, seed=draw)
        found = evaluate_scores(scores[:rows], labels[:rows])
        held = np.arange(rows, rows + 2000), labels[rows:]
        change = ll.log_softmax(scores)[held] - found.calibrator.log_probabilities(scores)[held]
        (honest if is_honest else others).append(float(change.mean()))
    # A temperature that is fitted to 150 rows costs about 1/300 where nothing was wrong.
    assert np.mean(honest) < 0.0015
    assert max(honest) < 0.03
    assert np.mean(others) < -0.05
    assert np.count_nonzero(np.array(others) > 0.005) <= 0.05 * len(others)


@pytest.mark.parametrize("classes", [2, 10, 100, 1000])
@pytest.mark.parametrize("factor", [0.1, 1.0, 20.0])
def test_the_temperature_of_the_whole_command_is_the_planted_one(classes: int, factor: float) -> None:
    scores, labels = planted(1200, classes, factor=factor, dtype=np.float32)
    interval = evaluate_scores(scores, labels, maps=["temperature"]).map("temperature").interval
    assert interval is not None
    reach = np.log(interval.high / interval.value)
    assert abs(np.log(interval.value / factor)) < 3 * reach

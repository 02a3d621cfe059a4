"""The range of a calibrated model: drawn labels, their errors, and how often a calibrated model is inside."""

from __future__ import annotations

import numpy as np
import pytest
from running import IS_NIGHTLY
from scipy import stats

from lastlayer import softmax
from lastlayer.calibration import ScoreRows
from lastlayer.evaluation.metrics import measure, reliability, top_label_error
from lastlayer.evaluation.metrics.calibrated_range import calibrated_range, n_draws
from lastlayer.evaluation.metrics.class_bins import class_bins
from lastlayer.evaluation.metrics.class_wise import class_wise
from lastlayer.evaluation.metrics.drawn_labels import DrawnHits, draw_entries
from lastlayer.evaluation.metrics.top_label import drawn_hits, top_label_bins
from lastlayer.evaluation.predictions import MappedScores


def planted(n: int, n_classes: int, seed: int = 0, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels drawn from their softmax, by the maximum of scores with Gumbel noise."""
    generator = np.random.default_rng(seed)
    scores = generator.uniform(0.5, 4) * generator.standard_normal((n, n_classes))
    return scores.astype(dtype), (scores + generator.gumbel(size=scores.shape)).argmax(axis=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_labels_are_drawn_with_their_probabilities(dtype):
    p = np.array([[0.5, 0.3, 0.2], [0.0, 1.0, 0.0], [0.0, 0.25, 0.75], [0.98, 0.02, 0.0]], dtype=dtype)
    entries = draw_entries(p, 20_000, np.random.default_rng(0))
    assert set(entries[1]) == {4}
    for row, expected in enumerate(p.astype(float)):
        counts = np.bincount(entries[row] - 3 * row, minlength=3)
        seen = expected > 0
        assert counts[~seen].sum() == 0
        if row != 1:
            assert stats.chisquare(counts[seen], 20_000 * expected[seen] / expected.sum()).pvalue > 1e-4


def test_a_row_that_ends_in_zeros_keeps_its_numbers():
    """The largest uniform numbers are still in the row, and not in a class with p = 0."""

    class Largest:
        def random(self, shape: tuple[int, int]) -> np.ndarray:
            return np.full(shape, np.nextafter(1.0, 0.0))

    p = np.tile(np.array([[0.1, 0.7, 0.2, 0.0]], dtype=np.float32), (1000, 1))
    entries = draw_entries(p, 1, Largest())
    np.testing.assert_array_equal(entries[:, 0] - 4 * np.arange(1000), 2)


@pytest.mark.parametrize("n", [30, 400])
def test_both_ways_of_counting_give_the_same(n):
    """Counts where rows are many, keys where they are few."""
    keys = np.random.default_rng(0).integers(0, 100, (n, 5))
    hits = DrawnHits(5, n, 100)
    assert hits.is_counted == (n == 400)
    hits.add(keys[:17], 0)
    hits.add(keys[20:], 20)
    drawn = np.delete(keys, slice(17, 20), axis=0)
    for (found, counts), expected in zip(hits, drawn.T, strict=True):
        np.testing.assert_array_equal(np.repeat(found, counts), np.sort(expected))


@pytest.mark.parametrize(("n", "n_classes"), [(500, 3), (60, 40)])
def test_drawn_errors_are_those_of_models_with_drawn_labels(n, n_classes, monkeypatch):
    """Judge 300 sets of labels that another algorithm draws: their errors have the same distribution."""
    # Blocks of a few rows, which must not share their random numbers.
    monkeypatch.setattr("lastlayer.evaluation.metrics.class_wise.BLOCK", 100)
    scores, labels = planted(n, n_classes, 5)
    p, is_valid, generator = softmax(scores), np.ones(n, dtype=bool), np.random.default_rng(1)
    bins = class_bins(p)
    drawn = class_wise(MappedScores(ScoreRows(scores), labels), bins, is_valid, seed=0, draws=300).drawn
    assert len(drawn) == 1000
    others = []
    # One draw at a time: the errors of interest are those of the labels.
    monkeypatch.setattr("lastlayer.evaluation.metrics.calibrated_range.MOST_DRAWS", 1)
    for _ in range(300):
        labels = (scores + generator.gumbel(size=scores.shape)).argmax(axis=1)
        others.append(class_wise(MappedScores(ScoreRows(scores), labels), bins, is_valid, seed=0, draws=1).value)
    assert stats.ks_2samp(drawn, others).pvalue > 1e-3


def test_drawn_correct_rows_have_the_mean_and_the_variance_of_the_bins():
    confidence = np.random.default_rng(0).beta(4, 1, 900)
    bins = top_label_bins(confidence)
    hits = drawn_hits(bins, 0, 4000)
    assert len(np.unique(hits, axis=0)) == 4000
    z = (hits.mean(axis=0) - bins.expected) / np.sqrt(bins.variance / 4000)
    assert np.abs(z).max() < 4
    np.testing.assert_allclose(hits.var(axis=0), bins.variance, rtol=0.12)


def test_the_range_holds_its_share_of_new_values():
    generator = np.random.default_rng(0)
    ranges = [calibrated_range(generator.random(200)) for _ in range(4000)]
    assert np.mean([high - low for low, high in ranges]) == pytest.approx(0.98, abs=0.001)
    assert (n_draws(100, 200), n_draws(5000, 200), n_draws(10**6, 200)) == (1000, 400, 200)


def test_a_calibrated_model_is_inside():
    """In 98 of 100 cases by construction; ranges that are a quarter narrower hold about 92 of 100."""
    n_models = 400 if IS_NIGHTLY else 50
    inside = []
    for seed in range(n_models):
        generator = np.random.default_rng([seed, 1])
        n_classes = int(generator.choice([2, 3, 10, 30, 100]))
        scores, labels = planted(
            int(generator.integers(200, 3000 if IS_NIGHTLY else 800)),
            n_classes,
            seed,
            generator.choice([np.float32, np.float64]),
        )
        metrics = measure(MappedScores(ScoreRows(scores), labels), seed=seed).metrics
        inside.append(
            [
                metrics[name].if_calibrated[0] <= metrics[name].value <= metrics[name].if_calibrated[1]
                for name in ("ece", "classwise_ece")
            ]
        )
    # A binomial of 0.98 is below its bound in one of 10 000 cases.
    assert np.sum(inside, axis=0).min() >= stats.binom.ppf(1e-4, n_models, 0.98)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_miscalibrated_model_is_above(temperature):
    scores, labels = planted(3000, 10, 2)
    metrics = measure(MappedScores(ScoreRows(scores / temperature), labels)).metrics
    for name in ("ece", "classwise_ece"):
        assert metrics[name].value > metrics[name].low > metrics[name].if_calibrated[1]


def test_results_depend_on_the_seed_alone(monkeypatch):
    scores, labels = planted(9000, 12, 1, np.float32)
    rows = MappedScores(ScoreRows(scores), labels)
    found = []
    for threads, seed in ((1, 0), (4, 0), (4, 1)):
        monkeypatch.setattr("lastlayer.calibration.score_rows.n_threads", lambda threads=threads: threads)
        found.append(measure(rows, seed=seed))
    assert found[0].metrics == found[1].metrics
    assert found[0].reliability == found[1].reliability
    for name in ("ece", "classwise_ece"):
        assert found[1].metrics[name].value == found[2].metrics[name].value
        assert found[1].metrics[name].if_calibrated != found[2].metrics[name].if_calibrated


def test_edges_come_from_a_sample_of_many_rows(monkeypatch):
    """A tenth of the rows gives nearly the bins of all, and the same error within a few of its standard errors."""
    scores, labels = planted(10_000, 3, 3)
    rows = MappedScores(ScoreRows(2 * scores), labels)
    full = measure(rows, draws=1).metrics["classwise_ece"]
    monkeypatch.setattr("lastlayer.evaluation.metrics.class_bins.SAMPLE_ROWS", 1000)
    sampled = measure(rows, draws=1).metrics["classwise_ece"]
    assert sampled.value != full.value
    assert sampled.value == pytest.approx(full.value, rel=0.02)


def test_the_band_holds_the_accuracy_of_a_calibrated_model():
    inside = []
    for seed in range(40):
        confidence = np.random.default_rng(seed).beta(3, 1, 1500)
        is_correct = np.random.default_rng([seed, 1]).random(1500) < confidence
        inside += [
            one["low"] <= one["accuracy"] <= one["high"] for one in reliability(confidence, is_correct, seed=seed)
        ]
    assert len(inside) == 600
    # 95 of 100, a little more because accuracies move in steps of a row.
    assert 0.93 < np.mean(inside) < 0.99


def copied(groups: int, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(scores, labels, groups): copies of one row in each group."""
    scores, labels = planted(groups, 3, seed)
    return np.repeat(scores, rows, axis=0), np.repeat(labels, rows), np.repeat(np.arange(groups), rows)


def with_effects(groups: int, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(scores, labels, groups): rows with scores of their own, half of them with the noise of their group."""
    generator, of_row = np.random.default_rng([seed, groups, rows]), np.repeat(np.arange(groups), rows)
    scores, noise = 2 * generator.standard_normal((len(of_row), 3)), generator.gumbel(size=(len(of_row), 3))
    shares = generator.random(len(of_row)) < 0.5
    noise[shares] = generator.gumbel(size=(groups, 3))[of_row[shares]]
    return scores, (scores + noise).argmax(axis=1), of_row


GROUPED = [(copied, 300, 1), (copied, 300, 3), (copied, 300, 5), (copied, 200, 20)]
GROUPED += [(with_effects, 200, 5), (with_effects, 40, 50), (with_effects, 8, 100)]


@pytest.mark.parametrize(("draw", "n_groups", "rows"), GROUPED)
def test_a_calibrated_model_of_grouped_rows_is_inside(draw, n_groups, rows, monkeypatch):
    """With labels that are drawn for each row alone, five copies of 300 rows are above the range in nearly every set."""
    monkeypatch.setattr("lastlayer.evaluation.metrics.calibrated_range.MOST_DRAWS", 200)
    n_models = 200 if IS_NIGHTLY else 30
    inside, in_band = [], []
    for seed in range(n_models):
        scores, labels, groups = draw(n_groups, rows, seed)
        found = measure(MappedScores(ScoreRows(scores), labels), groups, seed=seed)
        errors = [found.metrics["ece"], found.metrics["classwise_ece"]]
        inside.append([one.if_calibrated[0] <= one.value <= one.if_calibrated[1] for one in errors])
        in_band += [one["low"] <= one["accuracy"] <= one["high"] for one in found.reliability]
    assert np.sum(inside, axis=0).min() >= stats.binom.ppf(1e-4, n_models, 0.98)
    assert np.mean(in_band) > 0.92


@pytest.mark.parametrize(("draw", "n_groups", "rows"), GROUPED[:5])
def test_a_miscalibrated_model_of_grouped_rows_is_above(draw, n_groups, rows):
    """A range that is wide enough for anything says nothing."""
    scores, labels, groups = draw(2 * n_groups, rows, 0)
    metrics = measure(MappedScores(ScoreRows(scores / 2), labels), groups).metrics
    for name in ("ece", "classwise_ece"):
        assert metrics[name].value > metrics[name].if_calibrated[1]
        assert metrics[name].low > 0


def test_copies_of_rows_do_not_change_the_error():
    """Chance adds as much to copies as to the rows: without groups less is taken off."""
    scores, labels, groups = copied(400, 6, 1)
    once = measure(MappedScores(ScoreRows(scores[::6]), labels[::6])).metrics
    grouped, alone = (measure(MappedScores(ScoreRows(scores), labels), given).metrics for given in (groups, None))
    assert grouped["classwise_ece"].plain == pytest.approx(once["classwise_ece"].plain, rel=0.05)
    for name in ("ece", "classwise_ece"):
        assert alone[name].value > once[name].value + 0.003
        assert grouped[name].value == pytest.approx(once[name].value, abs=0.003)


def test_one_group_says_nothing():
    scores, labels = planted(200, 3)
    found = measure(MappedScores(ScoreRows(scores / 3), labels), np.zeros(200, dtype=int)).metrics["ece"]
    assert found.if_calibrated == (0.0, 1.0)
    assert np.isnan(found.high)


def test_the_diagram_of_grouped_rows_is_that_of_measure():
    scores, labels, groups = copied(300, 4, 2)
    found = measure(MappedScores(ScoreRows(scores), labels), groups)
    assert reliability(found.confidence, found.is_correct, groups) == found.reliability
    alone = reliability(found.confidence, found.is_correct)
    assert all(
        one["high"] - one["low"] >= 1.2 * (two["high"] - two["low"])
        for one, two in zip(found.reliability, alone, strict=True)
        if two["high"] < 0.8
    )
    debiased, plain = top_label_error(found.confidence, found.is_correct, groups)
    assert (debiased, plain) == (found.metrics["ece"].value, found.metrics["ece"].plain)

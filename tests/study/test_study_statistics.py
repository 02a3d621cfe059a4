"""The corrected t holds its level where the plain t does not, and finds what is there."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lastlayer.study.schema import COMPARISONS
from lastlayer.study.settings import MARGIN
from lastlayer.study.statistics.comparisons import Comparison, compare, summarize, tabulate_comparisons
from lastlayer.study.statistics.corrected_t import Splits, estimate, holm, paired_test, smallest_detectable

INDEPENDENT = Splits(n_fits=10, test_share=0.0, n_test=100.0)
FIVE_BY_TWO = Splits(n_fits=10, test_share=0.25, n_test=100.0)
WIDE = (-math.inf, math.inf)


def simulated(mean: float, spread: float, size: int, seed: int) -> np.ndarray:
    """Differences of (size) studies on 10 splits, correlated as Nadeau & Bengio assume: n_test/(n_train + n_test) = 1/5."""
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(size, 1)) * math.sqrt(1 / 5)
    return mean + spread * (shared + generator.normal(size=(size, 10)) * math.sqrt(4 / 5))


def test_without_shared_rows_it_is_the_paired_t() -> None:
    differences = np.random.default_rng(0).normal(0.3, 1.0, 10)
    expected = stats.ttest_1samp(differences, 0.0)
    found = paired_test(differences, INDEPENDENT, 0.95, WIDE)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-10)
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high), rel=1e-10)


def test_the_correction_widens_by_what_nadeau_and_bengio_say() -> None:
    differences = np.random.default_rng(1).normal(size=10)
    plain, corrected = (paired_test(differences, splits, 0.95, WIDE) for splits in (INDEPENDENT, FIVE_BY_TWO))
    assert corrected.standard_error / plain.standard_error == pytest.approx(math.sqrt((0.1 + 0.25) / 0.1))


def test_level_on_correlated_splits() -> None:
    """Under no difference: at most 5 % with the correction, far more without."""
    studies = simulated(0.0, 1.0, 2000, seed=7)
    corrected = np.mean([paired_test(d, FIVE_BY_TWO, 0.95, WIDE).p < 0.05 for d in studies])
    plain = np.mean([paired_test(d, INDEPENDENT, 0.95, WIDE).p < 0.05 for d in studies])
    assert 0.03 < corrected < 0.065
    assert plain > 0.15


def test_what_is_called_detectable_is_found_four_times_in_five() -> None:
    error = math.sqrt(0.8 * (0.1 + 0.25))  # s² of the simulation is 4/5
    for comparisons in (1, 9):
        size = smallest_detectable(error, FIVE_BY_TWO, 0.95, comparisons, math.inf)
        studies = simulated(size, 1.0, 2000, seed=11)
        found = np.mean([paired_test(d, FIVE_BY_TWO, 0.95, WIDE).p < 0.05 / comparisons for d in studies])
        assert 0.76 < found < 0.88


def test_intervals_are_clipped_to_the_range() -> None:
    found = estimate(np.array([0.99, 1.0, 0.98, 1.0]), Splits(4, 1 / 3, 50), 0.95, (0.0, 1.0))
    assert found.high == 1.0
    assert found.low < 0.98
    assert math.isnan(estimate(np.array([1.0, math.inf]), Splits(2, 1.0, 50), 0.95, (0.0, math.inf)).low)


def test_equal_values_are_not_certain() -> None:
    """One row more right in every split of 100 is not a proof; nor is none in a metric that counts rows."""
    same = paired_test(np.full(10, 0.01), FIVE_BY_TWO, 0.95, (-1, 1))
    assert 0 < same.p < 0.05
    assert same.difference.low < 0.01 < same.difference.high
    assert paired_test(np.full(2, 0.01), Splits(2, 1.0, 100), 0.95, (-1, 1)).p > 0.05
    assert paired_test(np.zeros(10), FIVE_BY_TWO, 0.95, (-1, 1)).difference.high == 0.0
    assert paired_test(np.zeros(10), FIVE_BY_TWO, 0.95, (-1, 1), counts_rows=True).difference.high > 0.001
    assert paired_test(np.zeros(10), FIVE_BY_TWO, 0.95, (-1, 1)).p == 1.0


def test_holm_by_its_definition() -> None:
    """Rejected by Holm's steps at a level exactly where the adjusted p-value is at most that level."""
    generator = np.random.default_rng(3)
    for _ in range(50):
        p = generator.random(6) ** 3
        adjusted = holm(p)
        for level in (0.01, 0.05, 0.2, 0.5):
            rejected = set()
            for step, i in enumerate(np.argsort(p)):
                if p[i] > level / (6 - step):
                    break
                rejected.add(i)
            assert rejected == {i for i in range(6) if adjusted[i] <= level}
    assert holm([]) == []


def fits(**mappings: dict[str, np.ndarray]) -> pd.DataFrame:
    """Fits of 5 folds × 2 repeats; metrics not given are those of a decent model with some noise."""
    tables = []
    for i, (mapping, metrics) in enumerate(mappings.items()):
        generator = np.random.default_rng(i)
        table = pd.DataFrame({"mapping": mapping, "repeat": np.repeat([0, 1], 5), "fold": list(range(5)) * 2})
        table = table.assign(n_train=400, n_test=100, infinite_share=0.0, invalid_share=0.0)
        defaults = {"brier": 0.1, "accuracy": 0.9, "log_loss": 0.3, "ece": 0.03}
        for metric, base in defaults.items():
            table[metric] = metrics.get(metric, base + 0.01 * generator.normal(size=10))
        tables.append(table.assign(**{k: v for k, v in metrics.items() if k not in defaults}))
    return pd.concat(tables, ignore_index=True)


BASE = 0.1 + 0.02 * np.random.default_rng(9).normal(size=10)
NOISE = np.random.default_rng(10).normal(size=10)
NOISE = (NOISE - NOISE.mean()) / NOISE.std()


def found(metric: str = "brier", **mappings: dict[str, np.ndarray]) -> dict[str, Comparison]:
    comparisons = compare(fits(**mappings), 0.95, MARGIN)
    return {comparison.mapping: comparison for comparison in comparisons if comparison.metric == metric}


def test_verdicts() -> None:
    by_mapping = found(
        softmax={"brier": BASE},
        same={"brier": BASE},
        close={"brier": BASE + 0.001 * NOISE},
        certain_but_small={"brier": BASE + 0.004 + 0.001 * NOISE},
        worse={"brier": BASE + 0.05 + 0.01 * NOISE},
        noisy={"brier": BASE + 0.05 * NOISE},
    )
    assert {name: comparison.verdict for name, comparison in by_mapping.items()} == {
        "same": "equal",
        "close": "equal",
        "certain_but_small": "equal",
        "worse": "differs",
        "noisy": "cannot be told apart",
    }
    assert by_mapping["worse"].difference.mean == pytest.approx(0.05)
    assert by_mapping["certain_but_small"].is_significant
    assert not by_mapping["close"].is_significant
    assert by_mapping["noisy"].detectable > by_mapping["noisy"].difference.high > 0


def test_infinite_losses_are_not_compared_and_make_no_noise() -> None:
    infinite = np.where(np.arange(10) == 3, np.inf, 0.3)
    by_mapping = found(
        "log_loss",
        softmax={},
        sparse={"log_loss": infinite, "infinite_share": np.full(10, 0.02)},
        other={"log_loss": np.full(10, 0.3)},
    )
    assert by_mapping["sparse"].verdict == "not comparable"
    assert by_mapping["sparse"].difference.mean == math.inf
    assert math.isnan(by_mapping["sparse"].p)
    assert by_mapping["other"].n_comparisons == 1
    both = found("log_loss", softmax={"log_loss": infinite}, sparse={"log_loss": infinite})
    assert math.isnan(both["sparse"].difference.mean)
    assert both["sparse"].verdict == "not comparable"


def test_a_missing_value_is_not_comparable() -> None:
    gone = found("ece", softmax={}, ratio={"ece": np.full(10, np.nan)})["ratio"]
    assert gone.verdict == "not comparable"
    assert math.isnan(gone.difference.mean)


def test_order_of_rows_does_not_matter() -> None:
    table = fits(softmax={"brier": BASE}, worse={"brier": BASE + 0.03 * NOISE})
    shuffled = table.sample(frac=1.0, random_state=0).sort_values("mapping", kind="stable", ascending=True)
    one, other = (tabulate_comparisons(compare(t, 0.95, MARGIN)) for t in (table, shuffled))
    pd.testing.assert_frame_equal(one, other, check_exact=False, rtol=1e-12)


def test_the_table_has_a_row_a_mapping_and_metric() -> None:
    table = tabulate_comparisons(compare(fits(softmax={}, a={}, b={}), 0.95, MARGIN))
    assert list(table.columns) == list(COMPARISONS)
    assert table["mapping"].tolist() == ["a"] * 4 + ["b"] * 4
    assert (table["versus"] == "softmax").all()
    again = [Comparison.of_row(row) for row in table.to_dict("records")]
    pd.testing.assert_frame_equal(tabulate_comparisons(again), table)
    alone = tabulate_comparisons(compare(fits(softmax={}), 0.95, MARGIN))
    assert len(alone) == 0
    assert list(alone.columns) == list(COMPARISONS)
    assert len(summarize(fits(softmax={}, a={}), 0.95)) == 8


def test_two_hundred_studies_of_nothing() -> None:
    """What `examples/null_study.py` shows with models: several names for one thing rarely differ, Holm's correction included."""
    rate = 0
    for seed in range(200):
        values = simulated(0.0, 0.02, 3, seed=1000 + seed)
        table = {f"m{i}": {"brier": np.clip(BASE + values[i], 0, 2)} for i in range(3)}
        rate += any(comparison.verdict == "differs" for comparison in found(softmax={"brier": BASE}, **table).values())
    # At most 10 are expected; 17 is more than two standard deviations above.
    assert rate <= 17


def test_a_gap_of_three_points_is_found() -> None:
    accuracy = np.array([0.90, 0.91, 0.89, 0.92, 0.90, 0.91, 0.88, 0.90, 0.92, 0.89])
    found_gap = found("accuracy", softmax={"accuracy": accuracy}, worse={"accuracy": accuracy - 0.03 + 0.008 * NOISE})[
        "worse"
    ]
    assert found_gap.verdict == "differs"
    assert found_gap.difference.mean == pytest.approx(-0.03)

"""Baselines of every study, the margin that is relative to what they leave, and the decision that rests on both."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from lastlayer import MAPPINGS
from lastlayer.study import StudyError, run_study
from lastlayer.study.choice import by_promise
from lastlayer.study.decision import decide
from lastlayer.study.fit import baselines
from lastlayer.study.fit.baselines import FITS_OF, MOST_CLASSES, baselines_for
from lastlayer.study.fit.metrics import measure_probabilities
from lastlayer.study.schema import BASELINES, FITS, tabulate
from lastlayer.study.settings import check_settings, resolve_margins
from lastlayer.study.statistics.comparisons import compare, summarize


@pytest.fixture(scope="module")
def parts() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training and test rows of digits, three classes of it."""
    X, y = load_digits(return_X_y=True)
    X, y = X[y < 3] / 16, y[y < 3]
    return X[::2], y[::2], X[1::2], y[1::2]


def test_each_baseline_is_what_its_name_says(parts: tuple[np.ndarray, ...]) -> None:
    train, labels, test, truth = parts
    for name, expected in {
        "logistic_regression": LogisticRegression(max_iter=1000).fit(train, labels).predict_proba(test),
        "boosted_trees": HistGradientBoostingClassifier(random_state=7).fit(train, labels).predict_proba(test),
        "class_frequencies": np.tile(np.bincount(labels) / len(labels), (len(test), 1)),
    }.items():
        made = FITS_OF[name](train, labels, test, 3, 7)
        np.testing.assert_allclose(made.p, expected, rtol=1e-12)
        measured = measure_probabilities(made.p, made.log_p, truth)
        assert measured.values["log_loss"] == pytest.approx(log_loss(truth, expected), rel=1e-9)
    two = FITS_OF["logistic_regression"](train[labels < 2], labels[labels < 2], test, 2, 0)
    again = LogisticRegression(max_iter=1000).fit(train[labels < 2], labels[labels < 2])
    np.testing.assert_allclose(two.p, again.predict_proba(test), rtol=1e-12)
    assert set(FITS_OF) == set(BASELINES)


def test_trees_of_large_data_see_a_sample_with_every_class(
    parts: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    train, labels, test, _ = parts
    rare = np.append(labels[labels < 2], 2)
    rows = np.vstack([train[labels < 2], train[labels == 2][:1]])
    monkeypatch.setattr(baselines, "CELLS", 0)
    seen: list[np.ndarray] = []

    class Seeing(HistGradientBoostingClassifier):  # type: ignore[misc]
        def fit(self, X: np.ndarray, y: np.ndarray) -> HistGradientBoostingClassifier:
            seen.append(y)
            return super().fit(X, y)

    monkeypatch.setattr(baselines, "HistGradientBoostingClassifier", Seeing)
    made = FITS_OF["boosted_trees"](rows, rare, test, 3, 0)
    assert made.is_sampled
    assert len(seen[0]) == 150 < len(rare)
    assert set(seen[0]) == {0, 1, 2}


def test_thousands_of_classes_have_no_trees() -> None:
    assert baselines_for(MOST_CLASSES) == BASELINES
    assert baselines_for(MOST_CLASSES + 1) == ("class_frequencies", "logistic_regression")


def test_a_mapping_cannot_take_a_baseline_s_name(tmp_path: Path) -> None:
    from dataclasses import replace

    with pytest.raises(StudyError, match="as one of the baselines is; give it another name"):
        run_study("iris", mappings=[replace(MAPPINGS["softmax"], name="boosted_trees")], out=tmp_path)


def test_the_reference_comes_first_and_the_ratio_late() -> None:
    names = [mapping.name for mapping in by_promise(MAPPINGS.values())]
    assert names[0] == "softmax"
    assert set(names[-2:]) == {"ratio", "hardmax"}
    assert names.index("sparsemax") < names.index("spherical")


def test_margins_shrink_with_what_the_frequencies_leave() -> None:
    even, rare = np.array([0.5, 0.5]), np.array([0.999, 0.001])
    assert resolve_margins({}, even) == pytest.approx({"brier": 0.01, "accuracy": 0.005, "log_loss": 0.01, "ece": 0.01})
    found = resolve_margins({}, rare)
    assert found["brier"] == pytest.approx(0.02 * 2 * 0.999 * 0.001)
    assert found["log_loss"] == pytest.approx(0.015 * entropy(rare))
    assert found["accuracy"] == pytest.approx(0.01 * 0.001)
    # What was asked for stays; ten classes leave more, but a margin does not grow.
    assert resolve_margins({"brier": 0.3}, rare)["brier"] == 0.3
    assert resolve_margins({}, np.full(10, 0.1))["brier"] == 0.01
    assert resolve_margins({}, np.array([1.0, 0.0]))["log_loss"] == 0.0


def fits(shifts: dict[str, float], *, skill: float = 0.5, noise: float = 1e-4) -> pd.DataFrame:
    """Fits whose Brier scores differ from softmax's by these shifts."""
    generator = np.random.default_rng(0)
    rows = []
    for repeat in range(2):
        for fold in range(5):
            base = 0.3 + 0.01 * generator.normal()
            for name, shift in shifts.items():
                if name in BASELINES and repeat:
                    continue
                row = {column: 0 if kind == "int64" else 0.25 for column, kind in FITS.items()}
                row |= {"mapping": name, "repeat": repeat, "fold": fold, "n_train": 800, "n_test": 200}
                row |= {"brier": base + shift + noise * generator.normal(), "skill": skill + 0.01 * generator.normal()}
                rows.append(row)
    return tabulate(rows, FITS)


def decision(table: pd.DataFrame) -> tuple[str, str, dict[str, object]]:
    settings = check_settings(mappings=("softmax",))
    compared = table[~table["mapping"].isin(BASELINES)]
    comparisons = compare(compared, settings.level, resolve_margins({}, np.array([0.5, 0.5])))
    found = decide(table, summarize(table, settings.level), comparisons, settings.level)
    return found.code, found.mapping, dict(found.facts)


def test_the_reference_is_kept_unless_something_is_better_by_more_than_the_margin() -> None:
    code, mapping, facts = decision(fits({"softmax": 0, "a": 0.1, "b": -0.005, "c": 0.0}))
    assert (code, mapping) == ("keep_reference", "softmax")
    assert (facts["worse"], facts["equal"], facts["better"]) == (["a"], ["b", "c"], [])
    code, mapping, facts = decision(fits({"softmax": 0, "a": -0.02, "b": -0.03, "boosted_trees": -0.2}))
    assert (code, mapping) == ("adopt", "b")
    assert facts["better"] == ["a", "b"]
    assert facts["low"] < facts["difference"] < facts["high"] < -0.01
    assert facts["trees_gain"] == pytest.approx(0.17, abs=1e-3)
    assert facts["trees_low"] < facts["trees_gain"] < facts["trees_high"]
    assert facts["baselines"]["boosted_trees"] == pytest.approx(0.1, abs=0.02)
    _, _, facts = decision(fits({"softmax": 0, "a": 0.0}, noise=0.03))
    assert facts["unclear"] == ["a"]
    assert facts["detectable"] > 0.02


def test_a_certain_gain_below_the_margin_is_no_reason_to_change() -> None:
    """Its interval reaches beyond the margin of 0.01, so it is not called equal; its mean does not."""
    code, mapping, facts = decision(fits({"softmax": 0, "a": -0.0095}, noise=0.001))
    assert facts["better"] == ["a"]
    assert (code, mapping) == ("keep_reference", "softmax")


def test_no_signal_is_said_first() -> None:
    code, _, facts = decision(fits({"softmax": 0, "a": -0.1}, skill=0.0))
    assert code == "no_signal"
    assert facts["skill_low"] <= 0
    assert decision(fits({"softmax": 0}))[0] == "nothing_compared"


def test_a_study_says_what_it_saw_of_each_row(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=200)
    table = tmp_path / "two.csv"
    pd.DataFrame({"x": x, "y": np.where(x + generator.normal(size=200) > 1.2, "yes", "no")}).to_csv(table, index=False)
    results = run_study(table, "y", mappings="ratio", folds=4, repeats=2, C=0.3, out=tmp_path)
    p = results.predictions
    assert list(p.columns) == ["mapping", "repeat", "fold", "row", "label", "p_no", "p_yes"]
    own = p[(p["mapping"] == "softmax") & (p["repeat"] == 1)].sort_values("row")
    assert own["row"].tolist() == list(range(200))
    assert own["label"].tolist() == pd.read_csv(table)["y"].tolist()
    assert set(p.loc[p["mapping"] == "boosted_trees", "repeat"]) == {0}
    # What the tables say can be computed again from them.
    is_yes = own["label"].eq("yes").to_numpy()
    brier = 2 * float(np.mean((own["p_yes"].to_numpy(np.float64) - is_yes) ** 2))
    second = results.fits[(results.fits["mapping"] == "softmax") & (results.fits["repeat"] == 1)]
    assert brier == pytest.approx(float(second["brier"].mean()), rel=1e-6)
    per_class = results.per_class("softmax")
    softmax = p[p["mapping"] == "softmax"]
    said_yes = softmax["p_yes"] > softmax["p_no"]
    true_yes = softmax["label"] == "yes"
    assert per_class.loc["yes", "recall"] == pytest.approx((said_yes & true_yes).sum() / true_yes.sum())
    assert per_class.loc["yes", "precision"] == pytest.approx((said_yes & true_yes).sum() / said_yes.sum())
    positive = results.positive[results.positive["mapping"] == "softmax"]
    assert positive["n"].sum() == 400
    assert (positive["n"] * positive["share"]).sum() == pytest.approx(true_yes.sum())
    shown = results.disagreements
    assert set(shown["mapping"]) == {"ratio"}
    wide = p[p["repeat"] == 0].pivot(index="row", columns="mapping", values="p_yes")
    apart = (wide["softmax"] - wide["ratio"]).abs().sort_values(ascending=False)
    assert list(dict.fromkeys(shown["row"] - 1)) == apart.index[:3].tolist()
    assert math.isclose(shown["p"].iloc[1], wide["ratio"][apart.index[0]], rel_tol=1e-6)

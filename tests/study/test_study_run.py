"""Whole studies on small data: as it comes, in parallel, resumed after a kill, and with mappings of one's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from lastlayer import MAPPINGS
from lastlayer.findings import Finding
from lastlayer.study import StudyError, StudyProgress, StudyResults, fit_split, run_study
from lastlayer.study.fit import model
from lastlayer.study.schema import BASELINES

#: Columns that differ from run to run.
TIMES = ["fit_seconds", "search_seconds"]
SMALL: dict[str, Any] = {"mappings": ["softmax", "ratio", "sparsemax"], "folds": 3, "repeats": 1}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV as it comes: strings, dates, missing values, a constant, and classes of 100, 40 and 10 rows."""
    generator = np.random.default_rng(0)
    labels = np.repeat(["common", "rare é", "<b>rarest</b>"], [100, 40, 10])
    level = np.repeat([0.0, 1.5, 3.0], [100, 40, 10])
    n = len(labels)
    frame = pd.DataFrame(
        {
            "size": level + generator.normal(size=n),
            "colour": np.where(generator.random(n) < 0.7, np.where(level > 1, "red", "blue"), "green"),
            "seen": pd.date_range("2024-01-01", periods=n).strftime("%d/%m/%Y"),
            "constant": 7,
            "class": labels,
        }
    )
    frame.loc[generator.random(n) < 0.1, "size"] = np.nan
    frame.loc[generator.random(n) < 0.1, "colour"] = None
    path = tmp_path_factory.mktemp("data") / "table.csv"
    frame.sample(frac=1.0, random_state=1).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `whole` is kept."""
    return tmp_path_factory.mktemp("whole")


@pytest.fixture(scope="module")
def whole(table: Path, out: Path) -> StudyResults:
    """The study of that table, uninterrupted."""
    return run_study(table, target="class", out=out, **SMALL)


def assert_same_results(one: StudyResults, other: StudyResults) -> None:
    """Equal to the last bit, times aside."""
    pd.testing.assert_frame_equal(one.fits.drop(columns=TIMES), other.fits.drop(columns=TIMES))
    for name in ("summary", "comparisons", "calibration", "histogram", "positive", "confusion", "disagreements"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))
    assert one.findings == other.findings
    assert one.decision == other.decision


def fits_in(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in out.glob("*/fits/*/*.parquet")}


def test_a_table_as_it_comes(whole: StudyResults) -> None:
    assert (whole.n_samples, whole.n_features, whole.n_classes) == (150, 3, 3)
    assert whole.n_encoded_features > 4
    assert whole.class_names == ("<b>rarest</b>", "common", "rare é")
    assert whole.class_counts == (10, 100, 40)
    assert len(whole.fits) == 9 + 9
    assert {whole.status(name) for name in SMALL["mappings"]} <= {"ok", "cut short"}
    brier = whole.summary[whole.summary["metric"] == "brier"].set_index("mapping")
    assert (brier["low"] <= brier["mean"]).all()
    assert (brier["mean"] <= brier["high"]).all()
    # Answering every row with the class frequencies costs 1 − Σ f² = 0.48.
    assert brier.loc["softmax", "mean"] < 0.4
    assert len(whole.comparisons) == 8
    # Only a study of the default mappings says what these leave out.
    assert "mapping_left_out" not in {finding.code for finding in whole.findings}


def test_every_test_row_is_counted_once_a_repeat(whole: StudyResults) -> None:
    for name in SMALL["mappings"]:
        fits = whole.fits[whole.fits["mapping"] == name]
        assert fits["n_test"].sum() == 150
        inside = 150 - fits["invalid_rows"].sum()
        assert whole.histogram[whole.histogram["mapping"] == name]["count"].sum() == inside
        assert whole.calibration[whole.calibration["mapping"] == name]["n"].sum() == inside


def test_results_are_on_disk(whole: StudyResults, out: Path) -> None:
    assert_same_results(StudyResults.read_parquet(out / "table-class" / "results.parquet"), whole)


def test_results_do_not_depend_on_jobs(whole: StudyResults, table: Path, tmp_path: Path) -> None:
    assert_same_results(run_study(table, target="class", out=tmp_path, jobs=2, **SMALL), whole)


def test_any_joblib_backend_carries_it(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend of a surrounding `parallel_config` is used, and leaves no warning filter behind."""
    options: dict[str, Any] = {"target": "class", "folds": 3, "repeats": 1, "C": 1.0, "mappings": "sparsemax"}
    alone = run_study(table, out=tmp_path / "alone", **options)
    threads: set[str] = set()
    encode = fit_split.encode_fold
    monkeypatch.setattr(
        fit_split, "encode_fold", lambda *a: (threads.add(threading.current_thread().name), encode(*a))[1]
    )
    filters = list(warnings.filters)
    with joblib.parallel_config("threading", n_jobs=3):
        assert_same_results(run_study(table, out=tmp_path / "threads", **options), alone)
    assert list(warnings.filters) == filters
    assert threads
    assert threading.main_thread().name not in threads


def test_a_second_run_repeats_no_fit_and_a_wider_one_only_adds(table: Path, tmp_path: Path) -> None:
    calls: list[StudyProgress] = []
    first = run_study(table, target="class", out=tmp_path, mappings="sparsemax", folds=2, repeats=1, C=1.0)
    before = fits_in(tmp_path)
    # Two mappings and three baselines on two splits.
    assert len(before) == 10
    second = run_study(
        table,
        target="class",
        out=tmp_path,
        mappings="sparsemax",
        folds=2,
        repeats=1,
        C=1.0,
        progress=calls.append,
    )
    assert fits_in(tmp_path) == before
    # Times too: they are kept as they were measured.
    pd.testing.assert_frame_equal(first.fits, second.fits)
    assert (calls[-1].done, calls[-1].total, calls[-1].what) == (10, 10, "model")
    assert set(calls[-2].fits) == {"softmax", "sparsemax", *BASELINES}
    wider = run_study(table, target="class", out=tmp_path, mappings=["sparsemax", "entmax"], folds=2, repeats=2, C=1.0)
    after = fits_in(tmp_path)
    # Baselines have the first repeat alone.
    assert len(after) == 18
    assert {name: after[name] for name in before} == before
    kept = wider.fits[(wider.fits["repeat"] == 0) & (wider.fits["mapping"] == "sparsemax")]
    pd.testing.assert_frame_equal(
        kept.reset_index(drop=True), first.fits[first.fits["mapping"] == "sparsemax"].reset_index(drop=True)
    )


def test_changed_data_is_fitted_anew(table: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"target": "class", "out": tmp_path / "out", "mappings": "softmax", "folds": 2, "C": 1.0}
    copy = tmp_path / "copy.csv"
    copy.write_text(table.read_text())
    one = run_study(copy, repeats=1, **options)
    copy.write_text(table.read_text().replace("red", "blue"))
    other = run_study(copy, repeats=1, **options)
    assert len(list((tmp_path / "out").glob("*/fits/*/*.parquet"))) == 2 * 8
    assert len(list((tmp_path / "out" / "copy-class" / "fits").iterdir())) == 2
    assert one.fits["brier"].tolist() != other.fits["brier"].tolist()


SCRIPT = """
import sys
from lastlayer.study import run_study
run_study(sys.argv[1], target="class", out=sys.argv[2], mappings=["softmax", "ratio", "sparsemax"], folds=3, repeats=1)
"""


def test_killed_half_way_and_run_again(whole: StudyResults, table: Path, tmp_path: Path) -> None:
    """SIGKILL leaves whole fits; the second run keeps every one of them and ends with the same results."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(table), str(tmp_path)], env=environment)
    deadline = time.monotonic() + 60
    while len(fits_in(tmp_path)) < 4 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = fits_in(tmp_path)
    assert 4 <= len(before) < 18
    assert not (tmp_path / "table-class" / "results.parquet").exists()
    resumed = run_study(table, target="class", out=tmp_path, **SMALL)
    after = fits_in(tmp_path)
    assert len(after) == 18
    assert {name: after[name] for name in before} == before
    assert_same_results(resumed, whole)


def test_a_mapping_of_one_s_own(tmp_path: Path) -> None:
    """The same mapping under another name, sent to worker processes as an object, is equal."""
    mine = replace(MAPPINGS["softmax"], name="mine", summary="softmax by another name")
    results = run_study("iris", mappings=[mine], folds=2, repeats=1, C=1.0, jobs=2, out=tmp_path)
    assert results.settings.mappings == ("softmax", "mine")
    brier = results.comparisons[results.comparisons["metric"] == "brier"].iloc[0]
    assert (brier["mapping"], brier["verdict"]) == ("mine", "equal")
    # By the formulas, where softmax itself may have kernels: the same up to rounding.
    assert abs(brier["difference"]) < 1e-9


def test_a_mapping_that_fails_takes_nothing_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(model.LastLayerClassifier):  # type: ignore[misc]
        def fit(self, *args: Any, **kwargs: Any) -> Any:
            if getattr(self.mapping, "name", self.mapping) == "sparsemax":
                raise ArithmeticError("no luck")
            return super().fit(*args, **kwargs)

    monkeypatch.setattr(model, "LastLayerClassifier", Failing)
    results = run_study("iris", mappings=["sparsemax", "entmax"], folds=2, repeats=1, C=1.0, out=tmp_path)
    assert [results.status(name) for name in ("softmax", "sparsemax", "entmax")] == ["ok", "failed", "ok"]
    assert Finding("fit_failed", "sparsemax", {"reason": "ArithmeticError: no luck"}) in results.findings
    assert set(results.comparisons["mapping"]) == {"entmax"}
    assert len(fits_in(tmp_path)) == 10


def test_a_study_of_every_mapping(tmp_path: Path) -> None:
    """Each built-in mapping but those with a reason against it, fitted, compared, and the reason told."""
    results = run_study("iris", folds=2, repeats=1, C=1.0, out=tmp_path)
    assert results.settings.mappings == tuple(name for name, mapping in MAPPINGS.items() if not mapping.study_note)
    assert {results.status(name) for name in results.settings.mappings} <= {"ok", "cut short"}
    found = {(finding.code, finding.mapping) for finding in results.findings}
    expected = {("mapping_left_out", "softmax_plus_one"), ("margin_form", "hardmax"), ("outside_domain", "ratio")}
    assert expected <= found


def test_strength_is_chosen_from_the_grid_or_fixed(whole: StudyResults, tmp_path: Path) -> None:
    assert set(whole.fits["C"].dropna()) <= set(whole.settings.grid)
    fixed = run_study("iris", mappings=["softmax"], folds=2, repeats=1, C=0.5, out=tmp_path)
    assert set(fixed.fits["C"].dropna()) == {0.5}
    assert not fixed.fits["C_at_edge"].any()
    assert fixed.settings.grid == ()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"dataset": "irish"}, "did you mean 'iris'"),
        ({"mappings": ["sofmax"]}, "softmax"),
        ({"folds": 60}, "has 50 rows, but 60 folds"),
        ({"out": "/dev/null/study"}, "give another one with --out"),
    ],
)
def test_wrong_input_leaves_nothing_behind(
    options: dict[str, Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=sentence):
        run_study(**{"dataset": "iris", **options})
    assert list(tmp_path.iterdir()) == []

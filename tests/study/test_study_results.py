"""Results on disk and as JSON, and finished fits that are found again only by what they depend on."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lastlayer import MAPPINGS
from lastlayer.findings import Finding
from lastlayer.study import StudyError, StudyResults
from lastlayer.study.collect import Outcomes, collect
from lastlayer.study.data.datasets import Dataset
from lastlayer.study.fit.bins import calibration_error
from lastlayer.study.fit.finished import FinishedFit, FitKey
from lastlayer.study.fit.splits import Split
from lastlayer.study.schema import CALIBRATION, COMPARISONS, FITS, HISTOGRAM, SUMMARY
from lastlayer.study.settings import MARGIN, check_settings
from lastlayer.study.storage.checkpoint import Checkpoints, read_fit, write_fit
from lastlayer.study.storage.fingerprint import code_rooms, mapping_fingerprint, study_fingerprint

NAMES = ("softmax", "sparsemax")
SETTINGS = check_settings(mappings=NAMES, folds=2, repeats=2, margin=MARGIN)
DATA = Dataset(
    "data.csv", "y", pd.DataFrame({"x": np.arange(8.0), "z": list("aabbccdd")}), np.array([0, 1] * 4), ("no", "yes")
)


def fit(mapping: str, repeat: int, fold: int, *, log_loss: float = 0.5) -> FinishedFit:
    row = {name: 0 if kind == "int64" else 0.25 for name, kind in FITS.items()}
    own = {"mapping": mapping, "repeat": repeat, "fold": fold, "log_loss": log_loss, "n_train": 4, "n_test": 4}
    row |= {**own, "converged": True, "C_at_edge": False, "brier": 0.1 + 0.01 * repeat + 0.02 * fold, "C": 1.0}
    own = {"n_train": 4, "n_test": 4, "skill": 0.5, "is_cut_short": False}
    confidence = np.array([0.5, 0.75, 1.0, np.nan])
    return FinishedFit(row | own, 3, confidence, np.array([0, 0, 0, -1]), np.array([True, False, True, False]))


def splits() -> list[Split]:
    return [Split(r, f, np.arange(4) + 4 * f, np.arange(4) + 4 * (1 - f)) for r in range(2) for f in range(2)]


def results(*, failed: dict[str, str] | None = None) -> StudyResults:
    losses = {"softmax": 0.5, "sparsemax": math.inf}
    fits = [fit(m, r, f, log_loss=losses[m]) for r in range(2) for f in range(2) for m in NAMES]
    if failed:
        fits = fits[:-1]
    return collect(DATA, SETTINGS, [MAPPINGS[name] for name in NAMES], splits(), Outcomes(fits, failed or {}))


def assert_same(one: StudyResults, other: StudyResults) -> None:
    for field in fields(StudyResults):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, pd.DataFrame):
            pd.testing.assert_frame_equal(left, right)
        elif field.compare and left == left:
            assert left == right, field.name


def test_a_round_trip_through_parquet_keeps_everything(tmp_path: Path) -> None:
    written = results()
    path = written.write_parquet(tmp_path / "deep" / "results.parquet")
    assert_same(StudyResults.read_parquet(path), written)
    plain = pd.read_parquet(path)
    assert plain["log_loss"].tolist() == [0.5] * 4 + [math.inf] * 4


def test_tables_have_their_columns() -> None:
    tables = {"fits": FITS, "summary": SUMMARY, "comparisons": COMPARISONS, "calibration": CALIBRATION}
    for name, columns in {**tables, "histogram": HISTOGRAM}.items():
        table = getattr(results(), name)
        assert {column: str(kind) for column, kind in table.dtypes.items()} == columns
        assert len(table) > 0
    assert results().calibration.groupby("mapping")["n"].sum().tolist() == [12, 12]


def test_json_is_json_with_the_promised_keys() -> None:
    text = json.dumps(results().to_dict(), allow_nan=False)
    form = json.loads(text)
    keys = [
        "dataset",
        "target",
        "n_samples",
        "n_features",
        "n_classes",
        "classes",
        "brier_range",
        "settings",
        "decision",
    ]
    keys += ["mappings", "baselines", "comparisons", "findings", "columns", "command", "started", "seconds"]
    assert list(form) == keys
    assert (form["n_samples"], form["n_features"], form["n_classes"]) == (8, 2, 2)
    assert form["classes"] == {"no": 4, "yes": 4}
    keys = ["name", "status", "accuracy", "log_loss", "brier", "ece", "skill", "balanced_accuracy", "roc_auc"]
    keys += ["average_precision", "C", "per_class", "invalid_rows", "fit_seconds"]
    assert [list(mapping) for mapping in form["mappings"]] == [keys, keys]
    sparse = form["mappings"][1]
    assert sparse["log_loss"] == {"mean": "inf", "low": None, "high": None}
    assert set(sparse["brier"]) == {"mean", "low", "high"}
    keys = ["mapping", "versus", "metric", "difference", "low", "high", "p_holm", "verdict"]
    assert [list(comparison) for comparison in form["comparisons"]] == [keys] * 4
    (log_loss,) = [c for c in form["comparisons"] if c["metric"] == "log_loss"]
    assert (log_loss["difference"], log_loss["verdict"]) == ("inf", "not comparable")


def test_a_failed_mapping_is_told_and_compared_with_nothing() -> None:
    failed = results(failed={"sparsemax": "ValueError: no"})
    form = failed.to_dict()
    assert [mapping["status"] for mapping in form["mappings"]] == ["ok", "failed"]
    assert form["mappings"][1]["brier"] is None
    assert form["comparisons"] == []
    assert Finding("fit_failed", "sparsemax", {"reason": "ValueError: no"}) in failed.findings
    with pytest.raises(StudyError, match="softmax, which the others are compared with, could not be fitted"):
        results(failed={"softmax": "ValueError: no"})


def test_a_file_that_holds_no_study_is_told(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("no")
    for name in ("other.parquet", "text.parquet"):
        with pytest.raises(StudyError, match="holds no results of a study"):
            StudyResults.read_parquet(tmp_path / name)
    with pytest.raises(StudyError, match="There is no file"):
        StudyResults.read_parquet(tmp_path / "nowhere.parquet")


def test_earlier_results_survive_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = results().write_parquet(tmp_path / "results.parquet")
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", fail)
    with pytest.raises(StudyError, match="No space left on device"):
        results().write_parquet(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["results.parquet"]


@pytest.mark.parametrize("n_classes", [0, 2])
def test_a_fit_is_read_as_it_was_written(n_classes: int, tmp_path: Path) -> None:
    key = FitKey("study", "sparsemax-0", "sparsemax", 1, 0, 4, 4, (1.0,), n_classes)
    p = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0], [np.nan, np.nan]])
    predicted, is_correct = np.array([0, 1, 0, -1]), np.array([True, False, True, False])
    confidence = np.array([0.5, 0.75, 1.0, np.nan])
    plain = fit("sparsemax", 1, 0, log_loss=math.inf).row
    # What a reader can compute from the test rows: three of four are inside the domain, two are right.
    row = {**plain, "accuracy": 0.5, "invalid_share": 0.25, "invalid_rows": 1, "ece_rows": 3, "n_iter": 7}
    row |= {
        "sharpness": 0.75,
        "accuracy_valid": 2 / 3,
        "brier": (3 * 0.25 + 2.0) / 4,
        "ece": calibration_error(confidence[:3], is_correct[:3]),
    }
    kept = p.astype(np.float32) if n_classes else None
    written = FinishedFit(row, 3, confidence, predicted, is_correct, kept)
    write_fit(tmp_path / "fit.parquet", key, written)
    read = read_fit(tmp_path / "fit.parquet", key)
    assert read is not None
    assert read.row == written.row
    np.testing.assert_array_equal(read.confidence, written.confidence)
    np.testing.assert_array_equal(read.predicted, written.predicted)
    np.testing.assert_array_equal(read.is_correct, written.is_correct)
    assert (read.probabilities is None) == (n_classes == 0)
    np.testing.assert_array_equal(read.probabilities, written.probabilities)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StudyError, match=r"cannot be written .*give another one with --out"):
        Checkpoints(tmp_path / "file" / "fits").prepare()


CHANGED_DATA = {
    "a value": replace(DATA, features=DATA.features.assign(x=np.arange(8.0) + 1e-9)),
    "a text": replace(DATA, features=DATA.features.assign(z=list("aabbccda"))),
    "a column's name": replace(DATA, features=DATA.features.rename(columns={"x": "w"})),
    "a type": replace(DATA, features=DATA.features.assign(x=[str(x) for x in np.arange(8.0)])),
    "a label": replace(DATA, labels=np.array([1, 0] * 4)),
    "a class's name": replace(DATA, class_names=("no", "maybe")),
}


@pytest.mark.parametrize("change", CHANGED_DATA)
def test_other_data_makes_its_own_fits(change: str) -> None:
    assert study_fingerprint(CHANGED_DATA[change], SETTINGS) != study_fingerprint(DATA, SETTINGS)


def test_settings_that_change_fits_make_their_own() -> None:
    base = study_fingerprint(DATA, SETTINGS)
    assert base == study_fingerprint(replace(DATA, features=DATA.features.copy()), SETTINGS)
    for change in ({"folds": 3}, {"seed": 1}, {"C": 1.0, "grid": ()}, {"grid": (1.0, 2.0)}):
        assert study_fingerprint(DATA, replace(SETTINGS, **change)) != base
    one, two = (study_fingerprint(DATA, replace(SETTINGS, C=C, grid=())) for C in (1.0, 2.0))
    assert one != two
    for change in ({"repeats": 3}, {"mappings": ("softmax",)}, {"margin": {}}, {"jobs": 2}, {"level": 0.9}):
        assert study_fingerprint(DATA, replace(SETTINGS, **change)) == base


def test_the_code_that_makes_fits_is_where_the_fingerprint_looks() -> None:
    missing = [room for room in code_rooms() if not room.exists()]
    assert missing == []


def test_mappings_are_told_apart_by_what_they_compute() -> None:
    every = [*MAPPINGS.values(), MAPPINGS["entmax"].replace(alpha=1.3), MAPPINGS["taylor"].replace(order=4)]
    prints = [mapping_fingerprint(mapping) for mapping in every]
    assert len(set(prints)) == len(prints)
    assert mapping_fingerprint(MAPPINGS["entmax"].replace(alpha=1.3)) == prints[-2]
    impostor = replace(MAPPINGS["sparsemax"], name="softmax")
    assert mapping_fingerprint(impostor) not in prints
    other_fit = replace(MAPPINGS["softmax"], linear=replace(MAPPINGS["softmax"].linear, intercept_constraint="none"))
    assert mapping_fingerprint(other_fit) not in prints

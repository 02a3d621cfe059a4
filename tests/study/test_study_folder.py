"""One folder per table and target: a second study replaces no other one's report."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lastlayer.study import StudyError, run_study
from lastlayer.study.call import call_of
from lastlayer.study.run import _name_parts
from lastlayer.study.storage.folder import study_folder

SMALL: dict[str, Any] = {"mappings": "softmax", "folds": 2, "repeats": 1, "C": 1.0, "jobs": 1}


def test_each_table_and_target_has_its_own(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": range(20), "a": list("pq") * 10, "b": list("ppqq") * 5})
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        table.to_csv(tmp_path / place / "data.csv", index=False)
    out = tmp_path / "out"
    folders = [
        run_study(tmp_path / place / "data.csv", target, out=out, **SMALL).folder
        for place, target in (("here", "a"), ("here", "b"), ("there", "a"), ("here", "a"))
    ]
    assert [folder and folder.name for folder in folders] == ["data-a", "data-b", "data-a-2", "data-a"]


def test_tables_in_memory_are_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": range(20), "a": list("pq") * 10})
    one = run_study(table, "a", out=tmp_path, **SMALL)
    other = run_study(table.assign(x=list(range(10)) * 2), "a", out=tmp_path, **SMALL)
    again = run_study(table, "a", out=tmp_path, **SMALL)
    assert [results.folder and results.folder.name for results in (one, other, again)] == [
        "table-a",
        "table-a-2",
        "table-a",
    ]
    assert len(one.predictions) == len(other.predictions) == 20 * 4


def test_other_splits_or_features_are_another_study(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": range(40), "who": [i // 2 for i in range(40)], "y": list("pqqp") * 10})
    plain, grouped, bent = (
        run_study(table, "y", out=tmp_path, **SMALL, **options)
        for options in ({}, {"groups": "who"}, {"splines": True})
    )
    assert [results.folder and results.folder.name for results in (plain, grouped, bent)] == [
        "table-y",
        "table-y-by-who",
        "table-y-splines",
    ]
    assert all((results.folder / "model.skops").is_file() for results in (plain, grouped, bent) if results.folder)


def test_a_folder_of_somebody_else_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "iris").mkdir()
    (tmp_path / "iris" / "model.skops").write_text("mine")
    assert run_study("iris", out=tmp_path, **SMALL).folder == tmp_path / "iris-2"
    assert (tmp_path / "iris" / "model.skops").read_text() == "mine"


def test_predictions_of_another_study_do_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = run_study("iris", out=tmp_path, **SMALL)
    assert len(results.predictions) == 150 * 4
    monkeypatch.setattr("lastlayer.study.plan.MOST_PROBABILITIES", 10)
    results = run_study("iris", out=tmp_path, **SMALL)
    with pytest.raises(StudyError, match="There are no predictions"):
        _ = results.predictions
    assert "predictions_not_kept" in {finding.code for finding in results.findings}


def test_rows_are_those_of_the_table_as_it_came(tmp_path: Path) -> None:
    """Rows without a label in front of the others."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=140)
    y = np.where(x + generator.normal(size=140) > 0, "p", "q").astype(object)
    y[:20] = None
    table = pd.DataFrame({"x": x, "z": generator.normal(size=140), "y": y})
    table.loc[30, "z"] = np.inf
    table.loc[[60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70], :] = table.loc[[50] * 11, :].to_numpy()
    results = run_study(table, "y", mappings="ratio", folds=2, repeats=1, jobs=1, out=tmp_path)
    own = results.predictions.query("mapping == 'softmax'")
    assert own["row"].min() == 20
    shown = results.disagreements[["row", "label"]].drop_duplicates()
    assert [results.class_names[k] for k in shown["label"]] == [table["y"][row - 1] for row in shown["row"]]
    facts = {finding.code: finding.facts for finding in results.findings}
    assert facts["infinite_values"]["columns"][0][2] == [31]
    assert set(facts["duplicate_rows"]["example"]) <= {51, *range(61, 72)}


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("iris", None, "iris"),
        ("data.csv.gz", "y", "data-y"),
        ("../../etc/passwd.csv", "y", "passwd-y"),
        ("a b:c.csv", "my target/2", "a_b_c-my_target_2"),
        (".csv", "y", "csv-y"),
        ("…", None, "data"),
        ("x" * 300, None, "x" * 60),
    ],
)
def test_a_name_is_a_plain_folder_below_the_given_one(
    name: str, target: str | None, expected: str, tmp_path: Path
) -> None:
    data = SimpleNamespace(name=name, target=target)
    settings = SimpleNamespace(groups=None, time=None, splines=False)
    folder = study_folder(tmp_path, _name_parts(data, settings), "source")  # type: ignore[arg-type]
    assert folder == tmp_path / expected
    assert folder.is_dir()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match=r"cannot be written .*give another one with --out"):
        study_folder(tmp_path / "file", ["iris"], "")


def test_a_call_is_repeated_as_it_was_made(tmp_path: Path) -> None:
    results = run_study("iris", out=tmp_path, **SMALL)
    assert results.command == "run_study('iris', mappings='softmax', folds=2, repeats=1, C=1.0, seed=0)"
    frame = pd.DataFrame({"x": range(20)})
    assert (
        call_of(frame, {"target": list("ab") * 50, "drop": ("x",)})
        == "run_study(<DataFrame>, target=<list>, drop=('x',))"
    )
    assert call_of(Path("t.csv"), {"time": "when", "out": "there"}) == "run_study('t.csv', time='when')"


def test_five_dates_with_ties_are_studied_and_missing_splits_are_said(tmp_path: Path) -> None:
    """The earliest training part has one date, within which rows have no order."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=150)
    table = pd.DataFrame(
        {"x": x, "t": np.repeat(range(5), 30), "y": np.where(x + generator.normal(size=150) > 0, "p", "q")}
    )
    results = run_study(table, "y", time="t", mappings="softmax", folds=5, jobs=1, out=tmp_path)
    fits = results.fits[results.fits["mapping"] == "softmax"]
    assert set(fits["C"]) <= set(results.settings.grid)
    facts = {finding.code: finding.facts for finding in results.findings}
    assert facts["fewer_splits"] == {"made": len(fits), "folds": 5}

"""What is found in tables that everybody knows, where the user has answered already, and in large tables that are read in part."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from draws import PLANTED, SETTINGS, dataset, gaussian, patients, turning_dates
from sklearn.datasets import load_iris

from lastlayer.findings import Finding
from lastlayer.findings.json_numbers import to_json
from lastlayer.report.notes import finding_sentence
from lastlayer.report.sentences import SENTENCES, Group, suspicions
from lastlayer.study.data.datasets import load_dataset
from lastlayer.study.suspicions import find, find_suspicions
from lastlayer.study.suspicions.columns import Kind, read_column
from lastlayer.study.suspicions.groups import is_possible


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize("name", ["iris", "wine", "digits", "breast_cancer"])
def test_tables_that_come_with_scikit_learn_are_not_accused(name: str) -> None:
    assert find_suspicions(load_dataset(name), SETTINGS) == ()


def test_row_numbers_of_iris_are_said_to_predict() -> None:
    iris = load_iris(as_frame=True)
    features = iris.data.assign(rownames=np.arange(1.0, 151))
    (finding,) = find_suspicions(dataset(features, iris.target.to_numpy()), SETTINGS)
    assert finding.code == "identifies_rows"
    facts = finding.facts
    assert (facts["column"], facts["distinct"], facts["rows"], facts["example"]) == ("rownames", 150, 150, "1")
    assert facts["is_ordered"]
    assert facts["predicts"]
    # Each class but for rows next to another class.
    assert 0.97 < facts["accuracy"] < 1
    assert facts["chance"] == pytest.approx(1 / 3)
    sentence = finding_sentence(finding)
    assert "'rownames' numbers the rows" in sentence
    assert "--drop 'rownames'" in sentence
    shuffled = np.random.default_rng(0).permutation(150)
    features = iris.data.iloc[shuffled].reset_index(drop=True).assign(number=np.arange(1.0, 151))
    (finding,) = find_suspicions(dataset(features, iris.target.to_numpy()[shuffled]), SETTINGS)
    assert not finding.facts["predicts"]
    assert "gives the target away" not in finding_sentence(finding)


def test_a_table_with_one_good_feature_among_good_ones_is_not_accused() -> None:
    """Petal width alone tells setosa from the others; so do the other columns. The rows are sorted by a finer class."""
    iris = load_iris(as_frame=True)
    for label in range(3):
        assert find_suspicions(dataset(iris.data, (iris.target.to_numpy() == label).astype(int)), SETTINGS) == ()


def test_groups_and_time_that_the_user_named_are_not_claimed() -> None:
    frame, labels = patients(np.random.default_rng(0), shuffled=False)
    numbers = pd.factorize(frame["planted"])[0]
    assert codes(find_suspicions(dataset(frame, labels), SETTINGS)) == ["repeats_like_groups"]
    without = frame.drop(columns="planted")
    assert codes(find_suspicions(dataset(without, labels), SETTINGS)) == ["near_copies"]
    assert find_suspicions(dataset(without, labels, groups=numbers), SETTINGS) == ()
    frame, labels = turning_dates(np.random.default_rng(0))
    assert codes(find_suspicions(dataset(frame, labels), SETTINGS)) == ["drifts_with_date"]
    time = pd.to_datetime(frame.pop("planted")).to_numpy().astype("M8[ns]").astype(np.int64)
    assert find_suspicions(dataset(frame, labels, time=time), SETTINGS) == ()


def test_every_finding_is_data_and_has_a_sentence_and_a_remedy() -> None:
    seen = {}
    for draw, _ in PLANTED.values():
        findings = find_suspicions(dataset(*draw(np.random.default_rng(3))), SETTINGS)
        seen |= {finding.code: finding for finding in findings}
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(70, 80))).rename(columns=str)
    seen |= {f.code: f for f in find_suspicions(dataset(wide, np.arange(70) % 2), SETTINGS)}
    assert set(seen) == set(suspicions.SENTENCES)
    for code, finding in seen.items():
        assert json.loads(json.dumps(to_json(finding.form())))["facts"] == json.loads(json.dumps(finding.facts))
        assert SENTENCES[code].sentence(finding).endswith(".")
        assert SENTENCES[code].remedy(finding).endswith(".")
        if "column" in finding.facts:
            assert repr(finding.facts["column"]) in SENTENCES[code].remedy(finding)
    warnings = {code for code in seen if SENTENCES[code].group is Group.WARNING}
    assert set(seen) - warnings == {"class_hardly_occurs", "more_columns_than_rows"}


def test_the_same_table_gives_the_same_findings() -> None:
    for kind in ("patients", "turning relation by row", "copies of rows"):
        data = dataset(*PLANTED[kind][0](np.random.default_rng(5)))
        assert find_suspicions(data, SETTINGS) == find_suspicions(data, SETTINGS)


def large(kind: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Thousands of rows with the planted fault."""
    random = np.random.default_rng(1)
    if kind in ("patients", "sessions without a name"):
        return patients(random, named=kind == "patients", groups=1500, shuffled=False)
    frame, labels = gaussian(random, rows=9000)
    if kind == "key sorted by class":
        order = np.argsort(labels, kind="stable")
        frame, labels = frame.iloc[order].reset_index(drop=True), labels[order]
    if kind == "copies of rows":
        rows = random.choice(9000, size=12_000)
        return frame.iloc[rows].reset_index(drop=True), labels[rows]
    numbers = np.arange(9000)
    planted = (
        [f"SN{number:06d}" for number in random.permutation(numbers)] if kind == "serial numbers" else 1.0 * numbers
    )
    return frame.assign(planted=planted), labels


@pytest.mark.parametrize(
    "kind",
    ["row numbers", "serial numbers", "key sorted by class", "patients", "sessions without a name", "copies of rows"],
)
def test_a_table_that_is_read_in_part_gives_the_same_findings(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, labels = large(kind)
    monkeypatch.setattr(find, "_CELLS", 1)
    (finding,) = find_suspicions(dataset(frame, labels), SETTINGS)
    assert finding.code == PLANTED[kind][1]
    if kind == "copies of rows":
        copies = frame.iloc[np.array(finding.facts["example"]) - 1].drop_duplicates()
        assert len(finding.facts["example"]) > 1
        assert len(copies) == 1
    elif "rows" in finding.facts:
        assert finding.facts["rows"] == len(labels)


def test_a_key_is_no_identifier_where_only_a_part_of_the_rows_shows_each_value_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    pairs = random.permutation(300_000) // 2
    frame = pd.DataFrame({"order_id": 1.0 * pairs, "x": random.normal(size=300_000)})
    monkeypatch.setattr(find, "_CELLS", 1)
    assert find_suspicions(dataset(frame, random.integers(2, size=300_000)), SETTINGS) == ()


def test_a_count_that_is_mostly_zero_is_no_group() -> None:
    pairs = np.repeat(np.arange(40.0), 2)
    everything = pd.DataFrame({"waiting": np.append(pairs, np.zeros(60))})
    assert is_possible(read_column(everything["waiting"][:80], np.arange(80)))
    assert not is_possible(read_column(everything["waiting"], np.arange(140)))


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%b %d, %Y", "%Y-%m-%dT%H:%M:%SZ"])
def test_dates_as_text_are_read_in_their_order(form: str) -> None:
    days = pd.date_range("2020-01-01", periods=400)
    column = read_column(pd.Series(days.strftime(form).astype(object)), np.arange(400))
    assert column.kind is Kind.DATE
    assert (np.diff(column.codes) > 0).all()

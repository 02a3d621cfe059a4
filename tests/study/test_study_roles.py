"""Columns that give groups or time, are dropped, or change nothing; and classes of few rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lastlayer.report import finding_sentence
from lastlayer.report.sentences import SENTENCES, Group
from lastlayer.study.data.datasets import Dataset, load_dataset
from lastlayer.study.data.row_numbers import is_row_numbers
from lastlayer.study.data.sentinels import sentinel_in
from lastlayer.study.error import StudyError

ROWS = 24
X = np.random.default_rng(1).normal(size=ROWS)


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": X, "y": ["u", "v"] * (ROWS // 2), **columns})


def said(data: Dataset) -> list[str]:
    return [finding_sentence(finding) for finding in data.findings]


def uses(data: Dataset) -> dict[str, str]:
    return dict(zip(data.columns["column"], data.columns["use"], strict=True))


def test_groups_are_no_feature() -> None:
    patients = [f"P{i // 3}" for i in range(ROWS)]
    data = load_dataset(table(patient=patients), "y", groups="patient")
    assert data.groups is not None
    assert data.groups.tolist() == [i // 3 for i in range(ROWS)]
    assert uses(data) == {"x": "feature", "patient": "group"}
    assert list(data.features) == ["x"]
    assert data.columns.loc[1, "distinct"] == ROWS // 3
    assert data.findings == ()


def test_a_missing_group_is_a_group_of_its_own() -> None:
    patients = [None if i in (2, 5) else i // 6 for i in range(ROWS)]
    data = load_dataset(table(patient=patients), "y", groups="patient")
    assert data.groups is not None
    assert len({data.groups[2], data.groups[5], *data.groups[[0, 7, 13, 19]]}) == 6
    assert said(data) == [
        "2 of 24 rows have no value in 'patient'; each is a group by itself. If some belong together, fill in their cells."
    ]


TIMES: dict[str, list[Any]] = {
    "numbers": [i * 1.5 - 7 for i in range(ROWS)],
    "iso": [f"2024-01-{i + 1:02}" for i in range(ROWS)],
    "iso with zones": [f"2024-01-{i + 1:02}T12:00:00+02:00" for i in range(ROWS)],
    "day first": [f"{i + 1:02}/01/2024" for i in range(ROWS)],
    "month first": [f"01/{i + 1:02}/2024" for i in range(ROWS)],
    "dots": [f"{i + 1}.1.2024" for i in range(ROWS)],
    "names of months": [f"Jan {i + 1:02}, 2020 01:00 AM" for i in range(ROWS)],
    "years and months": [f"{2000 + i}-0{1 + i % 5}" for i in range(ROWS)],
    "days and names": [f"{i + 1} January 2020" for i in range(ROWS)],
    "before 1970": [f"{1700 + i}-05-01" for i in range(ROWS)],
    "timestamps": list(pd.date_range("2020-01-31 05:00", periods=ROWS, freq="ME")),
    "dates": [stamp.date() for stamp in pd.date_range("2020-01-31", periods=ROWS)],
    "zoned timestamps": list(pd.date_range("2020-01-31 05:00", periods=ROWS, freq="h", tz="Asia/Tokyo")),
}


@pytest.mark.parametrize("kind", TIMES)
def test_time_is_a_number_in_order(kind: str) -> None:
    order = np.random.default_rng(2).permutation(ROWS)
    data = load_dataset(table(when=[TIMES[kind][i] for i in order]), "y", time="when")
    assert data.time is not None
    assert data.time.dtype == np.float64
    np.testing.assert_array_equal(np.argsort(data.time), np.argsort(order))
    assert uses(data) == {"x": "feature", "when": "time"}
    assert data.findings == ()


def test_rows_without_a_time_are_left_out() -> None:
    when = [None if i in (3, 4) else f"2024-01-{i + 1:02}" for i in range(ROWS)]
    data = load_dataset(table(when=when), "y", time="when")
    assert len(data.labels) == len(data.features) == len(data.time if data.time is not None else ()) == ROWS - 2
    assert data.features["x"].tolist() == [x for i, x in enumerate(X) if i not in (3, 4)]
    assert "2 of 24 rows have no time in 'when' and were left out: it could be before or after any other." in said(data)


def test_an_unclear_order_of_day_and_month_is_a_warning() -> None:
    when = [f"0{1 + i % 9}/0{1 + i % 7}/2024" for i in range(ROWS)]
    data = load_dataset(table(when=when), "y", time="when")
    assert [SENTENCES[finding.code].group for finding in data.findings] == [Group.WARNING]
    assert "could have the day or the month first; they were read as '%m/%d/%Y'" in said(data)[0]
    feature = load_dataset(table(when=when), "y")
    assert feature.columns["kind"].tolist() == ["number", "date"]
    assert "'when' (read as '%m/%d/%Y'). Write them as 2024-01-31" in said(feature)[0]


BAD_TIMES = [
    (["2024-01-01"] * 5 + ["soon"] + ["2024-01-02"] * 18, r"Row 6 of column 'when' in table holds 'soon', which is no date"),
    (["2024-01-01"] * 5 + ["2024-02-30"] + ["2024-01-02"] * 18, r"Row 6 of column 'when' in table holds '2024-02-30', which is no date"),
    ([*map(str, range(23)), "last"], r"Row 24 of column 'when' in table holds 'last', which is no number"),
    (["morning", "evening"] * 12, r"holds neither numbers nor dates \(row 1 holds 'morning'\); write dates as 2024-01-31"),
]  # fmt: skip


@pytest.mark.parametrize(("when", "sentence"), BAD_TIMES)
def test_a_cell_that_is_no_time_is_named(when: list[str], sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        load_dataset(table(when=when), "y", time="when")


def test_dropped_columns() -> None:
    data = load_dataset(table(a=X + 1, b=[{"no": 1}] * ROWS), "y", drop=["b", "a", "b"])
    assert uses(data) == {"x": "feature", "a": "dropped", "b": "dropped"}
    assert list(load_dataset(table(a=X + 1), "y", drop="a").features) == ["x"]


BAD_ROLES: list[tuple[dict[str, Any], str]] = [
    ({"target": "Y"}, r"has no column 'Y'; did you mean 'y'\? Capitals and blanks count in a name"),
    ({"target": "lable"}, r"has no column 'lable'; there are x, y, label 2|did you mean 'label 2'"),
    ({"drop": ["X"]}, r"has no column 'X'; did you mean 'x'\? Capitals"),
    ({"drop": ["zzz"]}, r"has no column 'zzz'; there are x, y, label 2"),
    ({"groups": "Label 2"}, r"has no column 'Label 2'; did you mean 'label 2'"),
    ({"time": "tme"}, r"has no column 'tme'"),
    ({"groups": "x", "time": "label 2"}, r"a study splits by one of them"),
    ({"groups": "y"}, r"groups names 'y', which is the target"),
    ({"time": "y"}, r"time names 'y', which is the target"),
    ({"drop": "y"}, r"'y' is the target, which cannot be dropped"),
    ({"groups": "label 2", "drop": ["label 2"]}, r"is to be dropped and to give the groups"),
    ({"groups": "one"}, r"holds one group alone; groups need at least two"),
    ({"drop": ["x", "label 2", "one"]}, r"no column except the target"),
]


@pytest.mark.parametrize(("options", "sentence"), BAD_ROLES)
def test_roles_that_cannot_be(options: dict[str, Any], sentence: str) -> None:
    frame = table(**{"label 2": range(ROWS), "one": 1})
    with pytest.raises(StudyError, match=sentence):
        load_dataset(frame, options.pop("target", "y"), **options)


def test_roles_of_an_array() -> None:
    data = load_dataset(np.c_[X, X**2, np.arange(ROWS) // 2], [0, 1] * 12, groups="x2", drop="x1")
    assert uses(data) == {"x0": "feature", "x1": "dropped", "x2": "group"}


def test_columns_that_change_nothing_are_left_out_and_named() -> None:
    frame = table(
        empty=None, nan=np.nan, one=3, word="a", again=X, text=[*"abc"] * 8, text2=[*"abc"] * 8, gaps=[1, None] * 12
    )
    data = load_dataset(frame, "y")
    assert uses(data) == {
        "x": "feature", "empty": "empty", "nan": "empty", "one": "constant", "word": "constant", "again": "duplicate",
        "text": "feature", "text2": "duplicate", "gaps": "feature",
    }  # fmt: skip
    assert said(data) == [
        "Columns 'empty', 'nan' of table were left out: no row has a value there.",
        "Columns 'one', 'word' of table were left out: all rows have the same value.",
        "Columns 'again' (as 'x'), 'text2' (as 'text') of table were left out: each repeats another column cell by cell.",
    ]
    assert data.columns.set_index("column").loc["gaps", ["missing", "distinct", "example"]].tolist() == [12, 1, "1"]


def test_nearly_equal_columns_stay() -> None:
    almost = X.copy()
    almost[7] = np.nextafter(almost[7], 9)
    gap = X.copy()
    gap[3] = np.nan
    shuffled = X[::-1].copy()
    data = load_dataset(table(almost=almost, gap=gap, shuffled=shuffled), "y")
    assert set(uses(data).values()) == {"feature"}


def test_infinite_numbers_are_missing_and_named() -> None:
    values = X.copy()
    values[[2, 9, 11, 20]] = np.inf, -np.inf, np.inf, np.inf
    data = load_dataset(table(a=values), "y")
    assert data.features["a"].isna().sum() == 4
    assert np.isfinite(values).sum() == ROWS - 4
    assert said(data)[0].startswith(
        "Infinite numbers of table were read as missing: in 'a' (rows 3, 10, 12 and 1 more)."
    )


NUMBERS: dict[str, tuple[str, list[Any], bool]] = {
    "pandas": ("Unnamed: 0", list(range(9)), True),
    "R": ("rownames", list(range(1, 10)), True),
    "R, dots": ("row.names", list(range(1, 10)), True),
    "no name": ("", list(range(9)), True),
    "a sorted part": ("Unnamed: 0", [0, 3, 4, 9, 11, 40, 41, 77, 120], True),
    "a shuffled part": ("index", [77, 3, 4, 9, 11, 40, 41, 0, 120], True),
    "as floats": ("Unnamed: 0", [float(i) for i in range(9)], True),
    "with repeats": ("index", [0, 1, 2, 3, 4, 5, 6, 7, 7], False),
    "negative": ("index", [-1, 1, 2, 3, 4, 5, 6, 7, 8], False),
    "fractions": ("index", [0.5, 1, 2, 3, 4, 5, 6, 7, 8], False),
    "gaps": ("index", [None, 1, 2, 3, 4, 5, 6, 7, 8], False),
    "names": ("rownames", [*"abcdefghi"], False),
    "another name": ("id", list(range(9)), False),
    "a longer name": ("index of quality", list(range(9)), False),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_row_numbers_of_exports(kind: str) -> None:
    name, values, expected = NUMBERS[kind]
    assert is_row_numbers(pd.Series(values, name=name)) == expected


def spread(low: float, high: float, *more: float) -> np.ndarray:
    return np.array([*np.linspace(low, high, 50), *more])


SENTINELS: dict[str, tuple[np.ndarray, tuple[float, int] | None]] = {
    "-999": (spread(-3, 3, -999, -999, np.nan), (-999.0, 2)),
    "9999 among ages": (spread(18, 80, 9999, 9999, 9999), (9999.0, 3)),
    "99 among small counts": (spread(0, 50, 99, 99), (99.0, 2)),
    "once": (spread(-3, 3, -999), None),
    "a price of 999": (spread(1, 998, 999, 999), None),
    "99 years": (spread(18, 98, 99, 99), None),
    "-1 among positive": (spread(1, 871, -1, -1, -1), (-1.0, 3)),
    "-1 among others below zero": (spread(-3, 3, -1, -1), None),
    "-1, 0, 1": (np.array([-1.0, 0.0, 1.0] * 20), None),
    "far but not round": (spread(-3, 3, -1234, -1234), None),
    "few values": (np.array([1.0, 2.0, 999.0] * 20), None),
    "nothing": (np.full(5, np.nan), None),
    "only that": (np.full(50, -999.0), None),
}


@pytest.mark.parametrize("kind", SENTINELS)
def test_numbers_that_stand_for_a_missing_value(kind: str) -> None:
    values, expected = SENTINELS[kind]
    assert sentinel_in(values) == expected
    assert sentinel_in(values[::-1].copy()) == expected


def test_such_numbers_are_kept_and_said() -> None:
    values = X.copy()
    values[[1, 2]] = -999
    data = load_dataset(table(a=values), "y")
    assert data.features["a"].tolist() == values.tolist()
    assert "lies far from all others in 'a' (-999 in 2 rows) of table; it was kept" in said(data)[0]
    assert "leave these cells empty" in said(data)[0]


RARE = pd.DataFrame({"x": np.arange(30.0), "y": [*"a" * 12, *"b" * 12, *"c" * 3, *"d" * 2, "e"]})


def test_rare_classes_are_left_out() -> None:
    data = load_dataset(RARE, "y", min_class=5)
    assert (data.class_names, data.class_counts) == (("a", "b"), (12, 12))
    assert data.features["x"].tolist() == list(range(24))
    assert said(data) == [
        "Classes of 'y' with fewer than 5 rows were left out, as asked, and 6 rows with them: 'c' (3 rows), 'd' (2 rows) and "
        "'e' (1 row). No model here can give one of these classes."
    ]


def test_rare_classes_are_merged() -> None:
    data = load_dataset(RARE, "y", min_class=("merge", 3))
    assert dict(zip(data.class_names, data.class_counts, strict=True)) == {"a": 12, "b": 12, "c": 3, "other": 3}
    assert said(data) == [
        "Classes of 'y' with fewer than 3 rows were merged into one class 'other', as asked (3 rows): 'd' (2 rows) and 'e' (1 row)."
    ]
    assert len(data.labels) == 30


def test_the_merged_class_has_a_name_of_its_own_and_text_for_all() -> None:
    taken = RARE.replace({"y": {"a": "other", "b": "other (merged)"}})
    assert "rare classes (merged)" in load_dataset(taken, "y", min_class=("merge", 3)).class_names
    numbers = RARE.assign(y=[*[10] * 12, *[9] * 12, *[3] * 3, *[4] * 2, 5])
    data = load_dataset(numbers, "y", min_class=["merge", 4])
    assert data.class_values == data.class_names == ("10", "9", "other")
    assert data.class_values == tuple(sorted(data.class_values))
    assert [data.class_names[label] for label in data.labels[[0, 12, 24, 29]]] == ["10", "9", "other", "other"]


@pytest.mark.parametrize("least", [0, -1, 2.5, True, "5", ("drop", 3), ("merge",), ("merge", 0)])
def test_min_class_that_is_none(least: Any) -> None:
    with pytest.raises(StudyError, match=r"min_class is .*; give the rows that a class needs, as in 10"):
        load_dataset(RARE, "y", min_class=least)


def test_too_few_classes_are_left() -> None:
    with pytest.raises(
        StudyError,
        match=r"has 0 classes of 13 rows or more.*the classes are a \(12\), b \(12\), c \(3\).*smaller --min-class",
    ):
        load_dataset(RARE, "y", min_class=13)
    assert load_dataset(RARE, "y", min_class=1).class_counts == (12, 12, 3, 2, 1)


def test_most_rows_without_a_label_is_a_warning() -> None:
    few = RARE.assign(y=[*"ab" * 5, *[None] * 20])
    data = load_dataset(few, "y")
    assert [SENTENCES[finding.code].group for finding in data.findings] == [Group.WARNING]
    assert said(data)[0].startswith("Most of the table was left out: 20 of 30 rows (66.7 %) have no value in 'y'.")
    half = load_dataset(RARE.assign(y=[*"ab" * 8, *[None] * 14]), "y")
    assert [SENTENCES[finding.code].group for finding in half.findings] == [Group.DATA]


@pytest.mark.parametrize(
    ("values", "is_told"),
    [(range(20, 70), True), (range(0, 100, 2), True), (range(50), False), (range(1, 51), False), (range(20), False)],
)
def test_many_whole_numbers_may_be_a_quantity(values: range, is_told: bool) -> None:
    labels = [*values] * 10
    data = load_dataset(np.arange(len(labels) * 1.0).reshape(-1, 1), labels)
    assert [SENTENCES[finding.code].group for finding in data.findings] == [Group.WARNING] * is_told

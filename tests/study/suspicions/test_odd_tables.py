"""No table stops a study here, however odd."""

from __future__ import annotations

import datetime
import decimal
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from draws import SETTINGS, dataset

from lastlayer.report.notes import finding_sentence
from lastlayer.study.suspicions import find_suspicions

NOW = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
#: What a cell may hold.
CELLS = [
    None, np.nan, pd.NaT, pd.NA, "", " ", "NA", "a", "b", "ü", "<b>", "2024-01-31", "31/12/2023", "9999-99-99", "00012", "1,234.5",
    "12 %", "%", "1e400", "x" * 5000, True, False, 0, 1, -1, 2**70, 1.5, 1e308, -1e308, 5e-324, decimal.Decimal("1.1"), b"bytes",
    1 + 2j, NOW, NOW.date(), NOW.time(), datetime.timedelta(days=1), pd.Timestamp("1700-01-01"), pd.Timestamp("2262-01-01", tz="Asia/Tokyo"),
]  # fmt: skip


def column(kind: int, rows: int, random: np.random.Generator) -> object:
    """A column of that kind."""
    numbers = random.normal(size=rows)
    return [
        lambda: numbers,
        lambda: np.full(rows, np.nan),
        lambda: np.full(rows, 3.0),
        lambda: np.where(random.random(rows) < 0.9, np.nan, numbers),
        lambda: np.sign(numbers) * 10.0 ** random.uniform(-300, 308, size=rows),
        lambda: np.arange(float(rows)),
        lambda: np.arange(rows) // 3 * 1.0,
        lambda: [CELLS[i] for i in random.integers(len(CELLS), size=rows)],
        lambda: pd.Series([CELLS[i % len(CELLS)] for i in range(rows)], dtype=object),
        lambda: random.random(rows) < 0.5,
        lambda: pd.array([(True, False, None)[i] for i in random.integers(3, size=rows)], dtype="boolean"),
        lambda: pd.array([None if i == 0 else f"t{i}" for i in random.integers(9, size=rows)], dtype="string"),
        lambda: pd.date_range("2020-01-01", periods=rows, tz="Europe/Berlin"),
        lambda: pd.Series(pd.date_range("2020-01-01", periods=rows)).where(random.random(rows) < 0.5),
        lambda: pd.to_timedelta(random.integers(9, size=rows), unit="h"),
        lambda: pd.Series([""] * rows, dtype=object),
        lambda: pd.Series([None] * rows, dtype=object),
        lambda: np.where(numbers > 0, np.inf, -np.inf),
        lambda: pd.Series(random.integers(5, size=rows)).astype("Int64").where(random.random(rows) < 0.8),
        lambda: pd.Categorical(random.integers(4, size=rows).astype(str)),
        lambda: pd.Series(random.normal(size=rows), dtype="float32"),
        lambda: [f"id-{i}" for i in range(rows)],
    ][kind]()


KINDS = 22


@settings(max_examples=150, deadline=None)
@given(
    rows=st.sampled_from([1, 2, 3, 10, 11, 40, 70, 150]),
    kinds=st.lists(st.integers(0, KINDS - 1), min_size=1, max_size=6),
    classes=st.sampled_from([1, 2, 3, 1000]),
    seed=st.integers(0, 99),
)
def test_no_table_raises(rows: int, kinds: list[int], classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({f"c{i}": column(kind, rows, random) for i, kind in enumerate(kinds)})
    labels = random.integers(classes, size=rows)
    for more in ({}, {"groups": np.arange(rows) // 2}, {"time": np.arange(rows)}):
        for finding in find_suspicions(dataset(frame, labels, **more), SETTINGS):
            assert finding_sentence(finding).endswith(".")


@pytest.mark.parametrize("kind", range(KINDS))
def test_no_kind_of_column_raises_alone(kind: int) -> None:
    for rows in (1, 12, 200):
        frame = pd.DataFrame({"c": column(kind, rows, np.random.default_rng(0))})
        find_suspicions(dataset(frame, np.sort(np.arange(rows) % 3)), SETTINGS)


def test_tables_without_rows_or_columns_give_nothing_to_suspect() -> None:
    assert find_suspicions(dataset(pd.DataFrame({"x": []}), np.array([], dtype=int)), SETTINGS) == ()
    assert find_suspicions(dataset(pd.DataFrame(index=range(100)), np.arange(100) % 2), SETTINGS) == ()


def test_columns_may_share_a_name() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3)), columns=["x", "x", 7])
    assert find_suspicions(dataset(frame, np.arange(100) % 2), SETTINGS) == ()


def test_a_thousand_classes_are_no_trouble() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(1000), 8)
    frame = pd.DataFrame(random.normal(size=(1000, 5))[labels] + 0.5 * random.normal(size=(8000, 5))).rename(
        columns=str
    )
    assert find_suspicions(dataset(frame, labels), SETTINGS) == ()

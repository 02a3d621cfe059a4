"""A saved model reads a raw table as the study read its file: the same features, bit for bit, or an error that names the cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import skops.io
from sklearn.pipeline import Pipeline

from lastlayer.sklearn import LastLayerClassifier
from lastlayer.study.data.datasets import Dataset, load_dataset
from lastlayer.study.error import StudyError
from lastlayer.study.fit.features import encode_fold, encoded_counts, encoder
from lastlayer.study.fit.table_reader import TableReader, table_reader
from lastlayer.study.workers import quiet

ROWS = 90


def raw(rows: int = ROWS) -> pd.DataFrame:
    generator = np.random.default_rng(5)
    number = generator.normal(size=rows)
    return pd.DataFrame(
        {
            "Unnamed: 0": range(7, 7 + rows),
            "number": np.where(np.arange(rows) % 9, number, np.nan),
            "integer": generator.integers(0, 50, rows),
            "gaps": [str(value) if i % 6 else "?" for i, value in enumerate(number.round(7) / 3)],
            "money": [f"${1000 + i:,}.{i:02}" if i % 8 else "n/a" for i in range(rows)],
            "flag": generator.random(rows) < 0.4,
            "flag with gaps": [None if i % 7 == 0 else bool(i % 2) for i in range(rows)],
            "day": pd.date_range("2023-12-25", periods=rows).strftime("%Y-%m-%d"),
            "stamp": [f"{1 + i % 28:02}.{1 + i % 12:02}.2021 1{i % 10}:30" for i in range(rows)],
            "colour": generator.choice(["red", "green", None], rows),
            "blank": ["a" if i % 3 else "  " for i in range(rows)],
            "text": [f" line {i} of {word}" for i, word in enumerate(generator.choice(["a b", "c d"], rows))],
            "constant": 4.0,
            "again": number.round(3),
            "again 2": number.round(3),
            "infinite": np.where(np.arange(rows) == 5, np.inf, number + 1),
            "y": generator.choice(["no", "yes"], rows),
        }
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reader") / "t.csv"
    raw().to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def data(path: Path) -> Dataset:
    return load_dataset(path, "y")


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_the_kinds_are_those_of_the_columns(data: Dataset) -> None:
    columns = data.columns.set_index("column")
    assert columns["kind"].to_dict() == {
        **dict.fromkeys(["Unnamed: 0", "number", "integer", "gaps", "money"], "number"),
        "flag": "boolean",
        "flag with gaps": "boolean",
        "day": "date",
        "stamp": "date",
        "colour": "category",
        "blank": "category",
        "text": "text",
        "constant": "number",
        "again": "number",
        "again 2": "number",
        "infinite": "number",
    }
    left_out = {"Unnamed: 0": "row_numbers", "constant": "constant", "again 2": "duplicate"}
    assert columns["use"].to_dict() == {name: left_out.get(name, "feature") for name in columns.index}
    assert columns.loc["gaps", "missing"] == 15
    assert columns.loc["colour", "distinct"] == 2


def test_the_raw_file_gives_the_features_of_the_study(path: Path, data: Dataset) -> None:
    reader = table_reader(data).fit(pd.read_csv(path))
    same(reader.transform(pd.read_csv(path)), data.features)
    # Read in small pieces, a column may hold numbers and texts.
    mixed = pd.read_csv(path).astype({"gaps": object})
    mixed["gaps"] = [float(cell) if i % 2 and cell != "?" else cell for i, cell in enumerate(mixed["gaps"])]
    same(reader.transform(mixed), data.features)


def test_other_tables_give_them_too(path: Path, data: Dataset) -> None:
    frame, reader = pd.read_csv(path), table_reader(data)
    same(reader.fit(frame).transform(frame[frame.columns[::-1]]), data.features)
    for table in (pl.read_csv(path, null_values=""), pa.Table.from_pandas(frame)):
        same(reader.transform(table), data.features)
    same(reader.transform(frame.iloc[[3]]), data.features.iloc[[3]])
    assert reader.transform(frame.iloc[20:25]).index.tolist() == [20, 21, 22, 23, 24]


def test_columns_that_were_dropped_or_give_groups_are_not_asked_for(path: Path) -> None:
    data = load_dataset(path, "y", drop=["text", "colour"], groups="integer")
    frame = pd.read_csv(path)
    reader = table_reader(data).fit(frame)
    same(reader.transform(frame.drop(columns=["text", "integer", "constant", "y"])), data.features)


BAD = [
    ({"number": "number"}, "no column 'number'; did you mean"),
    ({"gaps": "12,x"}, r"Row 3 of column 'gaps' in the table holds '12,x', which is no number; every cell there"),
    ({"money": "EUR 5"}, r"Row 3 of column 'money' in the table holds 'EUR 5', which is no number"),
    ({"day": "2024-13-01"}, r"Row 3 of column 'day' in the table holds '2024-13-01', which is no date"),
    ({"flag": "perhaps"}, r"Row 3 of column 'flag' in the table holds 'perhaps', which is no number"),
]


@pytest.mark.parametrize(("change", "sentence"), BAD)
def test_what_cannot_be_read_is_named(change: dict[str, str], sentence: str, path: Path, data: Dataset) -> None:
    frame = pd.read_csv(path)
    reader = table_reader(data).fit(frame)
    for column, cell in change.items():
        if column == cell:
            frame = frame.rename(columns={column: "Number"})
        else:
            frame[column] = frame[column].astype(object)
            frame.loc[2, column] = cell
    with pytest.raises(StudyError, match=sentence):
        reader.transform(frame)


def test_new_placeholders_are_missing(path: Path, data: Dataset) -> None:
    frame = pd.read_csv(path).astype({"integer": object})
    frame.loc[4, "integer"] = "unknown"
    frame.loc[6, "number"] = -np.inf
    read = table_reader(data).fit(frame).transform(frame)
    assert np.isnan(read.loc[4, "integer"])
    assert np.isnan(read.loc[6, "number"])


def test_arrays_are_read_by_position() -> None:
    generator = np.random.default_rng(0)
    X = generator.normal(size=(30, 4))
    X[:, 2] = 1.0
    data = load_dataset(X, np.arange(30) % 2)
    reader = table_reader(data).fit(X)
    same(reader.transform(X), data.features)
    # As many columns as there are features could be other ones.
    for columns in ([0, 1, 3], [0, 1, 2], [0, 1]):
        with pytest.raises(
            StudyError, match=rf"has {len(columns)} columns, not 4; give the columns of the training table"
        ):
            reader.transform(X[:, columns])
    before = X.copy()
    Pipeline([("reader", reader), *encoder(data.features, 0).steps]).fit_transform(X)
    np.testing.assert_array_equal(X, before)


def test_lists_are_expanded(tmp_path: Path) -> None:
    frame = pd.DataFrame({"emb": [[i, i * i / 2, -i] for i in range(12)], "x": range(12, 0, -1), "y": [*"ab"] * 6})
    frame.to_parquet(tmp_path / "t.parquet")
    data = load_dataset(tmp_path / "t.parquet", "y", drop="x")
    assert list(data.features) == ["emb[0]", "emb[1]", "emb[2]"]
    same(table_reader(data).fit(frame).transform(frame), data.features)


@pytest.mark.parametrize("splines", [False, True])
def test_a_pipeline_of_raw_tables_encodes_as_the_study_and_is_stored_by_skops(
    splines: bool, path: Path, data: Dataset, tmp_path: Path
) -> None:
    frame, rows = pd.read_csv(path), np.arange(ROWS)
    with quiet():
        steps = encoder(data.features, 0, splines).steps
        model = Pipeline([("reader", table_reader(data)), *steps, ("classifier", LastLayerClassifier("softmax"))])
        model.fit(frame, data.labels)
        fold = encode_fold(data.features, rows, rows, 0, splines)
        np.testing.assert_array_equal(model[:-1].transform(frame), fold.train)
        counts = encoded_counts(model, data.columns["column"])
        skops.io.dump(model, tmp_path / "model.skops")
        trusted = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
        again = skops.io.load(tmp_path / "model.skops", trusted=trusted)
        np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    assert sum(counts.values()) == fold.train.shape[1]
    assert counts["constant"] == counts["again 2"] == counts["Unnamed: 0"] == 0
    # A column and its gaps; with splines five knots give six columns.
    assert counts["number"] == (7 if splines else 2)
    assert counts["integer"] == (6 if splines else 1)
    assert counts["text"] == 30 if not splines else counts["text"] > 0
    assert TableReader in {type(step) for _, step in again.steps}

"""Whatever holds a table is read alike: files of many kinds, packed or not, tables of other libraries, arrays."""

from __future__ import annotations

import gzip
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pytest
from scipy import sparse

from lastlayer.report import finding_sentence
from lastlayer.study.data import excel_file
from lastlayer.study.data.datasets import Dataset, load_dataset
from lastlayer.study.error import StudyError

ROWS = 12
TABLE = pd.DataFrame(
    {
        "x": [i / 4 for i in range(ROWS)],
        "n": [i * i for i in range(ROWS)],
        "colour": ["red", "grün"] * (ROWS // 2),
        "flag": [i % 3 == 0 for i in range(ROWS)],
        "y": [*"uvw"] * (ROWS // 3),
    }
)
TEXT = TABLE.to_csv(index=False)


def packed(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def as_zip(name: str, members: dict[str, bytes]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        with zipfile.ZipFile(folder / name, "w") as archive:
            for member, content in members.items():
                archive.writestr(member, content)
        return folder / name

    return write


def by(name: str, write: Callable[[Path], object]) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        write(folder / name)
        return folder / name

    return made


RECORDS = TABLE.to_dict("records")
FILES: dict[str, Callable[[Path], Path]] = {
    "csv": packed("t.csv", TEXT.encode()),
    "upper case": packed("T.CSV", TEXT.encode()),
    "tsv": packed("t.tsv", TABLE.to_csv(index=False, sep="\t").encode()),
    "txt with bars": packed("t.txt", TABLE.to_csv(index=False, sep="|").encode()),
    "gzip": packed("t.csv.gz", gzip.compress(TEXT.encode())),
    "tsv, gzip": packed("t.tsv.gz", gzip.compress(TABLE.to_csv(index=False, sep="\t").encode())),
    "zip": as_zip("t.zip", {"inner.csv": TEXT.encode()}),
    "zip of a folder, by a Mac": as_zip("t.csv.zip", {"a/": b"", "a/b.csv": TEXT.encode(), "__MACOSX/a/._b.csv": b"x"}),
    "json": packed("t.json", json.dumps(RECORDS).encode()),
    "json, zip": as_zip("t.zip", {"t.json": json.dumps(RECORDS).encode()}),
    "json by column": packed("t.json", json.dumps(TABLE.to_dict("list")).encode()),
    "json by pandas": packed("t.json", TABLE.to_json().encode()),
    "json under data": packed("t.json", json.dumps({"schema": 1, "data": RECORDS}).encode()),
    "json lines": packed("t.jsonl", "\n".join(map(json.dumps, RECORDS)).encode()),
    "json lines, gzip": packed("t.jsonl.gz", gzip.compress("\n".join(map(json.dumps, RECORDS)).encode())),
    "parquet": by("t.parquet", TABLE.to_parquet),
    "pq": by("t.pq", TABLE.to_parquet),
    "feather": by("t.feather", TABLE.to_feather),
    "feather, compressed": by("t.feather", lambda path: feather.write_feather(TABLE, str(path), compression="zstd")),
    "arrow stream": by("t.arrow", lambda path: _stream(path)),
    "workbook": by("t.xlsx", lambda path: TABLE.to_excel(path, index=False)),
}


def _stream(path: Path) -> None:
    table = pa.Table.from_pandas(TABLE)
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


def check(data: Dataset) -> None:
    assert list(data.features) == ["x", "n", "colour", "flag"]
    assert data.class_names == data.class_values == ("u", "v", "w")
    assert data.labels.tolist() == [0, 1, 2] * (ROWS // 3)
    for column, kind in zip(TABLE.columns, ["number", "number", "category", "boolean"], strict=False):
        expected = TABLE[column].tolist() if kind == "category" else TABLE[column].astype(float).tolist()
        assert data.features[column].tolist() == expected
        assert data.columns.set_index("column").loc[column, "kind"] == kind


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_of_file_gives_the_same_table(kind: str, tmp_path: Path) -> None:
    data = load_dataset(FILES[kind](tmp_path), "y")
    check(data)
    assert data.findings == ()


def test_the_index_of_a_parquet_file_is_left_out_and_said(tmp_path: Path) -> None:
    table = TABLE.set_axis(np.random.default_rng(0).permutation(ROWS))
    table.to_parquet(tmp_path / "t.parquet")
    data = load_dataset(tmp_path / "t.parquet", "y")
    check(data)
    said = "Column '__index_level_0__' of t.parquet only numbers the rows, so it was left out."
    assert finding_sentence(*data.findings) == said


def test_standard_input_is_a_csv_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode("utf-16"))))
    data = load_dataset("-", "y")
    check(data)
    assert finding_sentence(*data.findings) == "standard input was read as UTF-16 text ('grün')."


TABLES = {
    "pandas": lambda: TABLE,
    "pandas, other index": lambda: TABLE.set_axis([*range(50, 50 + ROWS)]),
    "pandas, target in the index": lambda: TABLE.set_index("y"),
    "pandas, categories": lambda: TABLE.astype({"colour": "category", "y": "category"}),
    "pandas, nullable": lambda: TABLE.convert_dtypes(),
    "pandas, Arrow types": lambda: TABLE.convert_dtypes(dtype_backend="pyarrow"),
    "polars": lambda: pl.DataFrame(TABLE.to_dict("list")),
    "polars, categories": lambda: pl.DataFrame(TABLE.to_dict("list")).with_columns(pl.col("y").cast(pl.Categorical)),
    "Arrow": lambda: pa.Table.from_pandas(TABLE),
    "a batch of Arrow": lambda: pa.RecordBatch.from_pandas(TABLE),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_other_libraries(kind: str) -> None:
    table = TABLES[kind]()
    data = load_dataset(table, "y")
    check(data)
    assert data.name == "table"
    if kind == "pandas":
        pd.testing.assert_frame_equal(TABLE, pd.read_csv(io.StringIO(TEXT)))


LABELS: dict[str, Any] = {
    "array": TABLE["y"].to_numpy(),
    "list": TABLE["y"].tolist(),
    "series": TABLE["y"].set_axis([*range(7, 7 + ROWS)]),
    "column": TABLE[["y"]].to_numpy(),
    "polars": pl.Series("y", TABLE["y"].tolist()),
    "Arrow": pa.array(TABLE["y"].tolist()),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_next_to_a_table(kind: str) -> None:
    check(load_dataset(TABLE.drop(columns="y"), LABELS[kind]))
    check(load_dataset(TABLE.drop(columns="y"), labels=LABELS[kind]))


def test_an_array_with_labels_keeps_their_type() -> None:
    X = np.arange(40.0).reshape(20, 2) ** 1.5
    for labels in (np.arange(20) % 2 + 3, np.arange(20) % 2 == 0, np.array(["b", "a"] * 10), [1.5, 2.5] * 10):
        data = load_dataset(X, labels)
        assert data.class_values == tuple(np.unique(labels).tolist())
        assert [data.class_values[label] for label in data.labels] == np.asarray(labels).tolist()
    assert (data.name, data.target, list(data.features)) == ("array", None, ["x0", "x1"])
    assert load_dataset(X.astype(np.float32), labels).features.dtypes.unique().tolist() == [np.float64]
    assert load_dataset(X.tolist(), labels).features.shape == (20, 2)


def test_masked_and_named_arrays() -> None:
    masked = np.ma.masked_array(np.arange(40.0).reshape(20, 2) ** 1.5, np.arange(40).reshape(20, 2) == 7)
    data = load_dataset(masked, Y20)
    assert np.flatnonzero(data.features["x1"].isna()).tolist() == [3]
    with pytest.raises(StudyError, match="labels of array are masked in some rows"):
        load_dataset(masked, np.ma.masked_array(Y20, Y20 == 2))
    named = np.array([(i / 2, "ab"[i % 2]) for i in range(8)], dtype=[("half", "f8"), ("y", "U1")])
    data = load_dataset(named, "y")
    assert (list(data.features), data.class_names) == (["half"], ("a", "b"))


def test_names_of_columns_may_be_whole_numbers(tmp_path: Path) -> None:
    path = bad(tmp_path, "t.csv", "0,1,2,3,y\n1,4,6,6,u\n4,5,9,7,v\n")
    assert list(load_dataset(path, "y").features) == ["0", "1", "2", "3"]


def test_classes_of_several_types_are_not_merged() -> None:
    X = np.arange(8.0).reshape(8, 1)
    data = load_dataset(X, pd.Series([1, "b", 1, "b", 2, 2, 1, "b"], dtype=object))
    assert data.class_names == ("1", "2", "b")
    assert data.class_values == (1, 2, "b")
    with pytest.raises(StudyError, match=r"holds 1 and '1', which are written alike; make all classes texts"):
        load_dataset(X, pd.Series([1, "1"] * 4, dtype=object))


X20 = np.random.default_rng(0).normal(size=(20, 3))
Y20 = np.arange(20) % 4


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "t.npz", **arrays)
    return folder / "t.npz"


@pytest.mark.parametrize("names", [("X", "y"), ("features", "labels"), ("embeddings", "target"), ("data", "y")])
def test_npz_with_labels(names: tuple[str, str], tmp_path: Path) -> None:
    data = load_dataset(saved(tmp_path, **dict(zip(names, (X20, Y20), strict=True))))
    assert data.labels.tolist() == Y20.tolist()
    np.testing.assert_array_equal(data.features.to_numpy(), X20)


def test_the_labels_of_npz_may_have_any_name(tmp_path: Path) -> None:
    path = saved(tmp_path, X=X20, y=Y20, kind=Y20 % 2)
    for options in ({"target": "kind"}, {"labels": "kind"}):
        assert load_dataset(path, **options).class_values == (0, 1)
    with pytest.raises(StudyError, match=r"no array 'sort'; there are X \(20, 3\), y \(20,\), kind \(20,\)"):
        load_dataset(path, "sort")


LABEL_FILES: dict[str, Callable[[Path], object]] = {
    "l.npy": lambda path: np.save(path, Y20),
    "l.npz": lambda path: np.savez(path, labels=Y20),
    "l.csv": lambda path: path.write_text("\n".join(["label", *map(str, Y20)])),
    "no header.csv": lambda path: path.write_text("\n".join(map(str, Y20))),
    "l.txt": lambda path: path.write_text("\n".join(map(str, Y20)) + "\n"),
    "l.parquet": lambda path: pd.DataFrame({"kind": Y20}).to_parquet(path),
}


@pytest.mark.parametrize("name", LABEL_FILES)
def test_npy_with_a_file_of_labels(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", X20)
    LABEL_FILES[name](tmp_path / name)
    data = load_dataset(tmp_path / "t.npy", labels=str(tmp_path / name))
    assert data.labels.tolist() == Y20.tolist()
    assert data.class_values == (0, 1, 2, 3)


def test_lists_of_numbers_become_columns(tmp_path: Path) -> None:
    kinds = {
        "list": pa.list_(pa.float32()),
        "large": pa.large_list(pa.float64()),
        "fixed": pa.list_(pa.float32(), 3),
        "integers": pa.list_(pa.int16()),
    }
    values = (X20 * 100).round()
    for kind in kinds.values():
        column = pa.array([None if i == 4 else row.tolist() for i, row in enumerate(values)], pa.list_(pa.float64()))
        table = pa.table({"before": Y20 * 1.5 + X20[:, 0], "emb": column.cast(kind), "y": Y20})
        path = tmp_path / "t.parquet"
        pa.parquet.write_table(table, path, row_group_size=7)
        for source in (path, table, pl.from_arrow(table), table.to_pandas()):
            data = load_dataset(source, "y")
            assert list(data.features) == ["before", "emb[0]", "emb[1]", "emb[2]"]
            expected = values.copy()
            expected[4] = np.nan
            np.testing.assert_array_equal(data.features.iloc[:, 1:].to_numpy(), expected)


def bad(folder: Path, name: str, content: bytes | str) -> Path:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / name


BAD_FILES: dict[str, tuple[str, bytes | str, str]] = {
    "truncated gzip": ("t.csv.gz", gzip.compress(TEXT.encode())[:-20], "cannot be read .*check that it was packed and copied whole"),
    "no gzip": ("t.csv.gz", TEXT, "cannot be read .*Not a gzipped file.*check that it was packed"),
    "no zip": ("t.csv.zip", TEXT, r"no readable \.zip file"),
    "packed parquet": ("t.parquet.gz", b"x", "is packed; unpack it first"),
    "a page": ("t.csv", "\n<!DOCTYPE html><html>", "is a page of HTML, whatever its name says; download the table itself"),
    "a workbook's name": ("t.csv", b"PK\x03\x04abc", "is a .zip archive or a workbook, .*suffix .zip or .xlsx"),
    "a packed file's name": ("t.csv", gzip.compress(TEXT.encode()), "is a gzip file"),
    "no header": ("t.csv", "5.1,3.5,setosa\n4.9,3.0,setosa\n", r"first line of t.csv holds numbers \(5.1, 3.5, …\), no names"),
    "no header, whole numbers": ("t.csv", "1,0,1,y\n0,1,1,n\n", r"first line of t.csv holds numbers \(1, 0, 1, …\)"),
    "no json": ("t.json", "{'x': 1}", "no readable JSON.*save the table as .csv"),
    "bad line": ("t.jsonl", '{"x": 1, "y": "a"}\n{"x"\n', "no readable JSON lines"),
    "no rows": ("t.json", '{"x": 1}', "is no table: give a list with one object per row"),
    "no feather": ("t.feather", "x,y\n", "no readable Feather or Arrow file"),
    "no workbook": ("t.xlsx", "x,y\n", "no readable workbook"),
    "no array": ("t.npy", "x,y\n", r"no readable \.npy file"),
    "no arrays": ("t.npz", "x,y\n", r"no readable \.npz file"),
    "a wrong encoding": ("t.csv", b"x,y\n1,\x81\n", "no text in the encoding cp1252"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_cannot_be_read_is_told(kind: str, tmp_path: Path) -> None:
    name, content, sentence = BAD_FILES[kind]
    encoding = "cp1252" if "encoding" in kind else None
    with pytest.raises(StudyError, match=sentence) as caught:
        load_dataset(bad(tmp_path, name, content), "y", encoding=encoding)
    assert "\n" not in str(caught.value)


def test_a_zip_of_two_tables_names_them(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"t.zip holds 2 files \(a.csv, b.csv\); a study needs one. Unpack it"):
        load_dataset(as_zip("t.zip", {"a.csv": b"x", "b.csv": b"y"})(tmp_path), "y")


def test_objects_are_not_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.array([[1, "a"]], dtype=object), allow_pickle=True)
    with pytest.raises(StudyError, match="holds Python objects, which a study does not load since they can run code"):
        load_dataset(tmp_path / "t.npy", labels=[1])


def test_without_an_engine_a_workbook_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: Path) -> None:
        raise ImportError("Missing optional dependency 'openpyxl'.")

    monkeypatch.setattr(excel_file.pd, "ExcelFile", missing)
    with pytest.raises(
        StudyError, match=r"needs the package openpyxl: pip install openpyxl, or save the sheet as .csv"
    ):
        load_dataset(bad(tmp_path, "t.xlsx", b"PK"), "y")


def test_other_sheets_are_named(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        TABLE.to_excel(book, sheet_name="first", index=False)
        TABLE.to_excel(book, sheet_name="second", index=False)
    data = load_dataset(tmp_path / "t.xlsx", "y")
    check(data)
    assert finding_sentence(*data.findings) == "Only the first sheet of t.xlsx, 'first', was read; not 'second'."


BAD_OBJECTS: dict[str, tuple[Any, Any, str]] = {
    "sparse": (sparse.eye(4, format="csr"), [0, 1] * 2, r"sparse csr_.*\(4, 4\); give an array: source.toarray\(\)"),
    "one row": (np.arange(4.0), [0, 1] * 2, r"shape \(4,\), not \(rows, columns\); give one feature as X.reshape\(-1, 1\)"),
    "images": (np.zeros((4, 2, 2)), [0, 1] * 2, r"shape \(4, 2, 2\).*X.reshape\(len\(X\), -1\)"),
    "a number": (3, [0, 1], "give a path, a DataFrame, or an array"),
    "nothing": (None, [0, 1], "give a path, a DataFrame, or an array"),
    "complex": (np.zeros((4, 2), complex), [0, 1] * 2, "complex numbers"),
    "ragged": ([[1, 2], [3]], [0, 1], "cannot be made a NumPy array"),
    "no target": (TABLE, None, r"Which column of table holds the classes\?"),
    "no labels": (X20, None, r"An array has no column of classes; give the labels as the second argument"),
    "too few labels": (X20, [0, 1], "There are 2 labels for the 20 rows of array"),
    "one-hot": (X20, np.eye(4)[Y20], r"shape \(20, 4\).*labels.argmax\(axis=1\)"),
    "lazy": (pl.DataFrame(TABLE.to_dict("list")).lazy(), "y", r"lazy table; give its rows: source.collect\(\)"),
    "two columns of one name": (pd.DataFrame([[1, 2, 3]], columns=["x", "x", "y"]), "y", "more than one column named 'x'"),
    "lists of two lengths": (pd.DataFrame({"e": [[1], [1, 2], [3]], "y": [*"aba"]}), "y", "Row 2 of column 'e' in table holds 2 numbers where most rows hold 1"),
    "lists of words": (pd.DataFrame({"e": [["a"], ["b"]], "y": [*"ab"]}), "y", "holds lists of string values; lists may hold numbers alone"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_OBJECTS)
def test_what_is_no_table_is_told(kind: str) -> None:
    source, target, sentence = BAD_OBJECTS[kind]
    with pytest.raises(StudyError, match=sentence) as caught:
        load_dataset(source, target)
    assert "\n" not in str(caught.value)


def test_classes_named_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="named twice, by the column 'y' and by labels"):
        load_dataset(TABLE, "y", labels=TABLE["y"])
    np.save(tmp_path / "t.npy", X20)
    with pytest.raises(StudyError, match="has no labels; give a file of labels with --labels FILE"):
        load_dataset(tmp_path / "t.npy")
    with pytest.raises(StudyError, match=r"has no labels; give y=… next to X=… in the file, or a file of labels"):
        load_dataset(saved(tmp_path, X=X20))
    with pytest.raises(StudyError, match=r"holds a \(20, 3\); a study looks for the features under X, x, features"):
        load_dataset(saved(tmp_path, a=X20))

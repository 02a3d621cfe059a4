"""What a study accepts as data, and the sentence it says where it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lastlayer.findings import Finding
from lastlayer.study.data.datasets import load_dataset
from lastlayer.study.error import StudyError


def write(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "rows", "columns", "classes"),
    [("digits", 1797, 61, 10), ("iris", 150, 4, 3), ("wine", 178, 13, 3), ("breast_cancer", 569, 30, 2)],
)
def test_bundled_datasets(name: str, rows: int, columns: int, classes: int) -> None:
    data = load_dataset(name)
    assert (data.features.shape, len(data.class_names)) == ((rows, columns), classes)
    assert sum(data.class_counts) == rows
    assert data.target is None


def test_classes_come_in_a_readable_order_and_as_text(tmp_path: Path) -> None:
    rows = {"text": ["b", "a", "b"], "number": [10, 9, 10], "half": [1.5, 0.5, 1.5], "flag": ["True", "False", "True"]}
    expected = {"text": ("a", "b"), "number": ("9", "10"), "half": ("0.5", "1.5"), "flag": ("False", "True")}
    path = tmp_path / "data.csv"
    pd.DataFrame({"x": [1, 2, 3], **rows}).to_csv(path, index=False)
    for column, names in expected.items():
        data = load_dataset(path, column)
        assert data.class_names == names
        assert data.labels.tolist() == [1, 0, 1]
        assert column not in data.features


def test_integer_classes_stay_integers_where_some_are_missing(tmp_path: Path) -> None:
    data = load_dataset(write(tmp_path, "x,y\n1,0\n2,\n3,1\n4,1\n"), "y")
    assert data.class_names == ("0", "1")
    assert data.features["x"].tolist() == [1, 3, 4]
    assert data.findings == (Finding("rows_without_target", facts={"column": "y", "rows": 1, "of": 4}),)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_recognised(tmp_path: Path, separator: str) -> None:
    text = "x,long name,y\n1.5,a b,u\n2.5,c,v\n".replace(",", separator)
    data = load_dataset(write(tmp_path, text), "y")
    assert list(data.features) == ["x", "long name"]
    assert data.features["x"].tolist() == [1.5, 2.5]


def test_decimal_commas_are_numbers(tmp_path: Path) -> None:
    assert load_dataset(write(tmp_path, "x;y\n1,5;u\n2,25;v\n"), "y").features["x"].tolist() == [1.5, 2.25]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert list(load_dataset(write(tmp_path, b"\xef\xbb\xbfx,y\n1,u\n2,v\n"), "y").features) == ["x"]


def test_row_numbers_without_a_name_are_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [0.5, 0.25, 0.125], "y": ["u", "v", "u"]})
    frame.to_csv(tmp_path / "data.csv")
    data = load_dataset(tmp_path / "data.csv", "y")
    assert list(data.features) == ["x"]
    assert data.findings == (Finding("row_numbers_left_out", facts={"file": "data.csv", "column": ""}),)


def test_parquet_of_many_types(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            3: pd.array([1, None, 3, 4], dtype="Int64"),
            "kind": pd.Categorical(["p", "q", "p", None]),
            "when": pd.date_range("2024-01-01", periods=4),
            "y": [True, False, True, False],
        }
    )
    frame.columns = frame.columns.map(str)
    frame.to_parquet(tmp_path / "data.parquet")
    data = load_dataset(tmp_path / "data.parquet", "y")
    assert data.class_names == ("False", "True")
    assert data.features["3"].dtype == np.float64
    assert data.features["3"].isna().tolist() == [False, True, False, False]


BAD_CSV = [
    ("", "is empty"),
    ("  \n\n", "is empty"),
    ("x,y\n", "has no rows"),
    ("x,x,y\n1,2,u\n", "more than one column named 'x'"),
    ("x,y\n1,u\n2,u\n", "one class alone \\(u\\)"),
    ("x,y\n1,\n2,\n", "Column 'y' of data.csv has no values"),
    ("x,z,y\n1,,u\n1,,v\n", r"no column to predict from: z \(empty\); x \(constant\)|x \(constant\); z \(empty\)"),
    ("y\nu\nv\n", "no column except the target"),
    ("x,y\n1,u\n2,v,w\n", "line 3 has 3 fields where 2 are expected|more fields than the header"),
    (
        "x,y\n" + "".join(f"1,{i / 7}\n" for i in range(60)),
        "60 distinct numbers, from 0.0 to .*a quantity, not classes",
    ),
    ("x,y\n" + "".join(f"1,{i}\n" for i in range(60)), "60 distinct numbers, from 0 to 59: a quantity, not classes"),
    ("x,Y\n1,u\n2,v\n", "no column 'y'; did you mean 'Y'|there are x, Y"),
]


@pytest.mark.parametrize(("text", "sentence"), BAD_CSV)
def test_a_bad_csv_is_told_in_one_sentence(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(StudyError, match=sentence) as caught:
        load_dataset(path, "y")
    assert "\n" not in str(caught.value)


def test_many_integer_classes_are_no_quantity(tmp_path: Path) -> None:
    text = "x,y\n" + "".join(f"{i},{i % 40}\n" for i in range(400))
    assert len(load_dataset(write(tmp_path, text), "y").class_names) == 40


@pytest.mark.parametrize(
    ("dataset", "target", "sentence"),
    [
        ("digit", None, "no dataset 'digit'; did you mean 'digits'\\?.*suffix such as .csv"),
        ("zzz", None, "there are digits, iris, wine, breast_cancer"),
        ("iris", "species", "leave --target out"),
        ("nowhere.csv", "y", "no file nowhere.csv"),
        ("nowhere.parquet", "y", "no file nowhere.parquet"),
    ],
)
def test_a_wrong_name_is_told(dataset: str, target: str | None, sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        load_dataset(dataset, target)


def test_files_that_are_not_tables(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="not a readable Parquet file"):
        load_dataset(write(tmp_path, b"PAR1 and then nothing", "broken.parquet"), "y")
    with pytest.raises(StudyError, match=r"has none of the suffixes \.csv.*save the table as"):
        load_dataset(write(tmp_path, "x", "sheet.sav"), "y")
    with pytest.raises(StudyError, match="is a folder"):
        load_dataset(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(StudyError, match="is a folder"):
        load_dataset(tmp_path / "folder.csv", "y")
    with pytest.raises(StudyError, match=r"Which column of data.csv holds the classes\?.*there are x, y"):
        load_dataset(write(tmp_path, "x,y\n1,u\n2,v\n"))


def test_cells_that_are_dicts_are_told(tmp_path: Path) -> None:
    pd.DataFrame({"x": [{"a": 1}, {"a": 2}], "y": ["u", "v"]}).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(StudyError, match=r"Column 'x' of data.parquet holds dict values.*--drop"):
        load_dataset(tmp_path / "data.parquet", "y")

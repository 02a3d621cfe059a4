"""The header of a CSV file: separators inside and outside quotes, and lines of any length."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from lastlayer.study.data import csv_file
from lastlayer.study.data.arrow_files import read_parquet
from lastlayer.study.data.datasets import load_dataset
from lastlayer.study.data.tables import read_table
from lastlayer.study.data.text_file import TextFile
from lastlayer.study.error import StudyError

SEPARATORS = [",", ";", "\t", "|"]
#: Headers in which other separators, or the separator itself inside quotes, outnumber the true one.
NAMES = {
    "plain": ["a", "n", "y"],
    "separators in a name": ["size, width; height| depth\tand, more; of| all\tthese", "n", "y"],
    "separators in every name": ["a,;|\t", "b,,;;||\t\t", "y"],
    "quotes in a name": ['the "a", or "b"', "n", "y"],
    "a line end in a name": ["two\nlines, really; here | and\tthere", "n", "y"],
    "one feature": ["a;b,c|d\te", "y"],
}


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL], ids=["minimal", "all"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_separators_inside_quotes_are_none(separator: str, names: str, end: str, quoting: int, tmp_path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=end)  # type: ignore[arg-type]
    header = NAMES[names]
    writer.writerow(header)
    for i in range(6):
        writer.writerow([*(f"{i + 10 * j}.5" for j in range(len(header) - 1)), "uv"[i % 2]])
    path = tmp_path / "t.csv"
    path.write_bytes(text.getvalue().encode())
    data = load_dataset(path, "y")
    assert list(data.features) == header[:-1]
    assert data.class_counts == (3, 3)
    assert data.features.iloc[:, 0].tolist() == [i + 0.5 for i in range(6)]


def test_the_rows_decide_between_separators_of_an_unquoted_header(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a;b (x, y, z, w);y\n" + "".join(f"{i},5;{i};{'uv'[i % 2]}\n" for i in range(6)))
    data = load_dataset(path, "y")
    assert list(data.features) == ["a", "b (x, y, z, w)"]
    assert data.features["a"].tolist() == [i + 0.5 for i in range(6)]


def test_blank_lines_before_the_header_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("\n  \n\nx;y\n1;u\n\n2;v\n")
    assert load_dataset(path, "y").class_names == ("u", "v")


#: Bytes of a header line: around the sizes at which a buffer, or csv's own limit of 128 KiB, might end.
LENGTHS = [1 << 12, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 1 << 17, (1 << 17) + 1, 300_000]


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("length", LENGTHS)
def test_a_header_line_of_any_length_is_read_whole(length: int, separator: str, tmp_path: Path) -> None:
    # One name begins another, so that a cut name would look like a duplicate.
    count = length // 12
    names = [f"gene_{i}" for i in range(count)]
    line = separator.join([*names, "y"])
    names.append("z" * max(1, length - len(line) - 1))
    path = tmp_path / "t.csv"
    path.write_text(separator.join([*names, "y"]) + "\nrow\n", encoding="utf-8")
    assert csv_file._separator(csv_file._Reader(TextFile(path.name, path), 0, "")) == separator


def test_a_table_of_many_columns_is_read(tmp_path: Path) -> None:
    names = [f"gene_{i}" for i in range(3000)]
    path = tmp_path / "t.csv"
    lines = [",".join([*(str(i * len(names) + j) for j in range(len(names))), f"0{i}"]) for i in range(2)]
    path.write_text("\n".join([",".join([*names, "y"]), *lines]) + "\n")
    data = load_dataset(path, "y")
    assert data.features.shape == (2, 3000)
    assert data.class_names == ("00", "01")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('"open,x,y\n' + "1,2,u\n" * 40_000, "cannot be read as CSV: .*a quote may be open"),
        ("made by a tool\nx,y,z\n1,u,v\n", "some lines have more fields than the header|line 2 has 3 fields"),
        ('"a;b";"a;b";y\n1;2;u\n', "more than one column named 'a;b'"),
    ],
)
def test_a_bad_header_is_told(text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(StudyError, match=sentence):
        load_dataset(tmp_path / "t.csv", "y")


def test_integers_beyond_64_bits_are_numbers_among_the_features(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n99999999999999999999,u\n1,v\n,u\n3,v\n")
    data = load_dataset(tmp_path / "t.csv", "y")
    assert data.features["x"].dtype == "float64"
    assert data.features["x"].dropna().tolist() == [1e20, 1.0, 3.0]


def test_a_parquet_file_that_cannot_fit_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pd.DataFrame({"x": [1.0, 2.0] * 500, "y": ["u", "v"] * 500}).to_parquet(tmp_path / "t.parquet")
    monkeypatch.setattr("lastlayer.study.data.memory.available_memory", lambda: 3 * 8 * 2000 - 1)
    monkeypatch.setattr("pyarrow.parquet.ParquetFile.read", lambda *_: pytest.fail("read"))
    with pytest.raises(StudyError, match=r"1000 rows of 2 columns.*GB are free. Give a sample of its rows"):
        read_table(tmp_path / "t.parquet", "y")
    monkeypatch.undo()
    for free in (3 * 8 * 2000, None):
        monkeypatch.setattr("lastlayer.study.data.memory.available_memory", lambda free=free: free)
        assert read_parquet(tmp_path / "t.parquet", "y").shape == (1000, 2)


def test_memory_is_what_the_machine_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lastlayer.study.data import memory

    files = {
        "_MEMINFO": "MemTotal: 9 kB\nMemAvailable:    500 kB\n",
        "_LIMITS": "Max address space  700000  unlimited  bytes\n",
    }
    files["_STATUS"] = "VmPeak: 1 kB\nVmSize:   400 kB\n"
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(memory, name, tmp_path / name)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.available_memory() == 700000 - 400 * 1024
    (tmp_path / "_LIMITS").write_text("Max address space  unlimited  unlimited  bytes\n")
    assert memory.available_memory() == 500 * 1024
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory.available_memory() == 2000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "_MEMINFO").unlink()
    assert memory.available_memory() is None

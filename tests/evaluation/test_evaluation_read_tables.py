"""Scores from tables: columns are classes, no row is lost, and what is no class is named."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lastlayer.evaluation import EvaluationError
from lastlayer.evaluation.read import read_inputs
from lastlayer.evaluation.read.inputs import Inputs

RNG = np.random.default_rng(2)
N = 150
NAMES = ("cat", "dog", "owl")
SCORES = np.round(RNG.normal(size=(N, 3)) * 3, 4)
LABELS = RNG.integers(0, 3, N)
WORDS = np.array(NAMES)[LABELS]
FRAME = pd.DataFrame(SCORES, columns=NAMES).assign(label=WORDS)


def facts(inputs: Inputs) -> dict[str, dict]:
    return {finding.code: dict(finding.facts) for finding in inputs.findings}


def check(inputs: Inputs, names: tuple[str, ...] | None = NAMES, scores=SCORES, labels=LABELS) -> None:
    np.testing.assert_array_equal(inputs.scores.block(0, inputs.scores.n), scores)
    np.testing.assert_array_equal(inputs.labels, labels)
    assert (inputs.class_names, inputs.n_left_out) == (names, 0)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".csv.gz"])
def test_text_of_every_separator(tmp_path, separator, suffix):
    path = tmp_path / f"table{suffix}"
    FRAME.to_csv(path, index=False, sep=separator)
    check(read_inputs(path, target="label"))
    # The usual name needs no target.
    check(read_inputs(path))


def test_decimal_commas(tmp_path):
    FRAME.to_csv(tmp_path / "table.csv", index=False, sep=";", decimal=",")
    check(read_inputs(tmp_path / "table.csv"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path, encoding):
    frame = FRAME.rename(columns={"owl": "Käuzchen"}).replace("owl", "Käuzchen")
    frame.to_csv(tmp_path / "table.csv", index=False, encoding=encoding)
    check(read_inputs(tmp_path / "table.csv"), ("cat", "dog", "Käuzchen"))


def test_a_file_without_a_header_keeps_its_first_row(tmp_path):
    np.savetxt(tmp_path / "comma.csv", SCORES, delimiter=",")
    np.savetxt(tmp_path / "blanks.txt", SCORES, header="scores of the\nthird model")
    pd.DataFrame(SCORES).assign(y=WORDS).to_csv(tmp_path / "words.csv", index=False, header=False)
    check(read_inputs(tmp_path / "comma.csv", LABELS), None)
    check(read_inputs(tmp_path / "blanks.txt", LABELS), None)
    # Without names the columns are numbered, and three words for three columns are sorted.
    inputs = read_inputs(tmp_path / "words.csv", target="3")
    check(inputs)
    assert facts(inputs) == {"labels_sorted": {"classes": list(NAMES)}}


def test_a_header_of_numbers_is_no_row(tmp_path):
    """pandas writes 0, 1, 2 above columns without names, and an index without a name in front."""
    frame = pd.DataFrame(SCORES)
    frame.to_csv(tmp_path / "numbered.csv", index=False)
    check(read_inputs(tmp_path / "numbered.csv", LABELS), ("0", "1", "2"))
    frame.assign(label=LABELS).to_csv(tmp_path / "labelled.csv", index=False)
    check(read_inputs(tmp_path / "labelled.csv"), ("0", "1", "2"))
    frame.assign(label=WORDS).to_csv(tmp_path / "words.csv", index=False)
    inputs = read_inputs(tmp_path / "words.csv", class_names=NAMES)
    check(inputs)


def test_an_index_is_no_class(tmp_path):
    FRAME.to_csv(tmp_path / "index.csv")
    inputs = read_inputs(tmp_path / "index.csv")
    check(inputs)
    assert facts(inputs) == {"columns_left_out": {"columns": [""]}}
    FRAME.assign(id=np.arange(N) * 7 + 100).to_csv(tmp_path / "id.csv", index=False)
    inputs = read_inputs(tmp_path / "id.csv")
    check(inputs)
    assert facts(inputs) == {"columns_left_out": {"columns": ["id"]}}
    pd.DataFrame(SCORES).to_csv(tmp_path / "unnamed.csv")
    inputs = read_inputs(tmp_path / "unnamed.csv", LABELS)
    check(inputs, ("0", "1", "2"))


def test_a_class_may_be_called_as_an_index_is():
    """Indonesian: its probabilities differ in no row from numbers that are not whole."""
    frame = pd.DataFrame(SCORES, columns=["de", "id", "label2"])
    check(read_inputs(frame, LABELS), ("de", "id", "label2"))


def test_labels_given_twice_are_no_class():
    inputs = read_inputs(FRAME, WORDS)
    check(inputs)
    assert facts(inputs) == {"columns_left_out": {"columns": ["label"]}}


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_parquet(tmp_path, dtype):
    kept = FRAME.astype(dict.fromkeys(NAMES, dtype))
    kept.to_parquet(tmp_path / "table.parquet", row_group_size=40)
    inputs = read_inputs(tmp_path / "table.parquet", target="label")
    assert inputs.scores.array.dtype == dtype
    check(inputs, scores=kept[[*NAMES]].to_numpy())


def test_parquet_with_categories_missing_cells_and_an_index(tmp_path):
    frame = FRAME.assign(label=pd.Categorical(FRAME.label)).set_index(pd.Index(RNG.permutation(N)))
    frame.loc[frame.index[3], "label"] = None
    frame.loc[frame.index[5], "dog"] = None
    frame.to_parquet(tmp_path / "table.parquet")
    inputs = read_inputs(tmp_path / "table.parquet")
    kept = np.setdiff1d(np.arange(N), [3, 5])
    np.testing.assert_array_equal(inputs.labels, LABELS[kept])
    np.testing.assert_array_equal(inputs.scores.block(0, N - 2), SCORES[kept])
    assert inputs.n_left_out == 2
    assert facts(inputs)["columns_left_out"] == {"columns": ["__index_level_0__"]}


def test_parquet_with_integers(tmp_path):
    whole = np.round(SCORES).astype(np.int32)
    pd.DataFrame(whole, columns=NAMES).assign(y=LABELS).to_parquet(tmp_path / "table.parquet")
    check(read_inputs(tmp_path / "table.parquet"), scores=whole)


def test_parquet_with_a_list_per_row(tmp_path):
    for kind in (pa.list_(pa.float32()), pa.list_(pa.float32(), 3)):
        table = pa.table({"logits": pa.array(SCORES.tolist(), kind), "label": LABELS})
        pq.write_table(table, tmp_path / "table.parquet")
        check(read_inputs(tmp_path / "table.parquet"), None, SCORES.astype(np.float32))
    ragged = pa.table({"logits": [[1.0, 2.0], [1.0]], "label": [0, 1]})
    pq.write_table(ragged, tmp_path / "ragged.parquet")
    with pytest.raises(EvaluationError, match=r"lists of the column 'logits' of ragged.parquet differ in length"):
        read_inputs(tmp_path / "ragged.parquet")


def test_frames_of_pandas_and_polars():
    check(read_inputs(FRAME, target="label"))
    check(read_inputs(pl.from_pandas(FRAME), target="label"))
    check(read_inputs(FRAME[[*NAMES]], FRAME.label))
    check(read_inputs(pl.from_pandas(FRAME[[*NAMES]]), pl.Series(WORDS)))
    check(read_inputs(pl.from_pandas(FRAME[[*NAMES]]), pl.Series(WORDS).cast(pl.Categorical)))
    check(read_inputs(FRAME[[*NAMES]], pd.DataFrame({"anything": WORDS})))
    nullable = FRAME.convert_dtypes()
    check(read_inputs(nullable))
    with pytest.raises(EvaluationError, match=r"lazy table; give its rows: .collect\(\)"):
        read_inputs(pl.from_pandas(FRAME).lazy(), LABELS)


def test_columns_numbered_by_pandas():
    check(read_inputs(pd.DataFrame(SCORES), LABELS), ("0", "1", "2"))


@pytest.mark.parametrize("labels", [LABELS, WORDS])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("suffix", [".csv", ".txt", ".csv.gz"])
def test_a_file_of_labels_with_and_without_a_header(tmp_path, labels, header, suffix):
    path = tmp_path / f"labels{suffix}"
    # pandas writes 0 as the name of a Series without one, which looks like a label.
    for name in ("label", None) if header else (None,):
        pd.Series(labels, name=name).to_csv(path, index=False, header=header)
        check(read_inputs(FRAME[[*NAMES]], path))


def test_a_file_of_labels_with_an_index(tmp_path):
    pd.Series(WORDS, name="label").to_csv(tmp_path / "labels.csv")
    check(read_inputs(FRAME[[*NAMES]], tmp_path / "labels.csv"))
    pd.DataFrame({"file": ["a.png"] * N, "species": WORDS}).to_csv(tmp_path / "two.csv", index=False)
    with pytest.raises(EvaluationError, match=r"two.csv holds 'file', 'species'; name the one with the labels"):
        read_inputs(FRAME[[*NAMES]], tmp_path / "two.csv")
    check(read_inputs(FRAME[[*NAMES]], tmp_path / "two.csv", target="species"))


def test_labels_of_two_words(tmp_path):
    names = ("sea lion", "polar bear", "snow owl")
    words = np.array(names)[LABELS]
    (tmp_path / "labels.txt").write_text("\n".join(words) + "\n\n")
    check(read_inputs(pd.DataFrame(SCORES, columns=names), tmp_path / "labels.txt"), names)


def test_an_empty_line_is_a_row_without_a_label(tmp_path):
    words = [*WORDS]
    words[4] = words[-1] = ""
    (tmp_path / "labels.csv").write_text("label\n" + "\n".join(words) + "\n")
    inputs = read_inputs(FRAME[[*NAMES]], tmp_path / "labels.csv")
    assert facts(inputs) == {"rows_without_label": {"rows": 2}}
    np.testing.assert_array_equal(inputs.labels, np.delete(LABELS, [4, N - 1]))


def test_one_column_is_the_second_class(tmp_path):
    x, y = SCORES[:, 0], LABELS % 2
    expected = np.stack([np.zeros(N), x], axis=1)
    np.savetxt(tmp_path / "scores.csv", x)
    pd.DataFrame({"score": x}).to_csv(tmp_path / "named.csv", index=False)
    pd.DataFrame({"spam": x, "label": np.where(y == 1, "spam", "ham")}).to_csv(tmp_path / "spam.csv", index=False)
    check(read_inputs(tmp_path / "scores.csv", y), None, expected, y)
    check(read_inputs(tmp_path / "named.csv", y), None, expected, y)
    # The column has the name of one of two labels: it is the score of that one, whatever the order of the letters.
    check(read_inputs(tmp_path / "spam.csv"), ("ham", "spam"), expected, y)
    reverse = pd.DataFrame({"ham": x, "label": np.where(y == 1, "ham", "spam")})
    check(read_inputs(reverse), ("spam", "ham"), expected, y)


def test_large_files_are_read_in_chunks(tmp_path, monkeypatch):
    from lastlayer.evaluation.read import csv_table, parquet_table

    monkeypatch.setattr(csv_table, "_CHUNK", 100)
    monkeypatch.setattr(parquet_table, "_BATCH", 300)
    FRAME.to_csv(tmp_path / "table.csv", index=False)
    FRAME.to_parquet(tmp_path / "table.parquet")
    check(read_inputs(tmp_path / "table.csv"))
    check(read_inputs(tmp_path / "table.parquet"))
    # The row that a message names is a row of the file, not of a chunk.
    FRAME.astype({"dog": object}).replace({"dog": {SCORES[140, 1]: "?"}}).to_csv(tmp_path / "odd.csv", index=False)
    with pytest.raises(EvaluationError, match=r"'dog' of odd.csv has '\?' in row 140 \(counted from 0\)"):
        read_inputs(tmp_path / "odd.csv")


def test_wrong_tables(tmp_path):
    def refused(text: str, sentence: str, **options) -> None:
        (tmp_path / "x.csv").write_text(text)
        with pytest.raises(EvaluationError, match=sentence) as caught:
            read_inputs(tmp_path / "x.csv", **options)
        assert "\n" not in str(caught.value)

    refused("a,b,label\n1,x,a\n2,3,b\n", "column 'b' of x.csv has 'x' in row 0")
    refused("a,b,label\n1,True,a\n2,False,b\n", "column 'b' of x.csv has 'True' in row 0")
    refused("a,b,label\n1,2,a\n2,3,b,7\n", r"cannot be read as a table \(Expected 3 fields")
    refused("a,a,label\n1,2,a\n2,3,b\n", "two columns 'a'")
    refused("a,b,label\n1,2,a\n2,3,b\n", "has no column 'lable'; the nearest name is 'label'", target="lable")
    refused("a,b\n1,2\n2,3\n", "There are no labels")
    refused("label\na\nb\n", "no column of scores", target="label")
    refused("a,b,label\n", "has no rows|nothing to evaluate")
    refused("# nothing\n", "has no rows")
    refused("a,b,label\n1,2,a\n2,3,b\n", "is a table, so no array 'scores'", key="scores")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(FRAME.to_csv(index=False).encode())[:-200])
    with pytest.raises(EvaluationError, match=r"no whole .gz file"):
        read_inputs(tmp_path / "cut.csv.gz")


def test_a_target_that_is_no_column_names_the_nearest(tmp_path):
    FRAME.replace("dog", "dogs").to_csv(tmp_path / "x.csv", index=False)
    row = int(np.argmax(WORDS == "dog"))
    with pytest.raises(EvaluationError, match=rf"label 'dogs' in row {row} .*the nearest class is 'dog'"):
        read_inputs(tmp_path / "x.csv")


def test_a_damaged_parquet_file(tmp_path):
    pd.DataFrame(np.random.default_rng(0).normal(size=(2000, 3)), columns=NAMES).assign(y=0).to_parquet(
        tmp_path / "x.parquet"
    )
    content = bytearray((tmp_path / "x.parquet").read_bytes())
    content[4:3000] = bytes(2996)
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(EvaluationError, match=r"x.parquet is damaged; write it again"):
        read_inputs(tmp_path / "x.parquet")
    text = pa.table({"a": ["x"], "label": [0]})
    pq.write_table(text, tmp_path / "text.parquet")
    with pytest.raises(EvaluationError, match=r"column 'a' of text.parquet holds (large_)?string, no numbers"):
        read_inputs(tmp_path / "text.parquet")


def test_a_column_that_is_no_class_next_to_probabilities_is_left_out(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.dirichlet(np.ones(3), 60), columns=["a", "b", "c"])
    frame = frame.assign(label=rng.permutation(list("abc") * 20), fold=np.arange(60) % 5)
    frame.to_csv(tmp_path / "p.csv", index=False)
    inputs = read_inputs(tmp_path / "p.csv", target="label")
    assert inputs.class_names == ("a", "b", "c")
    assert {"columns": ["fold"]} in [dict(found.facts) for found in inputs.findings if found.code == "columns_left_out"]
    # A class without a row is a class.
    kept = frame[frame.label != "c"].drop(columns="fold")
    kept.to_csv(tmp_path / "p.csv", index=False)
    assert read_inputs(tmp_path / "p.csv", target="label").class_names == ("a", "b", "c")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("is_scores", [True, False])
def test_columns_of_text_are_left_out_where_every_label_has_a_column(tmp_path, suffix, is_scores):
    """An export has predictions, dates and whether they were right next to the scores."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 3)) if is_scores else rng.dirichlet(np.ones(3), 60)
    frame = pd.DataFrame(values, columns=["a", "b", "c"])
    frame = frame.assign(label=rng.permutation(list("abc") * 20), prediction=list("abc") * 20, time="2026-01-31")
    path = tmp_path / f"export.{suffix}"
    frame.to_csv(path, index=False) if suffix == "csv" else frame.to_parquet(path)
    inputs = read_inputs(path, target="label")
    assert inputs.class_names == ("a", "b", "c")
    assert np.allclose(inputs.scores.array, values)
    assert facts(inputs)["columns_left_out"] == {"columns": ["prediction", "time"]}
    # With numbers for labels nobody knows which columns are classes.
    frame.assign(label=np.arange(60) % 3).to_csv(tmp_path / "export.csv", index=False)
    with pytest.raises(EvaluationError, match=r"The column 'prediction' of export.csv has 'a' in row 0"):
        read_inputs(tmp_path / "export.csv", target="label")

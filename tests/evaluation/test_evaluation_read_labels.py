"""Labels in every form, groups, and rows that are left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from lastlayer.evaluation import EvaluationError
from lastlayer.evaluation.read import read_inputs
from lastlayer.evaluation.read.inputs import Inputs

RNG = np.random.default_rng(3)
N, K = 200, 4
SCORES = RNG.normal(size=(N, K)) * 3
LABELS = np.concatenate([np.arange(K), RNG.integers(0, K, N - K)])
NAMES = ("cat", "dog", "newt", "owl")
FRAME = pd.DataFrame(SCORES, columns=NAMES)


def facts(inputs: Inputs) -> dict[str, dict]:
    return {finding.code: dict(finding.facts) for finding in inputs.findings}


def labels_of(labels, scores=SCORES, **options) -> np.ndarray:
    inputs = read_inputs(scores, labels, **options)
    assert inputs.labels.dtype == np.int64
    return inputs.labels


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", ">i4"]
)
def test_whole_numbers_of_every_type(dtype):
    np.testing.assert_array_equal(labels_of(LABELS.astype(dtype)), LABELS)


def test_other_forms_of_integers():
    for labels in (
        LABELS.tolist(),
        LABELS[:, None],
        LABELS.astype(object),
        LABELS.astype(float).astype(object),
        LABELS.astype(str),
        LABELS.astype(float).astype(str),
        torch.from_numpy(LABELS),
        pd.Series(LABELS, index=RNG.permutation(N)),
        pd.Series(LABELS, dtype="Int64"),
        pd.Series(LABELS).astype("category"),
        pl.Series(LABELS),
        np.eye(K)[LABELS],
        np.eye(K, dtype=bool)[LABELS],
        torch.eye(K)[LABELS].to(torch.bfloat16),
    ):
        inputs = read_inputs(SCORES, labels)
        np.testing.assert_array_equal(inputs.labels, LABELS)
        assert (inputs.findings, inputs.class_names) == ((), None)


def test_bools_are_two_classes():
    y = LABELS % 2 == 1
    for scores in (SCORES[:, 0], SCORES[:, :2]):
        np.testing.assert_array_equal(labels_of(y, scores), y)
        np.testing.assert_array_equal(labels_of(y.astype(object), scores), y)
    with pytest.raises(EvaluationError, match="bools as labels, and there are 4 classes"):
        read_inputs(SCORES, y)


def test_names_of_columns_come_before_numbers():
    words = np.array(NAMES)[LABELS]
    np.testing.assert_array_equal(labels_of(words, FRAME), LABELS)
    np.testing.assert_array_equal(labels_of(words.astype(bytes), FRAME), LABELS)
    np.testing.assert_array_equal(labels_of([f" {word}" for word in words], FRAME), LABELS)
    # Columns in the order of texts, as a pivot leaves them: label 2 is the column "2", not the third one.
    names = ["10", "2", "3", "7"]
    inputs = read_inputs(pd.DataFrame(SCORES, columns=names), np.array([10, 2, 3, 7])[LABELS])
    np.testing.assert_array_equal(inputs.labels, LABELS)
    # Integers that are no names count the columns.
    np.testing.assert_array_equal(labels_of(LABELS, FRAME), LABELS)


@pytest.mark.parametrize("prefix", ["prob_", "class ", "p(y=)"])
def test_a_prefix_of_the_columns_may_be_missing(prefix):
    frame = FRAME.rename(columns=lambda name: prefix + name)
    inputs = read_inputs(frame, np.array(NAMES)[LABELS])
    np.testing.assert_array_equal(inputs.labels, LABELS)
    assert inputs.class_names == NAMES
    numbered = pd.DataFrame(SCORES, columns=[f"class_{i}" for i in (3, 1, 2, 4)])
    inputs = read_inputs(numbered, np.array([3, 1, 2, 4])[LABELS])
    np.testing.assert_array_equal(inputs.labels, LABELS)
    assert "labels_off_by_one" not in facts(inputs)


def test_a_prefix_is_not_guessed():
    frame = pd.DataFrame(SCORES, columns=["a_x", "b_x", "a_y", "b_y"])
    with pytest.raises(EvaluationError, match=r"label 'x' in row 0 .* which is no class"):
        read_inputs(frame, np.array(["x", "y", "x", "y"])[LABELS])


def test_names_given_in_the_order_of_the_columns():
    words = np.array(NAMES)[LABELS]
    inputs = read_inputs(SCORES, words, class_names=NAMES)
    np.testing.assert_array_equal(inputs.labels, LABELS)
    assert inputs.class_names == NAMES
    assert read_inputs(SCORES, LABELS, class_names=NAMES).class_names == NAMES
    np.testing.assert_array_equal(labels_of(words, class_names=NAMES[::-1]), K - 1 - LABELS)
    with pytest.raises(EvaluationError, match="class_names has 3 different names, and there are 4 classes"):
        read_inputs(SCORES, words, class_names=["a", "b", "c", "a"])


def test_texts_without_names_are_sorted_and_said_so():
    words = np.array(["newt", "cat", "owl", "dog"])[LABELS]
    inputs = read_inputs(SCORES, words)
    # As scikit-learn's LabelEncoder numbers them.
    np.testing.assert_array_equal(inputs.labels, np.unique(words, return_inverse=True)[1])
    assert facts(inputs) == {"labels_sorted": {"classes": ["cat", "dog", "newt", "owl"]}}
    assert inputs.class_names == NAMES
    with pytest.raises(
        EvaluationError, match=r"5 different texts as labels .* 4 columns without names; give class_names"
    ):
        read_inputs(SCORES, [*words[:-1], "auk"])
    with pytest.raises(EvaluationError, match="3 different texts as labels"):
        read_inputs(SCORES, np.where(words == "owl", "cat", words))


def test_labels_from_one():
    inputs = read_inputs(SCORES, LABELS + 1)
    np.testing.assert_array_equal(inputs.labels, LABELS)
    found = facts(inputs)["labels_off_by_one"]
    assert (found["least"], found["most"], found["classes"], found["read_as"]) == (1, 4, 4, "from_one")
    # A class that starts at one is not enough: the last one must occur.
    np.testing.assert_array_equal(labels_of(np.full(N, 1)), np.ones(N))
    two = read_inputs(SCORES[:, 0], LABELS % 2 + 1)
    np.testing.assert_array_equal(two.labels, LABELS % 2)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (4, r"label 4 in row 7 \(counted from 0\), and there are 4 classes; labels count from 0 to 3"),
        (-1, "label -1 in row 7 .* a row without a label has -100"),
        (1e19, "label 4611686018427387904 in row 7"),
        (1.5, "1.5 in row 7 .* no whole number"),
        (np.inf, "inf in row 7 .* no whole number"),
    ],
)
def test_labels_that_are_no_class(bad, sentence):
    labels = LABELS.astype(float)
    labels[7] = bad
    with pytest.raises(EvaluationError, match=sentence):
        read_inputs(SCORES, labels)


def test_minus_one_and_one():
    with pytest.raises(EvaluationError, match=r"give 0 for −1: \(labels \+ 1\) // 2"):
        read_inputs(SCORES[:, 0], 2 * (LABELS % 2) - 1)


def test_other_wrong_labels():
    for labels, sentence in {
        "short": (LABELS[:-1], "The array of scores has 200 rows, and The array of labels has 199 labels"),
        "soft": (np.full((N, K), 0.25), "are not one-hot"),
        "several": (np.ones((N, K), dtype=int), "are not one-hot"),
        "wide": (np.eye(K + 1)[LABELS], "has 5 labels per row, and there are 4 classes"),
        "three": (np.zeros((N, 1, 1)), r"the shape \(200, 1, 1\)"),
        "dates": (np.zeros(N, "M8[D]"), "labels of the type datetime64"),
        "mixed": (np.array([1, "a"] * (N // 2), dtype=object), "of the types integer, text"),
        "all missing": (np.full(N, -100), r"no row with a label and without NaN \(200 without a label, 0 with NaN\)"),
    }.values():
        with pytest.raises(EvaluationError, match=sentence):
            read_inputs(SCORES, labels)
    with pytest.raises(EvaluationError, match="There are no labels"):
        read_inputs(SCORES)
    with pytest.raises(EvaluationError, match="named twice, by 'y' and by an array"):
        read_inputs(SCORES, LABELS, target="y")
    with pytest.raises(EvaluationError, match="There is no kind 'logits'; give 'scores' or 'probabilities'"):
        read_inputs(SCORES, LABELS, kind="logits")


@pytest.mark.parametrize("missing", ["-100", "nan", "None", "NA", "masked", "text", "empty", "nullable"])
def test_rows_without_a_label_are_left_out_and_counted(missing):
    at = [0, 5, N - 1]
    labels = LABELS.astype({"-100": int, "nan": float, "masked": int}.get(missing, object))
    if missing == "masked":
        labels = np.ma.masked_array(labels, np.isin(np.arange(N), at))
    elif missing == "nullable":
        labels = pd.Series(LABELS, dtype="Int64")
        labels[at] = pd.NA
    else:
        if missing in ("text", "empty"):
            labels = LABELS.astype(str).astype(object)
        labels[at] = {"-100": -100, "nan": np.nan, "None": None, "NA": pd.NA, "text": "nan", "empty": ""}[missing]
    inputs = read_inputs(SCORES, labels)
    kept = np.setdiff1d(np.arange(N), at)
    np.testing.assert_array_equal(inputs.labels, LABELS[kept])
    np.testing.assert_array_equal(inputs.scores.block(0, inputs.scores.n), SCORES[kept])
    assert (inputs.n_left_out, facts(inputs)) == (3, {"rows_without_label": {"rows": 3}})


def test_a_class_may_be_called_na():
    """Namibia."""
    names = ("DE", "NA", "US", "nan")
    frame = pd.DataFrame(SCORES, columns=names)
    np.testing.assert_array_equal(labels_of(np.array(names)[LABELS], frame), LABELS)


def test_rows_with_nan_are_left_out_and_counted():
    scores, labels = SCORES.copy(), LABELS.copy()
    scores[11, 2] = scores[40, 0] = scores[41] = np.nan
    labels[40] = labels[3] = -100
    inputs = read_inputs(scores, labels)
    kept = np.setdiff1d(np.arange(N), [3, 11, 40, 41])
    np.testing.assert_array_equal(inputs.labels, LABELS[kept])
    np.testing.assert_array_equal(inputs.scores.block(0, inputs.scores.n), SCORES[kept])
    # A row without a label counts as that, whatever its scores.
    assert facts(inputs) == {"nan_rows": {"rows": 2, "row": 11}, "rows_without_label": {"rows": 2}}
    assert inputs.n_left_out == 4
    with pytest.raises(EvaluationError, match=r"\(0 without a label, 200 with NaN\)"):
        read_inputs(np.full((N, K), np.nan), LABELS)


def test_infinite_scores_stay():
    scores = SCORES.copy()
    scores[3, LABELS[3] - 1] = -np.inf
    scores[4, LABELS[4]] = np.inf
    inputs = read_inputs(scores, LABELS)
    assert (inputs.n_left_out, inputs.findings) == (0, ())
    np.testing.assert_array_equal(inputs.scores.block(0, N), scores)


def test_classes_without_a_row_and_few_rows():
    assert facts(read_inputs(SCORES, np.where(LABELS == 2, 0, LABELS))) == {
        "class_absent": {"classes": ["2"], "more": 0}
    }
    assert facts(read_inputs(FRAME, np.where(LABELS > 1, 0, LABELS)))["class_absent"] == {
        "classes": ["newt", "owl"],
        "more": 0,
    }
    wide = read_inputs(RNG.normal(size=(N, 150)), LABELS)
    assert facts(wide)["class_absent"] == {"classes": [*map(str, range(4, 24))], "more": 126}
    assert facts(wide)["few_rows"] == {"rows": 200, "classes": 150}
    assert facts(read_inputs(SCORES[:99], LABELS[:99])) == {"few_rows": {"rows": 99, "classes": 4}}
    assert facts(read_inputs(SCORES[:100], LABELS[:100])) == {}


GROUPS = RNG.integers(0, 30, N)


def same_partition(codes: np.ndarray, groups) -> bool:
    pairs = {*zip(codes.tolist(), list(groups), strict=True)}
    return len(pairs) == len(set(codes.tolist())) == len(set(groups))


@pytest.mark.parametrize("form", ["integers", "texts", "floats", "objects", "column", "labels", "npy", "csv", "npz"])
def test_groups_of_every_form(tmp_path, form):
    texts = [f"patient {group}" for group in GROUPS]
    scores, labels, groups = FRAME, LABELS, GROUPS
    if form == "texts":
        groups = texts
    elif form == "floats":
        groups = GROUPS / 4
    elif form == "objects":
        groups = np.array(texts, dtype=object)
    elif form == "column":
        scores, groups = FRAME.assign(patient=texts), "patient"
    elif form == "labels":
        labels, groups = pd.DataFrame({"label": LABELS, "patient": texts}), "patient"
    elif form == "npy":
        np.save(tmp_path / "groups.npy", GROUPS)
        groups = str(tmp_path / "groups.npy")
    elif form == "csv":
        pd.Series(texts, name="patient").to_csv(tmp_path / "groups.csv", index=False)
        groups = tmp_path / "groups.csv"
    elif form == "npz":
        np.savez(tmp_path / "all.npz", scores=SCORES, labels=LABELS, patient=GROUPS)
        scores, labels, groups = tmp_path / "all.npz", None, "patient"
    inputs = read_inputs(scores, labels, groups=groups)
    assert inputs.groups.dtype == np.int64
    assert same_partition(inputs.groups, GROUPS)
    assert inputs.scores.n_classes == K


def test_groups_of_the_rows_that_count():
    labels = LABELS.copy()
    labels[::3] = -100
    inputs = read_inputs(SCORES, labels, groups=GROUPS)
    assert same_partition(inputs.groups, GROUPS[labels >= 0])
    assert inputs.groups.max() + 1 == len(np.unique(inputs.groups))


@pytest.mark.parametrize("missing", [np.nan, None, ""])
def test_a_row_without_a_group_is_one_by_itself(missing):
    groups = [missing if i % 10 == 0 else f"g{group}" for i, group in enumerate(GROUPS)]
    if missing is np.nan:
        groups = np.where(np.arange(N) % 10 == 0, np.nan, GROUPS)
    codes = read_inputs(SCORES, LABELS, groups=groups).groups
    assert same_partition(codes, [f"alone {i}" if i % 10 == 0 else str(group) for i, group in enumerate(GROUPS)])


def test_wrong_groups():
    for groups, sentence in {
        "short": (GROUPS[:-1], "has 199 groups, and there are 200 rows"),
        "wide": (np.zeros((N, 2)), r"groups of the shape \(200, 2\)"),
        "name": ("patient", "There is no column and no file 'patient'"),
        "one": (np.zeros(N), "All rows are in one group"),
    }.values():
        with pytest.raises(EvaluationError, match=sentence):
            read_inputs(SCORES, LABELS, groups=groups)

"""Settings and splits: the same for every mapping, and refused where they cannot work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lastlayer import MAPPINGS
from lastlayer.findings import Finding
from lastlayer.report import finding_sentence
from lastlayer.study.choice import choose_mappings, left_out
from lastlayer.study.data.datasets import Dataset, load_dataset
from lastlayer.study.error import StudyError
from lastlayer.study.fit.splits import inner_split, make_splits
from lastlayer.study.settings import StudySettings, check_settings


def settings(**changes: Any) -> StudySettings:
    asked = {"mappings": ("softmax",), "folds": 3, "repeats": 2, "seed": 0, "C": None, "jobs": 1, "margin": None}
    return check_settings(**{**asked, **changes})


def dataset(*counts: int) -> Dataset:
    labels = np.repeat(np.arange(len(counts)), counts)
    names = tuple("abcdef"[: len(counts)])
    return Dataset("data.csv", "y", pd.DataFrame({"x": np.arange(len(labels), dtype=float)}), labels, names)


def test_splits_partition_the_rows_and_keep_the_class_shares() -> None:
    data = dataset(30, 12)
    splits = make_splits(data, settings())
    assert [(split.repeat, split.fold) for split in splits] == [(r, f) for r in range(2) for f in range(3)]
    for repeat in range(2):
        tests = np.concatenate([split.test for split in splits if split.repeat == repeat])
        np.testing.assert_array_equal(np.sort(tests), np.arange(42))
    for split in splits:
        assert np.bincount(data.labels[split.test]).tolist() == [10, 4]
        np.testing.assert_array_equal(np.sort(np.concatenate([split.train, split.test])), np.arange(42))
        inner = np.concatenate([split.inner_train, split.inner_test])
        np.testing.assert_array_equal(np.sort(inner), np.arange(len(split.train)))


def test_more_repeats_keep_the_first_ones() -> None:
    short, long = make_splits(dataset(30, 12), settings(repeats=1)), make_splits(dataset(30, 12), settings(repeats=3))
    for one, other in zip(short, long, strict=False):
        np.testing.assert_array_equal(one.test, other.test)
        np.testing.assert_array_equal(one.inner_test, other.inner_test)


def test_another_seed_is_another_split() -> None:
    one, other = make_splits(dataset(30, 12), settings()), make_splits(dataset(30, 12), settings(seed=1))
    assert not np.array_equal(one[0].test, other[0].test)


def test_inner_split_takes_a_quarter_of_each_class_and_never_its_only_row() -> None:
    labels = np.repeat([0, 1, 2, 3], [40, 5, 2, 1])
    train, test = inner_split(labels, np.random.default_rng(0))
    assert np.bincount(labels[test], minlength=4).tolist() == [10, 1, 1, 0]
    assert np.bincount(labels[train], minlength=4).tolist() == [30, 4, 1, 1]


@pytest.mark.parametrize(
    ("counts", "changes", "sentence"),
    [
        (
            (30, 2),
            {},
            "Class 'b' of data.csv has 2 rows, but 3 folds need 3 of each class: leave out classes of fewer rows with --min-class 3",
        ),
        ((30, 1), {}, "Class 'b' of data.csv has 1 row, but .* each class: leave out classes of fewer rows"),
        ((30, 2, 1), {}, "Class 'c' .*\\(1 more class has too few as well"),
        ((2, 2), {"folds": 2}, "none to choose C with; add rows or fix it with --C 1"),
    ],
)
def test_classes_that_are_too_small(counts: tuple[int, ...], changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        make_splits(dataset(*counts), settings(**changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"folds": 1}, "folds is 1; it must be two or more"),
        ({"folds": 2.5}, "folds is 2.5"),
        ({"repeats": 0}, "repeats is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"jobs": 0}, "jobs is 0"),
        ({"C": 0}, "C is 0; give a positive number"),
        ({"C": float("nan")}, "C is nan"),
        ({"C": True}, "C is True"),
        ({"margin": {"acuracy": 0.1}}, "no metric 'acuracy'"),
        ({"margin": {"accuracy": -0.1}}, "margin of accuracy is -0.1"),
    ],
)
def test_settings_out_of_range(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        settings(**changes)


def test_a_margin_replaces_the_default_of_its_metric_alone() -> None:
    assert settings(margin={"accuracy": 0.02}).margin == {
        "brier": 0.01,
        "accuracy": 0.02,
        "log_loss": 0.01,
        "ece": 0.01,
    }


def test_by_default_every_mapping_without_a_reason_against_it() -> None:
    labels = [mapping.label for mapping in choose_mappings(None)]
    assert labels == [name for name, mapping in MAPPINGS.items() if not mapping.study_note]
    assert "softmax_plus_one" not in labels
    assert left_out() == (Finding("mapping_left_out", "softmax_plus_one"),)
    (said,) = map(finding_sentence, left_out())
    assert said.startswith("softmax_plus_one was left out: training never observes")
    assert said.endswith(" Ask for it by name to study it.")


def test_softmax_is_always_there_and_nothing_twice() -> None:
    mine = MAPPINGS["entmax"].replace(alpha=1.3)
    chosen = choose_mappings(["sparsemax", mine, "entmax:alpha=1.3", "sparsemax"])
    assert [mapping.label for mapping in chosen] == ["softmax", "sparsemax", "entmax:alpha=1.3"]
    assert [m.label for m in choose_mappings(["ratio", "softmax"])] == ["ratio", "softmax"]
    assert [m.label for m in choose_mappings("ratio")] == ["softmax", "ratio"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [([], "No mapping was asked for"), (["sofmax"], "softmax"), (["entmax:alpha=0.5"], "alpha"), ([3], "mapping is 3")],
)
def test_wrong_mappings(asked: list[Any], sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        choose_mappings(asked)


def test_two_mappings_of_one_name_are_refused() -> None:
    with pytest.raises(StudyError, match="Two different mappings are called 'softmax'"):
        choose_mappings([replace(MAPPINGS["taylor"], name="softmax")])


@pytest.mark.parametrize(("counts", "is_offered"), [((20, 3, 2), True), ((20, 20, 4), False), ((20, 20, 2, 2), False)])
def test_merging_is_offered_where_it_helps(counts: tuple[int, ...], is_offered: bool) -> None:
    with pytest.raises(StudyError, match="leave out classes of fewer rows with --min-class 5") as caught:
        make_splits(dataset(*counts), settings(folds=5))
    assert ("make one class of them with --merge-rare 5" in str(caught.value)) == is_offered


@pytest.mark.parametrize(("word", "is_told"), [("NA", True), ("None", True), ("nan", True), ("rare", False)])
def test_a_rare_class_that_may_be_a_missing_label_is_told(word: str, is_told: bool, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(12)) + f"12,{word}\n")
    with pytest.raises(
        StudyError,
        match=f"Class '{word}' of t.csv has 1 row.*leave out classes of fewer rows with --min-class 5, or add",
    ) as caught:
        make_splits(load_dataset(tmp_path / "t.csv", "y"), settings(folds=5))
    assert ("empty its cells if the word means that the label is not known" in str(caught.value)) == is_told

"""Settings and splits: the same for every mapping, and refused where they cannot work."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
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
from lastlayer.study.fit.splits import SEARCH_ROWS, Split, inner_folds, make_splits
from lastlayer.study.settings import StudySettings, check_settings, resolve_margins


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
        for fitted, judged in split.inner:
            np.testing.assert_array_equal(np.sort(np.concatenate([fitted, judged])), np.arange(len(split.train)))


def test_more_repeats_keep_the_first_ones() -> None:
    short, long = make_splits(dataset(30, 12), settings(repeats=1)), make_splits(dataset(30, 12), settings(repeats=3))
    for one, other in zip(short, long, strict=False):
        np.testing.assert_array_equal(one.test, other.test)
        for pair, same in zip(one.inner, other.inner, strict=True):
            np.testing.assert_array_equal(pair[1], same[1])


def test_another_seed_is_another_split() -> None:
    one, other = make_splits(dataset(30, 12), settings()), make_splits(dataset(30, 12), settings(seed=1))
    assert not np.array_equal(one[0].test, other[0].test)


def test_inner_folds_spread_each_class_and_never_judge_its_only_row() -> None:
    labels = np.repeat([0, 1, 2, 3], [400, 52, 2, 1])
    folds = inner_folds(labels, seed=0)
    judged = np.array([np.bincount(labels[judged], minlength=4) for _, judged in folds])
    assert judged.sum(axis=0).tolist() == [400, 52, 2, 0]
    assert np.ptp(judged, axis=0).max() <= 1
    for fitted, _ in folds:
        assert (np.bincount(labels[fitted], minlength=4) > 0).all()


@pytest.mark.parametrize(("rows", "pairs"), [(100, 10), (150, 5), (999, 5), (1000, 3), (SEARCH_ROWS + 4, 1)])
def test_the_search_repeats_where_rows_are_few_and_is_cheap_where_they_are_many(rows: int, pairs: int) -> None:
    folds = inner_folds(np.arange(rows) % 2, seed=0)
    assert len(folds) == pairs
    used = sum(len(part) for part in folds[0])
    assert used == min(rows, SEARCH_ROWS)
    for fitted, judged in folds:
        assert len(np.intersect1d(fitted, judged)) == 0


def test_a_sample_of_many_rows_keeps_a_row_of_every_class() -> None:
    labels = np.zeros(3 * SEARCH_ROWS, dtype=int)
    labels[[7, 70_00, 50_000]] = [1, 2, 2]
    ((fitted, _),) = inner_folds(labels, seed=0)
    assert set(labels[fitted]) == {0, 1, 2}


def test_judged_rows_have_a_class_that_is_fitted() -> None:
    labels, groups = np.array([0, 0, 0, 1, 1, 1, 2, 2]), np.array([0, 1, 2, 3, 4, 5, 6, 6])
    for fitted, judged in inner_folds(labels, groups=groups, seed=0):
        assert set(labels[judged]) <= set(labels[fitted])


def test_no_inner_fold_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(StudyError, match="nothing to choose C with; add rows or groups, or fix it with --C 1"):
        inner_folds(np.array([0, 0, 1, 1]), groups=np.array([0, 0, 1, 1]), seed=0)


def test_with_a_fixed_strength_there_are_no_inner_folds() -> None:
    assert all(split.inner == () for split in make_splits(dataset(30, 12), settings(C=1.0)))


def patients(n_groups: int, classes: int, seed: int = 0) -> Dataset:
    """Groups of 1 to 8 rows of mixed classes, in any order of rows."""
    generator = np.random.default_rng(seed)
    groups = generator.permutation(np.repeat(np.arange(n_groups), generator.integers(1, 9, n_groups)))
    labels = (groups + generator.integers(0, 2, len(groups))) % classes
    frame = pd.DataFrame({"x": np.arange(len(groups), dtype=float)})
    return Dataset("visits.csv", "y", frame, labels, tuple("abcdef"[:classes]), groups=groups)


def check_groups_apart(data: Dataset, split: Split) -> None:
    assert data.groups is not None
    groups = data.groups[split.train]
    assert not set(groups) & set(data.groups[split.test])
    for fitted, judged in split.inner:
        assert not set(groups[fitted]) & set(groups[judged])


@pytest.mark.parametrize("n_groups", [6, 20, 200])
def test_rows_of_one_group_stay_together(n_groups: int) -> None:
    data = patients(n_groups, 3)
    splits = make_splits(data, settings(groups="patient"))
    assert len(splits) == 6
    for repeat in range(2):
        tests = np.concatenate([split.test for split in splits if split.repeat == repeat])
        np.testing.assert_array_equal(np.sort(tests), np.arange(len(data.labels)))
    for split in splits:
        check_groups_apart(data, split)
        assert set(data.labels[split.train]) == {0, 1, 2}
        assert split.inner


def test_groups_spread_the_classes_and_the_rows() -> None:
    data = patients(300, 3)
    shares = np.bincount(data.labels) / len(data.labels)
    for split in make_splits(data, settings(groups="patient")):
        np.testing.assert_allclose(np.bincount(data.labels[split.test]) / len(split.test), shares, atol=0.03)
        assert len(split.test) == pytest.approx(len(data.labels) / 3, rel=0.05)


def test_more_repeats_of_groups_keep_the_first_ones_and_differ_from_them() -> None:
    data = patients(40, 2)
    short, long = (make_splits(data, settings(groups="patient", repeats=n)) for n in (1, 2))
    for one, other in zip(short, long, strict=False):
        np.testing.assert_array_equal(one.test, other.test)
        np.testing.assert_array_equal(one.inner[0][1], other.inner[0][1])
    assert not np.array_equal(long[0].test, long[3].test)


def test_groups_are_drawn_again_until_every_class_is_trained_on() -> None:
    """Classes a and b are each in two of three groups; one draw in three puts both groups of a class into one fold."""
    labels = np.array([2, 0, 2, 2, 2, 0, 1, 2, 1, 2])
    groups = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    data = Dataset("t.csv", "y", pd.DataFrame({"x": np.arange(10.0)}), labels, ("a", "b", "c"), groups=groups)
    for seed in range(10):
        for split in make_splits(data, settings(groups="g", folds=2, seed=seed, C=1.0)):
            assert set(labels[split.train]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (
            [0, 0, 1, 1, 0, 0, 1, 1],
            "has 2 groups, but 3 folds of whole groups need 3: use --folds 2, or leave --groups out",
        ),
        ([0] * 8, "has 1 group, but 3 folds of whole groups need 3: name another column, or leave --groups out"),
        ([0, 1, 2, 3, 4, 4, 4, 4], "All rows of class 'b' of t.csv are in one group, .*: add groups with rows of it"),
    ],
)
def test_groups_that_cannot_be_split(groups: list[int], sentence: str) -> None:
    frame = pd.DataFrame({"x": np.arange(8.0)})
    data = Dataset("t.csv", "y", frame, np.repeat([0, 1], 4), ("a", "b"), groups=np.array(groups))
    with pytest.raises(StudyError, match=sentence):
        make_splits(data, settings(groups="g"))


def test_no_draw_of_groups_may_keep_every_class() -> None:
    """Two folds over three groups: classes b, c and d are each in two of them, so whichever two are tested take a class along."""
    labels = np.array([0, 1, 2, 0, 1, 3, 0, 2, 3])
    groups = np.repeat([0, 1, 2], 3)
    data = Dataset("t.csv", "y", pd.DataFrame({"x": np.arange(9.0)}), labels, tuple("abcd"), groups=groups)
    with pytest.raises(StudyError, match=r"2 folds of whole groups leave a class .* Use more folds, up to --folds 3"):
        make_splits(data, settings(groups="g", folds=2))
    assert len(make_splits(data, settings(groups="g", folds=3, repeats=1))) == 3


def logbook(time: list[float] | np.ndarray, labels: list[int] | np.ndarray) -> Dataset:
    frame = pd.DataFrame({"x": np.arange(len(labels), dtype=float)})
    names = tuple("abcdef"[: max(labels) + 1])
    return Dataset("log.csv", "y", frame, np.asarray(labels), names, time=np.asarray(time, dtype=float))


def test_training_rows_are_earlier_than_test_rows() -> None:
    generator = np.random.default_rng(0)
    # Many rows share a time.
    data = logbook(generator.integers(0, 40, 300), generator.integers(0, 3, 300))
    assert data.time is not None
    splits = make_splits(data, settings(time="day", folds=4, repeats=1))
    assert [(split.repeat, split.fold) for split in splits] == [(0, fold) for fold in range(4)]
    for split in splits:
        time = data.time[split.train]
        assert time.max() < data.time[split.test].min()
        assert set(data.labels[split.train]) == {0, 1, 2}
        for fitted, judged in split.inner:
            assert time[fitted].max() < time[judged].min()
    for earlier, later in pairwise(splits):
        assert set(earlier.train) | set(earlier.test) == set(later.train)


def test_blocks_too_early_to_train_every_class_are_left_out() -> None:
    labels = np.arange(60) % 2
    labels[25] = 2
    splits = make_splits(logbook(np.arange(60), labels), settings(time="day", folds=5, repeats=1))
    assert [split.test.tolist() for split in splits] == [list(range(s, s + 10)) for s in (30, 40, 50)]
    assert [split.fold for split in splits] == [0, 1, 2]


@pytest.mark.parametrize(
    ("time", "labels", "sentence"),
    [
        (np.arange(60), np.arange(60) >= 45, "Class 'b' of log.csv has no row early enough to train on"),
        (np.arange(60) >= 30, np.arange(60) % 2, "log.csv has 2 different times, too few for two tests on later rows"),
        (np.zeros(60), np.arange(60) % 2, "log.csv has 1 different time, too few"),
    ],
)
def test_times_that_cannot_be_split(time: np.ndarray, labels: np.ndarray, sentence: str) -> None:
    with pytest.raises(StudyError, match=sentence):
        make_splits(logbook(time, labels.astype(int)), settings(time="day", folds=3, repeats=1))


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
    asked = settings(margin={"accuracy": 0.02}).margin
    resolved = resolve_margins(asked, np.array([0.25, 0.25, 0.25, 0.25]))
    assert resolved == {"brier": 0.01, "accuracy": 0.02, "log_loss": 0.01, "ece": 0.01}


def test_margins_are_at_most_a_share_of_what_the_class_frequencies_leave() -> None:
    margins = resolve_margins({}, np.array([0.999, 0.001]))
    assert margins["brier"] == pytest.approx(0.02 * 2 * 0.999 * 0.001)
    assert margins["accuracy"] == pytest.approx(0.01 * 0.001)


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

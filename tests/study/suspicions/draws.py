"""Tables with one planted fault each, and tables without any: 20 draws of each kind tell what is found and what is claimed."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import numpy as np
import pandas as pd

from lastlayer.study.data.datasets import Dataset
from lastlayer.study.settings import StudySettings

SETTINGS = StudySettings(mappings=("softmax",), folds=5, repeats=2, seed=0, C=None, grid=(1.0,), margin={})
#: A draw: features and labels.
Draw = tuple[pd.DataFrame, np.ndarray]


def dataset(features: pd.DataFrame, labels: np.ndarray, **more: np.ndarray) -> Dataset:
    """The draw as a study gets it: classes numbered from 0."""
    names, numbers = np.unique(labels, return_inverse=True)
    return Dataset("draw", "y", features, numbers.astype(np.int64), tuple(str(name) for name in names), **more)


def gaussian(
    random: np.random.Generator, rows: int | None = None, classes: int | None = None, width: int | None = None
) -> Draw:
    """Classes with different means in several columns, which overlap."""
    rows = rows or int(random.integers(120, 900))
    classes = classes or int(random.integers(2, 6))
    width = width or int(random.integers(3, 12))
    labels = random.integers(classes, size=rows)
    values = random.normal(size=(classes, width))[labels] + random.normal(size=(rows, width)) * random.uniform(0.7, 2)
    return pd.DataFrame(values.round(4), columns=[f"f{i}" for i in range(width)]), labels


def _placed(random: np.random.Generator, frame: pd.DataFrame, name: str, values: object) -> pd.DataFrame:
    """The frame with the column at a random place."""
    frame = frame.copy()
    frame.insert(int(random.integers(frame.shape[1] + 1)), name, values)
    return frame


def _shuffled(random: np.random.Generator, frame: pd.DataFrame, labels: np.ndarray) -> Draw:
    order = random.permutation(len(labels))
    return frame.iloc[order].reset_index(drop=True), labels[order]


# Planted: the column that must be named is "planted".


def renamed_target(random: np.random.Generator) -> Draw:
    frame, labels = gaussian(random)
    words = np.array(["red", "blue", "green", "black", "white", "grey"], dtype=object)[random.permutation(6)]
    return _placed(random, frame, "planted", words[labels]), labels


def coded_target(random: np.random.Generator) -> Draw:
    """Three codes for each class."""
    frame, labels = gaussian(random)
    codes = random.permutation(3 * (labels.max() + 1)).reshape(-1, 3)
    return _placed(random, frame, "planted", codes[labels, random.integers(3, size=len(labels))].astype(float)), labels


def score_of_target(random: np.random.Generator) -> Draw:
    """A number that was computed from the target."""
    frame, labels = gaussian(random)
    return _placed(random, frame, "planted", 10.0 * labels + random.uniform(0, 9.5, size=len(labels))), labels


def copied_twice(random: np.random.Generator) -> Draw:
    """A code and its name: neither may clear the other."""
    frame, labels = renamed_target(random)
    return _placed(random, frame, "planted_too", (labels + 1) * 7.0), labels


def row_numbers(random: np.random.Generator) -> Draw:
    frame, labels = gaussian(random)
    return _placed(random, frame, "planted", np.arange(len(labels)) + float(random.integers(0, 1000))), labels


def filtered_index(random: np.random.Generator) -> Draw:
    frame, labels = gaussian(random)
    numbers = np.sort(random.choice(10 * len(labels), len(labels), replace=False))
    return _placed(random, frame, "planted", numbers.astype(float)), labels


def sorted_key(random: np.random.Generator) -> Draw:
    """Numbers that were given class by class; the rows were shuffled later."""
    frame, labels = gaussian(random)
    order = np.argsort(labels, kind="stable")
    frame, labels = frame.iloc[order].reset_index(drop=True), labels[order]
    frame = _placed(random, frame, "planted", np.arange(len(labels), dtype=float))
    return (frame, labels) if random.integers(2) else _shuffled(random, frame, labels)


def uuids(random: np.random.Generator) -> Draw:
    frame, labels = gaussian(random)
    return _placed(random, frame, "planted", [str(uuid.UUID(bytes=random.bytes(16))) for _ in labels]), labels


def serial_numbers(random: np.random.Generator) -> Draw:
    frame, labels = gaussian(random)
    numbers = random.permutation(20 * len(labels))[: len(labels)]
    return _placed(random, frame, "planted", [f"SN-{number:07d}" for number in numbers]), labels


def patients(
    random: np.random.Generator, *, named: bool = True, shuffled: bool = True, groups: int | None = None
) -> Draw:
    """A coin flip for each patient, and measurements that hardly differ between the rows of one."""
    groups = groups or int(random.integers(20, 80))
    size, width = int(random.integers(4, 12)), int(random.integers(6, 25))
    patient = np.repeat(np.arange(groups), size)
    labels = random.permutation(np.arange(groups) % 2)[patient]
    values = random.normal(size=(groups, width))[patient] + 0.1 * random.normal(size=(len(patient), width))
    frame = pd.DataFrame(values.round(3), columns=[f"m{i}" for i in range(width)])
    if named:
        names = [f"P{number:03d}" for number in patient] if random.integers(2) else patient.astype(float)
        frame = _placed(random, frame, "planted", names)
    return _shuffled(random, frame, labels) if shuffled and random.integers(2) else (frame, labels)


def sessions(random: np.random.Generator) -> Draw:
    """The same without a column that says which rows belong together."""
    return patients(random, named=False)


def noisy_users(random: np.random.Generator) -> Draw:
    """Users whose rows mostly have one class; the features are not alike."""
    users = int(random.integers(30, 120))
    user = np.repeat(np.arange(users), random.integers(3, 15, size=users))
    usual = random.integers(2, size=users)[user]
    labels = np.where(random.random(len(user)) < 0.05, 1 - usual, usual)
    frame = pd.DataFrame(random.normal(size=(len(user), 5)).round(3), columns=list("abcde"))
    return _shuffled(random, _placed(random, frame, "planted", [f"user{random_name}" for random_name in user]), labels)


def copies(random: np.random.Generator) -> Draw:
    """A fifth or more of the rows occur again."""
    frame, labels = gaussian(random)
    again = random.choice(len(labels), size=int(random.uniform(0.2, 2) * len(labels)))
    rows = np.append(np.arange(len(labels)), again)
    return _shuffled(random, frame.iloc[rows].reset_index(drop=True), labels[rows])


def category_copies(random: np.random.Generator) -> Draw:
    """The same in a table of twelve categories, in which rows are hardly equal by chance."""
    rows = int(random.integers(300, 900))
    values = random.integers(4, size=(rows, 12))
    labels = (values[:, :3].sum(axis=1) + random.integers(3, size=rows) > 5).astype(int)
    frame = pd.DataFrame(np.array(list("wxyz"), dtype=object)[values], columns=[f"c{i}" for i in range(12)])
    again = np.append(np.arange(rows), random.choice(rows, size=rows // 4))
    return _shuffled(random, frame.iloc[again].reset_index(drop=True), labels[again])


def feature_drift(random: np.random.Generator) -> Draw:
    """The means of all classes move along the rows."""
    frame, labels = gaussian(random, rows=int(random.integers(300, 900)), classes=2, width=5)
    along = np.linspace(-1, 1, len(labels))[:, None]
    return frame + along * random.choice([-1, 1], size=5) * random.uniform(1.5, 3), labels


def turning(random: np.random.Generator) -> Draw:
    """The target's relation to two features turns with time."""
    rows = int(random.integers(300, 900))
    values = random.normal(size=(rows, 3))
    angle = np.linspace(0, random.uniform(0.6, 1.1) * np.pi, rows)
    score = np.cos(angle) * values[:, 0] + np.sin(angle) * values[:, 1]
    labels = (score + 0.3 * random.normal(size=rows) > 0).astype(int)
    return pd.DataFrame(values.round(3), columns=["x", "y", "z"]), labels


def turning_dates(random: np.random.Generator) -> Draw:
    """The same with dates, the rows in any order."""
    frame, labels = turning(random)
    days = pd.date_range("2021-03-01", periods=len(labels), freq="D")
    frame = _placed(random, frame, "planted", days if random.integers(2) else days.strftime("%Y-%m-%d").astype(object))
    return _shuffled(random, frame, labels) if random.integers(2) else (frame, labels)


def class_drift(random: np.random.Generator) -> Draw:
    """A class becomes more frequent with time."""
    rows = int(random.integers(300, 900))
    at = random.random(rows)
    labels = (random.random(rows) < 0.1 + random.uniform(0.7, 0.8) * at).astype(int)
    frame = pd.DataFrame(random.normal(size=(rows, 4)) + labels[:, None], columns=list("abcd"))
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta((1000 * at).round(), unit="D")
    return _placed(random, frame, "planted", days.strftime("%d/%m/%Y").astype(object)), labels


def nearly_copied_target(random: np.random.Generator) -> Draw:
    """A copy of the target with one error in a hundred, among features that say little."""
    frame, labels = gaussian(random, rows=int(random.integers(300, 900)))
    frame = pd.DataFrame(random.normal(size=frame.shape) + 0.5 * labels[:, None], columns=frame.columns)
    wrong = random.random(len(labels)) < 0.01
    planted = np.where(wrong, (labels + 1) % (labels.max() + 1), labels)
    return _placed(random, frame, "planted", np.array(list("uvwxyz"), dtype=object)[planted]), labels


def account_numbers(random: np.random.Generator) -> Draw:
    """Eight digits, no order, no name that says key."""
    frame, labels = gaussian(random)
    numbers = 10**7 + random.choice(9 * 10**7, size=len(labels), replace=False)
    return _placed(random, frame, "planted", numbers.astype(float)), labels


def one_class(random: np.random.Generator) -> Draw:
    frame, labels = gaussian(random, rows=int(random.integers(1000, 4000)), classes=2)
    return frame, (random.random(len(labels)) < 0.01 + 0 * labels).astype(int)


def rare_class(random: np.random.Generator) -> Draw:
    frame, labels = gaussian(random, rows=int(random.integers(300, 900)), classes=3)
    labels[: int(random.integers(6, 12))] = 3
    return frame, labels


def small(random: np.random.Generator) -> Draw:
    frame, labels = gaussian(random, rows=int(random.integers(20, 50)), classes=2)
    labels[:10] = np.arange(10) % 2
    return frame, labels


#: Kind → (what is drawn, the code that must be found).
PLANTED: dict[str, tuple[Callable[[np.random.Generator], Draw], str]] = {
    "renamed target": (renamed_target, "determines_target"),
    "coded target": (coded_target, "determines_target"),
    "score of the target": (score_of_target, "determines_target"),
    "target with errors": (nearly_copied_target, "determines_target"),
    "target copied twice": (copied_twice, "determines_target"),
    "row numbers": (row_numbers, "identifies_rows"),
    "filtered index": (filtered_index, "identifies_rows"),
    "key sorted by class": (sorted_key, "identifies_rows"),
    "UUIDs": (uuids, "identifies_rows"),
    "serial numbers": (serial_numbers, "identifies_rows"),
    "account numbers": (account_numbers, "identifies_rows"),
    "patients": (patients, "repeats_like_groups"),
    "noisy users": (noisy_users, "repeats_like_groups"),
    "sessions without a name": (sessions, "near_copies"),
    "copies of rows": (copies, "duplicate_rows"),
    "copies in categories": (category_copies, "duplicate_rows"),
    "feature drift by row": (feature_drift, "drifts_with_row_order"),
    "turning relation by row": (turning, "drifts_with_row_order"),
    "turning relation by date": (turning_dates, "drifts_with_date"),
    "class share by date": (class_drift, "drifts_with_date"),
    "one class dominates": (one_class, "class_dominates"),
    "a class hardly occurs": (rare_class, "class_hardly_occurs"),
    "few rows": (small, "few_rows"),
}


# Clean: nothing may be claimed.


def strong_features(random: np.random.Generator) -> Draw:
    """Two features that each predict 97 % of the rows."""
    frame, labels = gaussian(random, classes=2)
    for name in ("strong", "strong_too"):
        frame = _placed(random, frame, name, (3.8 * labels + random.normal(size=len(labels))).round(2))
    return frame, labels


def one_strong_feature(random: np.random.Generator) -> Draw:
    """One feature that predicts 96 % of the rows, among noise."""
    frame, labels = gaussian(random, classes=2)
    frame = pd.DataFrame(random.normal(size=frame.shape), columns=frame.columns)
    return _placed(random, frame, "strong", 3.5 * labels + random.normal(size=len(labels))), labels


def categories(random: np.random.Generator) -> Draw:
    """Four categories with few possible rows, which are often equal."""
    rows = int(random.integers(200, 2000))
    values = np.stack([random.choice(k, size=rows, p=random.dirichlet(np.full(k, 2.0))) for k in (2, 3, 4, 6)], axis=1)
    labels = (values.sum(axis=1) + random.integers(4, size=rows) > 6).astype(int)
    return pd.DataFrame(np.array(list("abcdef"), dtype=object)[values], columns=list("pqrs")), labels


def correlated_categories(random: np.random.Generator) -> Draw:
    """Categories that depend on each other through a hidden one."""
    rows = int(random.integers(200, 2000))
    hidden = random.integers(4, size=rows)
    values = [np.where(random.random(rows) < 0.7, (hidden + i) % 4, random.integers(4, size=rows)) for i in range(5)]
    labels = np.where(random.random(rows) < 0.8, hidden % 2, random.integers(2, size=rows))
    return pd.DataFrame(
        {f"c{i}": np.array(list("abcd"), dtype=object)[value] for i, value in enumerate(values)}
    ), labels


def prose(random: np.random.Generator) -> Draw:
    """Sentences, with words that go with the class."""
    rows = int(random.integers(150, 600))
    labels = random.integers(3, size=rows)
    plain, telling = ["the", "of", "a", "was", "it", "and", "very"], ["goal", "team", "salt", "cook", "moon", "star"]
    words = np.array(plain + telling, dtype=object)
    odds = np.ones((3, len(words)))
    for label in range(3):
        odds[label, len(plain) + 2 * label : len(plain) + 2 * label + 2] = 3
    odds /= odds.sum(axis=1, keepdims=True)
    texts = [" ".join(random.choice(words, size=random.integers(6, 14), p=odds[label])) for label in labels]
    return pd.DataFrame({"text": texts, "size": random.normal(size=rows)}), labels


def correlated(random: np.random.Generator) -> Draw:
    """Twenty columns that are mixtures of three."""
    frame, labels = gaussian(random, width=3)
    values = frame.to_numpy() @ random.normal(size=(3, 20)) + 0.3 * random.normal(size=(len(labels), 20))
    return pd.DataFrame(values, columns=[f"v{i}" for i in range(20)]), labels


def sorted_by_class(random: np.random.Generator) -> Draw:
    frame, labels = gaussian(random)
    order = np.argsort(labels, kind="stable")
    return frame.iloc[order].reset_index(drop=True), labels[order]


def sorted_by_feature(random: np.random.Generator) -> Draw:
    frame, labels = gaussian(random)
    order = np.argsort(frame["f0"].to_numpy())
    return frame.iloc[order].reset_index(drop=True), labels[order]


def many_classes(random: np.random.Generator) -> Draw:
    """Classes of twenty rows each, some of them far apart."""
    classes, width = int(random.integers(30, 100)), 12
    labels = random.permutation(np.repeat(np.arange(classes), 20))
    apart = random.choice([1, 2.5, 10, 30])
    values = apart * random.normal(size=(classes, width))[labels] + random.normal(size=(len(labels), width))
    return pd.DataFrame(values.round(3), columns=[f"f{i}" for i in range(width)]), labels


def imbalanced(random: np.random.Generator) -> Draw:
    """A class in ten."""
    frame, labels = gaussian(random, rows=int(random.integers(400, 2000)), classes=2)
    rare = (random.random(len(labels)) < 0.1).astype(int)
    frame["f0"] += 1.5 * rare
    return frame, rare


def ages_and_counts(random: np.random.Generator) -> Draw:
    """Whole numbers that repeat and mean something: an age with an effect, counts, an income in whole units, a score of 0 to 100."""
    rows = int(random.integers(200, 2000))
    age = random.integers(18, 90, size=rows)
    score = np.clip(random.normal(60, 15, size=rows).round(), 0, 100)
    labels = (random.random(rows) < 1 / (1 + np.exp(-(age - 50) / 8 - (score - 60) / 20))).astype(int)
    visits = random.poisson(np.exp(random.normal(1, 1, size=rows)))
    income = np.exp(random.normal(10, 0.7, size=rows)).round()
    return pd.DataFrame({"age": age, "score": score, "visits": visits, "income": income}).astype(float), labels


def steep_age(random: np.random.Generator) -> Draw:
    """A threshold in whole numbers: rows of one age have one class, and so have those of the next age."""
    rows = int(random.integers(300, 2000))
    age = random.integers(18, 70, size=rows)
    labels = np.where(random.random(rows) < 0.97, age > 45, random.random(rows) < 0.5).astype(int)
    return pd.DataFrame({"age": 1.0 * age, "x": random.normal(size=rows), "z": random.normal(size=rows)}), labels


def zip_codes(random: np.random.Generator) -> Draw:
    """A code with many values and no effect, and one with a mild effect for each value."""
    frame, labels = gaussian(random, rows=int(random.integers(400, 2000)), classes=2)
    places = random.choice(99999, size=60, replace=False)
    frame = _placed(random, frame, "zip", random.choice(places, size=len(labels)).astype(float))
    odds = random.normal(0, 0.7, size=30)
    job = random.integers(30, size=len(labels))
    labels = np.where(
        random.random(len(labels)) < 0.3, random.random(len(labels)) < 1 / (1 + np.exp(-3 * odds[job])), labels
    )
    return _placed(random, frame, "job", np.array([f"job {i}" for i in range(30)], dtype=object)[job]), labels.astype(
        int
    )


def rounded(random: np.random.Generator) -> Draw:
    """Measurements with one decimal, which repeat, as in iris."""
    frame, labels = gaussian(random, width=4)
    return frame.round(1), labels


def dates(random: np.random.Generator) -> Draw:
    """A date that changes nothing."""
    frame, labels = gaussian(random)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 700, size=len(labels)), unit="D")
    return _placed(random, frame, "signed_up", days), labels


def gaps(random: np.random.Generator) -> Draw:
    """Missing values at random, a boolean, and ranks of a measurement."""
    frame, labels = gaussian(random, classes=2)
    frame = frame.mask(random.random(frame.shape) < 0.2)
    measured = labels + random.normal(size=len(labels))
    frame = _placed(random, frame, "place", np.argsort(np.argsort(measured)).astype(float))
    frame["measured"] = measured + 0.3 * random.normal(size=len(labels))
    frame["smokes"] = random.random(len(labels)) < 0.3
    return frame, labels


def curved(random: np.random.Generator) -> Draw:
    """Rows on a curve in many dimensions, close together."""
    rows = int(random.integers(200, 900))
    at = random.uniform(0, 6, size=rows)
    values = np.stack([np.sin(at * k + k) for k in range(1, 9)], axis=1) + 0.02 * random.normal(size=(rows, 8))
    return pd.DataFrame(values, columns=[f"w{i}" for i in range(8)]), (at > 3).astype(int)


CLEAN: dict[str, Callable[[np.random.Generator], Draw]] = {
    "Gaussian classes": gaussian,
    "strong features": strong_features,
    "one strong feature": one_strong_feature,
    "categories": categories,
    "correlated categories": correlated_categories,
    "prose": prose,
    "correlated features": correlated,
    "sorted by class": sorted_by_class,
    "sorted by a feature": sorted_by_feature,
    "many classes": many_classes,
    "imbalanced": imbalanced,
    "ages and counts": ages_and_counts,
    "steep age": steep_age,
    "zip codes": zip_codes,
    "rounded": rounded,
    "dates": dates,
    "gaps": gaps,
    "rows on a curve": curved,
}

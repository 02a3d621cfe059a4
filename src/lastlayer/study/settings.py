"""What a study may be asked, checked before any work is done."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lastlayer.findings import METRICS
from lastlayer.study.error import StudyError

#: How often the folds are drawn.
REPEATS = 2
#: Metric → differences inside ± this count as equal at most, unless a study is asked otherwise.
MARGIN = {metric.key: metric.margin for metric in METRICS.values()}
#: Strengths that each fit chooses from, half a power of ten apart, with three digits. Measured on the bundled datasets: scores of the ratio sum to
#: one, so its weights are small and want C near 1e-5, while softmax wants 1 to 100 and taylor up to 1000.
GRID = tuple(float(f"{10 ** (half / 2):.2e}") for half in range(-14, 9))


@dataclass(frozen=True)
class StudySettings:
    """What a study was asked to do."""

    #: Labels of the mappings, in the order asked for, softmax among them.
    mappings: tuple[str, ...]
    folds: int
    repeats: int
    seed: int
    #: The fixed strength, or None where each fit chose its own from `grid`.
    C: float | None
    grid: tuple[float, ...]
    #: Metric → the largest difference that counts as equal.
    margin: dict[str, float]
    level: float = 0.95
    #: Fits at a time; None where the study decides.
    jobs: int | None = None
    #: Columns: rows of one group stay together; training rows are earlier than test rows.
    groups: str | None = None
    time: str | None = None
    #: Whether numbers became splines, so that linear models can bend.
    splines: bool = False
    #: Seconds after which no fit was started.
    time_limit: float | None = None


def check_settings(
    *,
    mappings: tuple[str, ...],
    folds: Any = 5,
    repeats: Any = None,
    seed: Any = 0,
    C: Any = None,
    jobs: Any = None,
    margin: Mapping[str, float] | None = None,
    groups: str | None = None,
    time: str | None = None,
    splines: bool = False,
    time_limit: Any = None,
) -> StudySettings:
    """The settings, or what is wrong with them.

    `margin` are the margins that were asked for; `resolve_margins` knows the others once the classes are known.

    Raises:
        StudyError: a setting is outside its range, or two of them exclude each other.
    """
    for name, column in (("groups", groups), ("time", time)):
        if column is not None and not isinstance(column, str):
            raise StudyError(f"{name} is a {type(column).__name__}; give the name of a column of the table.")
    if groups is not None and time is not None:
        raise StudyError(
            f"Both groups ({groups!r}) and time ({time!r}) were given; a study splits by one of them. Leave one out."
        )
    _check_integer("folds", folds, 2, "two or more", "5 is usual")
    if repeats is None:
        repeats = REPEATS if time is None else 1
    _check_integer("repeats", repeats, 1, "one or more", "2 is usual")
    if time is not None and repeats != 1:
        raise StudyError(
            f"repeats is {repeats!r}, but there is only one way to train on earlier rows and test on later ones; leave repeats out."
        )
    _check_integer("seed", seed, 0, "a whole number from 0 to 4294967295", "0 is usual", most=2**32 - 1)
    if jobs is not None and (not _is_integer(jobs) or jobs == 0):
        raise StudyError(f"jobs is {jobs!r}; give the number of fits at a time, or -1 for one per core.")
    if C is not None and not (_is_number(C) and 0 < C < math.inf):
        raise StudyError(f"C is {C!r}; give a positive number, or leave it out so that each fit chooses its own.")
    if time_limit is not None and not (_is_number(time_limit) and 0 < time_limit < math.inf):
        raise StudyError(f"time_limit is {time_limit!r}; give a positive number of seconds.")
    return StudySettings(
        mappings=mappings,
        folds=int(folds),
        repeats=int(repeats),
        seed=int(seed),
        C=None if C is None else float(C),
        grid=GRID if C is None else (),
        margin=_check_margin(margin),
        jobs=None if jobs is None else int(jobs),
        groups=groups,
        time=time,
        splines=bool(splines),
        time_limit=None if time_limit is None else float(time_limit),
    )


def resolve_margins(asked: Mapping[str, float], frequencies: np.ndarray) -> dict[str, float]:
    """Metric → the margin asked for, or min(margin, share × what answering with the class frequencies f leaves to gain).

    That is 1 − Σ f² in the Brier score, the entropy −Σ f log f in the log loss, and 1 − max f in accuracy and calibration error.
    With one row of the other class in a thousand, a fixed margin would call everything equal.
    """
    f = frequencies[frequencies > 0]
    left = {
        "brier": 1.0 - float(np.sum(f * f)),
        "log_loss": -float(np.sum(f * np.log(f))),
        "accuracy": 1.0 - float(np.max(f)),
        "ece": 1.0 - float(np.max(f)),
    }
    resolved = {m.key: min(m.margin, m.margin_share * left[m.key]) for m in METRICS.values()}
    return resolved | dict(asked)


def _check_integer(name: str, value: Any, least: int, required: str, hint: str, most: float = math.inf) -> None:
    if not _is_integer(value) or not least <= value <= most:
        raise StudyError(f"{name} is {value!r}; it must be {required} ({hint}).")


def _check_margin(margin: Mapping[str, float] | None) -> dict[str, float]:
    for metric, value in (margin or {}).items():
        if metric not in MARGIN:
            raise StudyError(f"There is no metric {metric!r} to give a margin for; there are {', '.join(MARGIN)}.")
        if not (_is_number(value) and 0 <= value < math.inf):
            raise StudyError(f"The margin of {metric} is {value!r}; give a number that is zero or more.")
    return {metric: float(value) for metric, value in (margin or {}).items()}


def _is_integer(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

"""What a study may be asked, checked before any work is done."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lastlayer.findings import METRICS
from lastlayer.study.error import StudyError

#: Metric → differences inside ± this count as equal, unless a study is asked otherwise.
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
    jobs: int = 1
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
    folds: Any,
    repeats: Any,
    seed: Any,
    C: Any,
    jobs: Any,
    margin: Mapping[str, float] | None,
) -> StudySettings:
    """The settings, or what is wrong with them.

    Raises:
        StudyError: a setting is outside its range.
    """
    _check_integer("folds", folds, 2, "two or more", "5 is usual")
    _check_integer("repeats", repeats, 1, "one or more", "2 is usual")
    _check_integer("seed", seed, 0, "a whole number from 0 to 4294967295", "0 is usual", most=2**32 - 1)
    if not _is_integer(jobs) or jobs == 0:
        raise StudyError(f"jobs is {jobs!r}; give the number of fits at a time, or -1 for one per core.")
    if C is not None and not (_is_number(C) and 0 < C < math.inf):
        raise StudyError(f"C is {C!r}; give a positive number, or leave it out so that each fit chooses its own.")
    return StudySettings(
        mappings=mappings,
        folds=int(folds),
        repeats=int(repeats),
        seed=int(seed),
        C=None if C is None else float(C),
        grid=GRID if C is None else (),
        margin=_check_margin(margin),
        jobs=int(jobs),
    )


def _check_integer(name: str, value: Any, least: int, required: str, hint: str, most: float = math.inf) -> None:
    if not _is_integer(value) or not least <= value <= most:
        raise StudyError(f"{name} is {value!r}; it must be {required} ({hint}).")


def _check_margin(margin: Mapping[str, float] | None) -> dict[str, float]:
    for metric, value in (margin or {}).items():
        if metric not in MARGIN:
            raise StudyError(f"There is no metric {metric!r} to give a margin for; there are {', '.join(MARGIN)}.")
        if not (_is_number(value) and 0 <= value < math.inf):
            raise StudyError(f"The margin of {metric} is {value!r}; give a number that is zero or more.")
    return {**MARGIN, **{metric: float(value) for metric, value in (margin or {}).items()}}


def _is_integer(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

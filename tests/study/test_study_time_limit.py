"""A study with a time limit: what is finished is compared, what is not is said, and the same study goes on from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lastlayer.findings import Finding
from lastlayer.study import StudyError, fit_split, run_study

OPTIONS: dict[str, Any] = {"mappings": ["ratio", "sparsemax"], "folds": 2, "repeats": 1, "C": 1.0, "jobs": 1}


def late_after(fits: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the time be up once that many fits were begun; returns what was begun."""
    begun: list[str] = []
    fit = fit_split._fit

    def counted(fold: Any, labels: Any, split: Any, task: Any, settings: Any) -> Any:
        begun.append(task.label)
        return fit(fold, labels, split, task, settings)

    monkeypatch.setattr(fit_split, "_fit", counted)
    monkeypatch.setattr(fit_split, "_is_late", lambda surroundings: len(begun) >= fits)
    return begun


def test_what_is_finished_is_compared_and_the_rest_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The reference, then three baselines, then sparsemax on two splits each, the ratio on one.
    begun = late_after(2 * 4 + 2 + 1, monkeypatch)
    results = run_study("iris", out=tmp_path, time_limit=1000, **OPTIONS)
    assert begun[:5] == ["softmax", "softmax", "class_frequencies", "logistic_regression", "boosted_trees"]
    assert begun[8:] == ["sparsemax", "sparsemax", "ratio"], "the most promising first"
    assert [results.status(name) for name in ("softmax", "sparsemax", "ratio")] == ["ok", "ok", "out of time"]
    assert set(results.comparisons["mapping"]) == {"sparsemax"}
    assert "ratio" not in set(results.summary["mapping"])
    assert Finding("out_of_time", "ratio", {"fits": 1, "limit": 1000.0}) in results.findings
    monkeypatch.undo()
    rest = late_after(10**9, monkeypatch)
    whole = run_study("iris", out=tmp_path, **OPTIONS)
    assert rest == ["ratio"]
    assert set(whole.comparisons["mapping"]) == {"sparsemax", "ratio"}


def test_without_the_reference_there_is_nothing_to_compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late_after(1, monkeypatch)
    with pytest.raises(StudyError, match=r"time limit of 1000 s was over before softmax, .* goes on from there"):
        run_study("iris", out=tmp_path, time_limit=1000, **OPTIONS)


def test_the_clock_decides(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="time limit of 1e-06 s was over"):
        run_study("iris", out=tmp_path, time_limit=1e-6, **OPTIONS)


@pytest.mark.parametrize("limit", [0, -1, np.inf, "soon", True])
def test_a_limit_is_a_positive_number(limit: Any, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="time_limit is"):
        run_study("iris", out=tmp_path, time_limit=limit, **OPTIONS)

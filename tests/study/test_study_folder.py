"""One folder per table and target: a second study replaces no other one's report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lastlayer.study import StudyError, run_study
from lastlayer.study.call import call_of
from lastlayer.study.storage.folder import study_folder

SMALL: dict[str, Any] = {"mappings": "softmax", "folds": 2, "repeats": 1, "C": 1.0, "jobs": 1}


def test_each_table_and_target_has_its_own(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": range(20), "a": list("pq") * 10, "b": list("ppqq") * 5})
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        table.to_csv(tmp_path / place / "data.csv", index=False)
    out = tmp_path / "out"
    folders = [
        run_study(tmp_path / place / "data.csv", target, out=out, **SMALL).folder
        for place, target in (("here", "a"), ("here", "b"), ("there", "a"), ("here", "a"))
    ]
    assert [folder and folder.name for folder in folders] == ["data-a", "data-b", "data-a-2", "data-a"]


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("iris", None, "iris"),
        ("data.csv.gz", "y", "data-y"),
        ("../../etc/passwd.csv", "y", "passwd-y"),
        ("a b:c.csv", "my target/2", "a_b_c-my_target_2"),
        (".csv", "y", "csv-y"),
        ("…", None, "data"),
        ("x" * 300, None, "x" * 60),
    ],
)
def test_a_name_is_a_plain_folder_below_the_given_one(
    name: str, target: str | None, expected: str, tmp_path: Path
) -> None:
    folder = study_folder(tmp_path, name, target, "source")
    assert folder == tmp_path / expected
    assert folder.is_dir()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match=r"cannot be written .*give another one with --out"):
        study_folder(tmp_path / "file", "iris", None, "")


def test_a_call_is_repeated_as_it_was_made(tmp_path: Path) -> None:
    results = run_study("iris", out=tmp_path, **SMALL)
    assert results.command == "run_study('iris', mappings='softmax', folds=2, repeats=1, C=1.0, seed=0)"
    frame = pd.DataFrame({"x": range(20)})
    assert (
        call_of(frame, {"target": list("ab") * 50, "drop": ("x",)})
        == "run_study(<DataFrame>, target=<list>, drop=('x',))"
    )
    assert call_of(Path("t.csv"), {"time": "when", "out": "there"}) == "run_study('t.csv', time='when')"

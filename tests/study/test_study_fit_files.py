"""A fit file that is not this study's own is refitted, not believed, and never ends in a traceback."""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lastlayer.study import StudyResults, run_study
from lastlayer.study.fit.finished import FinishedFit, FitKey
from lastlayer.study.schema import FITS
from lastlayer.study.storage.checkpoint import _digest, read_fit, write_fit

#: Columns that differ from run to run.
TIMES = ["fit_seconds", "search_seconds"]
OPTIONS: dict[str, Any] = {"mappings": ["softmax", "sparsemax"], "folds": 2, "repeats": 1, "C": 1.0}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyResults, dict[str, bytes]]:
    """A finished study, its results, and its fit files."""
    out = tmp_path_factory.mktemp("kept")
    results = run_study("iris", out=out, **OPTIONS)
    folder = out / "iris"
    return folder, results, {path.name: path.read_bytes() for path in folder.glob("fits/*/*.parquet")}


Facts = dict[str, Any]
Edit = Callable[[pa.Table, Facts], tuple[pa.Table, Facts]]


def row(**changes: Any) -> Edit:
    return lambda table, facts: (table, {**facts, "row": {**facts["row"], **changes}})


def fact(**changes: Any) -> Edit:
    return lambda table, facts: (table, {**facts, **changes})


def without(name: str) -> Edit:
    return lambda table, facts: (table, {key: value for key, value in facts.items() if key != name})


def rows_of(**changes: Any) -> Edit:
    """Columns of one repeated value in the place of what was there."""
    return lambda table, facts: (
        pa.table(
            {name: [changes[name]] * len(table) if name in changes else table[name] for name in table.column_names}
        ),
        facts,
    )


def column(name: str, change: Callable[[int], Any]) -> Edit:
    """A column in the place of another one, or a further one."""
    return lambda table, facts: (
        pa.table({key: table[key] for key in table.column_names} | {name: change(len(table))}),
        facts,
    )


EDITS: dict[str, Edit] = {
    **{f"{name} {value!r}": row(**{name: value}) for name, kind in FITS.items() for value in (None, "x", [1], {}, True, 10**400, -1, 1e308) if not (kind == "bool" and value is True)},
    "another mapping": row(mapping="softmax"),
    "another fold": row(fold=1),
    "another repeat": row(repeat=1),
    "another C": row(C=2.0),
    "accuracy in range": row(accuracy=0.5),
    "brier in range": row(brier=0.01),
    "log loss infinite": row(log_loss="inf"),
    "n_test 2**70": row(n_test=2**70),
    "n_encoded text": fact(n_encoded="x"),
    "n_encoded none": fact(n_encoded=None),
    "n_encoded zero": fact(n_encoded=0),
    "row a list": fact(row=[1]),
    "row empty": fact(row={}),
    "no row": without("row"),
    "no key": without("key"),
    "key none": fact(key=None),
    "key another": fact(key="another"),
    "confidence text": rows_of(confidence="a"),
    "confidence 7": rows_of(confidence=7.0),
    "confidence negative": rows_of(confidence=-0.5),
    "confidence NaN": rows_of(confidence=math.nan),
    "confidence infinite": rows_of(confidence=math.inf),
    "confidence null": column("confidence", lambda n: pa.array([None] * n, pa.float64())),
    "confidence lists": rows_of(confidence=[1.0]),
    "confidence plausible": rows_of(confidence=0.9),
    "predicted text": rows_of(predicted="a"),
    "predicted −2": rows_of(predicted=-2),
    "predicted 3": rows_of(predicted=3),
    "predicted outside": rows_of(predicted=-1),
    "predicted null": column("predicted", lambda n: pa.array([None] * n, pa.int64())),
    "correct a number": rows_of(is_correct=1),
    "correct null": column("is_correct", lambda n: pa.array([None] * n, pa.bool_())),
    "probabilities text": rows_of(probabilities="a"),
    "probabilities of two classes": column("probabilities", lambda n: pa.array([[0.5, 0.5]] * n, pa.list_(pa.float32(), 2))),
    "probabilities plausible": column("probabilities", lambda n: pa.array([[0.2, 0.3, 0.5]] * n, pa.list_(pa.float32(), 3))),
    "probabilities missing": column("probabilities", lambda n: pa.array([None] * n, pa.list_(pa.float32(), 3))),
    "one column": lambda table, facts: (table.select(["confidence"]), facts),
    "a column more": column("more", lambda n: [1] * n),
    "no rows": lambda table, facts: (table.slice(0, 0), facts),
    "a row less": lambda table, facts: (table.slice(1), facts),
    "two rows swapped": lambda table, facts: (table.take([1, 0, *range(2, len(table))]), facts),
    "twice the rows": lambda table, facts: (pa.concat_tables([table, table]), facts),
    "a million rows": lambda table, facts: (table.take([0] * 1_000_000), facts),
}  # fmt: skip


def as_fit(table: pa.Table, facts: Facts) -> FinishedFit:
    """What is in the file, believed."""
    columns = {name: table[name].to_numpy() for name in ("confidence", "predicted", "is_correct")}
    p = (
        np.stack(table["probabilities"].to_numpy()).astype(np.float32)
        if "probabilities" in table.column_names
        else None
    )
    return FinishedFit(facts["row"], facts["n_encoded"], **columns, probabilities=p)


def edited(good: bytes, edit: Edit, path: Path, *, has_digest: bool) -> None:
    """Write the edited fit; with a digest made to match where `has_digest`."""
    path.write_bytes(good)
    table = pq.read_table(path)
    facts = json.loads(table.schema.metadata[b"lastlayer"])
    table, facts = edit(table, facts)
    if has_digest and facts.pop("digest", None) is not None:
        try:
            # What is no number cannot be digested: the old digest stays.
            facts["digest"] = _digest(facts, as_fit(table, facts))
        except (KeyError, TypeError, ValueError, OverflowError, RuntimeWarning, pa.ArrowException):
            facts["digest"] = "0" * 64
    pq.write_table(table.replace_schema_metadata({b"lastlayer": json.dumps(facts).encode()}), path)


@pytest.fixture(scope="module")
def key(kept: tuple[Path, StudyResults, dict[str, bytes]]) -> FitKey:
    out, _, files = kept
    (folder,) = (out / "fits").iterdir()
    stem = next(name for name in files if name.startswith("sparsemax")).split("-r0")[0]
    return FitKey(folder.name, stem, "sparsemax", 0, 0, 75, 75, (1.0,), 3)


def good_fit(kept: tuple[Path, StudyResults, dict[str, bytes]], key: FitKey) -> bytes:
    return kept[2][f"{key.stem}-r0-f0.parquet"]


def test_the_file_as_it_was_written_is_believed(kept: Any, key: FitKey, tmp_path: Path) -> None:
    path = tmp_path / "fit.parquet"
    path.write_bytes(good_fit(kept, key))
    assert read_fit(path, key) is not None
    edited(good_fit(kept, key), lambda table, facts: (table, facts), path, has_digest=True)
    assert read_fit(path, key) is not None


#: What numbers cannot show once somebody has made the digest match: they are those of a possible fit.
POSSIBLE = {"log loss infinite", "two rows swapped", "roc_auc None", "average_precision None"}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_file_is_not_believed(edit: str, kept: Any, key: FitKey, tmp_path: Path) -> None:
    path = tmp_path / "fit.parquet"
    edited(good_fit(kept, key), EDITS[edit], path, has_digest=False)
    assert read_fit(path, key) is None
    edited(good_fit(kept, key), EDITS[edit], path, has_digest=True)
    possible = edit in POSSIBLE or edit.split()[0] in (
        "log_loss",
        "log_loss_valid",
        "support_size",
        "fit_seconds",
        "restart_spread",
        "score_scale",
        "search_seconds",
        "skill",
    )
    fit = read_fit(path, key)
    assert fit is None or possible
    if fit is not None:
        assert all(isinstance(fit.row[name], float) for name, kind in FITS.items() if kind == "float64")


@pytest.mark.parametrize(
    "change",
    [
        {"study": "0" * 16},
        {"stem": "sparsemax-00000000"},
        {"mapping": "softmax"},
        {"repeat": 1},
        {"fold": 1},
        {"n_train": 76},
        {"n_test": 74},
        {"strengths": (2.0,)},
        {"strengths": (1.0, 2.0)},
        {"n_classes": 0},
        {"n_classes": 2},
    ],
)
def test_a_fit_of_something_else_is_not_believed(change: Any, kept: Any, key: FitKey, tmp_path: Path) -> None:
    path = tmp_path / "fit.parquet"
    path.write_bytes(good_fit(kept, key))
    assert read_fit(path, replace(key, **change)) is None


def _metadata(text: bytes) -> Callable[[Path, bytes], None]:
    def write(path: Path, good: bytes) -> None:
        path.write_bytes(good)
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({b"lastlayer": text}), path)

    return write


def _replaced(make: Callable[[Path], None]) -> Callable[[Path, bytes], None]:
    def write(path: Path, good: bytes) -> None:
        path.unlink(missing_ok=True)
        make(path)

    return write


BROKEN: dict[str, Callable[[Path, bytes], None]] = {
    "empty": lambda path, good: path.write_bytes(b"") and None,
    "zeros": lambda path, good: path.write_bytes(bytes(len(good))) and None,
    "text": lambda path, good: path.write_text("no Parquet") and None,
    "cut": lambda path, good: path.write_bytes(good[:-100]) and None,
    "cut at the front": lambda path, good: path.write_bytes(good[100:]) and None,
    "one bit": lambda path, good: path.write_bytes(good[:60] + bytes([good[60] ^ 1]) + good[61:]) and None,
    "far too long": lambda path, good: path.write_bytes(good + bytes(1 << 21)) and None,
    "no metadata": lambda path, good: pd.read_parquet(io.BytesIO(good)).to_parquet(path),
    "deep JSON": _metadata(b"[" * 200_000),
    "deep JSON in a row": _metadata(b'{"row": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "not JSON": _metadata(b"{"),
    "JSON of no object": _metadata(b"[1, 2]"),
    "not UTF-8": _metadata(b"\xff\xfe"),
    "a huge number": _metadata(b'{"key": 1' + b"0" * 5000 + b"}"),
    "NaN": _metadata(b'{"key": NaN}'),
    "a link to itself": _replaced(lambda path: path.symlink_to(path.name)),
    "a link to nowhere": _replaced(lambda path: path.symlink_to("/nowhere/at/all")),
    "a pipe": _replaced(lambda path: os.mkfifo(path)),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_file_is_made_again_with_the_same_result(damage: str, kept: Any, key: FitKey) -> None:
    folder, results, files = kept
    path = folder / "fits" / key.study / f"{key.stem}-r0-f0.parquet"
    try:
        BROKEN[damage](path, files[path.name])
        again = run_study("iris", out=folder.parent, **OPTIONS)
        pd.testing.assert_frame_equal(again.fits.drop(columns=TIMES), results.fits.drop(columns=TIMES))
        pd.testing.assert_frame_equal(again.calibration, results.calibration)
        assert path.is_file()
        assert read_fit(path, key) is not None
    finally:
        path.unlink(missing_ok=True)
        path.write_bytes(files[path.name])


@pytest.mark.parametrize("swap", ["softmax-r0-f0", "sparsemax-r0-f1", "softmax-r0-f1"])
def test_a_renamed_fit_is_made_again(swap: str, kept: Any, key: FitKey) -> None:
    out, results, files = kept
    folder = out / "fits" / key.study
    path = folder / f"{key.stem}-r0-f0.parquet"
    mapping, _, place = swap.partition("-")
    other = next(name for name in files if name.startswith(mapping) and name.endswith(f"{place}.parquet"))
    path.write_bytes(files[other])
    again = run_study("iris", out=out.parent, **OPTIONS)
    pd.testing.assert_frame_equal(again.fits.drop(columns=TIMES), results.fits.drop(columns=TIMES))
    assert read_fit(path, key) is not None


def test_a_folder_in_the_place_of_a_fit_is_left_alone(kept: Any, key: FitKey, tmp_path: Path) -> None:
    run_study("iris", out=tmp_path, **OPTIONS)
    (path,) = tmp_path.glob("iris/fits/*/sparsemax*-r0-f0.parquet")
    path.unlink()
    (path / "mine").mkdir(parents=True)
    again = run_study("iris", out=tmp_path, **OPTIONS)
    assert again.status("sparsemax") == "ok"
    assert (path / "mine").is_dir()


def test_infinities_and_gaps_survive(tmp_path: Path) -> None:
    """What a mapping outside its domain on every test row leaves is plausible, too."""
    nothing = dict.fromkeys(
        ("accuracy_valid", "brier_valid", "log_loss_valid", "support_size", "sharpness", "ece", "skill"), math.nan
    )
    values: dict[str, Any] = {name: 1 if kind == "int64" else 0.0 for name, kind in FITS.items()}
    values |= {"mapping": "ratio", "repeat": 0, "fold": 0, "n_train": 8, "n_test": 4, "C": 10.0, "C_at_edge": True}
    values |= {
        "converged": False,
        "is_cut_short": False,
        "accuracy": 0.0,
        "brier": 2.0,
        "log_loss": math.inf,
        "infinite_share": 1.0,
    }
    values |= {"invalid_share": 1.0, "invalid_rows": 4, "ece_rows": 0, **nothing}
    key = FitKey("study", "ratio-0", "ratio", 0, 0, 8, 4, (1.0, 10.0))
    outside = FinishedFit(values, 3, np.full(4, np.nan), np.full(4, -1), np.zeros(4, dtype=bool))
    write_fit(tmp_path / "fit.parquet", key, outside)
    fit = read_fit(tmp_path / "fit.parquet", key)
    assert fit is not None
    assert {k: str(v) for k, v in fit.row.items()} == {k: str(v) for k, v in values.items()}
    assert np.isnan(fit.confidence).all()
    assert not fit.inside.any()


@pytest.mark.parametrize("text", [b"[" * 200_000, b"{}", b"[]", b'{"settings": 1}', b"\xff"])
def test_results_that_hold_anything_are_told(text: bytes, tmp_path: Path) -> None:
    table = pa.table({"x": [1]}).replace_schema_metadata({b"lastlayer": text})
    pq.write_table(table, tmp_path / "results.parquet")
    with pytest.raises(ValueError, match="holds no results of a study"):
        StudyResults.read_parquet(tmp_path / "results.parquet")

"""Finished fits on disk: each one written at once and whole, and found again by its key."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lastlayer.files import replace_file
from lastlayer.findings.json_numbers import from_json, to_json
from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.error import StudyError
from lastlayer.study.fit.finished import FinishedFit, FitKey, is_plausible
from lastlayer.study.schema import FITS
from lastlayer.study.storage.fingerprint import mapping_fingerprint
from lastlayer.study.storage.parquet import read_stored, write_stored

#: The columns of every fit file; where probabilities are kept, a list of them per row follows.
_COLUMNS = {"confidence": pa.float64(), "predicted": pa.int64(), "is_correct": pa.bool_()}
#: The largest size of a fit file in bytes: a constant part, and parts per test row and per probability.
_BYTES, _BYTES_PER_ROW, _BYTES_PER_PROBABILITY = 1 << 20, 64, 8


@dataclass(frozen=True)
class Checkpoints:
    """The finished fits of one fingerprint, in one folder."""

    folder: Path

    def stem(self, mapping: ProbabilityMapping | str) -> str:
        """What the files of the fits of a mapping, or of a baseline, begin with."""
        if isinstance(mapping, str):
            return f"baseline-{mapping}"
        return f"{re.sub(r'[^A-Za-z0-9_.=-]', '_', mapping.label)[:80]}-{mapping_fingerprint(mapping)}"

    def path(self, key: FitKey) -> Path:
        """Where the fit of a mapping on a split is kept."""
        return self.folder / f"{key.stem}-r{key.repeat}-f{key.fold}.parquet"

    def prepare(self) -> None:
        """Make the folder and check that it can be written.

        Raises:
            StudyError: it cannot.
        """
        probe = self.folder / "writable"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(probe, lambda temporary: None)
            probe.unlink()
        except OSError as error:
            raise StudyError(
                f"The folder {self.folder} cannot be written ({error.strerror or error}); give another one with --out."
            ) from error


def write_fit(path: Path, key: FitKey, fit: FinishedFit) -> None:
    """Write a fit, whole or not at all, with its key and a digest of both.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    columns = {name: getattr(fit, name) for name in _COLUMNS}
    if fit.probabilities is not None:
        flat = pa.array(np.ascontiguousarray(fit.probabilities, dtype=np.float32).ravel())
        columns["probabilities"] = pa.FixedSizeListArray.from_arrays(flat, key.n_classes)
    facts = to_json({"key": key.text(), "row": fit.row, "n_encoded": fit.n_encoded})
    write_stored(path, pa.table(columns, schema=_schema(key)), {**facts, "digest": _digest(facts, fit)})


def read_fit(path: Path, key: FitKey) -> FinishedFit | None:
    """The fit in that file; None unless it is what `write_fit` wrote for this very key, and plausible.

    Somebody else's file, a renamed, broken or edited one is no fit: the caller makes it again.
    """
    try:
        most = _BYTES + key.n_test * (_BYTES_PER_ROW + _BYTES_PER_PROBABILITY * key.n_classes)
        if not path.is_file() or path.stat().st_size > most:
            return None
        table, facts = read_stored(path, most_rows=key.n_test)
        if facts["key"] != key.text() or not table.schema.equals(_schema(key)):
            return None
        if any(column.null_count for column in table.columns):
            return None
        columns = {name: table[name].to_numpy() for name in _COLUMNS}
        p = None
        if key.n_classes:
            flat = table["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            p = flat.reshape(-1, key.n_classes)
        digest = facts.pop("digest")
        row = {name: from_json(facts["row"][name], kind) for name, kind in FITS.items()}
        fit = FinishedFit(row, facts["n_encoded"], **columns, probabilities=p)
        return fit if digest == _digest(facts, fit) and is_plausible(fit, key) else None
    # The file may hold anything, so reading it may fail in any way; a fit that is made again is right in every case.
    except Exception:
        return None


def _schema(key: FitKey) -> pa.Schema:
    more = {"probabilities": pa.list_(pa.float32(), key.n_classes)} if key.n_classes else {}
    return pa.schema(_COLUMNS | more)


def _digest(facts: dict[str, Any], fit: FinishedFit) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode())
    for name, kind in (("confidence", np.float64), ("predicted", np.int64), ("is_correct", np.bool_)):
        digest.update(np.ascontiguousarray(getattr(fit, name), dtype=kind).tobytes())
    if fit.probabilities is not None:
        digest.update(np.ascontiguousarray(fit.probabilities, dtype=np.float32).tobytes())
    return digest.hexdigest()

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

#: The columns of a fit file.
_COLUMNS = pa.schema({"confidence": pa.float64(), "is_correct": pa.bool_()})
#: The largest size of a fit file in bytes: a constant part, and a part per test row.
_BYTES, _BYTES_PER_ROW = 1 << 20, 64


@dataclass(frozen=True)
class Checkpoints:
    """The finished fits of one fingerprint, in one folder."""

    folder: Path

    def stem(self, mapping: ProbabilityMapping) -> str:
        """What the files of a mapping's fits begin with."""
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
    table = pa.table({"confidence": fit.confidence, "is_correct": fit.is_correct}, schema=_COLUMNS)
    facts = to_json({"key": key.text(), "row": fit.row, "n_encoded": fit.n_encoded})
    write_stored(path, table, {**facts, "digest": _digest(facts, fit.confidence, fit.is_correct)})


def read_fit(path: Path, key: FitKey) -> FinishedFit | None:
    """The fit in that file; None unless it is what `write_fit` wrote for this very key, and plausible.

    Somebody else's file, a renamed, broken or edited one is no fit: the caller makes it again.
    """
    try:
        if not path.is_file() or path.stat().st_size > _BYTES + _BYTES_PER_ROW * key.n_test:
            return None
        table, facts = read_stored(path, most_rows=key.n_test)
        if facts["key"] != key.text() or not table.schema.equals(_COLUMNS):
            return None
        confidence, is_correct = (table[name].to_numpy() for name in _COLUMNS.names)
        digest = facts.pop("digest")
        if digest != _digest(facts, confidence, is_correct):
            return None
        row = {name: from_json(facts["row"][name], kind) for name, kind in FITS.items()}
        fit = FinishedFit(row, facts["n_encoded"], confidence, is_correct)
        return fit if is_plausible(fit, key) else None
    # The file may hold anything, so reading it may fail in any way; a fit that is made again is right in every case.
    except Exception:
        return None


def _digest(facts: dict[str, Any], confidence: np.ndarray, is_correct: np.ndarray) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode())
    digest.update(np.ascontiguousarray(confidence, dtype=np.float64).tobytes())
    digest.update(np.ascontiguousarray(is_correct, dtype=np.bool_).tobytes())
    return digest.hexdigest()

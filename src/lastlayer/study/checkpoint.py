"""Finished fits on disk: each one written at once and whole, and found again by what it depends on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lastlayer.mappings import ProbabilityMapping
from lastlayer.study.error import StudyError
from lastlayer.study.files import replace_file
from lastlayer.study.fingerprint import mapping_fingerprint
from lastlayer.study.json_numbers import from_json
from lastlayer.study.schema import FITS
from lastlayer.study.stored import read_stored, write_stored


@dataclass(frozen=True)
class FinishedFit:
    """One fit: its row of `FITS`, and per test row inside the domain the top probability and whether it is right."""

    row: dict[str, Any]
    n_encoded: int
    confidence: np.ndarray
    is_correct: np.ndarray


@dataclass(frozen=True)
class Checkpoints:
    """The finished fits of one fingerprint, in a folder of their own."""

    folder: Path

    def stem(self, mapping: ProbabilityMapping) -> str:
        """What the files of a mapping's fits begin with."""
        return f"{re.sub(r'[^A-Za-z0-9_.=-]', '_', mapping.label)[:80]}-{mapping_fingerprint(mapping)}"

    def path(self, stem: str, repeat: int, fold: int) -> Path:
        """Where the fit of a mapping on a split is kept."""
        return self.folder / f"{stem}-r{repeat}-f{fold}.parquet"

    def prepare(self) -> None:
        """Make the folder and check that it can be written.

        Raises:
            StudyError: it cannot.
        """
        probe = self.folder / "writable"
        try:
            replace_file(probe, lambda temporary: None)
            probe.unlink()
        except OSError as error:
            raise StudyError(
                f"The folder {self.folder} cannot be written ({error.strerror or error}); give another one with --out."
            ) from error


def write_fit(path: Path, fit: FinishedFit) -> None:
    """Write a fit, whole or not at all.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    table = pa.table({"confidence": fit.confidence, "is_correct": fit.is_correct})
    write_stored(path, table, {"row": fit.row, "n_encoded": fit.n_encoded})


def read_fit(path: Path) -> FinishedFit | None:
    """The fit in that file; None where there is none, or where the file is not what `write_fit` wrote."""
    try:
        table, facts = read_stored(path)
        row = {name: from_json(facts["row"][name], kind) for name, kind in FITS.items()}
        confidence = table["confidence"].to_numpy()
        return FinishedFit(row, facts["n_encoded"], confidence, table["is_correct"].to_numpy())
    except (OSError, KeyError, ValueError, TypeError):
        return None

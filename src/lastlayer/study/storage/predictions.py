"""Out-of-fold probabilities of a study in one Parquet file: what each mapping said of each row that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lastlayer.files import replace_file
from lastlayer.study.error import StudyError
from lastlayer.study.fit.finished import FinishedFit
from lastlayer.study.fit.splits import Split


def write_predictions(
    path: Path,
    fits: Iterable[tuple[FinishedFit, Split]],
    labels: np.ndarray,
    rows: np.ndarray,
    class_names: Sequence[str],
) -> None:
    """Write them, whole or not at all, fit by fit, so that they never lie in memory all at once.

    Columns: mapping, repeat, fold, row (of the data as they came, from 0), label (the name of the true class), and p_NAME for
    each class, float32. A row outside the mapping's domain has NaN.

    Raises:
        StudyError: the file cannot be written.
    """
    names = pa.array(class_names, pa.string())
    text = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [
            ("mapping", text),
            ("repeat", pa.int32()),
            ("fold", pa.int32()),
            ("row", pa.int64()),
            ("label", text),
            *((f"p_{name}", pa.float32()) for name in class_names),
        ]
    )

    def write(temporary: Path) -> None:
        with pq.ParquetWriter(temporary, schema) as file:
            for fit, split in fits:
                if fit.probabilities is not None:
                    file.write_table(pa.table(_columns(fit, fit.probabilities, split, labels, rows, names), schema))

    try:
        replace_file(path, write)
    except OSError as error:
        raise StudyError(
            f"{path} cannot be written ({error.strerror or error}). Give a folder you may write to, with room on the disk."
        ) from error


def _columns(
    fit: FinishedFit, p: np.ndarray, split: Split, labels: np.ndarray, rows: np.ndarray, names: pa.Array
) -> list[pa.Array]:
    n = len(split.test)
    mapping = pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), pa.array([fit.row["mapping"]]))
    true = pa.DictionaryArray.from_arrays(labels[split.test].astype(np.int32), names)
    return [
        mapping,
        pa.array(np.full(n, split.repeat, np.int32)),
        pa.array(np.full(n, split.fold, np.int32)),
        pa.array(rows[split.test]),
        true,
        *(pa.array(np.ascontiguousarray(column)) for column in p.T),
    ]

"""A table from a Parquet file, the target column in the type that it has there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lastlayer.study.data.columns import check_names
from lastlayer.study.data.memory import available_memory
from lastlayer.study.error import StudyError

#: Numbers of 8 bytes that a study holds for each cell at the least: the file's, the table's, and those of one split.
_COPIES = 3


def read_parquet(path: Path, target: str | None) -> pd.DataFrame:
    """The table; the target column keeps its Arrow type, so that integers keep their digits where labels are missing.

    Raises:
        OSError: the file cannot be read.
        StudyError: it is no Parquet file, two columns share a name, or the table does not fit in memory.
    """
    try:
        with pq.ParquetFile(path) as file:
            # Before the cells are read: pandas would rename or refuse columns that share a name.
            check_names([str(name) for name in file.schema_arrow.names], path)
            _check_size(file.metadata, path)
            table = file.read()
        frame = table.to_pandas().rename(columns=str)
    except (StudyError, OSError):
        raise
    except MemoryError as error:
        raise StudyError(f"{path.name} does not fit in memory; give a sample of its rows.") from error
    # What pandas wrote about the table is in the file as well, and may be anything.
    except (pa.ArrowException, EOFError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise StudyError(
            f"{path.name} is not a readable Parquet file; write it again, or save the table as .csv."
        ) from error
    if target in frame.columns:
        # pandas makes floats of integers with missing values, and only some of its types have all digits.
        frame[target] = pd.arrays.ArrowExtensionArray(table[target])
    return frame


def _check_size(metadata: pq.FileMetaData, path: Path) -> None:
    """A column of one repeated number takes nearly no room in a file, whatever its number of rows."""
    needed = _COPIES * 8 * metadata.num_rows * metadata.num_columns
    free = available_memory()
    if free is not None and needed > free:
        raise StudyError(
            f"{path.name} has {metadata.num_rows} rows of {metadata.num_columns} columns, for which a study takes "
            f"{needed / 1e9:.1f} GB of memory or more; {free / 1e9:.1f} GB are free. Give a sample of its rows."
        )

"""A table from a Parquet, Feather or Arrow file, or from anything that hands out Arrow's columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from lastlayer.study.data.list_columns import without_lists
from lastlayer.study.data.memory import check_fits
from lastlayer.study.data.names import check_names
from lastlayer.study.error import StudyError


def read_parquet(path: Path, target: str | None) -> pd.DataFrame:
    """The table; the target column keeps its Arrow type, so that integers keep their digits where labels are missing.

    Raises:
        OSError: the file cannot be read.
        StudyError: it is no Parquet file, two columns share a name, or the table does not fit in memory.
    """
    try:
        with pq.ParquetFile(path) as file:
            # Before the cells are read: pandas would rename or refuse columns that share a name.
            check_names([str(name) for name in file.schema_arrow.names], path.name)
            # A column of one repeated number takes nearly no room in a file, whatever its number of rows.
            check_fits(path.name, file.metadata.num_rows, file.metadata.num_columns)
            table = file.read()
        return arrow_frame(table, target, path.name)
    except (StudyError, OSError):
        raise
    except MemoryError as error:
        raise StudyError(f"{path.name} does not fit in memory; give a sample of its rows.") from error
    # What pandas wrote about the table is in the file as well, and may be anything.
    except (pa.ArrowException, EOFError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise StudyError(
            f"{path.name} is not a readable Parquet file; write it again, or save the table as .csv."
        ) from error


def read_feather(path: Path, target: str | None) -> pd.DataFrame:
    """The table of a Feather file (version 2), or of Arrow's file or stream format.

    Raises:
        OSError: the file cannot be read.
        StudyError: it is none, or two columns share a name.
    """
    try:
        with pa.memory_map(str(path)) as source:
            try:
                table = ipc.open_file(source).read_all()
            except pa.ArrowInvalid:
                source.seek(0)
                table = ipc.open_stream(source).read_all()
            return arrow_frame(table, target, path.name)
    except (StudyError, OSError):
        raise
    except (pa.ArrowException, EOFError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise StudyError(
            f"{path.name} is no readable Feather or Arrow file; write it again, or save the table as .parquet or .csv."
        ) from error


def arrow_frame(table: Any, target: str | None, name: str) -> pd.DataFrame:
    """The table for pandas: lists of numbers as columns, the target column in its Arrow type.

    Raises:
        StudyError: two columns share a name, or lists have different lengths.
    """
    check_names([str(column) for column in table.column_names], name)
    check_fits(name, table.num_rows, table.num_columns)
    kept = table[target] if target in table.column_names else None
    # Columns that pandas would make the index are columns.
    frame = without_lists(table, target, name)
    if kept is not None:
        # pandas makes floats of integers with missing values, and only some of its types have all digits.
        frame[target] = arrow_cells(kept)
    return frame


def arrow_cells(cells: Any) -> pd.arrays.ArrowExtensionArray:
    """Arrow's cells for a column of pandas, which cannot work with texts that are views."""
    whole = pa.chunked_array(cells)
    return pd.arrays.ArrowExtensionArray(
        whole.cast(pa.large_string()) if pa.types.is_string_view(whole.type) else whole
    )

"""Lists of numbers in the cells of a column, as embeddings come: one column for each number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from lastlayer.study.data.memory import check_fits
from lastlayer.study.error import StudyError


def list_names(column: str, width: int) -> list[str]:
    """The names of the columns that a column of lists becomes.

    >>> list_names("emb", 2)
    ['emb[0]', 'emb[1]']
    """
    return [f"{column}[{i}]" for i in range(width)]


def without_lists(table: Any, target: str | None, name: str) -> pd.DataFrame:
    """An Arrow table as a frame in which each list column became numeric ones.

    Raises:
        StudyError: the lists of a column have different lengths, or hold other things than numbers.
    """
    parts: list[pd.DataFrame] = []
    plain: list[str] = []

    def flush() -> None:
        if plain:
            chosen = table.select(plain)
            parts.append(chosen.to_pandas(ignore_metadata=True, split_blocks=True).rename(columns=str))
            plain.clear()

    for column in table.column_names:
        kind = table.schema.field(column).type
        if column != target and _is_list(kind):
            flush()
            parts.append(_expanded(str(column), table[column].combine_chunks(), name))
        else:
            plain.append(column)
    flush()
    return (
        parts[0]
        if len(parts) == 1
        else pd.concat(parts, axis=1)
        if parts
        else pd.DataFrame(index=range(table.num_rows))
    )


def _is_list(kind: Any) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _expanded(column: str, cells: Any, name: str) -> pd.DataFrame:
    cells = cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
    if not (pa.types.is_integer(cells.type.value_type) or pa.types.is_floating(cells.type.value_type)):
        raise StudyError(
            f"Column {column!r} of {name} holds lists of {cells.type.value_type} values; lists may hold numbers alone. "
            "Leave it out with --drop, or make columns of it."
        )
    known = cells.drop_null()
    lengths = pc.list_value_length(known)
    widths = np.unique(lengths.to_numpy(zero_copy_only=False))
    if len(widths) > 1:
        _refuse_lengths(column, cells, name)
    width = int(widths[0]) if len(widths) else 0
    check_fits(name, len(cells), width)
    values = known.flatten().to_numpy(zero_copy_only=False).astype(np.float64, copy=False).reshape(len(known), width)
    if cells.null_count:
        whole = np.full((len(cells), width), np.nan)
        whole[cells.is_valid().to_numpy(zero_copy_only=False)] = values
        values = whole
    return pd.DataFrame(values, columns=list_names(column, width), copy=False)


def _refuse_lengths(column: str, cells: Any, name: str) -> None:
    lengths = pc.list_value_length(cells).to_pandas()
    usual = int(lengths.mode().iloc[0])
    row = int(np.flatnonzero(lengths.notna() & (lengths != usual))[0])
    raise StudyError(
        f"Row {row + 1} of column {column!r} in {name} holds {int(lengths.iloc[row])} numbers where most rows hold {usual}; "
        "a study needs the same number in each row. Pad them, or take their mean."
    )


def expand_objects(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """A frame in which each column of arrays or lists of numbers became numeric ones.

    Raises:
        StudyError: the lists of a column have different lengths, or hold other things than numbers.
    """
    found = [
        column
        for column, kind in frame.dtypes.items()
        if pd.api.types.is_object_dtype(kind) and _holds_lists(frame[column])
    ]
    if not found:
        return frame
    parts = [
        _expanded(str(column), _arrow_lists(frame[column], name), name).set_axis(frame.index)
        if column in found
        else frame[[column]]
        for column in frame.columns
    ]
    return pd.concat(parts, axis=1)


def _holds_lists(column: pd.Series) -> bool:
    known = column.dropna()
    return len(known) > 0 and isinstance(known.iloc[0], (list, tuple, np.ndarray)) and np.ndim(known.iloc[0]) == 1


def _arrow_lists(column: pd.Series, name: str) -> Any:
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise StudyError(
            f"Column {column.name!r} of {name} holds lists that are not all of numbers; leave it out with --drop, or make columns of it."
        ) from error

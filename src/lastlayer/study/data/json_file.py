"""A table from JSON: one object per row, in a list or one in each line."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd

from lastlayer.study.data.list_columns import expand_objects
from lastlayer.study.data.names import check_names
from lastlayer.study.data.text_file import TextFile
from lastlayer.study.error import StudyError

#: Keys under which other programs put the rows.
_ROWS = ("data", "rows", "records")


def read_json(file: TextFile, is_lines: bool) -> pd.DataFrame:
    """The table; numbers, texts and booleans as JSON has them.

    Raises:
        OSError: the file cannot be read.
        StudyError: it is no JSON, or not one object per row.
    """
    encoding = file.encoding
    with io.TextIOWrapper(file.open(), encoding=encoding) as text:
        try:
            rows = [json.loads(line) for line in text if line.strip()] if is_lines else json.load(text)
        except (ValueError, RecursionError) as error:
            kind = "JSON lines (one object in each line)" if is_lines else "JSON"
            raise StudyError(
                f"{file.name} is no readable {kind}: {error}. Write it again, or save the table as .csv."
            ) from error
    frame = _frame(rows, file.name)
    check_names([str(column) for column in frame.columns], file.name)
    return expand_objects(frame.rename(columns=str), file.name)


def _frame(rows: Any, name: str) -> pd.DataFrame:
    if isinstance(rows, dict):
        rows = next((rows[key] for key in _ROWS if isinstance(rows.get(key), list)), rows)
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return pd.DataFrame(rows)
    # Columns with a list of cells each, or with an object of row → cell as pandas writes it.
    if isinstance(rows, dict) and rows and all(isinstance(cells, (list, dict)) for cells in rows.values()):
        columns = {key: list(cells.values()) if isinstance(cells, dict) else cells for key, cells in rows.items()}
        if len({len(cells) for cells in columns.values()}) == 1:
            return pd.DataFrame(columns)
    raise StudyError(
        f'{name} is no table: give a list with one object per row, as in [{{"x": 1, "label": "a"}}, …], or one object in each line of a .jsonl file.'
    )

"""A table and facts about it in one Parquet file: the facts are JSON in its metadata."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lastlayer.files import replace_file
from lastlayer.findings.json_numbers import to_json

_METADATA = b"lastlayer"


def write_stored(path: Path, table: pa.Table, facts: dict[str, Any]) -> None:
    """Write both, whole or not at all.

    Raises:
        OSError: the file cannot be written, or the disk is full.
    """
    text = json.dumps(to_json(facts), allow_nan=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _METADATA: text.encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or (path.exists() and not path.is_file() and not path.is_dir()):
        # Nobody named this file: a link or a pipe in its place is damage, and goes.
        path.unlink()
    replace_file(path, lambda temporary: pq.write_table(table, temporary))


def read_stored(path: Path, most_rows: int | None = None) -> tuple[pa.Table, dict[str, Any]]:
    """What `write_stored` wrote: the table and the facts.

    Raises:
        OSError: the file is not there or cannot be read.
        KeyError: it has no facts of ours.
        ValueError: it is no Parquet file, or has more than `most_rows`.
    """
    with pq.ParquetFile(path) as file:
        if most_rows is not None and file.metadata.num_rows > most_rows:
            raise ValueError(f"{path} has {file.metadata.num_rows} rows, {most_rows} at most are expected")
        table = file.read()
    facts: dict[str, Any] = json.loads((table.schema.metadata or {})[_METADATA])
    return table, facts

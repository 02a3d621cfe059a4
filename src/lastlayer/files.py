"""Files that are either whole or not there: written beside their place, then moved into it in one step."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def expanded(path: str | Path) -> Path:
    """The path with ~ replaced by the home folder; as in a shell, ~name of an unknown user stays as it is."""
    return Path(os.path.expanduser(path))


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` write a temporary file beside `path`, then move that over it.

    What was at `path` survives a failure; a kill leaves at most a temporary file that nothing reads.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}-", suffix=".tmp")
    os.close(descriptor)
    temporary = Path(name)
    try:
        write(temporary)
        # mkstemp makes files for their owner alone; results are for showing around.
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

"""Files that are either whole or absent: written under a temporary name next to their place, then moved there in one step."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with ~ replaced by the home folder; as in a shell, ~name of an unknown user stays as it is."""
    return Path(os.path.expanduser(path))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` write a temporary file in the folder of `path`, which must exist, then move it to `path`.

    An earlier file at `path` survives a failure; a killed process leaves at most a temporary file that nothing reads.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    temporary = path.with_name(f".{path.name[:64]}-{secrets.token_hex(8)}.tmp")
    # As open() makes files, so that the user's umask decides who may read them; an existing file is never reused.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        write(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def replace_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with plain line ends, whole or not at all.

    Raises:
        OSError: the folder or the file cannot be written.
    """
    replace_file(path, lambda temporary: temporary.write_text(text, encoding="utf-8", newline="\n"))

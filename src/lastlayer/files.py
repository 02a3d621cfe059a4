"""Files that are either whole or absent: written under a temporary name next to their place, then moved there in one step."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with ~ replaced by the home folder; as in a shell, ~name of an unknown user stays as it is."""
    return Path(os.path.expanduser(path))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` write a temporary file in the folder of `path`, which must exist, then move it to `path`.

    An earlier file at `path` survives a failure; a killed process leaves at most a temporary file that nothing reads. A symbolic
    link stays, and the file that it leads to is replaced.

    Raises:
        OSError: the folder or the file cannot be written, or `path` is a device, a pipe or a socket.
    """
    given, path = path, Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        # It would become a file, and whoever reads the pipe or device would wait for ever.
        raise OSError(errno.EINVAL, "it is a device, a pipe or a socket, not a file", str(given))
    temporary = path.with_name(f".{path.name[:64]}-{secrets.token_hex(8)}.tmp")
    # As open() makes files, so that the user's umask decides who may read them; an existing file is never reused.
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        # Nobody knows the temporary file.
        error.filename = str(given)
        raise
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

"""Paths on the command line."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(path: Path | None) -> Path | None:
    """The path with ~ replaced by the home folder, which a shell does not do in --out=~/x; callback of every path option.

    As in a shell, ~name of an unknown user stays as it is.
    """
    return None if path is None else Path(os.path.expanduser(path))

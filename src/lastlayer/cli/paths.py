"""Paths on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


def expanded(path: str | os.PathLike[str]) -> Path:
    """The path with ~ replaced by the home folder, which a shell does not do in --out=~/x.

    As in a shell, ~name of an unknown user stays as it is.
    """
    return Path(os.path.expanduser(path))


class _ExpandedPath(click.Path):
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            # Path("") is the current folder, which nobody asked for: the text came from a variable that is not set.
            self.fail("The path is empty; give one, or leave the option out.", param, ctx)
        return super().convert(expanded(value), param, ctx)


#: The type of every option that is a path: `expanded`, and a shell completes it with files.
PATH = _ExpandedPath(path_type=Path)

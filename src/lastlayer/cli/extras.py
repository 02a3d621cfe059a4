"""Modules that need an extra: loaded when a command needs them, so that the others start fast and run without."""

from __future__ import annotations

import importlib
from types import ModuleType

from lastlayer.cli.errors import CommandError


def load(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import one of our modules.

    Raises:
        CommandError: a package that it needs is not installed; says the line that installs it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "lastlayer":
            raise
        raise CommandError(
            f'{purpose} needs {error.name}; install it with: pip install "lastlayer[{extra}]"'
        ) from error

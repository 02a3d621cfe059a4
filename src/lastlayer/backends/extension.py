"""The compiled extension, or why this installation computes without it."""

from __future__ import annotations

import importlib
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

_KERNELS = "lastlayer.kernels"
_NAME = f"{_KERNELS}.native"
#: Written by CMakeLists.txt where it compiles nothing.
_RECORD = f"{_KERNELS}.not_compiled"
#: pip keeps the wheels that it builds: without --no-cache-dir it would install the same one again.
_REINSTALL = "pip install --force-reinstall --no-deps --no-cache-dir lastlayer (in a clone: . for lastlayer)"


class Missing(NamedTuple):
    """Why there is no extension, and what to do about it."""

    reason: str
    remedy: str


def _load() -> tuple[Any, Missing | None]:
    """The extension and None, or None and why there is none.

    Raises:
        ImportError: the extension fails to load, and LASTLAYER_ISA asks for kernels.
    """
    found = importlib.util.find_spec(_NAME)
    # In a source tree the folder of the C++ sources answers to the name, without a file to load.
    if found is None or not found.origin:
        return None, _why_no_file()
    try:
        return importlib.import_module(_NAME), None
    except ImportError as error:
        if "LASTLAYER_ISA" in os.environ:
            raise
        return None, Missing(f"its compiled file fails to load ({error})", f"Reinstall it: {_REINSTALL}")


def _why_no_file() -> Missing:
    """Built without a compiler, built for another Python, never built, or a file was lost."""
    if importlib.util.find_spec(_RECORD) is not None:
        record = importlib.import_module(_RECORD)
        return Missing(f"when it was built, {record.REASON}", f"{record.REMEDY}. Then reinstall it: {_REINSTALL}")
    folder = Path(importlib.import_module(_KERNELS).__path__[0])
    others = sorted(path.name for suffix in ("so", "pyd", "dylib") for path in folder.glob(f"native*.{suffix}"))
    if others:
        return Missing(
            f"its compiled file {others[0]} is for another Python or another system", f"Reinstall it: {_REINSTALL}"
        )
    if any((folder / "native").rglob("*.cpp")):
        return Missing("it is a source tree, not an installation", "In its top folder run: pip install --editable .")
    return Missing("its compiled file is missing", f"Reinstall it: {_REINSTALL}")


def _report(missing: Missing) -> None:
    """Say once per program what is missing, as a log message: a warning would be an error for who turns warnings into errors."""
    # A complete installation starts without them.
    import logging
    import multiprocessing

    # The workers of a pool would repeat it.
    if multiprocessing.current_process().name == "MainProcess":
        logging.getLogger("lastlayer").warning(
            "lastlayer runs without its compiled kernels, so it is slower: %s. What to do: lastlayer config",
            missing.reason,
        )


def why_missing() -> str | None:
    """Why there is no extension, and what to do; None if there is one."""
    return None if _MISSING is None else f"{_MISSING.reason}. {_MISSING.remedy}"


_extension, _MISSING = _load()
if _MISSING is not None:
    _report(_MISSING)

if TYPE_CHECKING:
    import lastlayer.kernels.native

    # What is called of it is checked against native.pyi.
    EXTENSION = lastlayer.kernels.native
else:
    EXTENSION = _extension

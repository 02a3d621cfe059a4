"""The compiled extension, where this installation has one for this Python."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

_NAME = "lastlayer.kernels.native"


def _load() -> Any:
    """The extension, None where there is no file of it that this Python loads.

    Raises:
        ImportError: there is one, and it fails to load.
    """
    found = importlib.util.find_spec(_NAME)
    # In a source tree the folder of the C++ sources answers to the name, without a file to load.
    if found is None or not found.origin:
        return None
    try:
        return importlib.import_module(_NAME)
    except ImportError as error:
        raise ImportError(
            f"the compiled kernels fail to load: {error}. Reinstall lastlayer for this Python and this system, or delete "
            f"{found.origin} to compute with the portable formulas."
        ) from error


def why_missing() -> str:
    """Why there is no extension, as far as its folder shows."""
    folder = Path(__file__).parents[1] / "kernels"
    others = sorted(path.name for suffix in ("so", "pyd", "dylib") for path in folder.glob(f"native*.{suffix}"))
    if others:
        return f"{others[0]} is for another Python or system; reinstall lastlayer for this one"
    return (
        "this installation has no compiled extension; reinstall lastlayer where a C++ compiler (GCC or Clang) is found"
    )


if TYPE_CHECKING:
    import lastlayer.kernels.native

    # What is called of it is checked against native.pyi.
    EXTENSION = lastlayer.kernels.native
else:
    EXTENSION = _load()

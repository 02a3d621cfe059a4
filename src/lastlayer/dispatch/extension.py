"""The compiled extension, where the package was built with it."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


def _load() -> Any:
    """The extension, None where the package was built without a C++ compiler. An extension that fails to load says why."""
    found = importlib.util.find_spec("lastlayer.kernels.native")
    # In a source tree the folder of the C++ sources answers to the name, without a file to load.
    return importlib.import_module("lastlayer.kernels.native") if found is not None and found.origin else None


EXTENSION = _load()

"""Whether a head's tensors lie on a device mesh, found without importing DTensor."""

from __future__ import annotations

from typing import Any


def is_on_mesh(*tensors: Any) -> bool:
    """Whether one of them is a DTensor."""
    return any(hasattr(tensor, "device_mesh") for tensor in tensors)

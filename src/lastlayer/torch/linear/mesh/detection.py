"""Whether a head's tensors lie on a device mesh, found without importing DTensor."""

from __future__ import annotations

from typing import Any


def is_on_mesh(*arguments: Any) -> bool:
    """Whether one of them is a DTensor, or a teacher's targets with one."""
    return bool(on_mesh(*arguments))


def on_mesh(*arguments: Any) -> list[Any]:
    """The DTensors among them."""
    inner = [x for given in arguments if hasattr(given, "divergence") for x in vars(given).values()]
    return [x for x in (*arguments, *inner) if hasattr(x, "device_mesh")]

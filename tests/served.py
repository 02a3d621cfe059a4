"""Which mappings the compiled kernels serve: every built-in one, and a new one only if it has a kernel."""

from __future__ import annotations

from typing import Any

import lastlayer as ll


def has_kernel(mapping: Any) -> bool:
    """Whether this installation has a compiled kernel of the mapping."""
    try:
        from lastlayer.kernels.native import MAPPINGS
    except ImportError:
        return False
    return ll.resolve_mapping(mapping).name in MAPPINGS

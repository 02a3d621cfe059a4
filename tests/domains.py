"""Numbers moved into the domain of a mapping, as its record says it."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace

import lastlayer as ll


def takes_both_signs(mapping: Any) -> bool:
    """Whether negative scores are in the mapping's domain."""
    is_valid = ll.resolve_mapping(mapping).domain.is_valid
    return is_valid is None or bool(is_valid(np.asarray([[-1.0, 1.0, -2.0]]), np).all())


def inside(mapping: Any, values: Any) -> Any:
    """Values of any array library: as they are where every row is in the mapping's domain, else |values| + 0.1."""
    domain = ll.resolve_mapping(mapping).domain
    if domain.is_valid is None or bool(domain.is_valid(values, array_namespace(values)).all()):
        return values
    return abs(values) + 0.1

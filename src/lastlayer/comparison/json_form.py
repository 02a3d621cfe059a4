"""A comparison as JSON that any parser takes: no NaN, infinities as the strings "inf" and "-inf"."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from lastlayer.comparison.claims import Claim
from lastlayer.comparison.compare import Comparison, Row


def to_json_dict(comparison: Comparison, claims: Iterable[Claim]) -> dict[str, Any]:
    """`scores` as given, one entry a mapping, one a claim; what is undefined is null."""
    return {
        "scores": _vector(comparison.question.scores),
        "mappings": [_mapping(row) for row in comparison.rows],
        "claims": [{"claim": claim.claim, "holds": claim.holds, "evidence": claim.evidence} for claim in claims],
    }


def _mapping(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "family": row.family,
        "defined": row.defined,
        "error": row.error,
        "probabilities": _vector(row.probabilities),
        "log_probabilities": _vector(row.log_probabilities),
        "losses": _vector(row.losses),
        "gradient": _vector(row.gradient),
        "entropy": row.entropy,
        "support": row.support,
    }


def _vector(values: Iterable[float] | None) -> list[float | str | None] | None:
    return None if values is None else [_number(float(value)) for value in values]


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value

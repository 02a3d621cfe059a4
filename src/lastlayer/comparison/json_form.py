"""A comparison as JSON that any parser takes: no NaN, infinities as the strings "inf" and "-inf"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from lastlayer.comparison.claims import Claim
from lastlayer.comparison.compare import Comparison, Row, Vector
from lastlayer.findings.json_numbers import to_json


def to_json_dict(comparison: Comparison, claims: Iterable[Claim]) -> dict[str, Any]:
    """`scores` as given, one entry per mapping, one per claim; what is undefined is null."""
    form = {
        "scores": comparison.question.scores.tolist(),
        "mappings": [_mapping(row) for row in comparison.rows],
        "claims": [asdict(claim) for claim in claims],
    }
    checked: dict[str, Any] = to_json(form)
    return checked


def _mapping(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "family": row.family,
        "defined": row.defined,
        "error": row.error,
        "probabilities": _listed(row.probabilities),
        "log_probabilities": _listed(row.log_probabilities),
        "losses": _listed(row.losses),
        "gradient": _listed(row.gradient),
        "entropy": row.entropy,
        "support": row.support,
    }


def _listed(values: Vector | None) -> list[float] | None:
    return None if values is None else [float(value) for value in values]

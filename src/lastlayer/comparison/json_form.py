"""A comparison as JSON that any parser takes: no NaN, infinities as the strings "inf" and "-inf"."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lastlayer.comparison.answers import Answers, Row, Vector
from lastlayer.findings.json_numbers import to_json
from lastlayer.version import __version__


def to_json_dict(answers: Answers) -> dict[str, Any]:
    """The whole question, one entry per mapping, one per claim; what is undefined is null."""
    question = answers.question
    form = {
        "version": __version__,
        "scores": question.scores.tolist(),
        "label": question.label,
        "softcap": question.activation.softcap,
        "temperature": question.activation.temperature,
        "reached": answers.reached.tolist(),
        "mappings": [_mapping(row) for row in answers.rows],
        "claims": [asdict(claim) for claim in answers.claims],
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

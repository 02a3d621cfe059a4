"""A mapping's card: what its record says, as headings and sentences that a terminal or a Markdown page can lay out."""

from __future__ import annotations

from dataclasses import dataclass

from lastlayer.mappings import LAWS, Parameter, ProbabilityMapping

FAMILIES = {
    "normalized": "normalized: g(x) / Σ g(x) for an elementwise g ≥ 0",
    "regularized": "regularized: argmax over the simplex of ⟨p, x⟩ − Ω(p)",
}


@dataclass(frozen=True)
class Card:
    """The name, one sentence, and (heading, lines) pairs in reading order."""

    title: str
    summary: str
    sections: tuple[tuple[str, tuple[str, ...]], ...]


def card(mapping: ProbabilityMapping) -> Card:
    """The card of a mapping, from its record alone; headings with nothing to say are left out."""
    sections = (
        ("equation", (mapping.equation,)),
        ("family", (FAMILIES[mapping.family],)),
        ("domain", (mapping.domain.description,)),
        (
            "parameters",
            tuple(_parameter(parameter, mapping) for parameter in mapping.parameters),
        ),
        (
            "laws",
            tuple(sentence for law, sentence in LAWS.items() if law in mapping.laws),
        ),
        ("loss", (mapping.loss_name,)),
        ("error bound", (mapping.budget.describe(),)),
        ("limits", (mapping.limits,)),
        ("in a study", (mapping.study_note,)),
        ("references", mapping.references),
    )
    return Card(
        mapping.label,
        mapping.summary,
        tuple((heading, lines) for heading, lines in sections if any(lines)),
    )


def _parameter(parameter: Parameter, mapping: ProbabilityMapping) -> str:
    value = mapping.values[parameter.name]
    is_number = isinstance(value, int | float)
    here = f"{parameter.name} = {value:g}" if is_number else f"{parameter.name}: one per row"
    default = "" if is_number and value == parameter.default else f", by default {parameter.default:g}"
    top = "" if parameter.maximum == float("inf") else f" to {parameter.maximum:g}"
    least = f"from {parameter.minimum:g}{top}" if top else f"at least {parameter.minimum:g}"
    rows = ", also one per row" if parameter.per_row else ""
    return f"{here} ({least}{default}{rows}){': ' if parameter.meaning else ''}{parameter.meaning}"

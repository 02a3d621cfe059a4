"""A mapping's card: what its record says, as headings and sentences that a terminal or a Markdown page can lay out."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

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

    def __repr__(self) -> str:
        """The card as text."""
        margin = 2 + max(len(heading) for heading, _ in self.sections)
        lines = [
            f"{'' if i else heading:{margin}}{text}" for heading, texts in self.sections for i, text in enumerate(texts)
        ]
        return "\n".join([self.title, self.summary, "", *lines])

    def _repr_html_(self) -> str:
        """The card as a notebook shows it."""
        rows = "".join(
            f"<dt><b>{escape(heading)}</b></dt><dd>{'<br>'.join(map(escape, texts))}</dd>"
            for heading, texts in self.sections
        )
        return f"<div><h3>{escape(self.title)}</h3><p>{escape(self.summary)}</p><dl>{rows}</dl></div>"


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
        ("accuracy", (mapping.budget.describe(),)),
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

"""The table of mappings and their cards as Markdown, for docs/mappings.md and the site."""

from __future__ import annotations

from collections.abc import Iterable

from lastlayer.comparison.card import Card, card
from lastlayer.mappings import ProbabilityMapping


def table(mappings: Iterable[ProbabilityMapping], cards: str = "") -> str:
    """One row per mapping; names link to their card at the page `cards` ("" for the same page)."""
    lines = [
        "| mapping | family | equation | scores it takes | in one sentence |",
        "|---|---|---|---|---|",
    ]
    for mapping in mappings:
        name = f"[{mapping.label}]({cards}#{mapping.label})"
        facts = (mapping.domain.description, mapping.summary)
        cells = (name, mapping.family, f"`{mapping.equation}`", *map(_plain, facts))
        lines.append(f"| {' | '.join(_in_table(text) for text in cells)} |")
    return "\n".join(lines)


def page(mappings: Iterable[ProbabilityMapping]) -> str:
    """docs/mappings.md: the table, then every card."""
    mappings = tuple(mappings)
    parts = [
        "# The mappings",
        "Rendered from the records in `src/lastlayer/mappings/` by `python docs/render.py`; edit those, not this page.",
        table(mappings),
        *(_section(card(mapping)) for mapping in mappings),
    ]
    return "\n\n".join(parts) + "\n"


def _section(facts: Card) -> str:
    lines = []
    for heading, texts in facts.sections:
        texts = tuple(f"`{text}`" if heading == "equation" else _plain(text) for text in texts)
        if len(texts) == 1:
            lines.append(f"- **{heading}**: {texts[0]}")
        else:
            lines += [f"- **{heading}**:", *(f"    - {text}" for text in texts)]
    return f"## {facts.title}\n\n{_plain(facts.summary)}\n\n" + "\n".join(lines)


def _plain(text: str) -> str:
    """Text whose stars and angle brackets are only that."""
    return text.replace("*", "\\*").replace("<", "&lt;")


def _in_table(text: str) -> str:
    return text.replace("|", "\\|")

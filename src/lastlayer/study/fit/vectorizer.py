"""Dates, text and categories as numbers, by skrub: half a second to import, which a table of numbers is spared."""

from __future__ import annotations

from skrub import StringEncoder, TableVectorizer


def vectorizer(numeric: list[str], seed: int) -> TableVectorizer:
    """All columns but the `numeric` ones, which go past it: skrub would round them to float32."""
    return TableVectorizer(
        high_cardinality=StringEncoder(random_state=seed),
        specific_transformers=[("passthrough", numeric)] if numeric else (),
    )

"""What the page says that Python knows: the claims, the mappings and their marks."""

from __future__ import annotations

import html
import re
from dataclasses import asdict
from typing import Any

from lastlayer.mappings import MAPPINGS
from lastlayer.marks import marks
from lastlayer.version import __version__
from lastlayer.words.claims import CLAIMS
from lastlayer.words.short_answer import QUESTION


def page_words() -> dict[str, Any]:
    """`LL.WORDS` of the scripts."""
    return {
        "version": __version__,
        "question": QUESTION,
        "claims": [asdict(claim) for claim in CLAIMS],
        "marks": {name: {"hue": mark.hue, "shape": mark.shape} for name, mark in marks(list(MAPPINGS)).items()},
        "mappings": {
            name: {"summary": record.summary, "equation": record.equation, "domain": record.domain.description}
            for name, record in MAPPINGS.items()
        },
    }


def prose(text: str) -> str:
    """A paragraph with *emphasis* and **strong emphasis** as HTML.

    >>> prose("**Proportions**, the *ratio*, a < b")
    '<strong>Proportions</strong>, the <em>ratio</em>, a &lt; b'
    """
    escaped = html.escape(text, quote=False)
    strong = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escaped)
    return re.sub(r"\*(.+?)\*", r"<em>\1</em>", strong)

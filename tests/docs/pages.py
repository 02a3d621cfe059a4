"""The documents, and the blocks of code in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: Folders that a build of the site writes.
GENERATED = (DOCS / "gallery", DOCS / "reference" / "mappings")
FENCE = re.compile(r"^( *)(`{3,}|:{3,})(\S*) *(.*?)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    """Every Markdown document in docs/ that somebody writes."""
    return [path for path in sorted(DOCS.rglob("*.md")) if not any(path.is_relative_to(folder) for folder in GENERATED)]


def blocks(text: str, language: str) -> list[str]:
    """The contents of the fenced blocks of this language, those inside of directives (cards, tabs, dropdowns) as well."""
    found = []
    for match in FENCE.finditer(text):
        indent, _, kind, _, content = match.groups()
        content = re.sub(f"^{indent}", "", content, flags=re.MULTILINE)
        if kind == language:
            found.append(content)
        elif kind.startswith("{"):
            found += blocks(content, language)
    return found

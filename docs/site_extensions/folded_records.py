"""Long records folded: under each heading of a page in FOLDED, the subsections open by a click.

A link to a heading among them opens them, as browsers do for `details`.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

#: Document → what the line to click says.
FOLDED = {"benchmarks": "Every table of this record"}


def fold(app: Sphinx, tree: nodes.document) -> None:
    """Put the subsections of each section of the page between the two halves of a `details` element."""
    label = FOLDED.get(app.env.current_document.docname)
    if label is None:
        return
    top = next(tree.findall(nodes.section))
    for section in [child for child in top.children if isinstance(child, nodes.section)]:
        inner = [place for place, child in enumerate(section.children) if isinstance(child, nodes.section)]
        if inner:
            section.append(nodes.raw("", "</details>", format="html"))
            opening = f'<details class="folded"><summary>{label}</summary>'
            section.insert(inner[0], nodes.raw("", opening, format="html"))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", fold)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

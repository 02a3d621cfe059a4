"""Links of the documents that work on GitHub, led to the pages of the site.

On GitHub a document links to files of the repository that are here a page with another name, or a part of one.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from sphinx.application import Sphinx

from site_extensions.sample_reports import REPORTS

#: A file of the repository → the document with its text.
PAGES = {
    "CONTRIBUTING.md": "how-to/contribute.md",
    "README.md": "index.md",
    "src/lastlayer/kernels/native/README.md": "under-the-hood/native-kernels.md",
    "src/lastlayer/kernels/triton/README.md": "under-the-hood/triton-kernels.md",
}
#: Pages that other extensions write when all documents are done: for Sphinx a link to them is like one to another site. The
#: page to play with also has its state after the #, which is no heading.
WRITTEN_LATER = {"docs/explore.html", *(f"docs/reports/{name}" for name in REPORTS)}
#: A link in Markdown whose target is a file, with or without a heading in it.
LINK = re.compile(r"\]\((?!\w+:|#)([^)\s#]+)(#[^)\s]*)?\)")


def led(text: str, document: str) -> str:
    """`text`, the source of a document, with the targets that have another place in the site."""
    folder = posixpath.dirname(f"docs/{document}.md")

    def replace(match: re.Match[str]) -> str:
        path, heading = match[1], match[2] or ""
        target = posixpath.normpath(posixpath.join(folder, path))
        if target in WRITTEN_LATER:
            return f"{match[0]}{{.external}}"
        if target == "docs/mappings.md":
            name = heading[1:] or "index"
            page, heading = f"reference/mappings/{name}.md", ""
        elif target in PAGES:
            page = PAGES[target]
        else:
            return match[0]
        return f"]({posixpath.relpath(f'docs/{page}', folder)}{heading})"

    return LINK.sub(replace, text)


def read(app: Sphinx, document: str, source: list[str]) -> None:
    source[0] = led(source[0], document)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""An example of doctest ends with an empty line, which a page need not show."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_END = re.compile(r"\n[ \t]*(\n[ \t]*```[ \t]*$)", re.MULTILINE)


def closed(text: str) -> str:
    """The Markdown without an empty last line in its blocks of code."""
    return _END.sub(r"\1", text)


def read(app: Sphinx, document: str, source: list[str]) -> None:
    source[0] = closed(source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("source-read", read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The page of `lastlayer explore`, as explore.html of the site.

docs/explore.md gives it a place in the contents and in the search; when the site is built, the page itself replaces it. So a link
`explore.html#s=1,0.5&scene=2` opens the page in that state.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def page() -> str | None:
    """The page, or None as long as there is none."""
    try:
        built: str = import_module("lastlayer.explore.page").build()
    except ModuleNotFoundError:
        return None
    return built


def write(app: Sphinx, error: Exception | None) -> None:
    built = page()
    if error is None and app.builder.name == "html" and built is not None:
        (Path(app.outdir) / "explore.html").write_text(built, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

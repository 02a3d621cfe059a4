"""The page of `lastlayer explore`, as explore.html of the site.

docs/explore.md gives it a place in the contents and in the search; when the site is built, the page itself replaces it. So a link
`explore.html#s=1,0.5&scene=2` opens the page in that state.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from lastlayer.explore import page

#: Above the page's title: a file has its name there, the site a way back.
KICKER = '<p class="kicker">lastlayer explore</p>'
WAY_BACK = '<p class="kicker"><a href="index.html">← lastlayer documentation</a></p>'


def page_of_site() -> str:
    """The page with a link to the site's first page.

    Raises:
        ValueError: the page has no place for it.
    """
    before, found, after = page.build().partition(KICKER)
    if not found:
        raise ValueError(f"the page of lastlayer explore has no {KICKER}")
    return f"{before}{WAY_BACK}{after}"


def write(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.name == "html":
        (Path(app.outdir) / "explore.html").write_text(page_of_site(), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

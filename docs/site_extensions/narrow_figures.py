"""On a narrow page a wide figure is another picture: images/NAME-narrow.svg, if there is one, in place of images/NAME.svg."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

#: From this width of the page on the wide figure is as legible as the text.
NARROW_PAGE = "(max-width: 40em)"
_FIGURE = re.compile(r'<img\b[^>]*?\bsrc="([^"]*?)(\.svg)"[^>]*?>')


def with_narrow(body: str, names: set[str]) -> str:
    """The HTML with a <picture> around each figure that has a narrow variant."""

    def picture(match: re.Match[str]) -> str:
        narrow = f"{match[1]}-narrow{match[2]}"
        if narrow.rpartition("/")[2] not in names:
            return match[0]
        return f'<picture><source media="{NARROW_PAGE}" srcset="{narrow}">{match[0]}</picture>'

    return _FIGURE.sub(picture, body)


def narrow_figures(app: Sphinx) -> list[Path]:
    return sorted((Path(app.srcdir) / "images").glob("*-narrow.svg"))


def draw(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    if "body" in context:
        context["body"] = with_narrow(context["body"], {path.name for path in narrow_figures(app)})


def copy(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        for path in narrow_figures(app):
            shutil.copyfile(path, Path(app.outdir) / "_images" / path.name)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", draw)
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

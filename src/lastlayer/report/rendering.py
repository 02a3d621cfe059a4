"""From a template to one self-contained file: no script, no font, no image from anywhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lastlayer.files import expanded, replace_text
from lastlayer.marks import HUES
from lastlayer.words.names import shorten
from lastlayer.words.numbers import compact, number
from lastlayer.words.printable import clean, clean_lines


class ReportError(ValueError):
    """A report that cannot be written: names the path and what to do."""


def render_page(template: str, **values: Any) -> str:
    """A page as text. The templates build on layout.html.jinja, which has the head, the warnings and the answer."""
    environment = Environment(
        loader=PackageLoader("lastlayer.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clean=clean, clean_lines=clean_lines, compact=compact, number=number, shorten=shorten)
    page = environment.get_template(template).render(hues=HUES, **values)
    # The templates' own indentation and empty lines are a tenth of the page.
    return "\n".join(filter(None, map(str.strip, page.splitlines()))) + "\n"


def write_page(path: str | os.PathLike[str], page: str) -> Path:
    """Write a page to `path`, whole or not at all, and return the path; an earlier page survives a failure.

    Raises:
        ReportError: the path cannot be written; the message names it and what to do.
    """
    target = expanded(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_text(target, page)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ReportError(
            f"The report cannot be written to {target}: {reason}. Give a folder you may write to, with room on the disk."
        ) from error
    return target

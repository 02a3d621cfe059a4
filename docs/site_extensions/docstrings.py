"""Docstrings and signatures as they are: a star or a bar in their mathematics is no markup."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

#: Code between backticks and the letter after it, as in a plural; or a character that reStructuredText would read as markup.
MARKED = re.compile(r"(`[^`]*`)(?=(\w?))|([*|])")
ALIAS = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")


def escaped(lines: list[str]) -> list[str]:
    """The lines of a docstring; those of a doctest, from >>> to an empty line, are left alone.

    The first line below `Returns:` begins with a colon: napoleon takes what is before one for a type, and there is none here.
    """
    result: list[str] = []
    is_doctest = False
    for before, line in pairwise(["", *lines]):
        is_doctest = bool(line.strip()) and (is_doctest or line.lstrip().startswith(">>>"))
        if not is_doctest:
            line = MARKED.sub(_escape, line)
            if before.strip() == "Returns:":
                line = re.sub(r"^( *)", r"\1: ", line)
        result.append(line)
    return result


def _escape(found: re.Match[str]) -> str:
    code, letter, mark = found.groups()
    if code is None:
        return f"\\{mark}"
    return f"{code}\\ " if letter else code


def process(app: Sphinx, kind: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    lines[:] = escaped(lines)


def process_signature(
    app: Sphinx, kind: str, name: str, documented: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """The signature with names of types alone: autodoc shows an alias in a union by its inner form."""
    shown = [text and ALIAS.sub(r"\1", text) for text in (signature, returned)]
    return shown[0], shown[1]


def set_dashes(app: Sphinx, tree: nodes.document) -> None:
    """The dash between a parameter and its words."""
    for text in list(tree.findall(nodes.Text)):
        if text == " -- ":
            text.parent.replace(text, nodes.Text(" – "))


def setup(app: Sphinx) -> dict[str, Any]:
    # Before napoleon, which runs at 500 and writes markup of its own.
    app.connect("autodoc-process-docstring", process, priority=400)
    app.connect("autodoc-process-signature", process_signature)
    app.connect("doctree-read", set_dashes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

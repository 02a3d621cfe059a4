"""The help of the commands as it is: what is to be typed is code."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

#: What a line to be typed comes after, and the line: an example, or a shell's own way.
TYPED = re.compile(r"(?:\| )?\s*(Example|bash|zsh|fish): (.+)")


def as_code(lines: list[str]) -> list[str]:
    """Lines of a help text, with each command line in a block of code."""
    result: list[str] = []
    for line in lines:
        typed = TYPED.fullmatch(line)
        if typed:
            result += ["", f"{typed[1]}:", "", ".. code-block:: console", "", f"   $ {typed[2].strip()}", ""]
        else:
            result.append(line)
    return result


def process(app: Sphinx, context: Any, lines: list[str]) -> None:
    lines[:] = as_code(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    for event in ("sphinx-click-process-description", "sphinx-click-process-epilog"):
        app.connect(event, process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

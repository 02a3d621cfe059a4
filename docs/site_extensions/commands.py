"""The help of the commands as it is: what is to be typed is code."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

EXAMPLE = "Example: "
#: A command line in the text of a help: at its beginning, or indented as in the terminal.
TYPED = ("lastlayer ", 'eval "')


def as_code(lines: list[str]) -> list[str]:
    """Lines of a help text, with each command line in a block of code."""
    result: list[str] = []
    for line in lines:
        text = line.removeprefix("| ").strip()
        typed = text.removeprefix(EXAMPLE)
        if typed.startswith(TYPED):
            introduction = ["Example:", ""] if text.startswith(EXAMPLE) else [""]
            result += [*introduction, ".. code-block:: console", "", f"   $ {typed}", ""]
        else:
            result.append(line)
    return result


def process(app: Sphinx, context: Any, lines: list[str]) -> None:
    lines[:] = as_code(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    for event in ("sphinx-click-process-description", "sphinx-click-process-epilog"):
        app.connect(event, process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

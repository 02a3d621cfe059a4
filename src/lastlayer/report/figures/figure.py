"""What every figure has: a heading, the sentence that says what to see, how to read it, and its panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from lastlayer.marks import Mark


@dataclass(frozen=True)
class Panel:
    """One drawing. `kind` names the macro in panels.svg.jinja that draws `drawing`; width and height are SVG units."""

    kind: str
    title: str
    description: str
    width: float
    height: float
    drawing: Any
    mark: Mark | None = None
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A numbered figure. `see` says what to see, `how` how to read it; `legend` has the rows of a table next to the panels.

    A folded figure shows its heading alone until it is opened.
    """

    key: str
    title: str
    see: str
    how: str
    panels: Sequence[Panel]
    layout: str = "wide"
    legend: Sequence[Any] = field(default=())
    is_folded: bool = False

"""One mark per mapping: its colour and its shape, the same in every figure.

The seven hues and the ink keep a colour difference of at least 17 (CIE 1976, light and dark page) under simulated protanopia,
deuteranopia and tritanopia (Machado, Oliveira & Fernandes 2009) and a contrast of 3:1 to the page. Shapes change with
every mapping as well, so that nothing depends on colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Hue 0 is the ink of the page and belongs to softmax. (light page, dark page)
HUES: tuple[tuple[str, str], ...] = (
    ("#1d2126", "#eceef0"),
    ("#2d45df", "#3f7bec"),
    ("#e86110", "#fd9359"),
    ("#065d3d", "#04a597"),
    ("#ae23ac", "#e8a9d6"),
    ("#7c4801", "#e8e146"),
    ("#3591f6", "#92afff"),
    ("#4d185c", "#eb4a80"),
)

#: SVG paths around the origin, about ten units wide.
SHAPES: tuple[str, ...] = (
    "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z",
    "M-4 -4H4V4H-4Z",
    "M0 -5.6L5.6 0L0 5.6L-5.6 0Z",
    "M0 -5.4L5.2 3.8H-5.2Z",
    "M0 5.4L5.2 -3.8H-5.2Z",
)


@dataclass(frozen=True)
class Mark:
    """How a mapping is drawn: `hue` is its place in HUES, `shape` an SVG path."""

    hue: int
    shape: str


def marks(labels: Sequence[str], reference: str) -> dict[str, Mark]:
    """A mark for each label; seven hues against five shapes repeat only after 35 mappings."""
    others = [label for label in labels if label != reference]
    chosen = {label: Mark(1 + i % (len(HUES) - 1), SHAPES[(i + 1) % len(SHAPES)]) for i, label in enumerate(others)}
    return {reference: Mark(0, SHAPES[0])} | chosen

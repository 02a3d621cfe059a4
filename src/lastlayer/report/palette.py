"""The marks of a report: those of the mappings, and grey ones for the baselines."""

from __future__ import annotations

from collections.abc import Sequence

from lastlayer.marks import CIRCLE, HUES, SQUARE, Mark
from lastlayer.marks import marks as mapping_marks
from lastlayer.study.schema import BASELINES

#: The grey of the baselines: a hue of the style sheet after those of `HUES`.
GREY = len(HUES)
BAR = "M-5 -1.8H5V1.8H-5Z"
_BASELINES = dict(zip(BASELINES, (Mark(GREY, BAR), Mark(GREY, CIRCLE), Mark(GREY, SQUARE)), strict=True))


def marks(labels: Sequence[str]) -> dict[str, Mark]:
    """A mark for each label of a study."""
    return mapping_marks(labels, _BASELINES)

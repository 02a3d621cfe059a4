"""Where the names of points go: next to their point, over no other point and no other name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Width of a character and height of a line at the figure's text size, in SVG units; wide fonts included.
CHARACTER, LINE = 6.9, 13.0
_RADIUS = 7.0
#: (dx, dy, anchor, is_far) in order of preference, near ones first.
_OFFSETS = tuple(
    (dx * far, dy * far, anchor, far > 1)
    for far in (1.0, 2.2, 3.4)
    for dx, dy, anchor in (
        (10.0, 0.0, "start"),
        (-10.0, 0.0, "end"),
        (0.0, -13.0, "middle"),
        (0.0, 13.0, "middle"),
        (9.0, -10.0, "start"),
        (-9.0, -10.0, "end"),
        (9.0, 10.0, "start"),
        (-9.0, 10.0, "end"),
    )
)

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Label:
    """A name at a place, with SVG's text-anchor; a far one wants a line to its point."""

    text: str
    x: float
    y: float
    anchor: str
    is_far: bool


def place_labels(points: Sequence[tuple[float, float]], names: Sequence[str], frame: Box) -> list[Label | None]:
    """A place for each name, the point with the fewest free places first; None where none is left (the legend has it then)."""
    dots: list[Box] = [(x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS) for x, y in points]
    free = [
        _free(point, name, dots[:i] + dots[i + 1 :], frame)
        for i, (point, name) in enumerate(zip(points, names, strict=True))
    ]
    labels: list[Label | None] = [None] * len(points)
    waiting = set(range(len(points)))
    while waiting:
        i = min(waiting, key=lambda index: (len(free[index]), index))
        waiting.remove(i)
        if free[i]:
            chosen = labels[i] = free[i][0]
            for other in waiting:
                free[other] = [label for label in free[other] if not _overlap(_box(label), _box(chosen))]
    return labels


def _free(point: tuple[float, float], name: str, others: Sequence[Box], frame: Box) -> list[Label]:
    """The places in order of preference that lie inside the frame and on no other point."""
    x, y = point
    labels = [Label(name, round(x + dx, 1), round(y + dy, 1), anchor, is_far) for dx, dy, anchor, is_far in _OFFSETS]
    boxes = [(label, _box(label)) for label in labels]
    return [label for label, box in boxes if _inside(box, frame) and not any(_overlap(box, other) for other in others)]


def _box(label: Label) -> Box:
    width = CHARACTER * len(label.text)
    left = {"start": label.x, "middle": label.x - width / 2, "end": label.x - width}[label.anchor]
    return left, label.y - LINE / 2, left + width, label.y + LINE / 2


def _inside(box: Box, frame: Box) -> bool:
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]

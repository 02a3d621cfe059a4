"""Names at the ends of lines, kept apart."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes


def name_at_the_end(axes: Axes, ends: Sequence[tuple[str, float, str]], room: float) -> None:
    """Write (name, height of the line's end, colour) to the right of the axes, `room` of its height apart."""
    low, high = axes.get_ylim()
    shares = [(end - low) / (high - low) for _, end, _ in ends]
    for (name, _, colour), place, share in zip(ends, spread(shares, room), shares, strict=True):
        axes.annotate(
            name,
            xy=(1.0, share),
            xytext=(1.03, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            fontsize=9,
            color=colour,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0},
        )


def spread(places: Sequence[float], room: float) -> list[float]:
    """The places moved apart to at least `room`, in the same order, as near as possible and between 0 and 1.

    >>> [round(place, 2) for place in spread([0.5, 0.5, 0.9], 0.1)]
    [0.45, 0.55, 0.9]
    >>> [round(place, 2) for place in spread([1.0, 1.0, 0.0], 0.1)]
    [0.9, 1.0, 0.0]
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    groups: list[tuple[float, int]] = []
    for i in order:
        centre, size = places[i], 1
        # Two groups that overlap become one around their common centre.
        while groups and groups[-1][0] + room * groups[-1][1] / 2 > centre - room * size / 2 + 1e-9:
            other, count = groups.pop()
            size += count
            half = room * (size - 1) / 2
            centre = min(max((centre * (size - count) + other * count) / size, half), 1 - half)
        groups.append((centre, size))
    spread_out = [centre + room * (k - (size - 1) / 2) for centre, size in groups for k in range(size)]
    result = [0.0] * len(places)
    for i, place in zip(order, spread_out, strict=True):
        result[i] = place
    return result

"""The two pictures that the page has without its scripts: the short answer as bars, and the crossing of softmax and ratio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lastlayer.functions import DomainError, ratio, softmax
from lastlayer.marks import marks

#: The scores of the short answer.
EXAMPLES = ((1.0, 0.5), (100.0, 50.0), (-1.0, -1.5))
#: Heights of a bar and of a row of bars, in units of the drawing.
BAR, ROW, LEFT, WIDTH = 22, 78, 4, 360
_MARKS = marks(["softmax", "ratio"])


def picture() -> str:
    """Softmax and ratio at three vectors of scores: one keeps the proportions, the other the differences."""
    body, words = [], []
    for row, scores in enumerate(EXAMPLES):
        y = row * ROW + 2
        name = f"[{', '.join(f'{v:g}'.replace('-', '−') for v in scores)}]"
        body.append(f'<text x="0" y="{y + 13}" class="strong">{name}</text>')
        words.append(name)
        for place, mapping in enumerate((softmax, ratio)):
            shares = _shares(mapping, scores)
            body.append(_bar(mapping.__name__, shares, y + 20 + place * (BAR + 3)))
            words.append(f"{mapping.__name__} {'no answer' if shares is None else ' and '.join(map(_share, shares))}")
    height = len(EXAMPLES) * ROW - 7
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{"; ".join(words)}" font-size="13">{"".join(body)}</svg>'


def curve() -> str:
    """The probability of the larger of [1, 0.5] against a factor from 0.1 to 10; they cross at 2·log 2."""
    scales = np.linspace(-1, 1, 81)
    x, y = 44 + (scales + 1) * 140, softmax(10.0 ** scales[:, None] * np.array([1, 0.5]))[:, 0]
    line = "M" + "L".join(f"{a:.1f} {170 - 150 * b:.1f}" for a, b in zip(x, y, strict=True))
    turn, level = 44 + (np.log10(2 * np.log(2)) + 1) * 140, 170 - 150 * 2 / 3
    ticks = "".join(
        f'<text x="{44 + 140 * i}" y="190" text-anchor="middle" class="soft">× {label}</text>'
        for i, label in enumerate(("0.1", "1", "10"))
    )
    levels = "".join(
        f'<line x1="44" x2="324" y1="{170 - 150 * p}" y2="{170 - 150 * p}" class="grid"/>'
        f'<text x="36" y="{174 - 150 * p}" text-anchor="end" class="soft">{p:g}</text>'
        for p in (0, 0.5, 1)
    )
    return (
        '<svg viewBox="0 0 420 200" role="img" font-size="13" aria-label="Softmax rises with the factor, the ratio stays at '
        f'0.667; they cross at 1.386">{levels}{ticks}'
        f'<path d="{line}" fill="none" stroke="var(--hue0)" stroke-width="3"/>'
        f'<line x1="44" x2="324" y1="{level}" y2="{level}" stroke="var(--hue2)" stroke-width="3"/>'
        f'<line x1="{turn:.1f}" x2="{turn:.1f}" y1="20" y2="170" stroke="var(--better)" stroke-dasharray="4 3"/>'
        f'<text x="{turn - 6:.1f}" y="34" text-anchor="end" class="strong">× 1.386</text>'
        '<text x="330" y="26" class="strong">softmax</text>'
        f'<text x="330" y="{level + 4}" class="strong" style="fill:var(--hue2)">ratio</text></svg>'
    )


def _shares(mapping: object, scores: Sequence[float]) -> list[float] | None:
    try:
        return [float(p) for p in (softmax if mapping is softmax else ratio)(np.array(scores))]
    except DomainError:
        return None


def _bar(name: str, shares: Sequence[float] | None, y: float) -> str:
    """One answer as a bar split between two classes; dashed if there is none."""
    mark, width = _MARKS[name], WIDTH - LEFT - 82
    colour = f"var(--hue{mark.hue})"
    sign = f'<path d="{mark.shape}" transform="translate({LEFT + 8} {y + BAR / 2})" fill="{colour}"/>'
    sign += f'<text x="{LEFT + 18}" y="{y + 15.5}">{name}</text>'
    x = LEFT + 80
    frame = (
        f'<rect x="{x}" y="{y}" width="{width}" height="{BAR}" rx="2" fill="none" stroke="{colour}" stroke-width="1.5"'
    )
    if shares is None:
        return f'{sign}{frame} stroke-dasharray="5 4"/><text x="{x + 9}" y="{y + 15.5}">no answer</text>'
    first = shares[0] * width
    parts = (
        f'<rect x="{x}" y="{y}" width="{first:.1f}" height="{BAR}" fill="{colour}" fill-opacity=".3"/>'
        f'<line x1="{x + first:.1f}" x2="{x + first:.1f}" y1="{y}" y2="{y + BAR}" stroke="{colour}" stroke-width="1.5"/>'
        f'<text x="{x + 9}" y="{y + 15.5}" class="strong">{_share(shares[0])}</text>'
    )
    if shares[1] > 0.12:
        parts += f'<text x="{x + first + 9:.1f}" y="{y + 15.5}">{_share(shares[1])}</text>'
    return f"{sign}{parts}{frame}/>"


def _share(p: float) -> str:
    if p >= 0.995:
        return "1.00" if p == 1 else "&gt;.99"
    return "&lt;.01" if 0 < p < 0.005 else f"{p:.2f}".removeprefix("0")

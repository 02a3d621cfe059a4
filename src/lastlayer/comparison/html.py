"""A comparison as a notebook shows it: bars as inline SVG, and what people say, folded. Needs no matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from lastlayer.comparison.answers import Answers, Row
from lastlayer.comparison.claims import Claim
from lastlayer.comparison.largest import largest_classes
from lastlayer.comparison.summary import in_short
from lastlayer.marks import HUES, Mark, marks
from lastlayer.words.numbers import cell, short

#: The classes that have a column.
SHOWN = 6
BAR = 220
#: A notebook's dark themes: JupyterLab, VS Code, Colab.
DARK = ('[data-jp-theme-light="false"]', ".vscode-dark", "html[theme=dark]")


def to_html(answers: Answers) -> str:
    """The bottom line, a table with a bar per mapping, and the claims."""
    parts = (
        f"<style>{_colours()}</style>",
        f"<p><b>In short:</b> {escape(in_short(answers))}</p>",
        _table(answers),
        "<p><small>Classes are counted from 0.</small></p>",
        _claims(answers.claims),
    )
    return f'<div class="lastlayer-comparison">{"".join(parts)}</div>'


def _colours() -> str:
    """The marks' colours; the text is the notebook's."""
    scope = ".lastlayer-comparison"
    # Softmax is drawn in ink: the notebook's, which can be seen whatever its background.
    light, dark = (
        ";".join(["--ll0:currentColor", *(f"--ll{i}:{hue[side]}" for i, hue in enumerate(HUES) if i)])
        for side in (0, 1)
    )
    night = ",".join(f"{theme} {scope}" for theme in DARK)
    cells = f"{scope} td,{scope} th{{text-align:right;padding:2px 10px;white-space:nowrap;font-variant-numeric:tabular-nums}}"
    return (
        f"{scope}{{{light}}}{night}{{{dark}}}{cells}{scope} .t{{text-align:left}}{scope} details{{white-space:normal}}"
    )


def _table(answers: Answers) -> str:
    label = answers.question.label
    shown = largest_classes(answers.reached, label, SHOWN)
    shown = sorted(shown) if len(shown) == len(answers.reached) else shown
    hidden = np.setdiff1d(np.arange(len(answers.reached)), shown)
    top = int(np.argmax(answers.reached))
    heads = ["", f"class {top}", *(f"{k}{' (true)' * (k == label)}" for k in shown)]
    heads += [f"{len(hidden)} others"] * bool(len(hidden)) + [f"loss if {label}"] * (label is not None)
    drawn = marks([row.name for row in answers.rows])
    rows = [_row(row, drawn[row.name], shown, hidden, top, label) for row in answers.rows]
    head = "".join(f"<th{' class=t' if i < 2 else ''}>{escape(text)}</th>" for i, text in enumerate(heads))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div style="overflow-x:auto">{table}</div>'


def _row(row: Row, mark: Mark, shown: Sequence[int], hidden: Iterable[int], top: int, label: int | None) -> str:
    name = f"<td class=t>{_symbol(mark)} {escape(row.name)}</td>"
    if row.probabilities is None or row.losses is None:
        return f'<tr>{name}<td class=t title="{escape(row.error or "")}">undefined here</td></tr>'
    p = row.probabilities
    numbers = [float(p[k]) for k in shown]
    hidden = list(hidden)
    numbers += [float(np.sum(p[hidden]))] * bool(hidden) + ([] if label is None else [float(row.losses[label])])
    cells = "".join(f"<td>{cell(number, 4)}</td>" for number in numbers)
    return f"<tr>{name}<td class=t>{_bar(float(p[top]), mark, top)}</td>{cells}</tr>"


def _symbol(mark: Mark) -> str:
    return (
        f'<svg width="12" height="12" viewBox="-6 -6 12 12"><path d="{mark.shape}" fill="var(--ll{mark.hue})"/></svg>'
    )


def _bar(share: float, mark: Mark, top: int) -> str:
    width = round(BAR * share, 1)
    bars = f'<rect width="{BAR}" height="12" fill="currentColor" opacity=".1"/>'
    bars += f'<rect width="{width}" height="12" fill="var(--ll{mark.hue})"/>'
    title = f"class {top}: {short(share)}"
    return f'<svg width="{BAR}" height="12" role="img" aria-label="{title}"><title>{title}</title>{bars}</svg>'


def _claims(claims: Sequence[Claim]) -> str:
    tested = sum(claim.here != "not tested" for claim in claims)
    rows = "".join(
        f"<tr><td class=t><details><summary>{escape(claim.claim)}</summary>{escape(claim.evidence)}<br>"
        f"<i>In general:</i> {escape(claim.reason)}</details></td><td class=t>{claim.here}</td>"
        f"<td class=t>{claim.in_general}: {escape(claim.brief)}</td></tr>"
        for claim in claims
    )
    head = "<thead><tr><th class=t></th><th class=t>here</th><th class=t>in general</th></tr></thead>"
    summary = f"What people say about softmax: these scores test {tested} of {len(claims)} claims"
    return f"<details><summary>{summary}</summary><table>{head}<tbody>{rows}</tbody></table></details>"

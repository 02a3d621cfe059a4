"""A page per mapping, written from its record: the equation, two charts, the loss with its gradient, and the card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sphinx.application import Sphinx

import lastlayer as ll
from lastlayer.comparison.card import card
from lastlayer.mappings import ProbabilityMapping
from lastlayer.marks import HUES, marks
from lastlayer.report.colophon import address
from site_extensions.charts import Axis, Curve, chart
from site_extensions.equations import FAMILIES, equation, loss_and_gradient

FOLDER = Path("reference", "mappings")
#: The cards' sections that the page says in another way.
SHOWN_ABOVE = {"equation", "loss"}
REFERENCES = "references"
GROWTH = (1.0, 0.5, 0.0)


def first_class(mapping: ProbabilityMapping, x: np.ndarray) -> list[float]:
    """The probability of the first class for the scores [x, 1]; NaN outside of the domain."""
    scores = np.stack([x, np.ones_like(x)], axis=-1)
    return list(ll.probabilities(scores, mapping=mapping, on_domain="nan")[:, 0])


def relative_g(mapping: ProbabilityMapping, x: np.ndarray) -> list[float]:
    """g(x) / g(1) of a normalized mapping: the two probabilities for [x, 1], one divided by the other."""
    scores = np.stack([x, np.ones_like(x)], axis=-1)
    p = ll.probabilities(scores, mapping=mapping, on_domain="nan")
    return list(p[:, 0] / p[:, 1])


def charts(mapping: ProbabilityMapping) -> str:
    """The first class against its score; and g, or what a growing factor does to three classes."""
    hue = f"hue-{marks([mapping.label])[mapping.label].hue}"
    x = np.linspace(-3, 5, 161)
    name = mapping.label
    curves = [Curve(first_class(mapping, x), hue)]
    if name != "softmax":
        curves.insert(0, Curve(first_class(ll.MAPPINGS["softmax"], x), "other"))
    across, shares = Axis(-3, 5, (-3, -1, 1, 3, 5)), Axis(0, 1, (0, 0.5, 1))
    words = f"The probability that {name} gives the first class of the scores [x, 1], for x from −3 to 5."
    drawn = [chart("p of the first class, scores [x, 1]", words, x, curves, (across, shares))]
    if mapping.family == "normalized":
        curves = [Curve(relative_g(mapping, x), hue)]
        if name != "softmax":
            curves.insert(0, Curve(relative_g(ll.MAPPINGS["softmax"], x), "other"))
        words = f"The function g of {name} for x from −3 to 5, as a multiple of g(1)."
        drawn.append(chart("g(x), as a multiple of g(1)", words, x, curves, (across, Axis(0, 6, (0, 2, 4, 6)))))
    else:
        factor = np.linspace(0, 4, 161)
        p = ll.probabilities(factor[:, None] * np.array(GROWTH), mapping=mapping)
        words = f"The three probabilities that {name} gives k times the scores [1, 0.5, 0], for k from 0 to 4."
        curves = [Curve(list(p[:, i]), f"{hue} class-{i}") for i in range(3)]
        drawn.append(
            chart("all p, scores k · [1, 0.5, 0]", words, factor, curves, (Axis(0, 4, (0, 1, 2, 3, 4)), shares))
        )
    return '<div class="charts">\n' + "\n".join(drawn) + "\n</div>"


def page(mapping: ProbabilityMapping) -> str:
    """The Markdown of a mapping's page."""
    loss, gradient = loss_and_gradient(mapping)
    caption = "" if mapping.name == "softmax" else " Dashed: softmax."
    parts = [
        f"# {mapping.label}",
        plain(mapping.summary),
        equation(mapping),
        f"```{{raw}} html\n{charts(mapping)}\n```",
        f"*Both charts are made by the library.{caption}*",
        "## Loss and gradient",
        f"{mapping.loss_name[0].upper()}{mapping.loss_name[1:]}. For a row with targets $y$ that sum to one:",
        f"$${loss}$$",
        f"$${gradient}$$",
        "## Facts",
        facts(mapping),
        "## Use it",
        use(mapping),
    ]
    return "\n\n".join(parts) + "\n"


def facts(mapping: ProbabilityMapping) -> str:
    """The card as a list of definitions."""
    lines = []
    for heading, texts in card(mapping).sections:
        if heading not in SHOWN_ABOVE:
            entries = references(mapping) if heading == REFERENCES else [plain(text) for text in texts]
            body = entries[0] if len(entries) == 1 else "\n".join(f"  - {entry}" for entry in entries).lstrip()
            lines.append(f"{heading}\n: {body}\n")
    return "\n".join(lines)


def references(mapping: ProbabilityMapping) -> list[str]:
    """What the record names, each as a link to where it can be read."""
    return [f"[{plain(text)}]({address(text)})" if address(text) else plain(text) for text in mapping.references]


def use(mapping: ProbabilityMapping) -> str:
    """How to call it, from Python and in the terminal."""
    own = f"{{py:func}}`lastlayer.{mapping.name}`, or " if hasattr(ll, mapping.name) else ""
    return (
        f'From Python: {own}`mapping="{mapping.label}"` in {{py:func}}`lastlayer.probabilities`, '
        f"{{py:func}}`lastlayer.loss` and every other call.\n\n"
        f"```console\n$ lastlayer explain {mapping.label}\n```\n\n"
        f"[Play with it](../../explore.html#m=softmax,{mapping.label}) next to softmax."
    )


def index(mappings: tuple[ProbabilityMapping, ...]) -> str:
    """The Markdown of the page that lists them."""
    parts = ["# The mappings", "Each turns a row of scores (logits) into probabilities. There are two families."]
    meanings = {
        "normalized": "**Normalized**: make every score positive with a function g, then divide by the sum.",
        "regularized": "**Regularized**: the distribution that fits the scores best, less a penalty Ω for being too sure. "
        "Some classes can get exactly zero. Softmax belongs here too, with Shannon's entropy as −Ω.",
    }
    for family, meaning in meanings.items():
        rows = [m for m in mappings if m.family == family]
        table = ["| mapping | scores it takes | in one sentence |", "|---|---|---|"]
        table += [f"| [{m.label}]({m.label}.md) | {plain(m.domain.description)} | {plain(m.summary)} |" for m in rows]
        form, loss, gradient = FAMILIES[family]
        parts += [f"## {family.capitalize()}", meaning, f"$${form}$$", "\n".join(table)]
        parts += [
            "Its loss and the gradient in the scores, for targets $y$ that sum to one:",
            f"$${loss}, \\qquad {gradient}$$",
        ]
    names = "\n".join(m.label for m in mappings)
    parts.append(f"```{{toctree}}\n:hidden:\n\n{names}\n```")
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Text whose characters are no markup."""
    for character in "\\*_<>|[]$^~":
        text = text.replace(character, f"\\{character}")
    return text


def write(app: Sphinx) -> None:
    """Write the pages before Sphinx looks for documents; one that is current keeps its time."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    mappings = tuple(ll.MAPPINGS.values())
    pages = {"index": index(mappings)} | {mapping.label: page(mapping) for mapping in mappings}
    for old in folder.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def hue_variables(place: int) -> dict[str, str]:
    """The variables of the theme with the marks' colours: `place` 0 on a light page, 1 on a dark one."""
    return {f"hue-{i}": pair[place] for i, pair in enumerate(HUES)}


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

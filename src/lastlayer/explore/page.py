"""The page to play with: one HTML file, put together from the parts in this folder.

No template language: the core installation writes the page. A part is inlined as it is, but for blank lines, indentation and
lines of comment.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from lastlayer.explore.pictures import curve, picture
from lastlayer.explore.words import page_words, prose
from lastlayer.marks import HUES
from lastlayer.version import __version__
from lastlayer.words.short_answer import QUESTION, SHORT_ANSWER

#: The order of inlining. A part that is not there yet is an error.
STYLES = ("page", "strip", "scenes", "lab", "present", "print")
SCENES = ("certainty", "multiply", "add", "break", "choose_g", "logarithm", "learn", "max", "data")
SCRIPTS = (
    *("arithmetic", "mappings", "sparse", "losses", "claims"),
    *("numbers", "state", "draw", "strip", "scene"),
    *(f"scenes/{scene}" for scene in SCENES),
    *("present", "start"),
)


@dataclass(frozen=True)
class PageState:
    """What the page shows when it is opened: `scores` (K,) finite, `label` the true class, the activation of the lab.

    `label` None is the class with the smallest score, which has the largest loss.
    """

    scores: tuple[float, ...] = (1.0, 0.5)
    label: int | None = None
    parameters: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What state.js reads."""
        label = self.scores.index(min(self.scores)) if self.label is None else self.label
        return {"scores": list(self.scores), "label": label, "parameters": self.parameters}


def build(state: PageState | None = None) -> str:
    """The page as text, with `state` inside."""
    data = {
        "WORDS": page_words(),
        "START": (state or PageState()).to_json(),
        "STUDIES": json.loads(part("data/studies.json")),
    }
    values = {
        "version": __version__,
        "question": QUESTION,
        "answer": "\n".join(f"<p>{prose(paragraph)}</p>" for paragraph in SHORT_ANSWER),
        "scenes": "\n".join(part(f"html/scene_{number + 1}.html") for number in range(len(SCENES))),
        "picture": picture(),
        "curve": curve(),
        "hues": colours(0),
        "dark-hues": colours(1),
    }
    page = part("page.html")
    for name, inlined in (
        ("styles", "\n".join(part(f"css/{name}.css") for name in STYLES)),
        ("scripts", "\n".join([globals_of(data), *(part(f"js/{name}.js") for name in SCRIPTS)])),
        *values.items(),
    ):
        page = page.replace(f"<!--{name}-->", inlined).replace(f"/*{name}*/", inlined)
    return "\n".join(without_comments(page.splitlines())) + "\n"


def part(name: str) -> str:
    """A part of the page, by its path in this folder."""
    return files("lastlayer.explore").joinpath(name).read_text(encoding="utf-8")


def colours(scheme: int) -> str:
    """The colours of the mappings as CSS variables; `scheme` 0 is the light page, 1 the dark one."""
    return " ".join(f"--hue{place}: {hue[scheme]};" for place, hue in enumerate(HUES))


def globals_of(data: dict[str, Any]) -> str:
    """A script that hands `data` to the others. No < ends it early."""
    return "\n".join(
        f"(window.LL ??= {{}}).{name} = {json.dumps(value, ensure_ascii=False, separators=(',', ':'))};".replace(
            "<", "\\u003c"
        )
        for name, value in data.items()
    )


def without_comments(lines: Iterable[str]) -> list[str]:
    """The lines without indentation, which is a tenth of the page, and without those that are empty or comments."""
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("// ")]

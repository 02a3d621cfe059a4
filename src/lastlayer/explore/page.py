"""The page to play with: one HTML file, put together from the parts in this folder.

No template language, since the core installation writes the page. The scripts are deflated, which makes the page half as large;
a few readable lines at its end unpack and run them.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from lastlayer.explore.pictures import curve, picture
from lastlayer.explore.ranges import PARAMETERS, RANGES, as_words
from lastlayer.explore.words import page_words, prose
from lastlayer.marks import HUES
from lastlayer.version import __version__
from lastlayer.words.short_answer import QUESTION, SHORT_ANSWER

#: The order of inlining.
STYLES = ("page", "strip", "scenes", "lab", "present", "print")
SCENES = ("certainty", "multiply", "add", "break", "choose_g", "logarithm", "learn", "max", "data")
SCRIPTS = (
    *("ranges", "arithmetic", "normalized", "mappings", "sparse", "losses", "claims"),
    *("numbers", "state", "draw", "scene", "strip"),
    *(f"scenes/{scene}" for scene in SCENES),
    *("lab_parts", "lab_controls", "lab_table", "simplex", "lab_claims", "copy_as", "lab"),
    *("present", "start"),
)
#: Every file that the page is made of, by its path in this folder.
PARTS = (
    "page.html",
    "data/studies.json",
    *(f"css/{name}.css" for name in STYLES),
    *(f"html/scene_{number + 1}.html" for number in range(len(SCENES))),
    *(f"js/{name}.js" for name in SCRIPTS),
)
#: The page draws a bar per class, and its address holds the scores.
MOST_CLASSES = 50


@dataclass(frozen=True)
class PageState:
    """What the page shows when it is opened.

    Attributes:
        scores: (K,), from −1e300 to 1e300, at most 50.
        label: the true class; None is the class with the smallest score, which has the largest loss.
        parameters: temperature, softcap, alpha, order, as far as they are not the usual ones.
        mappings: the mappings that the lab shows, as "entmax" or "entmax:alpha=1.3"; none means its own choice.
    """

    scores: tuple[float, ...] = (1.0, 0.5)
    label: int | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    mappings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what the page cannot draw."""
        if not 1 <= len(self.scores) <= MOST_CLASSES:
            raise ValueError(f"There are {len(self.scores)} scores; the page has room for 1 to {MOST_CLASSES}.")
        for place, score in enumerate(self.scores):
            if score not in RANGES["scores"]:
                raise ValueError(f"Score {place} is {score:g}; the page draws scores {RANGES['scores']}.")
        if self.label is not None and not 0 <= self.label < len(self.scores):
            raise IndexError(f"label is {self.label}; give a class from 0 to {len(self.scores) - 1}.")
        for name, value in self._all_parameters().items():
            if name not in PARAMETERS:
                raise ValueError(f"The page has no parameter {name}; it has {', '.join(PARAMETERS)}.")
            if value not in RANGES[name]:
                raise ValueError(f"{name} is {value:g}; the page takes numbers {RANGES[name]}.")

    def to_json(self) -> dict[str, Any]:
        """What state.js reads."""
        label = self.scores.index(min(self.scores)) if self.label is None else self.label
        shown = {"mappings": [name.partition(":")[0] for name in self.mappings]} if self.mappings else {}
        return {"scores": list(self.scores), "label": label, "parameters": self._all_parameters(), **shown}

    def _all_parameters(self) -> dict[str, float]:
        """Those that were given, and those that the mappings have in their names."""
        named = (part.split("=") for name in self.mappings for part in name.partition(":")[2].split(",") if part)
        return {**{key: float(value) for key, value in named}, **self.parameters}


def build(state: PageState | None = None) -> str:
    """The page as text, with `state` inside; without one it opens at the scores of the question, 1 and 0.5."""
    start = json.dumps((state or PageState()).to_json()).replace("<", "\\u003c")
    values = {
        "start": start,
        "code": packed(scripts()),
        "version": __version__,
        "question": QUESTION,
        "answer": "\n".join(f"<p>{prose(paragraph)}</p>" for paragraph in SHORT_ANSWER),
        "picture": picture(),
        "curve": curve(),
        "hues": colours(0),
        "dark-hues": colours(1),
    }
    # These parts have placeholders of their own.
    values["styles"] = "\n".join(filled(part(f"css/{name}.css"), values) for name in STYLES)
    values["scenes"] = "\n".join(filled(part(f"html/scene_{n + 1}.html"), values) for n in range(len(SCENES)))
    page = filled(part("page.html"), values)
    return "\n".join(filter(None, map(str.strip, page.splitlines()))) + "\n"


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders, <!--name--> or /*name*/, filled; what is filled in is not looked at again.

    >>> filled("<!--a--> /*b*/", {"a": "/*b*/", "b": "2"})
    '/*b*/ 2'
    """
    return re.sub(r"<!--([\w-]+)-->|/\*([\w-]+)\*/", lambda found: values[found[1] or found[2]], template)


def scripts() -> str:
    """All scripts as one, with what Python knows before them."""
    data = {"WORDS": page_words(), "RANGES": as_words(), "STUDIES": json.loads(part("data/studies.json"))}
    known = [f"LL.{name}={json.dumps(value, ensure_ascii=False)};" for name, value in data.items()]
    return "\n".join([*known, *(part(f"js/{name}.js") for name in SCRIPTS)])


def packed(text: str) -> str:
    """Text deflated and in base64."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode("ascii")


def part(name: str) -> str:
    """A part of the page, by its path in this folder."""
    return files("lastlayer.explore").joinpath(name).read_text(encoding="utf-8")


def colours(scheme: int) -> str:
    """The colours of the mappings as CSS variables; `scheme` 0 is the light page, 1 the dark one."""
    return " ".join(f"--hue{place}: {hue[scheme]};" for place, hue in enumerate(HUES))

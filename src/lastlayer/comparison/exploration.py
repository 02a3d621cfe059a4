"""The page to play with, at the scores of a comparison."""

from __future__ import annotations

import importlib
import tempfile
import webbrowser
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from lastlayer.comparison.question import Question
from lastlayer.mappings import MAPPINGS
from lastlayer.words.numbers import typed


@dataclass(frozen=True)
class Exploration:
    """The page: shown by a notebook, written by `save`, opened in a browser by `open`."""

    html: str = field(repr=False)
    size: str

    @classmethod
    def of(cls, question: Question) -> Exploration:
        """The page that asks this question.

        Raises:
            ValueError: what the page cannot show: scores that are infinite or above 1e300, more than 50 of them, or a temperature
                or softcap that its dials do not reach.
        """
        html = _page().build(_state(question))
        return cls(html, f"{len(html.encode()) / 1024:.0f} KB")

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, which needs nothing else."""
        path = Path(path)
        path.write_text(self.html, encoding="utf-8")
        return path

    def open(self) -> Path:
        """Write the page to a temporary file and open it in a browser."""
        with tempfile.NamedTemporaryFile(prefix="lastlayer-", suffix=".html", delete=False) as file:
            path = self.save(file.name)
        webbrowser.open(path.as_uri())
        return path

    def _repr_html_(self) -> str:
        """The page in a frame."""
        return f'<iframe srcdoc="{escape(self.html)}" width="100%" height="720" style="border:0"></iframe>'


def can_be_explored(question: Question) -> bool:
    """Whether the page can show the question."""
    try:
        _state(question)
    except ValueError:
        return False
    return True


def explore_command(question: Question) -> str:
    """The command that opens the page at this question: the same scores, to the last digit, and the same options."""
    label, activation = question.label, question.activation
    options = [] if label is None else [f"--label {label}"]
    options += [] if activation.softcap is None else [f"--softcap {typed(activation.softcap)}"]
    options += [] if activation.temperature == 1 else [f"--temperature {typed(_temperature(question))}"]
    return " ".join(["lastlayer explore", *map(typed, question.scores), *options])


def _state(question: Question) -> Any:
    """The question as the page takes it. What it names itself it shows; without a choice the page has its own."""
    softcap = question.activation.softcap
    parameters = {} if softcap is None else {"softcap": float(softcap)}
    if question.activation.temperature != 1:
        parameters["temperature"] = _temperature(question)
    # A mapping of somebody's own is not on the page.
    chosen = question.mappings if question.is_chosen else ()
    mappings = tuple(mapping.label for mapping in chosen if mapping.name in MAPPINGS)
    return _page().PageState(tuple(map(float, question.scores)), question.label, parameters, mappings)


def _temperature(question: Question) -> float:
    return float(question.activation.temperature)  # type: ignore[arg-type]


def _page() -> Any:
    """Loaded when it is needed: `import lastlayer` reads no page."""
    return importlib.import_module("lastlayer.explore.page")

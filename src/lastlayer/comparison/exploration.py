"""The page to play with, at the scores of a comparison."""

from __future__ import annotations

import importlib
import tempfile
import webbrowser
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np

from lastlayer.comparison.answers import Answers


@dataclass(frozen=True)
class Exploration:
    """The page: shown by a notebook, written by `save`, opened in a browser by `open`."""

    html: str = field(repr=False)
    size: str

    @classmethod
    def of(cls, answers: Answers) -> Exploration:
        """The page at these scores.

        Raises:
            ValueError: scores that the page cannot show: infinite ones, or more than 50.
        """
        # Loaded when it is needed: `import lastlayer` reads no page.
        page = importlib.import_module("lastlayer.explore.page")
        question, activation = answers.question, answers.question.activation
        parameters = {} if activation.temperature == 1 else {"temperature": float(activation.temperature)}
        if activation.softcap is not None:
            parameters["softcap"] = float(activation.softcap)
        scores = tuple(float(x) for x in np.asarray(question.scores))
        html = page.build(page.PageState(scores, question.label, parameters))
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

"""The model that a study ends with: what it is, where it is, and the lines that load it and predict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lastlayer.report.reading import Reading
from lastlayer.words.numbers import compact
from lastlayer.words.printable import clean


@dataclass(frozen=True)
class ModelCard:
    """The advised model.

    Attributes:
        summary: what it is, in one sentence.
        file: its path, empty where it was not saved.
        loading: the lines of Python that load it and predict, none where it was not saved.
        classifier: the line of Python that makes an untrained classifier like it.
    """

    summary: str
    file: str
    loading: tuple[str, ...]
    classifier: str


def model_card(reading: Reading, model: Path | None) -> ModelCard | None:
    """The card of the decision's mapping; None where the decision names none.

    Args:
        reading: the study.
        model: the file of the fitted model, if it was saved.
    """
    decision = reading.results.decision
    row = reading.row(decision.mapping)
    if row is None:
        return None
    C = decision.facts.get("C")
    strength = "" if C is None else f", C = {compact(float(C))}"
    fixed = "" if C is None or reading.results.settings.C is not None else ", chosen on all rows"
    saved = "" if model is None else " It is fitted on all rows, together with its preparation of the columns."
    loading = (
        ()
        if model is None
        else (
            "import pandas as pd",
            "from lastlayer.study import load_model",
            f'load_model({quoted(str(model))}).predict_proba(pd.read_csv("new.csv"))',
        )
    )
    argument = "" if C is None else f", C={float(C):.6g}"
    return ModelCard(
        summary=f"A linear model under {row.name}{strength}{fixed}.{saved}",
        file="" if model is None else clean(model),
        loading=loading,
        classifier=f"LastLayerClassifier({quoted(row.label)}{argument})",
    )


def quoted(text: str) -> str:
    """The text as Python reads it back, in double quotes where these need no escape; control characters are escaped."""
    return f'"{text}"' if text.isprintable() and not set(text) & set('"\\') else ascii(text)

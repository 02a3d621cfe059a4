"""The page of a comparison: table, bottom line, what people say, and what else there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lastlayer.comparison.answers import Answers, Row
from lastlayer.comparison.summary import in_short
from lastlayer.comparison.text.claims_text import claim_lines
from lastlayer.comparison.text.paper import Line, Paper, as_text
from lastlayer.comparison.text.table import TINY, tables
from lastlayer.words.numbers import short

#: The rows that are shown first: the two of the question, and two that give zeros.
FIRST = ("softmax", "ratio", "sparsemax", "hardmax")

#: What the headings mean.
MEANINGS = {
    "loss": "how much the mapping would be punished if that class were the true one, each by its own loss",
    "gradient": "the slope of that loss in each score",
    "entropy": "in nats",
    "support": "how many classes get more than zero",
}


def layout(answers: Answers, paper: Paper) -> list[Line]:
    """The lines of a comparison."""
    rows = _shown_rows(answers, paper)
    table = tables(answers, rows, paper)
    lines = [*_activation(answers, paper), *table]
    for row in rows:
        if row.error is not None:
            lines += paper.wrapped(row.error, first="– " if not paper.is_ascii else "- ", rest="  ", style="dim")
    if len(rows) < len(answers.rows):
        more = "" if paper.in_python else ": --mappings all"
        lines += paper.wrapped(f"{len(answers.rows) - len(rows)} more mappings{more}", style="dim")
    if legend := _legend(answers, as_text(table)):
        lines += paper.wrapped(legend, style="dim")
    lines += [(), *_bottom_line(answers, paper), (), *claim_lines(answers.claims, paper)]
    if not paper.everything:
        lines += [(), *_more(answers, paper)]
    return lines


def _shown_rows(answers: Answers, paper: Paper) -> Sequence[Row]:
    if paper.everything or answers.question.is_chosen:
        return answers.rows
    return [row for row in answers.rows if row.name in FIRST]


def _activation(answers: Answers, paper: Paper) -> list[Line]:
    """What reaches the mappings, if that is not what was given."""
    activation = answers.question.activation
    if activation.is_identity:
        return []
    steps = [] if activation.softcap is None else [f"softcap {short(activation.softcap)}"]
    steps += [] if activation.temperature == 1 else [f"temperature {short(activation.temperature)}"]
    after = f"After {' and '.join(steps)} the scores are {_listed(answers.reached)}."
    return [*paper.wrapped(after), ()]


def _bottom_line(answers: Answers, paper: Paper) -> list[Line]:
    head = "In short: "
    (_, (text, _)), *more = paper.wrapped(f"{head}{in_short(answers)}")
    return [((head, "bold"), (text.removeprefix(head), "")), *more]


def _legend(answers: Answers, table: str) -> str:
    """What the columns of the table mean, beside the probabilities."""
    activation = answers.question.activation
    through = "" if activation.is_identity else ", through the activation"
    parts = [f"{heading}: {meaning}" for heading, meaning in MEANINGS.items() if heading in table]
    legend = "; ".join(parts).replace("each score", f"each score{through}") + "." * bool(parts)
    return f"{legend} {TINY} Some are too small for a float64 and print as 0." if TINY in table else legend


def _more(answers: Answers, paper: Paper) -> list[Line]:
    """Where to go from here."""
    if paper.in_python:
        ways = (
            ".text(everything=True) shows every mapping and claim with numbers and reasons",
            ".explore() plays with them",
        )
    else:
        ways = (
            "--all shows every mapping and claim with numbers and reasons",
            f"lastlayer explore {_listed(answers.question.scores)} plays with them",
        )
    return [line for way in ways for line in paper.wrapped(way, rest="  ", style="dim")]


def _listed(values: Iterable[float], most: int = 8) -> str:
    texts = [short(float(value)) for value in values]
    return " ".join(texts[:most]) + " …" * (len(texts) > most)

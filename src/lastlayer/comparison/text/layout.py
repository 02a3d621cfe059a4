"""The page of a comparison: bottom line, table, what people say, and what else there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lastlayer.comparison.answers import Answers, Row
from lastlayer.comparison.exploration import can_be_explored, explore_command
from lastlayer.comparison.first import FIRST
from lastlayer.comparison.summary import in_short
from lastlayer.comparison.text.claims_text import claim_lines
from lastlayer.comparison.text.paper import Line, Paper, as_text
from lastlayer.comparison.text.table import TINY, tables
from lastlayer.words.numbers import short

#: What the headings mean.
MEANINGS = {
    "loss": "how much the mapping would be punished if that class were the true one, each by its own loss",
    "gradient": "the slope of that loss in each score",
    "entropy": "in nats",
    "support": "how many classes get more than zero",
}
#: Classes are named by their index.
COUNTED = "Classes are counted from 0."


def layout(answers: Answers, paper: Paper) -> list[Line]:
    """The lines of a comparison."""
    rows = _shown_rows(answers, paper)
    table = tables(answers, rows, paper)
    lines = [*_activation(answers, paper), *_bottom_line(answers, paper), (), *table]
    for row in rows:
        if row.error is not None:
            lines += paper.wrapped(row.error, first="– " if not paper.is_ascii else "- ", rest="  ", style="dim")
    lines += paper.wrapped(_hidden(answers, rows, paper) + COUNTED, style="dim")
    if legend := _legend(answers, as_text(table)):
        lines += paper.wrapped(legend, style="dim")
    lines += [(), *claim_lines(answers.claims, paper)]
    if not paper.everything:
        lines += [(), *_more(answers, paper)]
    return lines


def _hidden(answers: Answers, rows: Sequence[Row], paper: Paper) -> str:
    """How many mappings are not shown, and what shows them."""
    hidden = len(answers.rows) - len(rows)
    if not hidden:
        return ""
    return f"{hidden} more mappings{'' if paper.in_python else ': --mappings all'}. "


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
    """What the columns of the table mean, other than the probabilities."""
    activation = answers.question.activation
    through = "" if activation.is_identity else ", through the activation"
    parts = [f"{heading}: {meaning}" for heading, meaning in MEANINGS.items() if heading in table]
    legend = "; ".join(parts).replace("each score", f"each score{through}") + "." * bool(parts)
    return f"{legend} {TINY} Some are too small for a float64 and print as 0." if TINY in table else legend


def _more(answers: Answers, paper: Paper) -> list[Line]:
    """Where to go from here."""
    everything = ".text(everything=True)" if paper.in_python else "--all"
    lines = paper.wrapped(
        f"{everything} shows every mapping and claim with numbers and reasons", rest="  ", style="dim"
    )
    if not can_be_explored(answers.question):
        return lines
    # One line whatever its length, so that it can be copied and run.
    page = ".explore()" if paper.in_python else explore_command(answers.question)
    return [*lines, ((f"{page} plays with them", "dim"),)]


def _listed(values: Iterable[float], most: int = 8) -> str:
    texts = [short(float(value)) for value in values]
    return " ".join(texts[:most]) + " …" * (len(texts) > most)

"""A comparison on the terminal: the table, why a mapping has no answer, and the claims."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from lastlayer.cli.comparison_table import fitting_tables
from lastlayer.comparison import Claim, Comparison
from lastlayer.words.numbers import short

VERDICTS = {
    "yes": ("yes", "green"),
    "no": ("no", "yellow"),
    "half true": ("half true", "yellow"),
    "not tested": ("not tested", "dim"),
}


def print_comparison(comparison: Comparison, claims: Iterable[Claim], console: Console) -> None:
    """Scores, table, reasons, claims."""
    question, activation = comparison.question, comparison.question.activation
    console.print(Text.assemble(("scores  ", "dim"), _list(question.scores)))
    if not activation.is_identity:
        steps = [] if activation.softcap is None else [f"softcap {short(activation.softcap)}"]
        steps += [] if activation.temperature == 1 else [f"temperature {short(activation.temperature)}"]
        console.print(Text.assemble((f"after {', '.join(steps)}  ", "dim"), _list(comparison.reached)))
    if question.label is not None:
        console.print(
            Text.assemble(
                ("true class  ", "dim"),
                f"{question.label}, with the score {short(question.scores[question.label])}",
            )
        )
    for table in fitting_tables(comparison, console):
        console.print()
        console.print(table)
    for row in comparison.rows:
        if row.error is not None:
            console.print(Text(f"— {row.error}", style="dim"))
    console.print()
    console.print(_legend(comparison), style="dim")
    console.print()
    where = "these scores" if activation.is_identity else "the scores after the activation"
    console.print(Text(f"The usual answer about softmax, judged on {where}", style="bold"))
    for claim in claims:
        _print_claim(claim, console)


def _legend(comparison: Comparison) -> str:
    activation = comparison.question.activation
    of = "of that class's loss in the scores given" + ("" if activation.is_identity else ", through the activation")
    parts = [
        "loss: log loss, or Fenchel–Young for the regularized family",
        "entropy in nats",
        "support: classes with a probability above zero",
    ]
    if comparison.question.label is not None:
        parts.insert(1, f"gradient: {of}")
    return "; ".join(parts) + "."


def _list(values: Iterable[float]) -> str:
    return "  ".join(short(value) for value in values)


def _print_claim(claim: Claim, console: Console) -> None:
    """The verdict, and next to it the claim and its evidence, wrapped under each other."""
    verdict, style = VERDICTS[claim.here]
    margin = 2 + max(len(word) for word, _ in VERDICTS.values())
    lines = [
        line
        for text in (Text(claim.claim, style="bold"), Text(claim.evidence))
        for line in text.wrap(console, console.width - margin)
    ]
    for i, line in enumerate(lines):
        console.print(
            Text.assemble(
                (verdict if i == 0 else "", style),
                " " * (margin - len(verdict) * (i == 0)),
                line,
            )
        )

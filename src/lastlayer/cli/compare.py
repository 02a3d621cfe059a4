"""`lastlayer compare 1 0.5`: the mappings on one vector of scores, and what people say about softmax, judged on it."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.text import Text

from lastlayer.cli.completion import complete_mappings_or_all
from lastlayer.cli.errors import CommandError, expected
from lastlayer.cli.extras import load
from lastlayer.cli.mapping_names import split_names
from lastlayer.cli.paths import PATH
from lastlayer.cli.scores import CommandWithScores, read_scores
from lastlayer.cli.terminal import is_ascii, say, say_json, terminal
from lastlayer.comparison import Answers, Question
from lastlayer.comparison.json_form import to_json_dict
from lastlayer.comparison.text import Paper, layout
from lastlayer.mappings import MAPPINGS

#: `--mappings all` shows every one.
ALL = "all"


@click.command(cls=CommandWithScores)
@click.argument("scores", nargs=-1, metavar="SCORE...")
@click.option(
    "--label", type=int, metavar="CLASS", help="The true class, counted from 0. Adds its loss and its gradient."
)
@click.option(
    "--softcap", type=float, metavar="C", help="Put the scores through C·tanh(x / C) first; 1 is the plain tanh."
)
@click.option(
    "--temperature", type=float, default=1.0, show_default=True, metavar="T", help="Then divide the scores by T."
)
@click.option(
    "--mappings",
    metavar="A,B",
    shell_complete=complete_mappings_or_all,
    help="Show only these, as in softmax,ratio,entmax:alpha=1.3, or all of them: all.  [default: the most telling]",
)
@click.option("--all", "everything", is_flag=True, help="Show every mapping, and every claim with numbers and reasons.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--plot", type=PATH, metavar="FILE.png", help="Also draw the comparison.")
def compare(
    scores: tuple[str, ...],
    label: int | None,
    softcap: float | None,
    temperature: float,
    mappings: str | None,
    everything: bool,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Show what softmax and others make of scores.

    What people say about softmax is judged: whether it is so for these scores, and in general.

    SCORE is any real number (a logit), one per class; 2 -1 0.5 and [2, -1, .5] are the same. A single - reads them from standard
    input.

    Example: lastlayer compare 2 -1 0.5 --label 0
    """
    with expected(ValueError, TypeError, IndexError):
        question = Question.ask(
            read_scores(scores),
            label=label,
            softcap=softcap,
            temperature=temperature,
            mappings=_names(mappings),
        )
    answers = Answers.of(question)
    if plot is not None:
        _save_figure(answers, plot)
    if as_json:
        say_json(json.dumps(to_json_dict(answers), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _print(answers, everything)
    if plot is not None:
        say(f"figure: {plot}", err=as_json)


def _names(mappings: str | None) -> list[str] | None:
    """The mappings that were asked for; None for the usual ones."""
    if mappings is None:
        return None
    return list(MAPPINGS) if mappings.strip().lower() == ALL else split_names(mappings)


def _print(answers: Answers, everything: bool) -> None:
    console = terminal()
    for line in layout(answers, Paper(console.width, everything, is_ascii())):
        console.print(Text.assemble(*line), soft_wrap=True)


def _save_figure(answers: Answers, path: Path) -> None:
    figure = load("lastlayer.comparison.figure", extra="study", purpose="--plot")
    with expected(ValueError):
        figure.require_format(path)
    try:
        figure.save(answers, path)
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = "give a file in a folder that exists and that you may write to"
        raise CommandError(f"The figure cannot be written to {path} ({reason}); {remedy}.") from error
    except ValueError as error:
        raise CommandError(f"The figure cannot be written to {path}: {error}.") from error

"""`lastlayer compare 1 0.5`: every mapping on one vector of scores, and the usual claims judged on it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lastlayer.cli.comparison_text import print_comparison
from lastlayer.cli.errors import CommandError, expected
from lastlayer.cli.extras import load
from lastlayer.cli.mapping_names import split_names
from lastlayer.cli.negative_numbers import CommandWithScores, number
from lastlayer.cli.paths import PATH
from lastlayer.cli.terminal import say, say_json, terminal
from lastlayer.comparison import Comparison, Question, judge
from lastlayer.comparison import compare as compare_scores
from lastlayer.comparison.json_form import to_json_dict


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
    "--mappings", metavar="A,B", help="Show only these, as in softmax,ratio,entmax:alpha=1.3.  [default: all]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--plot", type=PATH, metavar="FILE.png", help="Also draw the comparison.")
def compare(
    scores: tuple[str, ...],
    label: int | None,
    softcap: float | None,
    temperature: float,
    mappings: str | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Show what each mapping makes of your scores.

    The usual claims about softmax are judged on these scores, too.

    SCORE is any real number (also called a logit), one per class.

    Example: lastlayer compare 2 -1 0.5 --label 0
    """
    with expected(ValueError, TypeError, IndexError):
        question = Question.ask(
            [number(text, place) for place, text in enumerate(scores)],
            label=label,
            softcap=softcap,
            temperature=temperature,
            mappings=None if mappings is None else split_names(mappings),
        )
    comparison = compare_scores(question)
    claims = judge(comparison)
    if plot is not None:
        _save_figure(comparison, plot)
    if as_json:
        say_json(
            json.dumps(
                to_json_dict(comparison, claims),
                indent=2,
                ensure_ascii=False,
                allow_nan=False,
            )
        )
    else:
        print_comparison(comparison, claims, terminal())
    if plot is not None:
        say(f"figure: {plot}", err=as_json)


def _save_figure(comparison: Comparison, path: Path) -> None:
    figure = load("lastlayer.comparison.figure", extra="study", purpose="--plot")
    with expected(ValueError):
        figure.require_format(path)
    try:
        figure.save(comparison, path)
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = "give a file in a folder that exists and that you may write to"
        raise CommandError(f"The figure cannot be written to {path} ({reason}); {remedy}.") from error
    except ValueError as error:
        raise CommandError(f"The figure cannot be written to {path}: {error}.") from error

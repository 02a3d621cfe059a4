"""`lastlayer compare 1 0.5`: every mapping on one vector of scores, and the usual claims judged on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lastlayer.cli.comparison_text import print_comparison
from lastlayer.cli.errors import CommandError, expected
from lastlayer.cli.extras import load
from lastlayer.cli.mapping_names import split_names
from lastlayer.cli.negative_numbers import number
from lastlayer.cli.paths import expanded
from lastlayer.cli.terminal import say, say_json, terminal
from lastlayer.comparison import Comparison, Question, judge
from lastlayer.comparison import compare as compare_scores
from lastlayer.comparison.json_form import to_json_dict


def compare(
    scores: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SCORE",
            help="One number a class, as in 2 -1 0.5.",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        int | None,
        typer.Option(
            metavar="CLASS",
            help="The true class, counted from 0: adds its loss and gradient.",
        ),
    ] = None,
    softcap: Annotated[
        float | None,
        typer.Option(
            metavar="C",
            help="First put the scores through C·tanh(x / C); 1 is the plain tanh.",
        ),
    ] = None,
    temperature: Annotated[float, typer.Option(metavar="T", help="Then divide them by T.")] = 1.0,
    mappings: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Only these, as in softmax,ratio,entmax:alpha=1.3.",
            show_default="all",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Also draw it.", callback=expanded)] = None,
) -> None:
    """Show what every mapping makes of these scores, and what the usual answer claims of them.

    Example: lastlayer compare 2 -1 0.5 --label 0
    """
    with expected(ValueError, TypeError, IndexError):
        question = Question.ask(
            [number(text, place) for place, text in enumerate(scores or [])],
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

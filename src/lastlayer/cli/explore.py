"""`lastlayer explore 1 0.5`: writes the page to play with, these scores inside, and opens it."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from lastlayer.cli.errors import CommandError, expected
from lastlayer.cli.paths import PATH
from lastlayer.cli.scores import CommandWithScores, read_scores
from lastlayer.cli.terminal import say
from lastlayer.explore.page import PageState, build
from lastlayer.files import replace_text

FILE = Path("lastlayer-explore.html")
#: What every page has.
MARK = '<p class="kicker">lastlayer explore</p>'


@click.command(cls=CommandWithScores)
@click.argument("scores", nargs=-1, metavar="[SCORE...]")
@click.option(
    "--label",
    type=int,
    metavar="CLASS",
    help="The true class, counted from 0.  [default: that of the smallest score]",
)
@click.option(
    "--softcap", type=float, metavar="C", help="Put the scores through C·tanh(x / C) first; 1 is the plain tanh."
)
@click.option(
    "--temperature", type=float, default=1.0, show_default=True, metavar="T", help="Then divide the scores by T."
)
@click.option(
    "--out",
    type=PATH,
    default=FILE,
    show_default=True,
    metavar="FILE",
    help="Where the page is written; a folder gets the default name.",
)
@click.option("--no-open", is_flag=True, help="Only write the page; open no browser.")
def explore(
    scores: tuple[str, ...],
    label: int | None,
    softcap: float | None,
    temperature: float,
    out: Path,
    no_open: bool,
) -> None:
    """Play with scores on a page in the browser.

    Drag the scores, and see what softmax and the ratio make of them.

    Writes one HTML file, which asks nine questions about softmax and answers them. It needs no server and makes no request.

    SCORE is any real number (a logit), one per class; without scores it begins with 1 0.5.

    Example: lastlayer explore 2 -1 0.5
    """
    with expected(ValueError, TypeError, IndexError):
        values = tuple(read_scores(scores)) if scores else PageState.scores
        page = build(PageState(values, label, _parameters(softcap, temperature)))
    out = _write(out, page)
    say(f"page: {out}")
    if no_open:
        return
    if not webbrowser.open(out.resolve().as_uri()):
        say("No browser could be started here; open the file in one.", err=True)


def _parameters(softcap: float | None, temperature: float) -> dict[str, float]:
    """Those that change something."""
    before = {"softcap": softcap, "temperature": None if temperature == 1 else temperature}
    return {name: value for name, value in before.items() if value is not None}


def _write(path: Path, page: str) -> Path:
    """Write the page, over an earlier page but over nothing else; a folder gets the default name."""
    if str(path) == "-":
        raise CommandError("The page cannot be written to standard output; give the name of a file.")
    try:
        path = path / FILE if path.is_dir() else path
        if path.is_file() and MARK not in path.read_text(encoding="utf-8", errors="replace"):
            raise CommandError(f"{path} is there already and is no page of lastlayer; give another name, or remove it.")
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, page)
        return path
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(
            f"The page cannot be written to {path}: {reason}. Give a file in a folder you may write to."
        ) from error

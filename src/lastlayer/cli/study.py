"""`lastlayer study data.csv --target label`: the same model under every mapping on your data, and what differed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lastlayer.cli.errors import expected
from lastlayer.cli.extras import load
from lastlayer.cli.mapping_names import split_names
from lastlayer.cli.paths import expanded
from lastlayer.cli.progress_bar import ProgressBar
from lastlayer.cli.terminal import say, say_json, terminal
from lastlayer.functions import resolve_mapping


def study(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="[DATASET | FILE]", help="A dataset of scikit-learn (digits, iris, …), or a CSV or Parquet file."
        ),
    ] = "digits",
    target: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column with the classes; needed for a file.")
    ] = None,
    mappings: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these and softmax, as in ratio,entmax:alpha=1.3.")
    ] = None,
    folds: Annotated[int, typer.Option(metavar="N", help="Folds of the cross-validation.")] = 5,
    repeats: Annotated[int, typer.Option(metavar="N", help="How often the folds are drawn anew.")] = 2,
    strength: Annotated[
        float | None, typer.Option("--C", metavar="C", help="Fix the inverse penalty; without it each fit chooses.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of folds and restarts.")] = 0,
    jobs: Annotated[int, typer.Option(metavar="N", help="Fits at a time; -1 for one a core.")] = 1,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the fits, results.parquet and report.html go.", callback=expanded)
    ] = Path("lastlayer-study"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Train the same model under every mapping on your data, and report what differed. Stopped, it resumes.

    Example: lastlayer study data.csv --target label --mappings softmax,ratio,sparsemax
    """
    package = load("lastlayer.study", extra="study", purpose="lastlayer study")
    report = load("lastlayer.report", extra="study", purpose="lastlayer study")
    names = None if mappings is None else split_names(mappings)
    with expected(ValueError, TypeError):
        for name in names or ():
            resolve_mapping(name)
    try:
        with expected(package.StudyError, report.ReportError, OSError, MemoryError), ProgressBar() as progress:
            results = package.run_study(
                dataset,
                target=target,
                mappings=names,
                folds=folds,
                repeats=repeats,
                C=strength,
                seed=seed,
                out=out,
                jobs=jobs,
                progress=progress,
            )
            page = report.write_html(results, out / "report.html")
    except KeyboardInterrupt:
        say(f"Stopped. What is finished is kept in {out}: the same command goes on from there.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        say_json(json.dumps(results.to_json_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        terminal().print(report.render_table(results))
        say()
    # With --json stdout is the JSON alone.
    say(f"report: {page}", err=as_json)

"""`lastlayer study data.csv --target label`: the same model under every mapping on your data, and what differed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from lastlayer.cli.errors import expected
from lastlayer.cli.extras import load
from lastlayer.cli.mapping_names import split_names
from lastlayer.cli.paths import PATH
from lastlayer.cli.progress_bar import ProgressBar
from lastlayer.cli.terminal import say, say_json, terminal
from lastlayer.functions import resolve_mapping


@click.command
@click.argument("dataset", default="digits", metavar="[DATASET|FILE]")
@click.option("--target", metavar="COLUMN", help="The column with the classes; needed for a file.")
@click.option(
    "--mappings", metavar="A,B", help="Study only these and softmax, as in ratio,entmax:alpha=1.3.  [default: all]"
)
@click.option("--folds", default=5, show_default=True, metavar="N", help="Folds of the cross-validation.")
@click.option("--repeats", default=2, show_default=True, metavar="N", help="How often the folds are drawn again.")
@click.option(
    "--C",
    "strength",
    type=float,
    metavar="C",
    help="Fix C, the inverse regularization strength; without it each fit chooses its own.",
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of the folds and the restarts.")
@click.option("--jobs", default=1, show_default=True, metavar="N", help="Fits that run at a time; -1 for one per core.")
@click.option(
    "--out",
    type=PATH,
    default=Path("lastlayer-study"),
    show_default=True,
    metavar="DIR",
    help="The folder for the fits, results.parquet and report.html.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def study(
    dataset: str,
    target: str | None,
    mappings: str | None,
    folds: int,
    repeats: int,
    strength: float | None,
    seed: int,
    jobs: int,
    out: Path,
    as_json: bool,
) -> None:
    """Compare the mappings on your own data.

    The same model is trained under every mapping, and the report says what differed.
    After Ctrl-C the same command resumes.

    DATASET is one of scikit-learn's, as in iris. FILE is a CSV or Parquet file.
    Without either, the study is of digits.

    Example: lastlayer study data.csv --target label
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
        raise click.exceptions.Exit(130) from None
    if as_json:
        say_json(json.dumps(results.to_json_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        terminal().print(report.render_table(results))
        say()
    # With --json stdout is the JSON alone.
    say(f"report: {page}", err=as_json)

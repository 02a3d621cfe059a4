"""`lastlayer study data.csv --target label`: the same model under every mapping on your data, and what differed."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from lastlayer.cli.completion import complete_dataset, complete_mappings
from lastlayer.cli.durations import DURATION
from lastlayer.cli.errors import expected
from lastlayer.cli.extras import load
from lastlayer.cli.mapping_names import split_names
from lastlayer.cli.paths import PATH
from lastlayer.cli.study_progress import StudyProgressBar
from lastlayer.cli.terminal import say, say_json, terminal
from lastlayer.functions import resolve_mapping


@click.command
@click.argument("dataset", default="digits", metavar="[DATASET|FILE]", shell_complete=complete_dataset)
@click.option("--target", metavar="COLUMN", help="The column with the classes; needed for a file.")
@click.option("--labels", type=PATH, metavar="FILE", help="The labels, where FILE has features alone (.npy, .npz).")
@click.option(
    "--mappings",
    metavar="A,B",
    shell_complete=complete_mappings,
    help="Study only these and softmax, as in ratio,entmax:alpha=1.3.  [default: all]",
)
@click.option("--groups", metavar="COLUMN", help="Keep rows with the same value together, as those of one patient.")
@click.option("--time", metavar="COLUMN", help="Train on earlier rows and test on later ones.")
@click.option("--drop", multiple=True, metavar="COLUMN", help="Leave a column out; may be given several times.")
@click.option("--min-class", type=int, metavar="N", help="Leave out classes of fewer than N rows.")
@click.option("--merge-rare", type=int, metavar="N", help="Make one class of all classes of fewer than N rows.")
@click.option("--splines", is_flag=True, help="Give the linear models splines of the numbers, so that boundaries bend.")
@click.option("--encoding", metavar="NAME", help="Of a text file, as in latin-1.  [default: found out]")
@click.option("--folds", default=5, show_default=True, metavar="N", help="Folds of the cross-validation.")
@click.option("--repeats", type=int, metavar="N", help="How often the folds are drawn.  [default: 2]")
@click.option(
    "--C",
    "strength",
    type=float,
    metavar="C",
    help="Fix C, the inverse regularization strength; without it each fit chooses its own.",
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of the folds and the restarts.")
@click.option(
    "--jobs", type=int, metavar="N", help="Fits that run at a time; -1 for one per core.  [default: by the data's size]"
)
@click.option("--time-limit", type=DURATION, metavar="TIME", help="Start no fit after this time, as in 90s or 10m.")
@click.option(
    "--out",
    type=PATH,
    default=Path("lastlayer-study"),
    show_default=True,
    metavar="DIR",
    help="Where the study's folder is made: report, results, predictions, model and fits.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def study(dataset: str, as_json: bool, **options: Any) -> None:
    """Compare the mappings on your own data.

    The same model is trained under every mapping, and the report says what differed and what to use.
    After Ctrl-C the same command resumes.

    DATASET is one of scikit-learn's, as in iris. FILE is a CSV, Parquet, JSON, Feather, Excel or NumPy file, or - for CSV on
    standard input. Without either, the study is of digits.

    Example: lastlayer study data.csv --target label
    """
    package = load("lastlayer.study", extra="study", purpose="lastlayer study")
    report = load("lastlayer.report", extra="study", purpose="lastlayer study")
    arguments = _arguments(options)
    try:
        with expected(package.StudyError, report.ReportError, OSError, MemoryError), StudyProgressBar() as progress:
            results = package.run_study(dataset, progress=progress, command=_command(), **arguments)
            folder = results.folder
            model = folder / "model.skops"
            model = model if model.is_file() else None
            page = report.write_html(results, folder / "report.html", model=model)
    except KeyboardInterrupt:
        say(f"Stopped. What is finished is kept in {options['out']}: the same command goes on from there.", err=True)
        raise click.exceptions.Exit(130) from None
    if as_json:
        form = results.to_dict() | {
            "advice": list(report.decision_sentences(results)),
            "notes": [[str(group), list(sentences)] for group, sentences in report.study_notes(results)],
        }
        say_json(json.dumps(form, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        terminal().print(report.render_table(results, model=model))
        say()
    # With --json stdout is the JSON alone.
    say(f"report: {page}", err=as_json)


def _arguments(options: dict[str, Any]) -> dict[str, Any]:
    """The options as `run_study` takes them."""
    given = dict(options)
    mappings, rare, merged = given.pop("mappings"), given.pop("min_class"), given.pop("merge_rare")
    names = None if mappings is None else split_names(mappings)
    with expected(ValueError, TypeError):
        for name in names or ():
            resolve_mapping(name)
    if rare is not None and merged is not None:
        raise click.UsageError("--min-class leaves rare classes out and --merge-rare merges them; give one of the two.")
    min_class = ("merge", merged) if merged is not None else rare
    return given | {"C": given.pop("strength"), "mappings": names, "min_class": min_class}


def _command() -> str:
    """What was typed, so that the report can repeat it."""
    return shlex.join(["lastlayer", *sys.argv[1:]])

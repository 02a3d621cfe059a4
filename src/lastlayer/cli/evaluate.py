"""`lastlayer evaluate scores.npy --labels y.npy`: can these probabilities be trusted, and which one change makes them better."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from lastlayer.cli.completion import MAPS, complete_list, complete_mapping
from lastlayer.cli.errors import CommandError, expected
from lastlayer.cli.evaluation_folder import Folder, folder_for
from lastlayer.cli.extras import load
from lastlayer.cli.mapping_names import plain_name, split_names
from lastlayer.cli.option_names import with_options
from lastlayer.cli.paths import PATH
from lastlayer.cli.progress_bar import ProgressBar
from lastlayer.cli.terminal import escaped, say, say_json, terminal
from lastlayer.files import replace_text
from lastlayer.functions import resolve_mapping

#: What is said of the steps of an evaluation while they last; maps are called by their names.
STEPS = {"reading": "reading", "metrics": "measuring", "report": "writing"}


class _Bound(click.ParamType):  # type: ignore[type-arg]
    name = "bound"

    def __init__(self, most: float = math.inf) -> None:
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """A number from 0 on, and up to what can be exceeded."""
        try:
            bound = float(value)
        except ValueError:
            bound = math.nan
        if not bound >= 0:
            self.fail(f"{value!r} is no bound; give a number from 0 on, such as 0.5.", param, ctx)
        if bound > self._most:
            self.fail(f"{value} is above {self._most:g}, where nothing can exceed it; 0.03 is 3 %.", param, ctx)
        return bound


@click.command
@click.argument("scores", metavar="SCORES", type=PATH)
@click.option("--labels", type=PATH, metavar="FILE", help="The true classes, one per row of SCORES.")
@click.option(
    "--target", metavar="COLUMN", help="The column of SCORES with the true classes, in a CSV or Parquet file."
)
@click.option(
    "--as",
    "kind",
    type=click.Choice(["scores", "probabilities"]),
    help="What the numbers are; scores are also called logits.  [default: found out]",
)
@click.option(
    "--mapping",
    default="softmax",
    show_default=True,
    metavar="NAME",
    shell_complete=complete_mapping,
    help="How the model turns scores into probabilities.",
)
@click.option("--groups", metavar="FILE|COLUMN", help="Keep rows of one group together, in folds and in intervals.")
@click.option("--fit", type=PATH, metavar="SCORES", help="Fit the maps on this file, and judge them on SCORES.")
@click.option("--fit-labels", type=PATH, metavar="FILE", help="The true classes of the rows of --fit.")
@click.option("--folds", default=5, show_default=True, metavar="N", help="Folds of the cross-fitting, without --fit.")
@click.option(
    "--maps",
    metavar="A,B",
    shell_complete=complete_list(MAPS),
    help="Try only these maps, as in temperature,vector.  [default: all]",
)
@click.option("--key", metavar="NAME", help="The array with the scores, in a file of several arrays.")
@click.option("--labels-key", metavar="NAME", help="The array with the labels, in a file of several arrays.")
@click.option(
    "--classes", metavar="A,B|FILE", help="The classes in the order of the columns, or a text file with one per line."
)
@click.option("--seed", default=0, show_default=True, metavar="N", help="Seed of the folds and of the resampling.")
@click.option(
    "--out",
    type=PATH,
    metavar="DIR",
    help="Where report.html, calibrator.json and evaluation.json go.  [default: a folder named after SCORES]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--max-log-loss", type=_Bound(), metavar="X", help="Exit with code 1 if the log loss is above X.")
@click.option(
    "--max-ece", type=_Bound(most=1.0), metavar="X", help="Exit with code 1 if the calibration error is above X."
)
def evaluate(
    scores: Path,
    classes: str | None,
    out: Path | None,
    as_json: bool,
    max_log_loss: float | None,
    max_ece: float | None,
    **options: Any,
) -> None:
    """Tell whether probabilities can be trusted.

    Log loss, calibration error and a reliability diagram of any trained model, and the one calibration map that makes its
    probabilities better, such as temperature scaling.

    SCORES is a file with one row per example and one column per class: scores (logits) or probabilities, as .npy, .npz, .csv,
    .parquet, .safetensors or .pt. One column means two classes.

    Example: lastlayer evaluate logits.npy --labels labels.npy
    """
    package = load("lastlayer.evaluation", extra="study", purpose="lastlayer evaluate")
    report = load("lastlayer.report", extra="study", purpose="lastlayer evaluate")
    words = load("lastlayer.report.evaluation", extra="study", purpose="lastlayer evaluate")
    arguments = _arguments(options)
    with expected(OSError, MemoryError), ProgressBar(every=10.0) as bar:
        arguments["class_names"] = None if classes is None else _class_names(classes)
        folder = folder_for(out, scores, _data(scores, arguments), CommandError)
        try:
            found = package.evaluate_scores(scores, command=_command(), progress=_Progress(bar), **arguments)
        except package.EvaluationError as error:
            raise CommandError(with_options(str(error))) from error
        form = words.evaluation_form(found)
        failure = _write(found, form, folder, words)
    if as_json:
        say_json(_json(form))
    else:
        # Lines of Python are never cut.
        terminal().print(words.render_evaluation(found, calibrator=folder.calibrator), crop=False)
        say()
    # Shown after the results: a disk that is full by now must not cost the evaluation.
    with expected(OSError, report.ReportError):
        if failure is not None:
            raise failure
    if note := folder.note():
        say(f"lastlayer: {note}", err=True)
    for heading, path in (("report", folder.report), ("calibrator", folder.calibrator), ("evaluation", folder.form)):
        # With --json stdout is the JSON alone.
        say(f"{heading}: {path}", err=as_json)
    _check_bounds(found, {"log_loss": max_log_loss, "ece": max_ece})


def _arguments(options: dict[str, Any]) -> dict[str, Any]:
    """The options as `evaluate_scores` takes them."""
    given = dict(options)
    maps = given.pop("maps")
    with expected(ValueError, TypeError):
        given["mapping"] = plain_name(given["mapping"])
        resolve_mapping(given["mapping"])
    if (given["fit_labels"] is not None) and given["fit"] is None:
        raise click.UsageError("--fit-labels are the labels of --fit; give --fit SCORES too.")
    names = None if maps is None else split_names(maps)
    if names == []:
        raise click.UsageError(
            "--maps names no map; name some, as in --maps temperature,vector, or leave it out for all."
        )
    return given | {"maps": names}


def _class_names(text: str) -> tuple[str, ...]:
    """The names of the classes: the lines of a file if there is one of this name, or a list with commas.

    Raises:
        CommandError: the file is not text.
        OSError: the file cannot be read.
    """
    path = Path(text)
    try:
        is_file = path.is_file()
    except OSError:
        # A list of many names is longer than a file's name may be.
        is_file = False
    if not is_file:
        return tuple(name.strip() for name in text.split(","))
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CommandError(f"The classes in {path} are not UTF-8 text; give one name per line.") from error
    return tuple(line.strip() for line in lines if line.strip())


class _Progress:
    """Calls a bar with words for the steps."""

    def __init__(self, bar: ProgressBar) -> None:
        self._bar = bar

    def __call__(self, done: int, total: int, what: str) -> None:
        self._bar(done, total, STEPS.get(what, what.replace("_", " ")))


def _data(scores: Path, arguments: dict[str, Any]) -> Iterable[str]:
    """What distinguishes two evaluations: their data, not how these are judged."""
    files = (scores, *(arguments[name] for name in ("labels", "fit", "fit_labels")))
    names = (arguments[name] for name in ("target", "groups", "key", "labels_key"))
    return (*("" if path is None else str(path.resolve()) for path in files), *(name or "" for name in names))


def _write(found: Any, form: dict[str, Any], folder: Folder, words: ModuleType) -> Exception | None:
    """Write the three files; returns why they could not be written."""
    try:
        folder.make()
        replace_text(folder.form, _json(form) + "\n")
        found.calibrator.write(folder.calibrator)
        words.write_evaluation_html(found, folder.report, calibrator=folder.calibrator)
    # A page that cannot be written raises a ReportError, which is a ValueError with an OSError behind it.
    except (OSError, ValueError) as error:
        if not isinstance(error, OSError) and not isinstance(error.__cause__, OSError):
            raise
        return error
    return None


def _json(form: dict[str, Any]) -> str:
    return escaped(json.dumps(form, indent=2, ensure_ascii=False, allow_nan=False))


def _check_bounds(found: Any, bounds: dict[str, float | None]) -> None:
    """Say in one line which bounds are exceeded, and leave with exit code 1."""
    names = {"log_loss": ("log loss", "--max-log-loss"), "ece": ("calibration error", "--max-ece")}
    exceeded = []
    for key, bound in bounds.items():
        value = found.metrics[key].value
        # NaN is not within any bound.
        if bound is not None and not value <= bound:
            text = f"{value:.6g}" if f"{value:.6g}" != f"{bound:.6g}" else repr(value)
            exceeded.append(f"the {names[key][0]} is {text}, above {names[key][1]} {bound:g}")
    if exceeded:
        say(f"lastlayer: {' and '.join(exceeded)}.", err=True)
        raise click.exceptions.Exit(1)


def _command() -> str:
    """What was typed, so that the report can repeat it."""
    return shlex.join(["lastlayer", *sys.argv[1:]])

"""`lastlayer study`: what the command adds to the study itself, and two small studies run for real."""

from __future__ import annotations

import inspect
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import lastlayer.cli.study as command
from lastlayer.study import StudyProgress, run_study


class StudyError(ValueError):
    """Stands for the study's own."""


class ReportError(ValueError):
    """Stands for the report's own."""


@pytest.fixture
def stand_in(monkeypatch):
    """The packages behind the command, replaced; records what run_study was asked."""
    asked = {}

    def run_study(dataset, **options):
        asked.update(dataset=dataset, **options)
        options["progress"](StudyProgress(1, 2, "fits", 1.0, 2.0, {"softmax": 0.1}, {"softmax": 1}))
        return SimpleNamespace(
            to_dict=lambda: {"dataset": dataset, "log_loss": "inf"}, folder=options["out"] / "digits"
        )

    packages = {
        "lastlayer.study": SimpleNamespace(StudyError=StudyError, run_study=run_study),
        "lastlayer.report": SimpleNamespace(
            ReportError=ReportError,
            write_html=lambda results, path, *, model: path,
            render_table=lambda results, *, model: "the table",
            decision_sentences=lambda results: ("Keep softmax.",),
            study_notes=lambda results: (("Your data", ("A note.",)),),
        ),
    }
    monkeypatch.setattr(command, "load", lambda module, **_: packages[module])
    return SimpleNamespace(asked=asked, study=packages["lastlayer.study"], report=packages["lastlayer.report"])


def test_defaults(lastlayer, stand_in):
    run = lastlayer("study")
    assert run.code == 0
    assert run.out.index("the table") < run.out.index("report: lastlayer-study/digits/report.html")
    del stand_in.asked["progress"], stand_in.asked["command"]
    assert stand_in.asked == {
        "dataset": "digits",
        "target": None,
        "labels": None,
        "mappings": None,
        "groups": None,
        "time": None,
        "drop": (),
        "min_class": None,
        "splines": False,
        "encoding": None,
        "folds": 5,
        "repeats": None,
        "C": None,
        "seed": 0,
        "jobs": None,
        "time_limit": None,
        "out": Path("lastlayer-study"),
    }


def test_every_option_arrives(lastlayer, stand_in):
    options = "--target y --mappings ratio,entmax:alpha=1.3 --folds 3 --repeats 4 --C 0.1 --seed 7 --jobs -1 --splines"
    options += " --groups who --time when --drop a --drop b --merge-rare 9 --encoding latin-1 --time-limit 1.5m"
    lastlayer("study", "data.csv", *options.split(), "--labels", "y.npy", "--out", "there")
    del stand_in.asked["progress"], stand_in.asked["command"]
    assert stand_in.asked == {
        "dataset": "data.csv",
        "target": "y",
        "labels": Path("y.npy"),
        "mappings": ["ratio", "entmax:alpha=1.3"],
        "groups": "who",
        "time": "when",
        "drop": ("a", "b"),
        "min_class": ("merge", 9),
        "splines": True,
        "encoding": "latin-1",
        "folds": 3,
        "repeats": 4,
        "C": 0.1,
        "seed": 7,
        "jobs": -1,
        "time_limit": 90.0,
        "out": Path("there"),
    }


def test_every_parameter_of_a_study_is_an_option(lastlayer, stand_in):
    """What Python can ask, the command can; a margin per metric and a callback need Python."""
    lastlayer("study", "data.csv", "--target", "y")
    missing = set(inspect.signature(run_study).parameters) - set(stand_in.asked)
    assert missing == {"margin"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--min-class 3 --merge-rare 3", "give one of the two"),
        ("--time-limit soon", "'soon' is no duration above zero; give one such as 90s, 10m or 1.5h"),
        ("--time-limit 0", "'0' is no duration above zero"),
    ],
)
def test_options_that_make_no_sense(options, sentence, lastlayer, stand_in):
    assert sentence in lastlayer("study", "data.csv", *options.split()).error()


def test_json_is_all_of_stdout(lastlayer, stand_in):
    run = lastlayer("study", "iris", "--json")
    notes = {"advice": ["Keep softmax."], "notes": [["Your data", ["A note."]]]}
    assert run.json == {"dataset": "iris", "log_loss": "inf"} | notes
    assert run.err == "report: lastlayer-study/digits/report.html\n"


@pytest.mark.parametrize(
    "error",
    [
        StudyError("There is no file data.csv; give a path."),
        ReportError("The report cannot be written."),
        PermissionError(13, "Permission denied", "there"),
    ],
)
def test_expected_errors_are_one_sentence(lastlayer, stand_in, error):
    def fail(*_, **__):
        raise error

    stand_in.study.run_study = fail
    sentence = lastlayer("study", "data.csv").error()
    assert sentence in (str(error), "there: Permission denied.")


def test_a_bug_keeps_its_traceback(lastlayer, stand_in):
    def fail(*_, **__):
        raise ValueError("a bug")

    stand_in.study.run_study = fail
    with pytest.raises(ValueError, match="a bug"):
        lastlayer("study")


def test_ctrl_c_says_how_to_go_on(lastlayer, stand_in):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    stand_in.study.run_study = interrupt
    run = lastlayer("study", "iris", "--out", "there")
    assert run.code == 130
    assert "kept in there: the same command goes on" in run.err
    assert "Traceback" not in run.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--mappings", "sofmax"], "did you mean 'softmax'"),
        (["--folds", "many"], "--folds"),
        (["--C", "x"], "--C"),
        (["iris", "digits"], "digits"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_options_are_one_sentence(lastlayer, stand_in, arguments, says):
    assert says in lastlayer("study", *arguments).error()


def test_without_its_extra_the_command_says_how_to_get_it(lastlayer, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("lastlayer.study", "lastlayer.report"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert lastlayer("study").error() == 'lastlayer study needs pandas; install it with: pip install "lastlayer[study]"'


@pytest.fixture(scope="module")
def imbalanced(tmp_path_factory):
    """A table as it comes: text, missing values, unbalanced classes."""
    path = tmp_path_factory.mktemp("data") / "table.csv"
    rows = [
        f"{i % 7},{'red' if i % 3 else 'blue'},{'' if i % 11 == 0 else i % 5},{'yes' if i % 4 == 0 else 'no'}"
        for i in range(60)
    ]
    path.write_text("size,colour,grade,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


SMALL = ("--folds", "2", "--repeats", "2", "--C", "1", "--mappings", "softmax,ratio")


def test_a_real_study_ends_with_the_table_the_report_and_the_verdicts(real_lastlayer, imbalanced, tmp_path):
    run = real_lastlayer("study", str(imbalanced), "--target", "label", *SMALL)
    assert run.code == 0, run.err
    assert "table" in run.out
    assert run.out.endswith("report: lastlayer-study/table-label/report.html\n")
    folder = tmp_path / "lastlayer-study" / "table-label"
    assert (folder / "report.html").read_text(encoding="utf-8").lstrip().startswith("<!")
    assert {path.name for path in folder.iterdir()} == {
        ".study",
        "report.html",
        "results.parquet",
        "predictions.parquet",
        "model.skops",
        "fits",
    }
    again = real_lastlayer("study", str(imbalanced), "--target", "label", *SMALL, "--json")
    assert [entry["name"] for entry in again.json["mappings"]] == ["softmax", "ratio"]
    assert again.json["command"].endswith("--C 1 --mappings softmax,ratio --json")
    assert again.json["advice"][0].endswith(".")
    assert {comparison["versus"] for comparison in again.json["comparisons"]} == {"softmax"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nope.csv", "--target", "label"], "no file nope.csv"),
        (["{table}"], "--target"),
        (["{table}", "--target", "colr"], "no column 'colr'"),
        (["{table}", "--target", "label", "--folds", "20"], "15 rows"),
        (["nonsense"], "no dataset 'nonsense'"),
        (["iris", "--folds", "1"], "folds is 1"),
        (["iris", "--out", "{table}"], "table.csv"),
    ],
)
def test_a_real_study_asked_wrongly_is_one_sentence(lastlayer, imbalanced, arguments, says):
    assert says in lastlayer("study", *(argument.format(table=imbalanced) for argument in arguments)).error()


def test_ctrl_c_stops_a_real_study_and_the_same_command_resumes(tmp_path):
    command = [str(Path(sys.executable).with_name("lastlayer")), "study", "digits", "--folds", "3", "--repeats", "2"]
    command += ["--C", "0.01", "--mappings", "softmax,sparsemax"]
    # A shell without job control starts what runs in the background deaf to SIGINT; who presses Ctrl-C has no such shell.
    hearing = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    study = subprocess.Popen(
        [sys.executable, "-c", hearing, *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    kept = tmp_path / "lastlayer-study" / "digits" / "fits"
    deadline = time.monotonic() + 120
    while not any(kept.rglob("*")) and study.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    study.send_signal(signal.SIGINT)
    out, err = study.communicate(timeout=120)
    assert (study.returncode, out) == (130, ""), err
    assert err == "Stopped. What is finished is kept in lastlayer-study: the same command goes on from there.\n"
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("report: lastlayer-study/digits/report.html\n")

"""`lastlayer evaluate`: what the command adds to the evaluation itself, with a stand-in for the evaluation."""

from __future__ import annotations

import inspect
import json
import math
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import lastlayer.cli.evaluate as command
from lastlayer.calibration import Calibrator
from lastlayer.cli.evaluation_folder import MARK
from lastlayer.cli.option_names import OPTIONS
from lastlayer.evaluation import EvaluationError, evaluate_scores
from lastlayer.evaluation.result import Measure

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from synthetic_evaluation import CASES, synthetic_evaluation

OURS = {"report.html", "calibrator.json", "evaluation.json"}


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """`evaluate_scores`, replaced, in an empty folder; records what it was asked, and returns `evaluation`."""
    monkeypatch.chdir(tmp_path)
    state = SimpleNamespace(asked={}, evaluation=synthetic_evaluation(), error=None)

    def evaluate_scores(scores, **options):
        state.asked = {"scores": scores, **options}
        options["progress"](1, 2, "temperature_prior")
        if state.error is not None:
            raise state.error
        return state.evaluation

    load = command.load

    def loaded(module, **options):
        if module == "lastlayer.evaluation":
            return SimpleNamespace(EvaluationError=EvaluationError, evaluate_scores=evaluate_scores)
        return load(module, **options)

    monkeypatch.setattr(command, "load", loaded)
    return state


def test_defaults(lastlayer, stand_in):
    run = lastlayer("evaluate", "a/logits.npy", "--labels", "y.npy")
    assert (run.code, run.err) == (0, "")
    flat = " ".join(run.out.split())
    assert flat.startswith("Overconfident: where it says about")
    lines = run.out.splitlines()
    assert lines[-3:] == [
        "report: lastlayer-evaluation/logits/report.html",
        "calibrator: lastlayer-evaluation/logits/calibrator.json",
        "evaluation: lastlayer-evaluation/logits/evaluation.json",
    ]
    assert {path.name for path in Path("lastlayer-evaluation/logits").iterdir()} == {*OURS, MARK}
    del stand_in.asked["progress"], stand_in.asked["command"]
    assert stand_in.asked == {
        "scores": Path("a/logits.npy"),
        "labels": Path("y.npy"),
        "target": None,
        "kind": None,
        "mapping": "softmax",
        "groups": None,
        "fit": None,
        "fit_labels": None,
        "folds": 5,
        "maps": None,
        "key": None,
        "labels_key": None,
        "class_names": None,
        "seed": 0,
    }


def test_every_option_arrives(lastlayer, stand_in):
    options = (
        "--target y --as probabilities --mapping entmax:alpha=1.3 --groups who --fit f.npy --fit-labels g.npy --folds 3"
    )
    options += " --maps temperature,entmax:alpha=1.3 --key a --labels-key b --classes no,yes --seed 7 --out there"
    lastlayer("evaluate", "p.csv", *options.split())
    del stand_in.asked["progress"], stand_in.asked["command"]
    assert stand_in.asked == {
        "scores": Path("p.csv"),
        "labels": None,
        "target": "y",
        "kind": "probabilities",
        "mapping": "entmax:alpha=1.3",
        "groups": "who",
        "fit": Path("f.npy"),
        "fit_labels": Path("g.npy"),
        "folds": 3,
        "maps": ["temperature", "entmax:alpha=1.3"],
        "key": "a",
        "labels_key": "b",
        "class_names": ("no", "yes"),
        "seed": 7,
    }
    assert {path.name for path in Path("there").iterdir()} == {*OURS, MARK}


def test_every_parameter_of_an_evaluation_is_an_option(lastlayer, stand_in):
    """What Python can ask, the command can."""
    lastlayer("evaluate", "p.npy")
    assert set(inspect.signature(evaluate_scores).parameters) == set(stand_in.asked)


def test_classes_may_come_from_a_file(lastlayer, stand_in):
    Path("names.txt").write_text("a cat\n\nb, dog\n", encoding="utf-8")
    lastlayer("evaluate", "p.npy", "--classes", "names.txt")
    assert stand_in.asked["class_names"] == ("a cat", "b, dog")
    Path("names.txt").write_bytes(b"caf\xe9\n")
    assert "not UTF-8 text; give one name per line" in lastlayer("evaluate", "p.npy", "--classes", "names.txt").error()


def test_a_list_of_classes_may_be_longer_than_a_files_name(lastlayer, stand_in):
    names = [f"a class with number {i}" for i in range(300)]
    assert lastlayer("evaluate", "p.npy", "--classes", ",".join(names)).code == 0
    assert stand_in.asked["class_names"] == tuple(names)


@pytest.mark.parametrize("name", CASES)
def test_json_is_all_of_stdout_and_the_same_as_the_file(lastlayer, stand_in, name):
    stand_in.evaluation = CASES[name]()
    run = lastlayer("evaluate", "p.npy", "--json")
    assert run.json["advice"]["sentence"]
    assert run.json["verdict"] == stand_in.evaluation.verdict
    assert run.err.splitlines()[0] == "report: lastlayer-evaluation/p/report.html"
    written = json.loads(Path("lastlayer-evaluation/p/evaluation.json").read_text(encoding="utf-8"))
    assert written == run.json


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--max-log-loss 0.5", "lastlayer: the log loss is 0.512, above --max-log-loss 0.5.\n"),
        ("--max-ece 0", "lastlayer: the calibration error is 0.083, above --max-ece 0.\n"),
        (
            "--max-log-loss 0.1 --max-ece 0.08",
            "lastlayer: the log loss is 0.512, above --max-log-loss 0.1 and the calibration error is 0.083, above --max-ece 0.08.\n",
        ),
    ],
)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_an_exceeded_bound_is_exit_code_1_and_one_line(lastlayer, stand_in, options, says, more):
    run = lastlayer("evaluate", "p.npy", *options.split(), *more)
    assert run.code == 1
    assert run.err.endswith(says)
    assert sum(line.startswith("lastlayer: ") for line in run.err.splitlines()) == 1
    assert {path.name for path in Path("lastlayer-evaluation/p").iterdir()} >= OURS


def test_a_bound_is_kept_at_its_value(lastlayer, stand_in):
    assert lastlayer("evaluate", "p.npy", "--max-log-loss", "0.512", "--max-ece", "0.083").code == 0


@pytest.mark.parametrize("value", [math.inf, math.nan, 0.5120000001])
def test_infinity_nan_and_the_next_number_are_above_a_bound(lastlayer, stand_in, value):
    metrics = {**stand_in.evaluation.metrics, "log_loss": Measure(value, value, value)}
    stand_in.evaluation = replace(stand_in.evaluation, metrics=metrics)
    run = lastlayer("evaluate", "p.npy", "--max-log-loss", "0.512")
    assert run.code == 1
    assert f"the log loss is {value!r}, above" in run.err


@pytest.mark.parametrize("bound", ["nan", "-0.1", "much", ""])
def test_a_bound_that_is_none_is_refused(lastlayer, stand_in, bound):
    assert "is no bound; give a number from 0 on" in lastlayer("evaluate", "p.npy", f"--max-ece={bound}").error()
    assert not stand_in.asked


def test_a_bound_that_nothing_exceeds_is_refused(lastlayer, stand_in):
    assert (
        "3 is above 1, where nothing can exceed it; 0.03 is 3 %."
        in lastlayer("evaluate", "p.npy", "--max-ece", "3").error()
    )
    assert not stand_in.asked
    assert lastlayer("evaluate", "p.npy", "--max-ece", "1", "--max-log-loss", "3").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "SCORES"),
        (["p.npy", "--as", "logits"], "logits"),
        (["p.npy", "--mapping", "sofmax"], "did you mean 'softmax'"),
        (["p.npy", "--fit-labels", "y.npy"], "give --fit SCORES too"),
        (["p.npy", "--folds", "many"], "--folds"),
        (["p.npy", "q.npy"], "q.npy"),
        (["p.npy", "--maps", ""], "--maps names no map"),
        (["p.npy", "--maps", " , "], "--maps names no map"),
        (["p.npy", "--out", ""], "'--out': The path is empty"),
        ([""], "'SCORES': The path is empty"),
    ],
)
def test_bad_options_are_one_sentence(lastlayer, stand_in, arguments, says):
    assert says in lastlayer("evaluate", *arguments).error()
    assert not stand_in.asked


@pytest.mark.parametrize(
    "error",
    [
        EvaluationError("There is no file p.npy; give a path."),
        PermissionError(13, "Permission denied", "there"),
        MemoryError("8 GB"),
    ],
)
def test_expected_errors_are_one_sentence_and_nothing_is_written(lastlayer, stand_in, error):
    stand_in.error = error
    sentence = lastlayer("evaluate", "p.npy").error()
    assert sentence == str(error) or "Permission denied" in sentence or "not enough memory (8 GB)" in sentence
    assert not list(Path().iterdir())


def test_a_bug_keeps_its_traceback(lastlayer, stand_in):
    stand_in.error = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        lastlayer("evaluate", "p.npy")


def test_ctrl_c_is_exit_code_130_and_nothing_is_written(lastlayer, stand_in):
    stand_in.error = KeyboardInterrupt()
    run = lastlayer("evaluate", "p.npy")
    assert run.code == 130
    assert run.err.strip() == "lastlayer: error: stopped."
    assert not list(Path().iterdir())


def test_the_same_command_replaces_its_files_and_other_data_get_another_folder(lastlayer, stand_in):
    lastlayer("evaluate", "p.npy", "--labels", "y.npy")
    page = Path("lastlayer-evaluation/p/report.html")
    page.write_text("earlier", encoding="utf-8")
    lastlayer("evaluate", "p.npy", "--labels", "y.npy", "--folds", "3")
    assert page.read_text(encoding="utf-8") != "earlier"
    other = lastlayer("evaluate", "p.npy", "--labels", "z.npy")
    assert "lastlayer-evaluation/p-2/report.html" in other.out
    assert other.err == (
        "lastlayer: lastlayer-evaluation/p has the evaluation of other data, so this evaluation is in lastlayer-evaluation/p-2.\n"
    )
    assert "lastlayer-evaluation/p-3/report.html" in lastlayer("evaluate", "other/p.npy", "--labels", "y.npy").out
    assert "lastlayer-evaluation/p/report.html" in lastlayer("evaluate", "p.npy", "--labels", "y.npy").out


@pytest.mark.parametrize("name", sorted(OURS))
def test_somebodys_files_are_not_overwritten(lastlayer, stand_in, name):
    for folder in (Path("there"), Path("lastlayer-evaluation/p")):
        folder.mkdir(parents=True)
        (folder / name).write_text("precious", encoding="utf-8")
    sentence = lastlayer("evaluate", "p.npy", "--out", "there").error()
    assert sentence.startswith(f"there/{name} exists, and lastlayer evaluate did not write it; give another folder")
    assert not stand_in.asked, "refused before the work"
    run = lastlayer("evaluate", "p.npy")
    assert "lastlayer-evaluation/p-2/report.html" in run.out
    assert run.err.startswith(
        "lastlayer: lastlayer-evaluation/p has files that lastlayer evaluate did not write, so this"
    )
    for folder in (Path("there"), Path("lastlayer-evaluation/p")):
        assert [path.name for path in folder.iterdir()] == [name]
        assert (folder / name).read_text(encoding="utf-8") == "precious"


def test_a_given_folder_may_be_empty_ours_or_hold_other_files(lastlayer, stand_in):
    Path("there").mkdir()
    assert lastlayer("evaluate", "p.npy", "--out", "there").code == 0
    assert lastlayer("evaluate", "another.npy", "--out", "there").code == 0
    Path("work").mkdir()
    Path("work/p.npy").write_bytes(b"scores")
    assert lastlayer("evaluate", "work/p.npy", "--out", "work").code == 0
    assert Path("work/p.npy").read_bytes() == b"scores"


def test_a_file_in_the_place_of_the_folder_is_named(lastlayer, stand_in):
    Path("there").write_text("precious", encoding="utf-8")
    assert lastlayer("evaluate", "p.npy", "--out", "there").error().startswith("there exists")
    assert Path("there").read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("out", ["afile/x", "afile/x/y", "/proc/x/y", "x" * 300, "missing/" + "x" * 300, "dangling"])
def test_a_folder_that_cannot_be_made_is_refused_before_the_work(lastlayer, stand_in, out):
    Path("afile").write_text("precious", encoding="utf-8")
    Path("dangling").symlink_to("nowhere/at/all")
    sentence = lastlayer("evaluate", "p.npy", "--out", out).error()
    assert sentence.startswith(f"The folder {out} cannot be written (")
    assert sentence.endswith("); give another one with --out.")
    assert not stand_in.asked
    assert {path.name for path in Path().iterdir()} == {"afile", "dangling"}


def test_a_folder_without_the_right_to_write_is_refused_before_the_work(lastlayer, stand_in, monkeypatch):
    Path("there").mkdir()
    # The superuser may write everywhere, so that the answer of the system is replaced.
    monkeypatch.setattr("os.access", lambda path, mode: str(path) != "there" or not mode & os.W_OK)
    assert (
        "The folder there cannot be written (Permission denied); give"
        in lastlayer("evaluate", "p.npy", "--out", "there").error()
    )
    assert not stand_in.asked


def test_trying_a_folder_leaves_nothing_behind(lastlayer, stand_in):
    stand_in.error = EvaluationError("No.")
    Path("mine").mkdir()
    for out in ("new/folder/here", "mine", "mine/new"):
        lastlayer("evaluate", "p.npy", "--out", out).error()
    assert list(Path().rglob("*")) == [Path("mine")]


def test_errors_of_the_evaluation_name_options(lastlayer, stand_in):
    stand_in.error = EvaluationError("folds is 1; give a whole number, or class_names, or say with key (--key) which.")
    said = lastlayer("evaluate", "p.npy").error()
    assert said == "--folds is 1; give a whole number, or --classes, or say with --key which."


def test_every_parameter_has_its_option():
    """The names of the errors are those of the command."""
    options = {option for param in command.evaluate.params for option in param.opts}
    assert set(OPTIONS.values()) <= options
    unnamed = {"scores", "progress", "command"}
    assert set(OPTIONS) == set(inspect.signature(evaluate_scores).parameters) - unnamed


def test_results_are_shown_where_the_files_cannot_be_written(lastlayer, stand_in, monkeypatch):
    """A disk that is full by now must not cost the evaluation."""

    def full_disk(self, path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(type(stand_in.evaluation.calibrator), "write", full_disk)
    run = lastlayer("evaluate", "p.npy")
    assert run.code == 2
    assert run.out.startswith("Overconfident")
    assert run.err == "lastlayer: error: lastlayer-evaluation/p/calibrator.json: No space left on device.\n"
    assert "report: " not in run.out


@pytest.mark.parametrize("name", ["p.npy", ".npy", "a b;c.npz", "x" * 200 + ".csv", "scores.v2.parquet", "p.csv.gz"])
def test_the_folder_is_named_after_the_file(lastlayer, stand_in, name):
    lastlayer("evaluate", name)
    (folder,) = Path("lastlayer-evaluation").iterdir()
    assert folder.name in ("p", "npy", "a_b_c", "x" * 60, "scores.v2")


def test_what_was_typed_is_kept(lastlayer, stand_in, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["lastlayer", "evaluate", "my scores.npy"])
    lastlayer("evaluate", "my scores.npy")
    assert stand_in.asked["command"] == "lastlayer evaluate 'my scores.npy'"


def test_without_its_extra_the_command_says_how_to_get_it(lastlayer, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("lastlayer.evaluation", "lastlayer.calibration"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    sentence = lastlayer("evaluate", "p.npy").error()
    assert sentence == 'lastlayer evaluate needs scipy; install it with: pip install "lastlayer[study]"'


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A folder with the scores of a calibrated model times 2.5, and its labels."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(1500, 4)) * 1.5
    np.save("scores.npy", 2.5 * scores)
    np.save("labels.npy", np.argmax(scores + rng.gumbel(size=scores.shape), axis=1))
    return tmp_path


def test_a_real_evaluation_finds_the_temperature_and_its_file_applies_it(lastlayer, planted):
    run = lastlayer("evaluate", "scores.npy", "--labels", "labels.npy", "--maps", "temperature", "--json")
    assert (run.code, run.json["verdict"], run.json["advice"]["map"]) == (0, "overconfident", "temperature")
    found = run.json["maps"][1]["parameters"]
    assert found["temperature_low"] < 2.5 < found["temperature_high"]
    calibrator = Calibrator.read("lastlayer-evaluation/scores/calibrator.json")
    scores = np.load("scores.npy")
    terms = np.exp(scores / found["temperature"] - np.max(scores / found["temperature"], axis=1, keepdims=True))
    np.testing.assert_allclose(calibrator.probabilities(scores), terms / terms.sum(axis=1, keepdims=True), rtol=1e-9)
    page = Path("lastlayer-evaluation/scores/report.html").read_text(encoding="utf-8")
    assert run.json["advice"]["sentence"].split(": ")[0] in page


def test_a_real_evaluation_exits_with_1_above_a_bound(lastlayer, planted):
    run = lastlayer("evaluate", "scores.npy", "--labels", "labels.npy", "--maps", "temperature", "--max-ece", "0.01")
    assert run.code == 1
    assert run.err.startswith("lastlayer: the calibration error is 0.")
    assert run.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["scores.npy"],
        ["nope.npy", "--labels", "labels.npy"],
        ["scores.npy", "--labels", "scores.npy"],
        ["scores.npy", "--labels", "labels.npy", "--folds", "1"],
        ["scores.npy", "--labels", "labels.npy", "--seed", "-1"],
        ["scores.npy", "--labels", "labels.npy", "--maps", "temprature"],
        ["scores.npy", "--labels", "labels.npy", "--classes", "a,b"],
        ["scores.npy", "--labels", "labels.npy", "--as", "probabilities"],
        ["scores.npy", "--labels", "labels.npy", "--groups", "nobody"],
        ["scores.npy", "--labels", "labels.npy", "--groups", "nobody," * 100],
        ["labels.npy", "--labels", "scores.npy"],
    ],
)
def test_a_real_evaluation_asked_wrongly_is_one_sentence_and_writes_nothing(lastlayer, planted, arguments):
    assert lastlayer("evaluate", *arguments).error().endswith((".", "?"))
    assert {path.name for path in planted.iterdir()} == {"scores.npy", "labels.npy"}

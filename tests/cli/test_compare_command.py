"""`lastlayer compare`: arguments of every shape, tables at every width, JSON, figures, one sentence for bad input."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
import types

import pytest
from click.testing import CliRunner

import lastlayer as ll
from lastlayer.cli import app
from lastlayer.mappings import MAPPINGS


def probabilities(result, name):
    return next(entry for entry in result["mappings"] if entry["name"] == name)["probabilities"]


def test_the_question(real_lastlayer):
    result = real_lastlayer("compare", "1", "0.5", "--json").json
    assert probabilities(result, "softmax") == pytest.approx([0.62246, 0.37754], abs=5e-6)
    assert probabilities(result, "ratio") == pytest.approx([2 / 3, 1 / 3], abs=1e-15)


def test_the_table_for_people(real_lastlayer):
    run = real_lastlayer("compare", "1", "0.5")
    assert run.code == 0
    assert run.err == ""
    assert "\x1b" not in run.out
    for name in ("softmax", "ratio", "sparsemax", "hardmax"):
        assert f"\n{name} " in run.out
    assert "0.6225  0.3775" in run.out
    assert "The ratio breaks on negative scores" in run.out
    assert "1.386 times as large" in run.out
    assert run.out.splitlines()[-1] == "lastlayer explore 1 0.5 plays with them"


def test_all_shows_every_mapping_and_the_numbers_behind_every_claim(lastlayer):
    out = lastlayer("compare", "1", "0.5", "--all").out
    words = " ".join(out.split())
    for name in MAPPINGS:
        assert f"\n{name} " in f"\n{out}"
    assert "1.4741 − 0.5 = 0.9741" in words
    assert "Difference quotients agree with the quotient rule" in words


@pytest.mark.parametrize("asked", ["all", "ALL"])
def test_all_mappings_with_the_short_claims(lastlayer, asked):
    out = lastlayer("compare", "1", "0.5", "--mappings", asked).out
    assert all(f"\n{name} " in f"\n{out}" for name in MAPPINGS)
    assert "Difference quotients" not in out


PASTED = [
    ["[1,", ".5]"],
    ["[1, .5]"],
    ["[1,.5]"],
    ["1,0.5"],
    ["1,", "0.5"],
    ["(1", "0.5)"],
    ["[[1.0, 0.5]]"],
    ["1;", ".5"],
    ["1 0.5"],
    ["1;.5"],
]


@pytest.mark.parametrize("arguments", PASTED, ids=" | ".join)
def test_scores_as_people_paste_them(lastlayer, arguments):
    assert lastlayer("compare", *arguments, "--json").json["scores"] == [1, 0.5]


@pytest.mark.parametrize("arguments", [["[-1,", "-.5]"], ["-1,-.5"], ["-1,", "-.5"], ["−1", "−.5"]])
def test_negative_scores_as_people_paste_them(lastlayer, arguments):
    assert lastlayer("compare", *arguments, "--json", "--label", "0").json["scores"] == [-1, -0.5]


def test_a_missing_blank_in_a_list_makes_no_decimal_comma(lastlayer):
    assert lastlayer("compare", "[1, 2,3]", "--json").json["scores"] == [1, 2, 3]


def test_a_typeset_minus_in_the_c_locale(lastlayer):
    """Its bytes come as surrogates."""
    typed = "−1".encode().decode("ascii", "surrogateescape")
    assert lastlayer("compare", typed, "2", "--json").json["scores"] == [-1, 2]


@pytest.mark.parametrize("command", ["compare", "explore"])
def test_a_closed_standard_input_is_one_sentence(lastlayer, command, monkeypatch):
    monkeypatch.setattr("lastlayer.cli.scores.sys", types.SimpleNamespace(stdin=None))
    assert "Standard input is closed" in lastlayer(command, "-").error()


@pytest.mark.parametrize("text", ["1 0.5\n", "[1, 0.5]", "1\n0.5\n", "1,0.5", "\ufeff1 0.5"])
def test_scores_from_standard_input(text):
    done = CliRunner().invoke(app, ["compare", "-", "--json"], input=text)
    assert json.loads(done.stdout)["scores"] == [1, 0.5]


@pytest.mark.parametrize("name", ["Softmax", "SOFTMAX", "softmax"])
def test_names_in_any_case(lastlayer, name):
    result = lastlayer("compare", "1", "0.5", "--mappings", f"{name},Softmax-Plus-One,ENTMAX:Alpha=1.3", "--json").json
    assert [entry["name"] for entry in result["mappings"]] == ["softmax", "softmax_plus_one", "entmax:alpha=1.3"]
    assert lastlayer("explain", name).out.startswith("softmax\n")


def test_json_says_which_question_it_answers(lastlayer):
    result = lastlayer("compare", "1", "0.5", "--label", "1", "--softcap", "2", "--temperature", "3", "--json").json
    assert (result["label"], result["softcap"], result["temperature"]) == (1, 2, 3)
    assert result["version"] == ll.__version__


def test_a_terminal_without_unicode_gets_words_for_signs(real_lastlayer):
    run = real_lastlayer("compare", "1", "0.5", "--all", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert run.out.isascii()
    assert "?" not in run.out
    assert "sigma(x0 - x1) = sigma(0.5) = 0.6225" in " ".join(run.out.split())
    assert max(map(len, run.out.splitlines())) <= 80


@pytest.mark.parametrize("scores", [["2", "-1", "0.5"], ["1", "-1"]])
def test_undefined_rows_say_why(lastlayer, scores):
    run = lastlayer("compare", *scores)
    assert run.code == 0
    assert "undefined" in run.out
    assert "ratio needs scores >= 0, not all zero; the scores are" in " ".join(run.out.split())


NEGATIVE = ["-1", "-.5", "-1e-3", "-2E+1", "-0", "-inf", "−3", "-1_0"]


@pytest.mark.parametrize("number", NEGATIVE)
def test_negative_numbers_at_every_place(lastlayer, number):
    expected = float(number.replace("−", "-"))
    for order in set(itertools.permutations([number, "2", "0.5"])):
        result = lastlayer("compare", *order, "--json").json
        scores = [float(score) for score in result["scores"]]
        assert scores == [expected if text == number else float(text) for text in order]


@pytest.mark.parametrize(
    "arguments",
    [
        ["-2", "-1", "--label", "0", "--json"],
        ["--label", "0", "-2", "-1", "--json"],
        ["-2", "--label", "0", "-1", "--json"],
        ["--json", "-2", "--label=0", "-1"],
        ["--json", "--label", "0", "--", "-2", "-1"],
        ["--mappings", "softmax", "-2", "-1", "--json", "--label", "0"],
    ],
)
def test_negative_numbers_before_and_after_options(lastlayer, arguments):
    result = lastlayer("compare", *arguments).json
    assert result["scores"] == [-2, -1]
    assert result["mappings"][0]["gradient"] is not None


@pytest.mark.parametrize(
    "arguments",
    [
        "1e308 -1e308",
        "1.7e308 -1.7e308 1.7e308 --label 1",
        "inf -inf 1",
        "1e-320 0",
        "1e308 5 --softcap 1e-300 --label 1",
    ],
)
def test_scores_at_the_edge_of_float64_print_no_warnings(lastlayer, arguments):
    # Warnings are errors here.
    run = lastlayer("compare", *arguments.split())
    assert run.code == 0
    assert not run.err


def test_label_adds_its_loss_and_gradient(lastlayer):
    lines = lastlayer("compare", "1", "0.5", "--label", "1").out.splitlines()
    softmax = next(line for line in lines if line.startswith("softmax ")).split()
    # p, −log p₁, p − y
    assert softmax[1:] == ["0.6225", "0.3775", "0.9741", "0.6225", "-0.6225"]


def test_activation_is_shown_and_judged(lastlayer):
    run = lastlayer("compare", "2", "-1", "--softcap", "1", "--temperature", "2")
    # tanh(2)/2 and −tanh(1)/2
    assert run.out.startswith("After softcap 1 and temperature 2 the scores are 0.482 -0.3808.\n")
    # tanh(2, -1), of the scores as given
    assert "(0.964, -0.7616)" in lastlayer("compare", "2", "-1", "--softcap", "1", "--temperature", "2", "--all").out


def test_chosen_mappings_with_parameters(lastlayer):
    result = lastlayer("compare", "1", "0.5", "--mappings", "entmax:alpha=1.3,ratio", "--json").json
    assert [entry["name"] for entry in result["mappings"]] == ["entmax:alpha=1.3", "ratio"]


def test_plot_beside_json_leaves_the_json_alone(lastlayer, tmp_path):
    path = tmp_path / "out.png"
    run = lastlayer("compare", "1", "0.5", "--json", "--plot", str(path))
    assert run.json["scores"] == [1, 0.5]
    assert str(path) in run.err
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "There are no scores"),
        (["1", "x"], "Score 1 is 'x', which is not a number"),
        (["1,5", "2"], "Score 0 is '1,5', which is not a number; write a point for the decimal comma"),
        (["-1,5", "2"], "decimal comma"),
        (["1,5;2,5"], "Score 0 is '1,5', which is not a number; write a point for the decimal comma"),
        (["[1,5 2,5]"], "decimal comma"),
        (["1", "nan"], "Score 1 is NaN"),
        (["1", "2", "--label", "2"], "label is 2, but there are 2 classes; give one from 0 to 1."),
        (["1", "2", "--label", "-1"], "label is -1"),
        (["1", "2", "--label", "one"], "--label"),
        (["1", "2", "--temperature", "0"], "temperature is 0"),
        (["1", "2", "--temperature", "-1"], "temperature is -1"),
        (["1", "2", "--softcap", "0"], "softcap is 0"),
        (["1", "2", "--softcap", "x"], "--softcap"),
        (["1", "2", "--softcap"], "--softcap"),
        (["1", "2", "--mappings", "sofmax"], "did you mean 'softmax'"),
        (["1", "2", "--mappings", ","], "no mappings"),
        (["1", "2", "--mappings", "entmax:beta=2"], "no parameter 'beta'"),
        (["1", "2", "--mappings", "entmax:alpha=0.5"], "alpha is 0.5"),
        (["1", "2", "--nonsense"], "--nonsense"),
        (["1", "2", "-x"], "-x"),
        (["1", "2", "--plot", "/no/such/folder/out.png"], "/no/such/folder/out.png (No such file or directory); give"),
        (["1", "2", "--plot", "out.xyz"], "out.xyz ends in .xyz"),
    ],
)
def test_bad_input_is_one_sentence(lastlayer, arguments, says):
    assert says in lastlayer("compare", *arguments).error()


def test_plot_without_matplotlib_says_how_to_get_it(lastlayer, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("lastlayer.comparison.figure")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    sentence = lastlayer("compare", "1", "0.5", "--plot", "out.png").error()
    assert sentence == '--plot needs matplotlib; install it with: pip install "lastlayer[study]"'


def test_a_new_mapping_appears(lastlayer, monkeypatch):
    monkeypatch.setitem(MAPPINGS, "toy", dataclasses.replace(MAPPINGS["softmax"], name="toy"))
    assert "\ntoy " in lastlayer("compare", "1", "0.5", "--all").out
    assert probabilities(lastlayer("compare", "1", "0.5", "--json").json, "toy") == pytest.approx(
        [0.62246, 0.37754], abs=1e-5
    )


def test_our_own_bugs_keep_their_traceback(lastlayer, monkeypatch):
    from lastlayer.comparison import Answers

    def bug(question):
        raise ValueError("a bug")

    monkeypatch.setattr(Answers, "of", bug)
    with pytest.raises(ValueError, match="a bug"):
        lastlayer("compare", "1", "0.5")


#: Scores at the ends of float64 and around its infinities.
EXTREMES = [
    "1e308",
    "-1e308",
    "1.7976931348623157e308",
    "-1.7976931348623157e308",
    "0",
    "5e-324",
    "inf",
    "-inf",
    "1e400",
]


@pytest.mark.parametrize("options", [(), ("--label", "1"), ("--softcap", "1e-300"), ("--temperature", "1e300")])
@pytest.mark.parametrize("first", EXTREMES)
def test_extreme_scores_are_compared_without_a_warning(first, options, lastlayer):
    """Warnings are errors here."""
    for second in EXTREMES:
        assert lastlayer("compare", first, second, *options).code in (0, 2)

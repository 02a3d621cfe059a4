"""A comparison as text: what is shown first, what always, and that it fits whatever the width."""

from __future__ import annotations

import functools
import math
import re
import shlex

import pytest
from click.testing import CliRunner

from lastlayer.cli import app
from lastlayer.comparison import Comparison, compare
from lastlayer.comparison.text import Paper, as_text, layout
from lastlayer.mappings import MAPPINGS
from lastlayer.words.ascii import in_ascii
from lastlayer.words.claims import CLAIMS

QUESTIONS = {
    "two": (1, 0.5),
    "three": (2, -1, 0.5),
    "zero sum": (1, -1),
    "ten": (0.3, 4.1, -2, 1.5, 0, 0.7, -1, 5.2, 2, 1.1),
    "fifty": tuple(range(1, 51)),
    "thousand": tuple(range(1000)),
    "one": (5,),
    "infinite": (math.inf, 1),
    "tie": (3, 3, 1),
    "huge": (1e308, 1e308, -1e308),
    "tiny": (1e-9, 2e-9, 3e-9),
    "long numbers": (-300.125, 2.0625, 123456.7),
}


@functools.cache
def compared(*scores: float, **options: object) -> Comparison:
    """Once per question: every width shows the same."""
    return compare(scores, **options)  # type: ignore[arg-type]


def text(*scores: float, width: int = 80, everything: bool = False, is_ascii: bool = False, **options: object) -> str:
    return as_text(layout(compared(*scores, **options), Paper(width, everything, is_ascii)))


def table_of(printed: str) -> str:
    """The first table, with its heads."""
    return next(part for part in printed.split("\n\n") if re.search("^class ", part, re.MULTILINE))


def rows_of(printed: str) -> dict[str, list[str]]:
    """The lines of the first table by their first word."""
    lines = table_of(printed).splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines if line}


@pytest.mark.parametrize(
    "options", [{}, {"label": 0}, {"softcap": 2.0, "label": 0}], ids=["plain", "label", "activation"]
)
@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("width", [28, 31, 40, 60, 80, 120])
@pytest.mark.parametrize("question", QUESTIONS)
def test_every_line_fits(question, width, everything, options):
    printed = text(*QUESTIONS[question], width=width, everything=everything, **options)
    # A command is one line whatever its length, so that it can be copied.
    lines = [line for line in printed.splitlines() if not line.startswith("lastlayer explore ")]
    assert max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in printed.splitlines())


@pytest.mark.parametrize("width", [-5, 0, 1])
def test_paper_is_never_too_narrow_for_a_word(width):
    assert text(1, 0.5, width=width) == text(1, 0.5, width=28)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_default_is_short(question):
    printed = text(*QUESTIONS[question])
    assert len(printed.splitlines()) <= 36
    assert printed.startswith("In short: ")


def test_the_question_of_the_project():
    printed = text(1, 0.5)
    assert rows_of(printed)["softmax"][:2] == ["0.6225", "0.3775"]
    assert rows_of(printed)["ratio"][:2] == ["0.6667", "0.3333"]
    words = " ".join(printed.split())
    assert "In short: both put class 0 first. Here the ratio is the more certain one, 0.6667 against 0.6225." in words
    assert "once the scores are 1.386 times as large" in words
    assert "if class 1 is true, 2 gradient steps of size 1 take the ratio to where it has no answer" in words
    assert "Softmax accentuates the differences no depends: yes for large ones" in words
    assert "Max is not differentiable half true half true: argmax is flat" in words


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ((2, 1), "Here softmax is the more certain one, 0.7311 against 0.6667. Below 0.6931 times these scores"),
        ((1, -1), "no answer here: the score of class 1 is negative, -1, and the sum is zero."),
        (
            (-1, -2),
            "the score of class 1 is negative, -2, as is one more. Softmax takes any scores: it gives class 0 the most",
        ),
        ((0, 0), "no answer here: the scores sum to zero. Softmax takes any scores: it gives every class 0.5."),
        ((1, 1), "all scores are equal, so softmax and the ratio agree: 0.5 for each class."),
        ((3, 3, 1), "both put classes 0 and 1 first."),
        (
            (1, 0),
            "Softmax overtakes it at no multiple of these scores. If class 1 is true, the ratio's loss is infinite.",
        ),
        ((5,), "softmax gives a single class probability 1, whatever its score."),
        ((math.inf, 1), "some scores are infinite."),
    ],
)
def test_the_bottom_line(scores, says):
    assert says in " ".join(text(*scores).split())


@pytest.mark.parametrize("width", [40, 80])
def test_of_many_classes_the_largest_and_the_label_are_shown_under_their_own_index(width):
    scores = [0.0] * 50
    scores[37], scores[11] = 5.0, 4.0
    printed = text(*scores, label=20, width=width)
    rows = rows_of(printed)
    # e^5 / (e^5 + e^4 + 48)
    assert float(rows["37"][0]) == pytest.approx(0.5913, abs=5e-5)
    assert "11" in rows
    # 8 largest and the label; the others together
    assert table_of(printed).splitlines()[9].startswith("20 (true)")
    assert rows["41"][0] == "others"
    shown = sum(float(row[0]) for name, row in rows.items() if name.isdigit() and name not in ("41", "20", "7"))
    assert shown + float(rows["20"][1]) + float(rows["41"][1]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_the_scores_do_not_test_is_folded_and_says_which_scores_do(question):
    """Every claim is named, in a row of its verdicts or after scores that test it."""
    printed = text(*QUESTIONS[question])
    tested, _, folded = printed.partition("Not tested here")
    words = " ".join(folded.split())
    for claim in compared(*QUESTIONS[question]).claims:
        if claim.here == "not tested":
            before, found, _ = words.partition(f"{claim.claim} ({claim.in_general})")
            assert found
            scores = re.findall(r"(?:^|[):] )((?:-?[\d.]+ ?)+):", before)[-1]
            again = {other.name: other.here for other in compared(*map(float, scores.split())).claims}
            assert again[claim.name] != "not tested"
        else:
            assert claim.claim in tested
            assert claim.claim not in words


def test_the_fold_says_what_its_brackets_mean():
    words = " ".join(text(1, 0.5).split())
    folded = "Not tested here, but by these scores (in brackets: what is so in general): 2 -1 0.5: The ratio breaks on negative"
    assert folded in words
    assert "What people say about softmax Not tested here" in " ".join(text(math.inf, 1).split())


@pytest.mark.parametrize("scores", [(1, 0.5), (math.inf, 0), (5,)])
def test_everything_has_every_mapping_claim_number_and_reason(scores):
    printed = text(*scores, everything=True, width=120)
    words = " ".join(printed.split())
    for name in MAPPINGS:
        assert f"\n{name} " in f"\n{printed}"
    for claim in compare(scores).claims:
        assert f"here: {claim.here}. {claim.evidence}" in words
        assert f"in general: {claim.in_general}. {claim.reason}" in words


def test_probabilities_too_small_for_a_float_are_marked():
    printed = text(1e6, -1e6, 3, everything=True)
    assert "3*" in printed
    assert "* Some are too small for a float64" in printed
    assert "*" not in text(1, 0.5, everything=True).partition("Softmax accentuates")[0]


def test_the_columns_other_than_the_probabilities_are_explained():
    assert "gradient: the slope of that loss in each score." in " ".join(text(1, 0.5, label=0).split())
    assert "each score, through the activation." in " ".join(text(1, 0.5, label=0, softcap=1.0).split())
    assert "entropy: in nats" in " ".join(text(1, 0.5, everything=True).split())
    many = text(*range(50), label=0, width=120)
    assert "loss: how much" in many
    # The gradient of many classes is shown with everything else.
    assert "gradient" not in table_of(many)
    assert "gradient" in text(*range(50), label=0, width=120, everything=True).partition("Softmax accentuates")[0]
    assert "loss:" not in text(1, 0.5)


def test_few_mappings_are_shown_first_and_all_that_were_chosen():
    assert list(rows_of(text(1, 0.5)))[1:5] == ["softmax", "ratio", "hardmax", "sparsemax"]
    assert f"{len(MAPPINGS) - 4} more mappings: --mappings all. Classes are counted from 0." in text(1, 0.5)
    chosen = text(1, 0.5, mappings=("taylor", "entmax:alpha=1.3"))
    assert list(rows_of(chosen))[1:] == ["taylor", "entmax:alpha=1.3", "Classes"]
    assert "more mappings" not in chosen
    assert "\nClasses are counted from 0.\n" in chosen


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("question", QUESTIONS)
def test_ascii_paper_has_ascii_alone_and_still_fits(question, everything):
    printed = text(*QUESTIONS[question], everything=everything, is_ascii=True, width=60)
    assert printed.isascii()
    assert "?" not in printed
    assert max(len(line) for line in printed.splitlines() if not line.startswith("lastlayer explore ")) <= 60


def test_a_probability_below_one_never_reads_as_one():
    words = " ".join(text(20, 10).split())
    assert "Here softmax is the more certain one, 1.0000 against 0.6667." in words
    assert "it gives class 0 the most, 1.0000." in " ".join(text(20, -10).split())
    assert "it gives class 0 the most, 1." in " ".join(text(1e4, -1e4).split())


def test_thousands_read_as_thousands():
    assert rows_of(text(1000, 0, label=1))["softmax"][2] == "1000"


#: (scores, options) that the page can show, and that it cannot.
SHOWN = [
    ((1, 0.5), {}),
    (QUESTIONS["ten"], {}),
    (QUESTIONS["fifty"], {"label": 20}),
    (QUESTIONS["long numbers"], {"label": 0}),
    ((0.1 + 0.2, 1 / 3, -1e-7, 2e22), {}),
    ((1, 0.5), {"temperature": 0.1, "softcap": 1 / 3}),
]
NOT_SHOWN = [((math.inf, 1), {}), (tuple(range(51)), {}), ((1e308, 0), {}), ((1, 0.5), {"temperature": 1e-300})]


@pytest.mark.parametrize(("scores", "options"), SHOWN)
def test_the_command_that_is_offered_asks_the_same_question(scores, options, tmp_path):
    """On one line, so that it can be copied."""
    printed = text(*scores, width=40, **options)
    command = next(line for line in printed.splitlines() if line.startswith("lastlayer explore "))
    arguments = shlex.split(command.removesuffix(" plays with them"))[1:]
    path = tmp_path / "page.html"
    done = CliRunner().invoke(app, [*arguments, "--no-open", "--out", str(path)])
    assert done.exit_code == 0, done.output
    page = compared(*scores, **options).explore()
    assert path.read_text(encoding="utf-8") == page.html
    assert ".explore()" in compared(*scores, **options).text()


@pytest.mark.parametrize(("scores", "options"), NOT_SHOWN)
def test_the_page_is_offered_only_where_it_can_show_the_question(scores, options):
    assert "explore" not in text(*scores, **options)
    comparison = compared(*scores, **options)
    assert "explore" not in comparison.text()
    with pytest.raises(ValueError, match=r"50|finite|1e\+?300|temperature"):
        comparison.explore()


def test_bars_are_as_long_as_the_probability():
    bar = rows_of(text(1, 0.5, is_ascii=True))["ratio"][2]
    assert bar == "#" * 13 + "." * 7  # 2/3 of 20


@pytest.mark.parametrize("text_of", [lambda claim: claim.claim, lambda claim: claim.reason, lambda claim: claim.brief])
def test_every_word_of_the_claims_has_an_ascii_form(text_of):
    for claim in CLAIMS:
        assert "?" not in in_ascii(text_of(claim))

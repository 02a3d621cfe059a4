"""The first lines: what to use and how sure that is, from the decision; the model; and what warnings make of both."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_parser import Element, parse
from rich.console import Console
from synthetic_results import synthetic_results

from lastlayer.findings import Finding
from lastlayer.report import decision_sentences, render_table
from lastlayer.report.page import render_html
from lastlayer.report.sentences import SENTENCES, Group, Wording
from lastlayer.report.verdicts import OFTEN
from lastlayer.study.statistics.corrected_t import POWER
from lastlayer.study.storage.results import StudyResults

EIGHT = ["a", "b", "c", "d", "e", "f", "g", "h"]
NONE: dict[str, Any] = {side: [] for side in ("better", "worse", "equal", "unclear", "not_comparable")}


def decided(code: str, mapping: str = "softmax", **facts: Any) -> StudyResults:
    """Results with that decision; without the trees unless they are among the facts."""
    results = synthetic_results()
    nothing = dict.fromkeys(("skill", "trees_gain", "trees_low", "trees_high", "detectable"))
    return replace(results, decision=Finding(code, mapping, dict(results.decision.facts) | NONE | nothing | facts))


def said(code: str, mapping: str = "softmax", **facts: Any) -> str:
    return " ".join(decision_sentences(decided(code, mapping, **facts)))


@pytest.fixture
def warned() -> Iterator[tuple[Finding, ...]]:
    """Two findings that question the whole study, whose codes no study makes."""
    for code in ("first", "second"):
        SENTENCES[code] = Wording(Group.WARNING, lambda f: f"Seen: {f.code}.", lambda f: f"Mend {f.code}.")
    yield (Finding("first"), Finding("second"))
    for code in ("first", "second"):
        del SENTENCES[code]


def test_keep_the_reference() -> None:
    assert said("keep_reference", worse=["ratio"], unclear=EIGHT, detectable=0.031) == (
        "Keep softmax. Only ratio is worse; none of the other eight could be told apart; a Brier difference of 0.03 would have "
        "been noticed four times out of five."
    )
    assert said("keep_reference", equal=EIGHT) == (
        "Keep softmax. All eight are equal to softmax within the margin of 0.01."
    )
    assert said("keep_reference", unclear=EIGHT, detectable=0.2) == (
        "Keep softmax. None of the eight could be told apart from softmax; a Brier difference of 0.2 would have been noticed "
        "four times out of five."
    )
    assert said("keep_reference", worse=["ratio"], equal=["taylor"], not_comparable=["mine"]) == (
        "Keep softmax. Only ratio is worse; taylor is equal to softmax within the margin of 0.01; mine could not be compared."
    )
    assert said("keep_reference", better=["taylor"]).startswith("Keep softmax. taylor is better, but by too little")


def test_the_power_is_that_of_the_study() -> None:
    assert (POWER, OFTEN) == (0.8, "four times out of five")


def test_adopt_another_mapping() -> None:
    facts = {"better": ["stablemax"], "worse": ["ratio"], "difference": -0.0213, "low": -0.031, "high": -0.0112}
    text = said("adopt", "stablemax", **facts)
    assert text.startswith(
        "Use stablemax. Its Brier score is 0.021 lower than softmax’s (0.011 to 0.031). ratio is worse."
    )
    assert "See what softmax does with --splines." in text
    assert "better than softmax too" not in text
    both = said("adopt", "sparsemax", **facts | {"better": ["sparsemax", "taylor"]})
    assert "taylor is better than softmax too." in both
    assert "--splines" not in both, "sparsemax knows differences alone, as softmax does"


def test_nothing_to_be_learnt() -> None:
    facts = {"skill": -0.01, "skill_low": -0.03, "skill_high": 0.01}
    assert said("no_signal", **facts) == (
        "Nothing here was shown to predict better than the class frequencies. "
        "softmax’s Brier skill is −0.01 (−0.03 to 0.01); 0 is no better than the class frequencies."
    )
    curved = said("no_signal", **facts, trees_gain=0.1, trees_low=0.08, trees_high=0.12)
    assert curved.startswith("No linear model here was shown to predict better than the class frequencies.")
    assert curved.endswith("on the same splits: the signal that they find has a curved boundary; try --splines.")


def test_skill_is_said_as_a_share_where_it_is_sure() -> None:
    text = said("keep_reference", skill=0.43, skill_low=0.38, skill_high=0.48).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert text.endswith("softmax removes 43 % of the Brier score of the class frequencies (38 to 48 %).")
    assert said("keep_reference", skill=0.1, skill_low=-0.2, skill_high=0.3).endswith(
        "softmax’s Brier skill is 0.10 (−0.20 to 0.30); 0 is no better than the class frequencies."
    )


@pytest.mark.parametrize(
    ("gain", "low", "high", "end"),
    [
        (0.08, 0.07, 0.09, ": a curved boundary is what is missing, more than another mapping; try --splines."),
        (0.01, -0.01, 0.03, ", too close to the linear model’s to tell which is better."),
        (-0.05, -0.06, -0.04, ", no better than the linear model."),
        ("inf", None, None, ""),
    ],
)
def test_boosted_trees_say_whether_a_curve_is_missing(gain: Any, low: Any, high: Any, end: str) -> None:
    facts = {"baselines": {"boosted_trees": 0.071}, "trees_gain": gain, "trees_low": low, "trees_high": high}
    text = said("keep_reference", **facts)
    assert text == "Keep softmax." + (
        f" Boosted trees reach a Brier score of 0.071 on the same splits{end}" if end else ""
    )
    splines = decided("keep_reference", **facts)
    splines = replace(splines, settings=replace(splines.settings, splines=True))
    assert "try --splines" not in " ".join(decision_sentences(splines))


def test_without_softmax_nothing_is_compared() -> None:
    document = parse(render_html(synthetic_results(("sparsemax", "entmax"))))
    assert not document.all("figure", id="figure-differences")
    assert document.one("h1").text == "Nothing was compared."
    assert "The best mean Brier score is" in document.one("div", class_="answer").text


def test_a_decision_of_an_unknown_code_is_refused() -> None:
    with pytest.raises(ValueError, match="no words for the decision 'unheard_of'; there are keep_reference"):
        decision_sentences(decided("unheard_of"))


def test_the_decision_is_the_first_thing_on_the_page() -> None:
    results = synthetic_results()
    document = parse(render_html(results))
    headline, *reasons = decision_sentences(results)
    assert document.one("h1").text == headline == "Keep softmax."
    assert [p.text for p in document.one("div", class_="answer").all("p")] == [" ".join(r.split()) for r in reasons]
    assert document.one("head").one("title").text == "digits: Keep softmax"


def test_a_warning_goes_before_the_answer_and_into_it(warned: tuple[Finding, ...]) -> None:
    results = synthetic_results(findings=warned[:1])
    page = render_html(results)
    document = parse(page)
    assert document.one("h1").text == "Keep softmax, but read the warning first."
    assert [li.text for li in document.one("aside").all("li")] == ["Seen: first. Mend first."]
    assert page.index("Before you read on") < page.index("<h1>")
    assert page.count("Seen: first.") == 1
    headline, reason, *_ = decision_sentences(synthetic_results(findings=warned))
    assert headline == "Keep softmax, but read the 2 warnings first."
    assert reason == "First check what the warnings say: this answer and all numbers below depend on it."


def test_a_terminal_shows_warnings_first(warned: tuple[Finding, ...]) -> None:
    buffer = io.StringIO()
    Console(file=buffer, width=80).print(render_table(synthetic_results(findings=warned)))
    lines = buffer.getvalue().splitlines()
    assert [line.rstrip() for line in lines[:4]] == [
        "Before you read on",
        "! Seen: first. Mend first.",
        "! Seen: second. Mend second.",
        "",
    ]
    assert lines[4].startswith("Keep softmax, but read the 2 warnings first. First check")


def model_of(results: StudyResults, model: Path | None) -> Element:
    return parse(render_html(results, model=model)).one("div", class_="model")


def test_the_model_has_its_c_its_file_and_three_lines() -> None:
    shown = model_of(synthetic_results(), Path("lastlayer-study/digits/model.skops"))
    loading, classifier = (pre.one("code") for pre in shown.all("pre"))
    lines = "".join(c if isinstance(c, str) else "" for c in loading.children).split("\n")
    assert lines == [
        "import pandas as pd",
        "from lastlayer.study import load_model",
        'load_model("lastlayer-study/digits/model.skops").predict_proba(pd.read_csv("new.csv"))',
    ]
    assert classifier.text == 'LastLayerClassifier("softmax", C=3.16228)'
    assert "C = 3.16, chosen on all rows." in shown.text


def test_a_model_that_was_not_saved_is_not_loaded() -> None:
    shown = model_of(synthetic_results(), None)
    assert [pre.text for pre in shown.all("pre")] == ['LastLayerClassifier("softmax", C=3.16228)']
    assert "File:" not in shown.text
    assert not parse(render_html(synthetic_results(("sparsemax", "entmax")))).all("div", class_="model")


@pytest.mark.parametrize("name", ['a "b" c', "a\\nb", "line\nend", "ä ü"])
def test_a_path_is_quoted_as_python_reads_it(name: str) -> None:
    path = Path(name, "model.skops")
    shown = model_of(synthetic_results(), path)
    line = "".join(c for c in shown.all("pre")[0].one("code").children if isinstance(c, str)).split("\n")[-1]
    assert eval(line.removeprefix("load_model(").partition(").predict_proba")[0]) == str(path)


def test_two_classes_say_the_scale_of_their_brier_score() -> None:
    two = synthetic_results(n_classes=2)
    assert "twice scikit-learn’s brier_score_loss" in render_html(two)
    buffer = io.StringIO()
    Console(file=buffer, width=200).print(render_table(two))
    assert "Brier: 0 to 2, twice scikit-learn’s brier_score_loss." in " ".join(buffer.getvalue().split())
    assert "brier_score_loss" not in render_html(synthetic_results(n_classes=3))

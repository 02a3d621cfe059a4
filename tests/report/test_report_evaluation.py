"""What an evaluation says: the verdict with an example, the advice, a sentence per finding, and the JSON."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_evaluation import CASES, FINDINGS, LEFT_OUT, synthetic_evaluation

from lastlayer.evaluation import Evaluation
from lastlayer.evaluation.intervals import Estimate, mean_estimate
from lastlayer.findings import Finding
from lastlayer.report import finding_remedy, finding_sentence
from lastlayer.report.evaluation import evaluation_form
from lastlayer.report.evaluation.answer import advice_sentences, answer
from lastlayer.report.evaluation.ladder import ladder_table, rungs
from lastlayer.report.evaluation.method import ADVICE_RULE, method_paragraphs
from lastlayer.report.evaluation.notes import data_notes, map_notes
from lastlayer.report.notes import warnings_of
from lastlayer.report.sentences import EVALUATION_SENTENCES


def one_bin(confidence: float, accuracy: float, n: int = 200, reach: float = 0.05) -> dict[str, float]:
    return {
        "n": n,
        "confidence": confidence,
        "accuracy": accuracy,
        "low": confidence - reach,
        "high": confidence + reach,
    }


def headline(verdict: str, *bins: dict[str, float]) -> str:
    found = answer(synthetic_evaluation(verdict=verdict, reliability=bins)).headline
    return found.replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_the_verdict_has_an_example_from_the_diagram() -> None:
    said = headline("overconfident", one_bin(0.6, 0.58), one_bin(0.9, 0.78), one_bin(0.97, 0.99))
    assert said == "Overconfident: where it says about 90 % (200 of 2000 rows), it is right 78 % of the time"
    said = headline("underconfident", one_bin(0.6, 0.75), one_bin(0.9, 0.88))
    assert said == "Underconfident: where it says about 60 % (200 of 2000 rows), it is right 75 % of the time"
    said = headline("miscalibrated", one_bin(0.6, 0.75), one_bin(0.9, 0.78))
    assert said == (
        "Miscalibrated: where it says about 90 % (200 of 2000 rows), it is right 78 % of the time, and where it says about 60 % (200 "
        "of 2000 rows), it is right 75 % of the time"
    )


@pytest.mark.parametrize("accuracy", [0.9, 1.0])
def test_a_calibrated_model_has_no_example(accuracy: float) -> None:
    """A bin is off by chance: "says 90 %, right 100 %" would contradict the verdict."""
    evaluation = synthetic_evaluation(verdict="calibrated", advised="none", reliability=[one_bin(0.9, accuracy)])
    ece = replace(evaluation.metrics["ece"], value=0.004, if_calibrated=(0.0, 0.0062))
    calibrated = replace(evaluation, metrics={**evaluation.metrics, "ece": ece})
    assert answer(calibrated).headline == "Calibrated: these 2000 rows show no sign of miscalibration"
    ece = replace(ece, if_calibrated=(0.0, 0.047))
    few = replace(calibrated, n_rows=342, metrics={**calibrated.metrics, "ece": ece})
    assert answer(few).headline == (
        "Calibrated: these 342 rows show no sign of miscalibration, but would hide a small one: a calibration error below about 0.047"
    )


@pytest.mark.parametrize("finding", [each for each in FINDINGS if each.code in EVALUATION_SENTENCES])
def test_a_finding_of_the_file_to_fit_to_names_it(finding: Finding) -> None:
    plain = finding_sentence(finding)
    named = finding_sentence(replace(finding, facts={**finding.facts, "file": "fit.npy"}))
    assert named == f"In fit.npy, {plain[0].lower()}{plain[1:]}"


def test_a_bin_that_chance_explains_is_no_example() -> None:
    """The larger gap lies inside the band of a calibrated model, in a bin of few rows."""
    said = headline("overconfident", one_bin(0.8, 0.6, n=900, reach=0.3), one_bin(0.9, 0.82, n=100))
    assert said == "Overconfident: where it says about 90 % (100 of 2000 rows), it is right 82 % of the time"


def test_the_widest_gap_by_rows_is_the_example() -> None:
    bins = [one_bin(0.7, 0.5, n=900), one_bin(0.9, 0.73, n=900), one_bin(0.99, 0.5, n=20)]
    said = "Overconfident: where it says about 70 % (900 of 2000 rows), it is right 50 % of the time"
    assert headline("overconfident", *bins) == said


@pytest.mark.parametrize("reach", [0.3, math.nan])
def test_where_no_bin_is_outside_the_band_all_rows_are_the_example(reach: float) -> None:
    """The accuracy is 82.12 % and the confidence 8.1 points above it."""
    said = headline("overconfident", one_bin(0.9, 0.7, reach=reach))
    assert said == "Overconfident: it says 90 % on average, and is right 82 % of the time"
    assert headline("overconfident") == said
    said = headline("miscalibrated", one_bin(0.9, 0.7, reach=reach))
    assert said == "Miscalibrated: its calibration error is above that of a calibrated model"


def test_where_the_average_is_not_clear_the_temperature_is_the_sign() -> None:
    unclear = synthetic_evaluation(reliability=(), confidence_gap=Estimate(0.001, -0.01, 0.012))
    assert (
        answer(unclear).headline == "Overconfident: the temperature that fits best is 1.831 (1.710 to 1.960), above 1"
    )
    # A sign of the other direction is no sign of this verdict.
    assert answer(replace(unclear, verdict="underconfident")).headline == "Underconfident"


def without_gap_in_bins(**changes: object) -> Evaluation:
    """Miscalibrated, and the calibration error of the top label does not show it."""
    evaluation = synthetic_evaluation(verdict="miscalibrated", advised="none")
    ece = replace(evaluation.metrics["ece"], value=0.005, if_calibrated=(0.0, 0.027))
    by_class = replace(evaluation.metrics["classwise_ece"], value=0.008)
    metrics = {**evaluation.metrics, "ece": ece, "classwise_ece": by_class}
    return replace(evaluation, metrics=metrics, **changes)


def test_miscalibrated_says_which_sign_it_rests_on() -> None:
    disagrees = without_gap_in_bins(confidence_gap=Estimate(-0.02, -0.03, -0.01))
    assert answer(disagrees).headline == (
        "Miscalibrated: it says less than it is right on average, but the temperature that fits best is 1.831 (1.710 to 1.960), above 1"
    )
    by_class = replace(disagrees.metrics["classwise_ece"], value=0.031)
    of_classes = replace(disagrees, metrics={**disagrees.metrics, "classwise_ece": by_class})
    assert answer(of_classes).headline == (
        "Miscalibrated: class by class its probabilities are off by 0.031, where a calibrated model shows 0.000 to 0.013"
    )
    advised = without_gap_in_bins(advice=synthetic_evaluation().advice)
    assert answer(advised).headline == "Miscalibrated: temperature scaling lowers its log loss"


def test_a_calibration_error_in_its_range_is_not_left_to_contradict_the_verdict() -> None:
    said = " ".join(answer(without_gap_in_bins()).reasons)
    assert "is 0.005, not above the 0.000 to 0.027 that" in said
    assert "and does not show what the headline says." in said
    calibrated = synthetic_evaluation(verdict="calibrated", advised="none")
    assert "what the headline says" not in " ".join(answer(calibrated).reasons)


def test_a_true_class_of_probability_zero_is_an_example() -> None:
    bins = (one_bin(0.9, 0.88),)
    found = answer(synthetic_evaluation(verdict="miscalibrated", is_infinite=True, reliability=bins))
    assert found.headline == "Miscalibrated: it gives some true classes the probability 0"


def test_the_advice_says_the_change_its_gain_and_the_interval() -> None:
    (first, *_) = advice_sentences(synthetic_evaluation())
    assert first == (
        "Use temperature scaling: divide the scores by 1.831. On rows that it was not fitted to, the log loss is 0.042 lower (0.034 to "
        "0.050): 0.470 instead of 0.512."
    )


@pytest.mark.parametrize(
    ("advised", "says"),
    [
        ("temperature_prior", "divide the scores by 1.831, and add one number per class"),
        ("vector", "multiply the scores of each class by a number, and add another one"),
        ("matrix", "multiply the scores by a matrix, and add one number per class"),
        (
            "entmax",
            "divide the scores by 1.831, and apply entmax, alpha = 1.312 instead of softmax",
        ),
    ],
)
def test_every_map_says_what_it_does(advised: str, says: str) -> None:
    assert says in advice_sentences(synthetic_evaluation(advised=advised))[0]


def test_a_larger_map_that_is_not_shown_to_be_better_is_named() -> None:
    more = advice_sentences(synthetic_evaluation())[1]
    assert more.startswith("Vector scaling has the lowest log loss of all, but is not shown to be better")
    assert len(advice_sentences(synthetic_evaluation(advised="vector"))) == 1


def test_nothing_is_advised_where_nothing_helps() -> None:
    calibrated = synthetic_evaluation(verdict="calibrated", advised="none")
    assert advice_sentences(calibrated)[0].startswith("Use the probabilities as they are: no calibration map")
    other = synthetic_evaluation(verdict="miscalibrated", advised="none")
    assert "they are not calibrated, but no calibration map here" in advice_sentences(other)[0]
    said = "No part of the log loss of 0.512 can be shown to come from calibration; better scores can lower it."
    assert answer(calibrated).reasons[-1] == said
    # An interval above 0 at a level that does not allow for the number of maps.
    by_itself = replace(calibrated, calibration_part=Estimate(0.154, 0.026, 0.282))
    assert answer(by_itself).reasons[-1] == said


def test_the_calibration_error_is_compared_with_a_calibrated_models() -> None:
    assert "is 0.083, above the 0.000 to 0.014 that" in " ".join(answer(synthetic_evaluation()).reasons)
    calibrated = synthetic_evaluation(verdict="calibrated", advised="none")
    assert "is 0.011, not above the 0.000 to 0.014 that" in " ".join(answer(calibrated).reasons)


def test_what_calibration_removes_and_what_stays() -> None:
    said = answer(synthetic_evaluation()).reasons[-1].replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert said == (
        "Of the log loss of 0.512 calibration removes 0.043 (0.035 to 0.051), which is 8.4 %; 0.469 stays, which only better scores "
        "can lower."
    )


def test_an_advised_map_is_not_contradicted_by_what_calibration_removes() -> None:
    doubtful = replace(synthetic_evaluation(), calibration_part=Estimate(0.0431, -0.001, 0.087))
    assert "removes 0.043 (−0.001 to 0.087), which is 8.4" in answer(doubtful).reasons[-1]
    assert "%, and may be chance; 0.469" in answer(doubtful).reasons[-1]


def test_where_no_map_was_fitted_nothing_is_said_of_what_calibration_removes() -> None:
    assert not any("calibration removes" in reason for reason in answer(CASES["the model alone"]()).reasons)


def test_an_infinite_log_loss_is_said_and_has_no_interval() -> None:
    found = answer(CASES["infinite"]())
    assert "the log loss is 0.470 instead of infinite" in found.reasons[0]
    assert found.reasons[-1].startswith("The log loss is infinite; with calibration it is 0.469")
    assert "nan" not in " ".join(found.reasons).lower()
    nowhere = replace(CASES["infinite"](), remaining=Estimate(math.inf, math.inf, math.inf))
    assert not any("only better scores" in reason for reason in answer(nowhere).reasons)


def with_losses(difference: float, log_loss: float, *, before: float = math.inf, reach: float = 0.05) -> Evaluation:
    """An evaluation whose advised temperature has this difference and log loss."""
    evaluation = synthetic_evaluation(is_infinite=math.isinf(before), maps=("none", "temperature"))
    ends = (difference - reach, difference + reach)
    none, advised = evaluation.maps
    advised = replace(advised, difference=Estimate(difference, *ends), log_loss=Estimate(log_loss, log_loss, log_loss))
    facts = evaluation.advice.facts | {
        "difference": difference,
        "low": ends[0],
        "high": ends[1],
        "log_loss": log_loss,
        "before": before,
        "best": "none",
    }
    return replace(evaluation, maps=(none, advised), advice=replace(evaluation.advice, facts=facts))


@pytest.mark.parametrize(
    ("difference", "log_loss", "says"),
    [
        (
            -0.55,
            math.inf,
            "the log loss is 0.55 lower (0.50 to 0.60), where rows that are infinite before and after count",
        ),
        (-math.inf, 0.9, "the log loss is 0.900 instead of infinite."),
        (-math.inf, math.inf, "the log loss is infinite on fewer rows, but stays infinite as a whole."),
        (math.nan, math.inf, "the log loss is infinite on fewer rows, but stays infinite as a whole."),
    ],
)
def test_an_infinite_log_loss_before_or_after_is_said_truly(difference: float, log_loss: float, says: str) -> None:
    evaluation = with_losses(difference, log_loss)
    (said,) = advice_sentences(evaluation)
    assert says.replace("0.55 ", "0.550 ").replace("0.50 to 0.60", "0.500 to 0.600") in said
    assert not re.search("∞|nan|–", said)
    assert "has the lowest log loss" not in said, "none is the lowest where all are infinite"


def test_why_it_cannot_be_said_what_calibration_removes() -> None:
    nowhere = Estimate(math.nan, math.nan, math.nan)
    evaluation = replace(CASES["infinite"](), calibration_part=nowhere, remaining=nowhere)
    assert answer(evaluation).reasons[-1] == (
        "What calibration removes of the log loss cannot be said: with every map some true classes have the probability 0."
    )


def test_a_map_that_looks_better_by_itself_is_explained_where_nothing_is_advised() -> None:
    evaluation = synthetic_evaluation(verdict="calibrated", advised="none", maps=("none", "temperature", "matrix"))
    none, temperature, matrix = evaluation.maps
    by_itself = replace(temperature, difference=Estimate(-0.022, -0.0432, -0.0008))
    said = advice_sentences(replace(evaluation, maps=(none, by_itself, matrix)))[1]
    assert said == "Temperature scaling looks better by itself (−0.022), but with 2 maps tried that may be chance."
    assert [rung.word for rung in rungs(replace(evaluation, maps=(none, by_itself, matrix)))] == [
        "advised",
        "unclear",
        "worse",
    ]
    # By itself, and at the level of a single map, it is better.
    assert rungs(replace(evaluation, maps=(none, by_itself)))[1].word == "better"


def test_the_word_better_is_that_of_the_test_of_the_advice() -> None:
    """The same rows: better at the level of one map, and unclear at that of three, as `mean_estimate` finds at these levels."""
    rows = np.random.default_rng(0).normal(size=400)
    rows = rows - rows.mean() - 2.2 * rows.std(ddof=1) / 20
    for others, want in ((1, True), (3, False)):
        assert (mean_estimate(rows, level=1 - 0.05 / others).high < 0) == want
        names = ("none", "temperature", "vector", "matrix")[: 1 + others]
        evaluation = synthetic_evaluation(verdict="calibrated", advised="none", maps=names)
        none, temperature, *more = evaluation.maps
        maps = (none, replace(temperature, difference=mean_estimate(rows)), *more)
        assert rungs(replace(evaluation, maps=maps))[1].word == ("better" if want else "unclear")


def test_a_map_that_leaves_the_probabilities_uncalibrated_says_so() -> None:
    evaluation = synthetic_evaluation()
    off = [one_bin(0.1 + 0.06 * i, 0.1 + 0.06 * i + (0.2 if i < 4 else 0.0)) for i in range(12)]
    _, said, *_ = advice_sentences(replace(evaluation, reliability_after=tuple(off)))
    assert said == (
        f"After it the calibration error is {evaluation.advised.ece:.3f}, before it 0.083; the probabilities are still not calibrated: "
        "4 of 12 bins of the reliability diagram are outside the band of a calibrated model."
    )
    by_chance = replace(evaluation, reliability_after=tuple(off[1:]))
    assert not any("After it" in sentence for sentence in advice_sentences(by_chance))


def test_a_brier_score_that_gets_worse_is_said() -> None:
    evaluation = synthetic_evaluation(advised="matrix")
    assert "The Brier score is not lower: 0.275 instead of 0.271." in advice_sentences(evaluation)
    assert not any("Brier" in sentence for sentence in advice_sentences(synthetic_evaluation()))


@pytest.mark.parametrize("code", ["below_chance", "double_softmax", "labels_off_by_one", "no_information"])
@pytest.mark.parametrize("advised", ["temperature", "none"])
def test_a_mistake_in_the_file_is_to_be_mended_first(code: str, advised: str) -> None:
    findings = [finding for finding in FINDINGS if finding.code == code]
    plain, first = (
        advice_sentences(synthetic_evaluation(advised=advised, findings=found))[0] for found in ([], findings)
    )
    assert plain.startswith("Use ")
    assert first == f"First mend what is said above; as the numbers are, u{plain[1:]}"


def test_other_findings_leave_the_advice_as_it_is() -> None:
    others = [found for found in FINDINGS if found.code in ("probabilities", "few_rows", "zero_probability")]
    others += [Finding("no_information", "", {"reason": "constant"})]
    shifted = Finding("labels_off_by_one", "", {"least": 1, "most": 10, "classes": 10, "read_as": "from_one"})
    assert advice_sentences(synthetic_evaluation(findings=[*others, shifted]))[0].startswith("Use ")


def test_warnings_question_the_answer() -> None:
    one = answer(synthetic_evaluation(findings=[FINDINGS[1]]))
    assert one.headline.endswith(", but read the warning first")
    assert one.reasons[0] == "First check what the warning says: this answer and all numbers below depend on it."
    many = answer(synthetic_evaluation(findings=FINDINGS))
    assert many.headline.endswith(
        f", but read the {len(warnings_of(synthetic_evaluation(findings=FINDINGS)))} warnings first"
    )


@pytest.mark.parametrize("finding", [*FINDINGS, *LEFT_OUT], ids=lambda finding: finding.code)
def test_every_finding_has_whole_sentences(finding: Finding) -> None:
    said = finding_sentence(finding)
    assert re.fullmatch(r"\S.*\.", said)
    assert not re.search(r"\bnan\b|\bNone\b|  |\.\.|\{|\}|\(\)", said)
    assert said.endswith(finding_remedy(finding))


def test_the_findings_of_the_tests_are_all_of_them() -> None:
    assert {finding.code for finding in (*FINDINGS, *LEFT_OUT)} == EVALUATION_SENTENCES.keys()


def test_a_code_of_studies_and_evaluations_is_told_apart_by_its_facts() -> None:
    of_study = {"rows": 60, "classes": 3, "rarest": "b", "rarest_rows": 4, "disagree": 0.1, "detectable": 0.2}
    assert "the rarest, 'b'" in finding_sentence(Finding("few_rows", "", of_study))
    assert "a poor calibration can pass unseen" in finding_sentence(Finding("few_rows", "", {"rows": 60, "classes": 3}))
    assert "of the test rows" in finding_sentence(Finding("zero_probability", "sparsemax", {"share": 0.1}))


def test_below_chance_does_not_say_so_of_columns_in_another_order_alone() -> None:
    facts = {"accuracy": 0.4, "chance": 0.1, "p": 1.0, "permuted_accuracy": 0.8}
    said = finding_sentence(Finding("below_chance", "", facts))
    assert said.startswith("The accuracy is 40 %; with the columns in another order it would be 80 %")
    said = finding_sentence(
        Finding("below_chance", "", facts | {"accuracy": 0.02, "p": 1e-9, "permuted_accuracy": None})
    )
    assert said.startswith("The accuracy is 2 %, below the 10 % of chance (p < 0.001): the columns may be")


def test_labels_counted_from_one_are_a_note_and_shifted_ones_a_warning() -> None:
    facts = {"least": 1, "most": 10, "classes": 10, "read_as": "from_one", "shift": None, "accuracy": None}
    counted = synthetic_evaluation(findings=[Finding("labels_off_by_one", "", facts)])
    assert not warnings_of(counted)
    assert data_notes(counted)[0].startswith("The labels go from 1 to 10 and there are 10 classes, so they were taken")
    unread = synthetic_evaluation(findings=[Finding("labels_off_by_one", "", facts | {"read_as": ""})])
    assert "they look shifted by one" in warnings_of(unread)[0][0]


@pytest.mark.parametrize("rows", [1, 3])
def test_counts_agree_with_their_verbs(rows: int) -> None:
    nan = finding_sentence(Finding("nan_rows", "", {"rows": rows, "row": 17}))
    left = finding_sentence(Finding("rows_without_label", "", {"rows": rows}))
    assert nan.startswith("A row has NaN" if rows == 1 else "3 rows have NaN")
    assert left.endswith("was left out." if rows == 1 else "were left out.")


def test_maps_that_were_not_tried_say_why() -> None:
    said = map_notes(synthetic_evaluation(left_out=LEFT_OUT))
    assert [note.split(" ")[0] for note in said] == [
        "Matrix",
        "Temperature",
        "mymapping",
        "Vector",
        "Vector",
        "Temperature",
    ]


@pytest.mark.parametrize("name", CASES)
def test_the_json_is_json_and_has_a_sentence_per_finding(name: str) -> None:
    evaluation = CASES[name]()
    form = json.loads(json.dumps(evaluation_form(evaluation), allow_nan=False))
    keys = {
        "n_rows",
        "n_left_out",
        "n_classes",
        "kind",
        "mapping",
        "findings",
        "metrics",
        "calibration_part",
        "maps",
        "advice",
    }
    assert keys | {"code"} <= form.keys()
    assert form["advice"]["map"] == evaluation.advice.mapping
    assert form["advice"]["sentence"] == " ".join(advice_sentences(evaluation))
    for found, finding in zip(form["findings"], evaluation.findings, strict=True):
        assert found["code"] == finding.code
        assert " ".join(filter(None, (found["sentence"], found["remedy"]))) == finding_sentence(finding)
    assert all(entry["sentence"] for entry in form["maps_left_out"])


def test_an_advice_without_words_is_refused() -> None:
    evaluation = replace(synthetic_evaluation(), advice=Finding("unheard_of", "none"))
    with pytest.raises(ValueError, match="no words for the advice 'unheard_of'; there are advise_none and advise_map"):
        answer(evaluation)


def test_rows_that_are_all_right_are_a_warning_and_those_of_a_fold_a_note() -> None:
    every = Finding("temperature_unbounded", "", {"rows": 500, "of": 500})
    (warning,) = warnings_of(synthetic_evaluation(findings=[every]))
    assert warning[0].startswith("In all 500 rows the true class")
    assert "trained on these rows" in warning[1]
    fold = synthetic_evaluation(findings=[Finding("temperature_unbounded", "", {"rows": 498, "of": 500})])
    assert not warnings_of(fold)
    assert map_notes(fold)[0].startswith(
        "In 498 of 500 rows the true class has the largest score, and the other rows are all in one"
    )


@pytest.mark.parametrize("reason", ["separable", "separable_in_a_fold", "constant", "opposed", "unclear"])
def test_maps_without_parameters_for_one_reason_are_one_line(reason: str) -> None:
    names = ["temperature", "vector", "entmax"]
    found = [Finding("map_unbounded", name, {"reason": reason}) for name in names]
    other = Finding("map_unbounded", "matrix", {"reason": "something else"})
    notes = map_notes(synthetic_evaluation(left_out=[*found, other]))
    assert len(notes) == 2
    assert notes[0].startswith(
        "Temperature scaling, vector scaling and entmax with a temperature have no best parameters"
    )
    assert notes[1].startswith("Matrix scaling has no best parameters")
    assert len({finding_sentence(replace(each, mapping="")) for each in [found[0], other]}) == 2
    form = evaluation_form(synthetic_evaluation(left_out=found))
    assert [each["sentence"].partition(" ha")[0] for each in form["maps_left_out"]] == [
        "Temperature scaling",
        "Vector scaling",
        "entmax with a temperature",
    ]


def test_one_rule_of_advice_is_said_everywhere() -> None:
    evaluation = synthetic_evaluation()
    said = dict(method_paragraphs(evaluation))["Advice"]
    docs = (Path(__file__).parents[2] / "docs" / "evaluate.md").read_text(encoding="utf-8")
    assert said.startswith(ADVICE_RULE)
    assert ADVICE_RULE[1:] in ladder_table(evaluation).note
    assert ADVICE_RULE in " ".join(docs.split())


def test_a_map_that_was_fitted_to_a_part_of_the_rows_says_so() -> None:
    evaluation = synthetic_evaluation()
    assert "a part of" not in ladder_table(evaluation).note
    maps = [replace(found, n_fitted=700) if found.name == "entmax" else found for found in evaluation.maps]
    note = ladder_table(replace(evaluation, maps=tuple(maps))).note
    assert note.endswith("Fitted to a part of the 2000 rows, drawn at random: entmax, alpha = 1.312 (700 rows).")

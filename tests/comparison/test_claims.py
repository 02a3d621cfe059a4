"""The claims, held against facts worked out by hand for each vector."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastlayer.comparison import Claim, compare
from lastlayer.comparison.claims import turning_scale
from lastlayer.words.claims import CLAIMS

NAMES = [text.name for text in CLAIMS]
SHORT = {"y": "yes", "n": "no", "h": "half true", ".": "not tested"}


def claims(*scores: float, **options: object) -> dict[str, Claim]:
    return {claim.name: claim for claim in compare(scores, **options).claims}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scores", "verdicts"),
    [
        # sharper soft_max shift only_exp | scale negative zero_sum tanh | differentiable learns | max log gradient two
        ((1, 0.5), "nyyy y..n nn hyyy"),
        ((2, 1), "yyyy y..n nn hyyy"),
        ((2, -1, 0.5), ".yyy .y.y .n hyy."),
        ((1, -1), ".yyy .yyy .n hyyy"),
        ((0, 0), ".... ..yn .n yyyy"),
        ((1, 1), ".... ...n nn yyyy"),
        ((1, 0), "nyyy y..n .n hyyy"),
        ((5,), ".... .... .. ...."),
        ((-1, -2), ".yyy .y.y .n hyyy"),
        ((0.1, 0.2, -0.3), ".yyy .yyy .n hyy."),
        # Softmax of these changes by 2e-10 when they are doubled.
        ((1e-9, 2e-9, 3e-9), "nyyy ...n nn hyy."),
        ((1000, 0), "nyyy ...n .n hyyy"),
        ((100, 50), "yyyy ...n n. hyyy"),
        ((3, 3, 1), "yyyy y..n n. yyy."),
        ((1e16, 1e16 - 2), "yy.. y..n n. hy.y"),
        ((2 * math.log(2), math.log(2)), "nyyy y..n nn hyyy"),
    ],
)
def test_verdicts(scores, verdicts):
    assert [claim.here for claim in claims(*scores).values()] == [SHORT[v] for v in verdicts.replace(" ", "")]


@pytest.mark.parametrize("text", CLAIMS, ids=NAMES)
def test_the_scores_that_show_a_claim_test_it(text):
    judged = claims(*text.shown_by)[text.name]
    assert judged.here != "not tested"
    # No claim that is true in general fails on the scores that are to show it, and none that is false holds.
    assert (text.in_general, judged.here) not in {("true", "no"), ("false", "yes")}
    assert (judged.claim, judged.in_general, judged.reason) == (text.claim, text.in_general, text.reason)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6))
def test_no_verdict_contradicts_what_is_true_in_general(scores):
    for claim in claims(*scores).values():
        assert (claim.in_general, claim.here) not in {("true", "no"), ("false", "yes")}


def test_the_negative_score_and_what_it_would_get():
    evidence = claims(2, -1, 0.5)["negative_scores"].evidence
    assert "x1 = -1" in evidence
    assert '"probability" -0.6667' in evidence  # −1 / 1.5
    assert "(0.3333, 0.6667)" in claims(-1, -2)["negative_scores"].evidence
    assert "reverse order" in claims(-1, -2)["negative_scores"].evidence


def test_the_tanh_is_computed_on_the_scores_given_and_not_twice():
    assert "(0.7616, 0.4621)" in claims(1, 0.5)["tanh"].evidence
    assert "(0.7616, 0.4621)" in claims(1, 0.5, softcap=1.0)["tanh"].evidence
    # 2·tanh(1/2) = 0.924234, 2·tanh(1/4) = 0.489837
    assert "(0.9242, 0.4898)" in claims(1, 0.5, softcap=2.0)["tanh"].evidence


def test_claims_judge_the_scores_that_reach_the_mappings():
    # tanh(40) and tanh(30) both round to 1.
    assert claims(40, -30)["zero_sum"].here == "not tested"
    assert claims(40, -30, softcap=1.0)["zero_sum"].here == "yes"
    # At temperature ½ the scores are twice as large, so that softmax becomes the more certain one: ln 2 / 0.5 = 1.386 < 2.
    assert claims(1, 0.5)["sharper"].here == "no"
    assert claims(1, 0.5, temperature=0.5)["sharper"].here == "yes"


def test_where_sharpness_turns():
    evidence = claims(1, 0.5)["sharper"].evidence
    assert "The ratio is more certain, 0.6667 against 0.6225." in evidence
    assert "If all scores were 1.386 times as large the two would agree; beyond that softmax" in evidence
    # ln 2 / (2 − 1)
    assert "were 0.6931 times as large the two would agree; below that the ratio" in claims(2, 1)["sharper"].evidence
    assert "at any multiple" in claims(1, 0)["sharper"].evidence


@given(st.lists(st.floats(0.001, 100), min_size=2, max_size=6).filter(lambda x: max(x) > 1.001 * min(x)))
def test_at_the_turning_scale_both_are_equally_sharp(scores):
    x = np.array(scores)
    c = turning_scale(x)

    def softmax_top(scale: float) -> float:
        return 1 / sum(math.exp(scale * (v - max(scores))) for v in scores)

    ratio_top = max(scores) / math.fsum(scores)
    assert softmax_top(c) == pytest.approx(ratio_top, rel=1e-9)
    assert softmax_top(0.9 * c) < ratio_top < softmax_top(1.1 * c) or scores.count(max(scores)) > 1


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1.0, 1e6, 1e300])
def test_turning_scale_of_two_scores_has_a_closed_form(scale):
    x = scale * np.array([3.0, 1.0])
    assert turning_scale(x) == pytest.approx(math.log(3) / (2 * scale), rel=1e-13)


def test_turning_scale_where_the_ratio_rounds_to_one():
    # ratio = 1 − 1e-30; Σ exp(−u) = 1e-30
    assert turning_scale(np.array([1.0, 1e-30])) == pytest.approx(30 * math.log(10), rel=1e-12)
    assert turning_scale(np.array([1.0, 1.0, 0.0])) is None


def test_large_multiples_go_to_the_largest_score():
    # σ(10·0.5)
    assert "0.9933 at 10 times these scores, the ratio still 0.6667" in claims(1, 0.5)["soft_max"].evidence
    # σ(5): the gap of 1e-9 is made ten.
    assert "at 1e10 times" in claims(2e-9, 1e-9)["soft_max"].evidence
    assert "shared by the 2 largest" in claims(3, 3, 1)["soft_max"].evidence


def test_shift_and_scale_show_both_probabilities():
    # (1 + 1, 0.5 + 1) / 3.5, and σ(2·0.5)
    shift, scale = claims(1, 0.5)["shift"].evidence, claims(1, 0.5)["scale"].evidence
    assert "Add 1: softmax stays (0.6225, 0.3775)" in shift
    assert "from (0.6667, 0.3333) to (0.5714, 0.4286)" in shift
    assert "Multiply by 2: softmax goes to (0.7311, 0.2689), the ratio stays (0.6667, 0.3333)" in scale


def test_a_shift_makes_the_ratio_defined():
    # −2.5 + 4 = 1.5 and 1 + 4 = 5
    evidence = claims(-2.5, 1)["shift"].evidence
    assert "Add 4" in evidence
    assert "from undefined to (0.2308, 0.7692)" in evidence


def test_every_other_g_moves_with_an_added_constant():
    evidence = claims(1, 0.5)["only_exp"].evidence
    # |x|: 1/1.5, 2/3.5; x²: 1/1.25, 4/6.25; softplus: 1.3133/2.2873, 2.1269/3.8283
    for g in ("|x| 0.6667 → 0.5714", "x² 0.8 → 0.64", "softplus 0.5741 → 0.5556", "Only e^x stays at 0.6225"):
        assert g in evidence
    assert "max(0, x) undefined → 0.6667" in claims(-1, -2)["only_exp"].evidence


def test_the_quotient_rule():
    # (1 − 2/3) / 1.5 and σ(0.5)·σ(−0.5)
    evidence = claims(1, 0.5)["only_differentiable"].evidence
    assert "= 0.2222 for the ratio" in evidence
    assert "= 0.235 for softmax" in evidence
    assert float(re.search(r"quotient rule to (\S+)\.$", evidence)[1]) < 1e-9


@pytest.mark.parametrize(
    ("scores", "label", "says"),
    [
        # 1/1.5 − 1/0.5; then (1 − 2/3, 1/2 + 4/3) and 1/3 − 1/(13/6) < 0.
        (
            (1, 0.5),
            1,
            "-1.333 for the ratio, -0.6225 for softmax. 2 gradient steps of size 1 take the ratio to (-0.1282, ",
        ),
        # 1/4.05 − 1/0.05, and σ(−3.95) − 1
        ((4, 0.05), 1, "-19.75 for the ratio, -0.9811 for softmax."),
        ((1, 0), 1, "its score is 0, its loss is infinite"),
        ((2, -1, 0.5), 0, "no answer at (2, -1, 0.5)"),
        ((5e-324, 1), 0, "overflows"),
    ],
)
def test_learning_through_the_ratio_leaves_its_domain(scores, label, says):
    judged = claims(*scores, label=label)["ratio_learns"]
    assert says in judged.evidence
    assert judged.here == ("not tested" if scores[0] == 4 else "no")


def test_max_is_flat_off_ties_and_jumps_on_them():
    off, on = claims(2, -1, 0.5)["max_slope"].evidence, claims(3, 3, 1)["max_slope"].evidence
    assert "slope here, (1, 0, 0)" in off
    assert "nudge any score by 0.375 and the one-hot answer changes by 0." in off  # a quarter of the gap 1.5
    assert "from 0.5 to 1" in on


def test_the_logarithm_in_numbers():
    # log(e + e^0.5) = 1.474077
    evidence = claims(1, 0.5)["logarithm"].evidence
    assert "loss = log(e^1 + e^0.5) − x1 = 1.4741 − 0.5 = 0.9741 = log(1 + e^(x0 − x1)) = log(1 + e^0.5)." in evidence
    # Three classes have no such second form; two minus signs are a plus: log(e² + 1/e + e^0.5) = 2.241331
    assert claims(2, -1, 0.5)["logarithm"].evidence.endswith(" = 2.2413 + 1 = 3.2413.")


def test_cross_entropy_names_the_class_and_its_gradient():
    # softmax(1, 0.5) = σ(±0.5)
    evidence = claims(1, 0.5, label=0)["gradient"].evidence
    assert "If class 0 is true, p − y = (0.6225, 0.3775) − (1, 0) = (-0.3775, 0.3775)" in evidence
    assert float(re.search(r"agree to (\S+)\.$", evidence)[1]) < 1e-9


def test_two_steps_lose_the_loss_that_log_softmax_keeps():
    evidence = claims(0, -1000)["logarithm"].evidence
    assert "0 + 1000 = 1000" in evidence
    assert evidence.endswith("Softmax first and a logarithm after it would give inf.")
    assert "after it" not in claims(0, -10)["logarithm"].evidence


def test_logistic_for_two_and_for_pairs():
    assert "σ(0.5) = 0.6225, and softmax gives class 0 0.6225" in claims(1, 0.5)["two_classes"].evidence
    # σ(3) for the scores 2 and −1
    assert claims(2, -1, 0.5)["two_classes"].evidence.count("0.9526") == 2


@pytest.mark.parametrize("scores", [(math.inf, 0), (-math.inf, 1, 2)])
def test_infinite_scores_are_not_judged(scores):
    for claim in claims(*scores).values():
        assert claim.here == "not tested"
        assert "not all finite" in claim.evidence


@pytest.mark.parametrize(
    "scores",
    [
        (1e308, 1e308, -1e308),
        (1e308, 1e300),
        (5e-324, 1e-323),
        (-1e-310, 1e-310),
        (1e16, 1e16 - 2),
        (-0.0, 0.0),
        range(-1000, 1000),
    ],
)
def test_extreme_scores_give_sentences_without_nan(scores):
    for claim in claims(*scores, label=1).values():
        assert claim.evidence.endswith(".")
        assert "nan" not in claim.evidence


def test_a_broken_softmax_is_found_out(monkeypatch):
    """The evidence is computed: with softmax replaced by the ratio of squares its claims fall."""
    from lastlayer.comparison.claims import case, derivatives, invariance, maximum, sharpness

    def wrong(scores, mapping):
        name = "spherical" if mapping == "softmax" else mapping
        return case.probabilities(scores, mapping=name, on_domain="nan")

    for module in (case, derivatives, invariance, maximum, sharpness):
        monkeypatch.setattr(module, "probabilities_of", wrong)
    found = claims(1, 0.5)
    assert found["shift"].here == "no"
    assert found["scale"].here == "not tested"
    assert found["only_exp"].here == "not tested"
    assert found["gradient"].here == "no"
    assert found["two_classes"].here == "no"


def test_a_broken_ratio_is_found_out(monkeypatch):
    """Squares in the ratio's place do not follow its quotient rule."""
    from lastlayer.comparison.claims import case, derivatives

    def wrong(scores, mapping):
        return case.probabilities(scores, mapping="spherical" if mapping == "ratio" else mapping, on_domain="nan")

    monkeypatch.setattr(derivatives, "probabilities_of", wrong)
    assert claims(1, 0.5)["only_differentiable"].here == "yes"


def test_a_loss_that_is_no_difference_is_found_out(monkeypatch):
    from lastlayer.comparison.claims import logarithm

    monkeypatch.setattr(logarithm, "logsumexp", lambda x: np.max(x))
    assert claims(1, 0.5)["logarithm"].here == "no"


def test_of_many_classes_the_largest_the_label_and_what_matters_are_shown():
    found = claims(0, 7, 2, 1, 9, -3, label=3)
    # e^9, e^7 and e^1 over their sum with 1, e^2 and e^-3, which is 9210.87
    assert "stays (class 4: 0.8797, class 1: 0.1191, class 3: 0.0002951, …)" in found["shift"].evidence
    assert "class 5: -0.9951" in found["tanh"].evidence
    assert "class 5: -3" in found["ratio_learns"].evidence


@pytest.mark.parametrize("text", CLAIMS, ids=NAMES)
def test_a_claim_and_what_is_true_of_it_fit_a_line(text):
    assert len(text.claim) <= 40
    assert len(text.brief) <= 22

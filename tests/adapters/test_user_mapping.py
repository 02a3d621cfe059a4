"""A mapping of the user's own is held to the contract and accepted wherever a name is."""

from __future__ import annotations

import numpy as np
import pytest
from warm_softmax import WARM_SOFTMAX, carry

import lastlayer as ll
from lastlayer.comparison import compare
from lastlayer.mappings.normalized import normalized
from lastlayer.sklearn import LastLayerClassifier

SCORES = np.random.default_rng(0).normal(size=(30, 3))


def test_it_keeps_the_contract():
    ll.check_mapping(WARM_SOFTMAX)


def test_it_is_what_it_says():
    np.testing.assert_allclose(ll.probabilities(SCORES, mapping=WARM_SOFTMAX), ll.softmax(SCORES / 2), rtol=1e-15)
    labels = np.arange(30) % 3
    expected = ll.loss_and_grad(SCORES, labels, temperature=2.0)
    got = ll.loss_and_grad(SCORES, labels, mapping=WARM_SOFTMAX)
    np.testing.assert_allclose(got[0], expected[0], rtol=1e-14)
    np.testing.assert_allclose(got[1], expected[1], rtol=1e-13, atol=1e-16)


def test_the_classifier_and_the_comparison_take_it():
    labels = np.argmax(SCORES, axis=1)
    # Half the scores need twice the weights, at four times the penalty for the same model.
    warm = LastLayerClassifier(WARM_SOFTMAX, C=4.0, tol=1e-8).fit(SCORES, labels)
    plain = LastLayerClassifier("softmax", C=1.0, tol=1e-8).fit(SCORES, labels)
    np.testing.assert_allclose(warm.coef_, 2 * plain.coef_, rtol=1e-4, atol=1e-4)
    assert compare([1.0, 0.5], mappings=[WARM_SOFTMAX]).rows[0].name == "warm_softmax"


def test_a_wrong_slope_is_found():
    from dataclasses import replace

    def wrong(scores, xp):
        return carry(scores, xp)._replace(slope=lambda: scores * 0 + 1.0)

    broken = normalized(
        **{
            field: getattr(WARM_SOFTMAX, field)
            for field in ("name", "summary", "equation", "domain", "laws", "budget", "linear", "limits", "references")
        },
        carry=wrong,
        g_oracle=lambda score, mp: mp.exp(score / 2),
        limits_of_g=(0.0, float("inf")),
    )
    with pytest.raises(AssertionError, match="∂loss"):
        ll.check_mapping(replace(broken, laws=frozenset()))

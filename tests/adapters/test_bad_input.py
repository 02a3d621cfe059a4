"""Every wrong input gets an error that names the value, its place and the remedy."""

from __future__ import annotations

import numpy as np
import pytest

import lastlayer as ll

X = np.zeros((3, 4))


@pytest.mark.parametrize(
    "scores", [np.array([True, False]), np.array([1j, 2]), np.array(["a", "b"]), np.array([None, 1]), [[1, 2], [3]]]
)
def test_scores_must_be_real(scores):
    with pytest.raises((TypeError, ValueError)):
        ll.softmax(scores)


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: ll.softmax(1.0), ValueError, "single number"),
        (lambda: ll.softmax([]), ValueError, "empty"),
        (lambda: ll.softmax(X, axis=2), ValueError, "axis is 2"),
        (lambda: ll.probabilities(X, mapping="sofmax"), ValueError, "did you mean 'softmax'"),
        (lambda: ll.probabilities(X, mapping=3), TypeError, "mapping is 3"),
        (lambda: ll.probabilities(X, mapping="entmax:alpha=x"), ValueError, "parameter=number"),
        (lambda: ll.probabilities(X, mapping="entmax:beta=2"), TypeError, "no parameter 'beta'"),
        (lambda: ll.entmax(X, alpha=0.5), ValueError, "alpha is 0.5"),
        (lambda: ll.entmax(X, alpha="1"), TypeError, "alpha is '1'"),
        (lambda: ll.taylor(X, order=3), ValueError, "even"),
        (lambda: ll.ratio([[1, 2], [1, -1]]), ll.DomainError, r"row 1 are \[1, -1\]"),
        (lambda: ll.ratio([0.0, 0.0]), ll.DomainError, "not all zero"),
        (lambda: ll.spherical([0.0, 0.0]), ll.DomainError, "not all scores zero"),
        (lambda: ll.ratio([1.0, 2.0], on_domain="ignore"), ValueError, "on_domain"),
        (lambda: ll.loss(X, [0, 4, 1]), IndexError, "label 4 at position 1"),
        (lambda: ll.loss(X, [0, -1, 1]), IndexError, "label -1 at position 1"),
        (lambda: ll.loss(X, [0.0, 1.0, 2.0]), TypeError, "labels are float64"),
        (lambda: ll.loss(X, [True, False, True]), TypeError, "labels are bool"),
        (lambda: ll.loss(X, [0, 1]), ValueError, r"shape \(2,\)"),
        (lambda: ll.loss(X, np.full((3, 4), 0.3)), ValueError, "sum to 1.2"),
        (lambda: ll.loss(X, np.tile([1.5, -0.5, 0, 0], (3, 1))), ValueError, "soft target -0.5 of class 1 of row 0"),
        (lambda: ll.loss(X, np.ones((3, 4), dtype=int)), TypeError, "must be floats"),
        (lambda: ll.loss(X, [0, 1, 2], weight=[1, 2]), ValueError, "one weight a class"),
        (lambda: ll.loss(X, [0, 1, 2], weight=[1, 2, -1, 1]), ValueError, "negative"),
        (lambda: ll.loss(X, [0, 1, 2], sample_weight=[1, 2]), ValueError, "one weight a row"),
        (lambda: ll.loss(X, [0, 1, 2], label_smoothing=1.5), ValueError, "label_smoothing is 1.5"),
        (lambda: ll.loss(X, [0, 1, 2], z_loss=-1), ValueError, "z_loss is -1"),
        (lambda: ll.loss(X, [0, 1, 2], temperature=0), ValueError, "temperature is 0"),
        (lambda: ll.loss(X, [0, 1, 2], softcap=-1), ValueError, "softcap is -1"),
        (lambda: ll.loss(X, [0, 1, 2], reduction="average"), ValueError, "reduction is 'average'"),
        (lambda: ll.set_num_threads(0), ValueError, "at least 1"),
    ],
)
def test_error_names_value_place_and_remedy(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_labels_are_checked_before_the_domain():
    with pytest.raises(IndexError):
        ll.loss([[-1.0, 2.0]], [5], mapping="ratio")


def test_ignored_rows_may_be_outside_the_domain():
    value = ll.loss([[-1.0, 2.0], [1.0, 1.0]], [-100, 0], mapping="ratio")
    np.testing.assert_allclose(value, np.log(2.0), rtol=1e-15)


@pytest.mark.parametrize("mapping", ["ratio", "spherical"])
@pytest.mark.parametrize(
    "scores",
    [[0.0, 0.0], [0.0, 2.0], [-1.0, 2.0], [np.nan, 0.0], [np.inf, 1.0], [-0.0, 0.0], [2.0, -1.0], [2.0, np.nan]],
)
def test_a_glance_at_a_domain_promises_no_more_than_a_look_at_each_row(mapping, scores):
    domain = ll.MAPPINGS[mapping].domain
    rows = np.array([[1.0, 2.0], scores, [3.0, 4.0]])
    assert domain.holds_at_a_glance(rows[::2], np)
    assert not domain.holds_at_a_glance(rows, np) or domain.is_valid(rows, np).all()
    assert not domain.holds_at_a_glance(rows[:0], np)


@pytest.mark.parametrize("mapping", ["ratio", "spherical"])
def test_scores_outside_the_domain_leave_every_array_as_it_was(mapping):
    scores = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]])
    before, out = scores.copy(), np.full_like(scores, 7.0)
    for given in (scores, out):
        with pytest.raises(ll.DomainError, match="row 1"):
            ll.probabilities(scores, mapping=mapping, out=given)
        with pytest.raises(ll.DomainError, match="row 1"):
            ll.loss_and_grad(scores, np.array([0, 1, 0]), mapping=mapping, out=given)
    np.testing.assert_array_equal(scores, before)
    assert (out == 7.0).all()


def test_bad_labels_leave_every_array_as_it_was():
    scores = np.random.default_rng(0).normal(size=(5000, 3))
    before, labels = scores.copy(), np.zeros(5000, dtype=np.int64)
    labels[4999] = 3
    with pytest.raises(IndexError, match="label 3 at position 4999"):
        ll.loss_and_grad(scores, labels, out=scores)
    np.testing.assert_array_equal(scores, before)


def test_scores_that_the_activation_takes_out_of_the_domain_are_found():
    tiny = np.array([[1e-300, 2e-300], [1.0, 2.0]])
    assert np.isfinite(ll.loss(tiny, np.array([0, 1]), mapping="ratio"))
    with pytest.raises(ll.DomainError, match="row 0"):
        ll.loss(tiny, np.array([0, 1]), mapping="ratio", temperature=1e30)


def test_domain_is_judged_after_the_activation_and_can_be_nan():
    losses = ll.loss([[-1.0, 2.0], [1.0, 3.0]], [0, 0], mapping="ratio", on_domain="nan", reduction="none")
    assert np.isnan(losses[0])
    np.testing.assert_allclose(losses[1], np.log(4.0), rtol=1e-15)


def test_impossible_class_costs_infinity_in_its_row_alone():
    losses = ll.loss([[0.0, 2.0], [1.0, 3.0]], [0, 0], mapping="ratio", reduction="none")
    assert losses[0] == np.inf
    assert np.isfinite(losses[1])
    assert ll.loss([[0.0, 2.0], [1.0, 3.0]], [0, 0], mapping="ratio") == np.inf


def test_user_made_mapping_is_accepted_wherever_a_name_is():
    mapping = ll.MAPPINGS["entmax"].replace(alpha=1.3)
    np.testing.assert_array_equal(ll.probabilities([1.0, 0.2], mapping=mapping), ll.entmax([1.0, 0.2], alpha=1.3))
    assert ll.resolve_mapping("entmax:alpha=1.3").label == mapping.label == "entmax:alpha=1.3"

"""Every wrong input gets an error that names the value, its place and the remedy."""

from __future__ import annotations

from fractions import Fraction

import array_api_strict as strict
import numpy as np
import pytest
import torch

import lastlayer as ll
import lastlayer.torch as lt

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
        (lambda: ll.loss(X, [0, 1, 2], weight=[1, 2]), ValueError, "one weight per class"),
        (lambda: ll.loss(X, [0, 1, 2], weight=[1, 2, -1, 1]), ValueError, "negative"),
        (lambda: ll.loss(X, [0, 1, 2], sample_weight=[1, 2]), ValueError, "one weight per row"),
        (lambda: ll.loss(X, [0, 1, 2], label_smoothing=1.5), ValueError, "label_smoothing is 1.5"),
        (lambda: ll.loss(X, [0, 1, 2], z_loss=-1), ValueError, "z_loss is -1"),
        (lambda: ll.loss(X, [0, 1, 2], temperature=0), ValueError, "temperature is 0"),
        (lambda: ll.loss(X, [0, 1, 2], softcap=-1), ValueError, "softcap is -1"),
        (lambda: ll.loss(X, [0, 1, 2], reduction="average"), ValueError, "reduction is 'average'"),
        (lambda: ll.set_num_threads(0), ValueError, "at least 1"),
        (lambda: ll.set_num_threads(1.5), TypeError, "n is 1.5"),
        (lambda: ll.softmax(X, axis=1.0), TypeError, "axis is 1.0"),
        (lambda: ll.probabilities(X, mapping="entmax:alpha=1e300"), ValueError, "from 1 to 1e"),
        (lambda: ll.probabilities(X, mapping="entmax:alpha=1.5,alpha=1.2"), ValueError, "alpha twice"),
        (lambda: ll.probabilities(X, mapping="taylor:order=inf"), ValueError, "order is inf"),
        (lambda: ll.entmax(X, alpha=np.ones((3, 1))), ValueError, r"alpha has shape \(3, 1\)"),
        (lambda: ll.entmax(X, alpha=np.array(["x"] * 3)), TypeError, "alpha is an array of"),
        (lambda: ll.hardmax(X, on_domain="x"), ValueError, "on_domain is 'x'"),
        (lambda: ll.cross_entropy(X, [0, 1, 2], lable_smoothing=0.1), TypeError, "did you mean 'label_smoothing'"),
        (lambda: ll.cross_entropy(X, [0, 1, 2], mapping="ratio"), TypeError, "no option 'mapping'"),
        (lambda: ll.loss(X, None), TypeError, "targets are None"),
        (lambda: ll.loss(torch.zeros(3, 4), torch.zeros(3)), TypeError, r"targets\.long\(\)"),
    ],
)
def test_error_names_value_place_and_remedy(call, error, says):
    with pytest.raises(error, match=says):
        call()


WRONG_NUMBERS = [None, "a", 1j, True, [1.0], {}, object(), np.array([1.0, 2.0]), np.True_, np.timedelta64(1)]
LOSSES = {
    "loss": lambda **options: ll.loss(X, [0, 1, 2], **options),
    "loss_and_grad": lambda **options: ll.loss_and_grad(X, [0, 1, 2], **options),
    "cross_entropy": lambda **options: ll.cross_entropy(X, [0, 1, 2], **options),
    "loss under a mapping with a domain": lambda **options: ll.loss(X + 1.0, [0, 1, 2], mapping="ratio", **options),
    "loss of float32": lambda **options: ll.loss(X.astype(np.float32), np.array([0, 1, 2]), **options),
    "loss of torch": lambda **options: ll.loss(torch.zeros(3, 4), torch.tensor([0, 1, 2]), **options),
    "loss of array_api_strict": lambda **options: ll.loss(strict.zeros((3, 4)), strict.asarray([0, 1, 2]), **options),
}
OUTSIDE = {
    "temperature": [0, -1.0, np.inf, np.nan],
    "softcap": [0, -1.0, np.inf, np.nan],
    "label_smoothing": [-0.1, 1.1, np.nan, np.inf],
    "z_loss": [-1, np.inf, np.nan],
    "ignore_index": [2**63, -(2**70)],
    "reduction": [None, "average", 1, ["mean"]],
    "on_domain": [None, "x", 1, ["raise"]],
}


@pytest.mark.parametrize("entrance", LOSSES)
def test_options_of_a_wrong_kind_are_named(entrance):
    walked = 0
    for option in ("temperature", "softcap", "label_smoothing", "z_loss", "ignore_index", "axis"):
        for wrong in WRONG_NUMBERS + [1.5, np.float32(1.0)] * (option in ("ignore_index", "axis")):
            # A softcap of None is none, and temperatures may be arrays.
            if (option == "softcap" and wrong is None) or (option == "temperature" and isinstance(wrong, np.ndarray)):
                continue
            with pytest.raises(TypeError, match=f"^{option} is .*; give"):
                LOSSES[entrance](**{option: wrong})
            walked += 1
    for option, values in OUTSIDE.items():
        for wrong in values:
            with pytest.raises(ValueError, match=f"^{option} is "):
                LOSSES[entrance](**{option: wrong})
            walked += 1
    assert walked == 62 + 25


@pytest.mark.parametrize("make", [np.float64, np.float32, np.float16, np.array, lambda x: Fraction(x)])
def test_numbers_of_numpy_are_taken_with_their_value(make):
    scores = np.random.default_rng(0).normal(size=(3, 4))
    for option in ("temperature", "softcap", "label_smoothing", "z_loss"):
        for x in (scores, scores.astype(np.float32), torch.from_numpy(scores)):
            labels = [0, 1, 2] if isinstance(x, np.ndarray) else torch.tensor([0, 1, 2])
            got = ll.loss(x, labels, mapping="sparsemax", **{option: make(0.3)})
            assert got == ll.loss(x, labels, mapping="sparsemax", **{option: float(make(0.3))})
    np.testing.assert_array_equal(ll.entmax(scores, make(1.25)), ll.entmax(scores, 1.25))


@pytest.mark.parametrize("make", [np.int64, np.int8, np.uint16, np.array, torch.tensor])
def test_integers_of_libraries_are_taken_where_pythons_are(make):
    before = ll.show_config()["threads"]
    ll.set_num_threads(make(2))
    ll.set_num_threads(before)
    np.testing.assert_array_equal(ll.softmax(X, axis=make(1)), ll.softmax(X, axis=1))
    np.testing.assert_array_equal(ll.logsumexp(X, axis=make(0), keepdims=True), ll.logsumexp(X, axis=0, keepdims=True))
    if make is not torch.tensor:
        np.testing.assert_array_equal(ll.taylor(X, make(4)), ll.taylor(X, 4))
    assert ll.loss(X, [0, 1, 3], ignore_index=make(3)) == ll.loss(X, [0, 1, 3], ignore_index=3)


@pytest.mark.parametrize("option", ["weight", "sample_weight"])
@pytest.mark.parametrize("entrance", LOSSES)
def test_weights_of_a_wrong_kind_are_refused(entrance, option):
    size = 4 if option == "weight" else 3
    for wrong in ([1j] * size, ["x"] * size, [None] * size, np.zeros(size, "m8[s]"), np.zeros(size, "M8[s]"), "x", {}):
        with pytest.raises(TypeError, match=f"{option} is an array of"):
            LOSSES[entrance](**{option: wrong})
    for entry in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match=f"{option} has a negative, infinite or NaN entry"):
            LOSSES[entrance](**{option: np.array([entry] + [1.0] * (size - 1))})
    for fine in ([1] * size, [True] * size, np.ones(size, np.uint8), np.ones(size, np.float16)):
        assert LOSSES[entrance](**{option: fine}) is not None


def test_layouts_that_are_not_served_are_named():
    sparse = torch.eye(3).to_sparse()
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)
    for call in (ll.softmax, ll.hardmax, ll.logsumexp, lambda x: ll.loss(x, torch.tensor([0, 1, 2])), lt.Softmax()):
        for given in (sparse, sparse.requires_grad_(), nested):
            with pytest.raises(TypeError, match="give a dense one"):
                call(given)
    with pytest.raises(ValueError, match="targets is on meta"):
        ll.loss(torch.zeros(2, 3), torch.zeros(2, dtype=torch.int64, device="meta"))


def test_the_class_axis_that_labels_fit_is_named():
    with pytest.raises(ValueError, match="pass axis=1"):
        ll.cross_entropy(np.zeros((2, 5, 3, 4)), np.zeros((2, 3, 4), dtype=int))
    with pytest.raises(ValueError, match=r"classes on axis 3: .* axis 1\."):
        lt.CrossEntropyLoss()(torch.zeros(2, 3, 4, 5), torch.zeros(2, 3, 4, dtype=torch.int64))


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

"""JAX arrays: half types, jit, vmap and gradients, with JAX's 32 bits and with 64, against float64 truths."""

from __future__ import annotations

import array_api_compat.numpy
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from running import IS_NIGHTLY

import lastlayer as ll
from lastlayer.checks import oracles
from lastlayer.losses import LossOptions
from lastlayer.mappings.resolve import resolve_mapping

SPECS = tuple(ll.MAPPINGS)
#: An ordinary row, one with a masked class, and one at a kink of sparsemax, hardmax and spherical.
ROWS = np.array([[0.4, -0.3, 1.1], [0.7, -np.inf, 0.5], [0.0, 1.0, -4.0]], dtype=np.float32)
LABELS = np.array([1, 0, 0])
COTANGENTS = np.array([[0.3, -0.2, 0.5]] * 3)


def rows_for(name):
    """The scores, in the mapping's domain; without an infinite score where that is outside, or takes all."""
    rows = ROWS
    p = ll.probabilities(ROWS, mapping=name, on_domain="nan")
    if np.isnan(p).any() or p[1, 1] != 0:
        rows = np.abs(np.where(np.isinf(ROWS), 1.0, ROWS)) + 0.1
    return rows.astype(np.float32)


def loss_slopes(record, rows):
    """The gradient of every row's loss by central differences on the oracle, without the masked class."""
    slopes = np.zeros(rows.shape)
    for slope, row, label in zip(slopes, rows, LABELS, strict=True):
        kept = np.flatnonzero(np.isfinite(row))
        place = int(np.searchsorted(kept, label))
        slope[kept] = [float(x) for x in oracles.loss_gradient(record, row[kept], place, LossOptions())]
    return slopes


def products(record, rows, quantity):
    """The cotangents pulled back by the record in float64, which the contract compares with the oracle."""
    with np.errstate(all="ignore"):
        point = record.at(rows.astype(np.float64), array_api_compat.numpy)
        if quantity == "probabilities":
            return point.vjp(COTANGENTS)
        return point.log_vjp(np.where(np.isfinite(point.log_probabilities()), COTANGENTS, 0.0))


def gradients(name, rows, dtype, is_compiled):
    """Losses, probabilities and log-probabilities by JAX, and the gradient of each."""
    record = resolve_mapping(name)

    def call(scores):
        loss = ll.loss(scores, LABELS, mapping=record, reduction="none")
        return loss, ll.probabilities(scores, mapping=record), ll.log_probabilities(scores, mapping=record)

    def pulled(scores):
        values, pull = jax.vjp(call, scores)
        zeros = [jnp.zeros_like(value) for value in values]
        cotangents = jnp.asarray(COTANGENTS, dtype=dtype)
        # What has no finite logarithm has no gradient either.
        logarithms = jnp.where(jnp.isfinite(values[2]), cotangents, 0.0)
        given = (jnp.ones_like(values[0]), cotangents, logarithms)
        return *values, *(pull(tuple(given[i] if i == k else zeros[i] for i in range(3)))[0] for k in range(3))

    found = (jax.jit(pulled) if is_compiled else pulled)(jnp.asarray(rows, dtype=dtype))
    return [np.asarray(x).astype(np.float64) for x in found]


def check(name, x64, is_compiled):
    record, rows = resolve_mapping(name), rows_for(name)
    with jax.enable_x64(x64):
        loss, p, log_p, *slopes = gradients(name, rows, np.float64 if x64 else np.float32, is_compiled)
    wide = rows.astype(np.float64)
    tolerance = 1e-12 if x64 else 3e-5
    np.testing.assert_allclose(loss, ll.loss(wide, LABELS, mapping=record, reduction="none"), rtol=tolerance)
    np.testing.assert_allclose(p, ll.probabilities(wide, mapping=record), rtol=tolerance, atol=tolerance / 10)
    np.testing.assert_allclose(log_p, ll.log_probabilities(wide, mapping=record), rtol=tolerance, atol=tolerance / 10)
    truths = (loss_slopes(record, rows), products(record, rows, "probabilities"), products(record, rows, "log"))
    for what, got, truth in zip(("loss", "p", "log p"), slopes, truths, strict=True):
        np.testing.assert_allclose(got, truth, rtol=20 * tolerance, atol=tolerance, err_msg=f"{name} {what}")


@pytest.mark.parametrize("name", SPECS)
def test_values_and_gradients_in_32_bits(name):
    # Operation by operation: most of them serve several mappings, and JAX compiles each once.
    check(name, x64=False, is_compiled=False)


# Two mappings: in one graph each, since the operations would be compiled once more for this dtype, which takes seconds.
@pytest.mark.parametrize("name", SPECS if IS_NIGHTLY else ["softmax", "hardmax"])
def test_values_and_gradients_in_64_bits(name):
    check(name, x64=True, is_compiled=True)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_half_types_are_computed_in_float32_and_rounded_once(dtype):
    rows = jnp.asarray(rows_for("taylor"), dtype=dtype)
    wide = np.asarray(rows).astype(np.float64)
    spacing = 2.0**-11 if dtype == jnp.float16 else 2.0**-8
    for call in (ll.softmax, ll.log_softmax, ll.logsumexp, ll.sparsemax):
        got = call(rows)
        assert got.dtype == dtype
        np.testing.assert_allclose(np.asarray(got).astype(np.float64), call(wide), rtol=1.01 * spacing)
    loss, gradient = ll.loss_and_grad(rows, LABELS)
    assert loss.dtype == jnp.float32
    assert gradient.dtype == dtype
    np.testing.assert_allclose(loss, ll.loss(wide, LABELS), rtol=1e-6)
    np.testing.assert_allclose(jax.grad(lambda x: ll.loss(x, LABELS))(rows), gradient)


def test_what_is_closed_over_is_looked_at_and_what_is_traced_is_not():
    rows = jnp.asarray(rows_for("taylor"))
    soft, weight, sample_weight = jnp.full((3, 3), 1 / 3), jnp.asarray([1.0, 2.0, 3.0]), jnp.asarray([1.0, 0.5, 2.0])
    labels, bad = jnp.asarray(LABELS), jnp.asarray([0, 3, 1])
    calls = {
        "labels": (lambda x, y: ll.loss(x, y, reduction="none"), labels),
        "soft targets": (lambda x, y: ll.loss(x, y), soft),
        "weight": (lambda x, w: ll.loss(x, labels, weight=w), weight),
        "sample_weight": (lambda x, w: ll.loss(x, labels, sample_weight=w), sample_weight),
        "alpha": (lambda x, a: ll.entmax(x, a), sample_weight + 1.0),
    }
    for call, argument in calls.values():
        # Tracing alone, which is where values must not be asked for; a compilation takes seconds.
        jax.make_jaxpr(lambda x: call(x, argument))(rows)
        jax.make_jaxpr(call)(rows, argument)
    traced = jax.jit(calls["labels"][0])
    np.testing.assert_allclose(traced(rows, labels), ll.loss(np.asarray(rows), LABELS, reduction="none"), rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(traced(rows, bad)), [False, True, False])
    for error, says, call in (
        (IndexError, "label 3 at position 1", lambda x: ll.loss(x, bad)),
        (ValueError, "sum to 2", lambda x: ll.loss(x, 2 * np.asarray(soft))),
        (ValueError, "sum to 2", lambda x: ll.loss(x, np.full((3, 3), 2 / 3))),
        (ValueError, "weights must be", lambda x: ll.loss(x, labels, weight=np.array([1.0, -1.0, 1.0]))),
    ):
        with pytest.raises(error, match=says):
            jax.make_jaxpr(call)(rows)


def test_vmap_is_a_batch():
    rows, labels = rows_for("hardmax"), np.array([0, 2, -100])
    rows[1, 1] = 0.25
    given = jnp.asarray(rows), jnp.asarray(labels)
    expected, gradients = ll.loss_and_grad(rows, labels, mapping="hardmax", reduction="none")
    losses, slopes = jax.jit(jax.vmap(jax.value_and_grad(lambda x, y: ll.loss(x, y, mapping="hardmax"))))(*given)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    np.testing.assert_allclose(slopes, gradients, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("upstream", [jnp.inf, jnp.nan])
@pytest.mark.parametrize("name", ["softmax", "sparsemax"])
def test_a_class_of_weight_zero_takes_nothing_from_upstream(name, upstream):
    x, weight = jnp.asarray([[1.0, 2.0, 0.5], [0.3, -1.0, 0.5]]), jnp.asarray([0.0, 1.0, 2.0])
    _, pull = jax.vjp(lambda x: ll.loss(x, jnp.asarray([0, 2]), mapping=name, weight=weight, reduction="none"), x)
    gradient = np.asarray(pull(jnp.asarray([upstream, 1.0]))[0])
    assert np.all(gradient[0] == 0.0)
    assert np.any(gradient[1] != 0.0)


@pytest.mark.parametrize("upstream", [jnp.inf, jnp.nan])
def test_a_row_that_does_not_count_takes_nothing_from_upstream(upstream):
    rows, weights = jnp.asarray(rows_for("taylor")), jnp.asarray([1.0, 0.0, 1.0])
    call = lambda x: ll.loss(x, np.array([-100, 0, 1]), sample_weight=weights, reduction="none")  # noqa: E731
    _, pull = jax.vjp(call, rows)
    gradient = np.asarray(pull(jnp.asarray([upstream, upstream, 1.0]))[0])
    np.testing.assert_array_equal(gradient[:2], 0.0)
    assert np.abs(gradient[2]).min() > 0


def test_second_derivatives_in_32_bits():
    """A slope of stablemax, whose divisions underflow in float32 where their derivatives are not looked after."""
    rows, direction = rows_for("taylor"), np.array([[1.0, -0.5, 0.25]] * 3, dtype=np.float32)

    def slope(x):
        return ll.loss_and_grad(x.astype(np.float64), LABELS, mapping="stablemax")[1]

    def along(x):
        return (jax.grad(lambda x: ll.loss(x, LABELS, mapping="stablemax"))(x) * direction).sum()

    truth = (slope(rows + 1e-6 * np.float64(direction)) - slope(rows - 1e-6 * np.float64(direction))) / 2e-6
    np.testing.assert_allclose(jax.jit(jax.grad(along))(jnp.asarray(rows)), truth, rtol=1e-4, atol=1e-6)


def test_what_has_no_derivative_says_so():
    rows, labels = jnp.ones((3, 3)), LABELS
    for name, call in {
        "weight": lambda w: ll.loss(rows, labels, weight=w),
        "soft targets": lambda w: ll.loss(rows, rows / 3 * w),
        "alpha": lambda w: ll.entmax(rows, w)[0, 0],
    }.items():
        with pytest.raises(TypeError, match=f"{name}: a constant here"):
            jax.grad(call)(jnp.ones(3))
    with pytest.raises(TypeError, match="sample_weight: a constant here"):
        jax.grad(lambda w: ll.loss(rows, labels, sample_weight=w))(jnp.ones(3))
    with pytest.raises(TypeError, match="label_smoothing"):
        jax.grad(lambda s: ll.loss(rows, labels, label_smoothing=s))(0.1)
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(ll.softmax, (rows,), (rows,))

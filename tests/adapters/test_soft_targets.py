"""Soft targets are judged by their values, whatever their dtype and library; torch's own loss takes any sum."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from libraries import JAX, JAX_X64, NUMPY, STRICT, TORCH, names

import lastlayer as ll
import lastlayer.torch as lt
from lastlayer.functions.scores import prepare
from lastlayer.functions.targets import prepare_targets
from lastlayer.losses import LossOptions

CLASSES = (2, 3, 10, 1000, 50_000)
LIBRARIES = (NUMPY, TORCH, STRICT, JAX, JAX_X64)
WIDE = {"float32": np.float32, "float64": np.float64}


def halves(classes, seed):
    """Softmax in float16 and bfloat16 as torch and JAX make them, of sharp and of flat rows, by what made them."""
    rng = np.random.default_rng(seed)
    scores = np.concatenate(
        [rng.normal(size=(3, classes)) * 4, rng.normal(size=(2, classes)) * 0.1, np.zeros((1, classes))]
    )
    for dtype in (torch.float16, torch.bfloat16):
        p = torch.from_numpy(scores).to(dtype).softmax(-1)
        yield f"torch {dtype}", p
        mixed = torch.tensor(0.3, dtype=dtype) * p + torch.tensor(0.7, dtype=dtype) * p.flip(0)
        yield f"mix-up {dtype}", mixed
        yield f"smoothed {dtype}", p * 0.9 + 0.1 / classes
    for dtype in (jnp.float16, jnp.bfloat16):
        p = np.asarray(jax.nn.softmax(jnp.asarray(scores, dtype=dtype), axis=-1)).astype(np.float32)
        yield f"jax {dtype.__name__}", torch.from_numpy(p)


def look(scores, targets, **options):
    return prepare_targets(targets, prepare(scores, -1), LossOptions(**options))


@pytest.mark.parametrize("classes", CLASSES)
def test_what_half_precision_makes_is_taken_in_every_dtype(classes):
    walked, seeds = 0, 2 if classes < 1000 else 1
    for seed, (made, p) in itertools.chain.from_iterable(
        ((s, pair) for pair in halves(classes, s)) for s in range(seeds)
    ):
        for dtype in (p.dtype, torch.float32, torch.float64):
            given = p.to(dtype)
            assert look(torch.zeros(given.shape), given)[1], (made, seed)
            walked += 1
        for name, dtype in WIDE.items():
            given = p.to(torch.float64).numpy().astype(dtype)
            for library in LIBRARIES:
                if name in library.lacks:
                    continue
                with library.context():
                    assert look(library.make(np.zeros(given.shape, dtype)), library.make(given))[1], (
                        made,
                        library.name,
                    )
                walked += 1
    assert walked == seeds * 8 * (3 + 9)


@pytest.mark.parametrize("classes", [*CLASSES, 2**20])
def test_wrong_sums_are_found_at_any_number_of_classes(classes):
    rng = np.random.default_rng(classes)
    one_hot = np.eye(1, classes, 1)
    wrong = {
        "zeros": np.zeros((1, classes)),
        "one-hot times two": 2 * one_hot,
        "a softmax times two": 2 * ll.softmax(rng.normal(size=(1, classes))),
        "half a softmax": 0.5 * ll.softmax(rng.normal(size=(1, classes))),
        "a forgotten softmax": np.abs(rng.normal(size=(1, classes))) + 2.0,
        "NaN": one_hot * np.nan,
        "inf": np.where(one_hot == 1, np.inf, 0.0),
        "negative": np.where(one_hot == 1, 2.0, 0.0) - np.eye(1, classes, 0),
    }
    for name, dtype in itertools.product(wrong, (torch.float16, torch.bfloat16, torch.float32, torch.float64)):
        if dtype == torch.float16 and classes > 2**16 and "softmax" in name and "forgotten" not in name:
            continue
        with pytest.raises(ValueError, match=r"soft target"):
            look(torch.zeros(1, classes), torch.from_numpy(wrong[name]).to(dtype))
    for library, name in itertools.product(LIBRARIES, wrong):
        with library.context(), pytest.raises(ValueError, match=r"soft target"):
            look(library.make(np.zeros((1, classes), np.float32)), library.make(wrong[name].astype(np.float32)))


@pytest.mark.parametrize("library", LIBRARIES, ids=names(LIBRARIES))
def test_rows_that_do_not_count_are_not_looked_at(library):
    targets = np.array([[0.0, 0.0, 0.0], [0.2, 0.3, 0.5], [np.nan, -1.0, 9.0]], dtype=np.float32)
    scores, weights = np.array([[1.0, 2.0, 3.0]] * 3, dtype=np.float32), np.array([0.0, 2.0, 0.0], dtype=np.float32)
    expected = ll.loss(scores[1:2], targets[1:2])
    with library.context():
        if library in (JAX, JAX_X64):
            # Its losses are compared in test_jax_arrays.py, whose compilations take seconds.
            look(*map(library.make, (scores, targets)), sample_weight=library.make(weights))
        else:
            given = {"sample_weight": library.make(weights)}
            value, gradient = ll.loss_and_grad(*map(library.make, (scores, targets)), **given)
            np.testing.assert_allclose(library.back(value), expected, rtol=1e-6)
            np.testing.assert_array_equal(library.back(gradient)[[0, 2]], 0.0)
        with pytest.raises(ValueError, match="of row 2 is not a probability"):
            ll.loss(*map(library.make, (scores, targets)), sample_weight=library.make(weights + np.float32([0, 0, 1])))
        with pytest.raises(ValueError, match="of row 0 sum to 0"):
            ll.loss(*map(library.make, (scores, targets)), sample_weight=library.make(weights + np.float32([1, 0, 0])))


def test_the_message_says_how_to_normalise():
    for axis, shape in ((-1, (2, 3, 4)), (1, (2, 4, 3))):
        with pytest.raises(
            ValueError, match=rf"row \(0, 0\) sum to 8; .*divide them by targets.sum\(axis={axis}, keepdims=True\)"
        ):
            ll.loss(np.zeros(shape), np.full(shape, 2.0), axis=axis)
    with pytest.raises(ValueError, match=r"the soft targets sum to 2"):
        ll.loss([0.0, 1.0], [1.0, 1.0])


OPTIONS = ({}, {"label_smoothing": 0.2}, {"weight": torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)})


def test_torchs_loss_takes_any_sum():
    """Several positives, none, and fractions: value, gradient and second derivative are torch's."""
    rng = np.random.default_rng(5)
    scores = torch.from_numpy(rng.normal(size=(4, 4)))
    targets = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [0.1, 0, 0, 0], [1, 1, 1, 1]], dtype=torch.float64)
    direction, walked = torch.from_numpy(rng.normal(size=(4, 4))), 0
    for options, smoothing, reduction, dtype in itertools.product(
        OPTIONS, (0.0, 0.1), ("mean", "sum", "none"), (torch.float64, torch.float32)
    ):
        given = {"label_smoothing": smoothing, "reduction": reduction, **options}
        given = {k: v.to(dtype) if isinstance(v, torch.Tensor) else v for k, v in given.items()}
        found = []
        for kind in (lt.CrossEntropyLoss, torch.nn.CrossEntropyLoss):
            x = scores.to(dtype).requires_grad_()
            value = kind(**given)(x, targets.to(dtype))
            (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
            (second,) = torch.autograd.grad((slope * direction.to(dtype)).sum(), x)
            found.append((value.detach(), slope.detach(), second))
        for ours, theirs in zip(*found, strict=True):
            tolerance = 1e-12 if dtype == torch.float64 else 2e-6
            torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)
        walked += 1
    assert walked == 36


def test_torchs_loss_of_any_sum_with_options_that_torch_has_not():
    """−Σ y log p of the activated scores, and the z-loss once per row, by central differences in float64."""
    scores = torch.tensor([[0.3, -1.2, 2.0]], dtype=torch.float64)
    targets = torch.tensor([[1.0, 2.0, 0.0]], dtype=torch.float64)
    criterion = lt.CrossEntropyLoss(z_loss=0.1, softcap=2.0, temperature=0.7, label_smoothing=0.1)

    def truth(row):
        x = 2.0 * np.tanh(row / 2.0) / 0.7
        z = np.log(np.exp(x).sum())
        y = 0.9 * np.array([1.0, 2.0, 0.0]) + 0.1 / 3
        return -(y * (x - z)).sum() + 0.1 * z * z

    x = scores.clone().requires_grad_()
    value = criterion(x, targets)
    value.backward()
    row = scores[0].numpy()
    np.testing.assert_allclose(value.item(), truth(row), rtol=1e-13)
    slopes = [(truth(row + step) - truth(row - step)) / 2e-6 for step in 1e-6 * np.eye(3)]
    np.testing.assert_allclose(x.grad[0], slopes, rtol=1e-8)


def test_negative_targets_are_refused_and_other_losses_stay_strict():
    scores = torch.zeros(2, 3)
    with pytest.raises(ValueError, match="is not a probability"):
        lt.CrossEntropyLoss()(scores, torch.tensor([[1.0, -1.0, 1.0]] * 2))
    for call in (lt.MappingLoss("softmax"), lt.MappingLoss("sparsemax"), ll.loss, ll.cross_entropy):
        with pytest.raises(ValueError, match="sum to 3"):
            call(scores, torch.ones(2, 3))

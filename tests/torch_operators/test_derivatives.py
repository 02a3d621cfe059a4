"""Derivatives: torch.func's transforms, second derivatives, autocast, backward more than once, micro-batches; clear refusals."""

from __future__ import annotations

import itertools

import pytest
import torch
from operator_cases import CLASSES, LABELS, NAMES, ROWS, drawn, head_for, inside, scores_for, soft_targets
from running import IS_NIGHTLY
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from warm_softmax import WARM_SOFTMAX

import lastlayer as ll
from lastlayer.losses import REDUCTIONS
from lastlayer.torch import linear_loss, linear_statistics

func = torch.func
#: What has a gradient that changes with the scores: hardmax's is flat, and stays out of second derivatives alone.
SMOOTH = [name for name in NAMES if name != "hardmax"]
EVERY_ROW = LABELS.clamp(min=0)


def close(got, expected):
    torch.testing.assert_close(got, expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", [*NAMES, WARM_SOFTMAX], ids=[*NAMES, "users_own"])
def test_grad_vmap_and_their_nesting(name):
    x = inside(name, drawn(3, ROWS, CLASSES))

    def loss_of(scores, labels):
        return ll.loss(scores, labels, mapping=name, label_smoothing=0.1)

    labels = torch.stack([LABELS, EVERY_ROW, EVERY_ROW.flip(0)])
    # One at a time by plain autograd is what the mapped ones must give.
    leaves = [part.clone().requires_grad_() for part in x]
    values = [loss_of(leaf, y) for leaf, y in zip(leaves, labels, strict=True)]
    gradients = [torch.autograd.grad(value, leaf)[0] for value, leaf in zip(values, leaves, strict=True)]
    close(func.vmap(loss_of)(x, labels), torch.stack(values))
    close(func.grad(loss_of)(x[0], labels[0]), gradients[0])
    close(func.vmap(func.grad(loss_of))(x, labels), torch.stack(gradients))
    for evaluate in (ll.probabilities, ll.log_probabilities):
        # Mapped along the last axis, with the classes in the middle.
        got = func.vmap(lambda s: evaluate(s, mapping=name, axis=1), in_dims=2, out_dims=2)(x.permute(0, 2, 1))
        close(got, evaluate(x.permute(0, 2, 1), mapping=name, axis=1))


@pytest.mark.parametrize("tracked", [False, True])
def test_tensors_from_outside_a_transform(tracked):
    x, factors = drawn(ROWS, CLASSES).requires_grad_(tracked), drawn(3, ROWS, seed=8)
    functions = (
        lambda: ll.softmax(x)[:, 0],
        lambda: ll.log_softmax(x, axis=1)[:, 0],
        lambda: ll.logsumexp(x),
        lambda: ll.loss(x, LABELS, reduction="none"),
    )
    for function in functions:
        expected = function()
        close(func.grad(lambda w, f=function: (w * f()).sum())(factors[0]), expected)
        mapped = func.vmap(lambda w, f=function: (w * f()).sum())(factors)
        close(mapped, (factors * expected).sum(1))
        if tracked:
            gradients = [torch.autograd.grad(value.sum(), x)[0] for value in (mapped, factors.sum(0) * expected)]
            close(*gradients)
    many = torch.stack([LABELS, EVERY_ROW])
    for name, scores in (("softmax", x), ("ratio", x.detach().exp().requires_grad_(tracked))):
        mapped = func.vmap(lambda y, s=scores, name=name: ll.loss(s, y, mapping=name))(many)
        close(mapped, torch.stack([ll.loss(scores, y, mapping=name) for y in many]))


@pytest.mark.parametrize("tracked", [False, True])
def test_soft_targets_are_constants(tracked):
    x = drawn(ROWS, CLASSES).requires_grad_(tracked)
    soft = torch.softmax(drawn(ROWS, CLASSES, seed=8), -1)
    for differentiate in (func.grad(lambda y: ll.loss(x, y)), lambda y: ll.loss(x, y.requires_grad_())):
        with pytest.raises(TypeError, match="detach"):
            differentiate(soft)


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("name", NAMES)
def test_backward_of_many_cotangents_at_once(name, axis):
    x, cotangents = scores_for(name), drawn(3, ROWS, CLASSES, seed=8)
    for evaluate in (ll.probabilities, ll.log_probabilities):
        result = evaluate(x, mapping=name, axis=axis)
        for create_graph in (False, True):
            (got,) = torch.autograd.grad(
                result, x, cotangents, is_grads_batched=True, retain_graph=True, create_graph=create_graph
            )
            each = [torch.autograd.grad(result, x, v, retain_graph=True)[0] for v in cotangents]
            close(got, torch.stack(each))


@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivatives(name):
    x = scores_for(name, rows=2)

    def loss_of(scores):
        return ll.loss(scores, LABELS[:2], mapping=name, z_loss=0.1, temperature=1.3, softcap=4.0)

    (slope,) = torch.autograd.grad(loss_of(x), x, create_graph=True)
    rows = [torch.autograd.grad(s, x, retain_graph=True)[0] for s in slope.flatten()]
    hessian = func.jacrev(func.jacrev(loss_of))(x.detach())
    close(hessian, torch.stack(rows).reshape(hessian.shape))
    assert gradgradcheck(lambda s: ll.loss(s, LABELS[:2], mapping=name, reduction="none", softcap=4.0), (x,))
    assert gradgradcheck(lambda s: ll.probabilities(s, mapping=name), (x,))


#: A reduction knows no mapping: the one that takes longest has a single one here, and all in `make nightly`.
TWICE = [
    *itertools.product(["softmax", "spherical"], REDUCTIONS),
    *itertools.product(["entmax:alpha=1.3"], REDUCTIONS if IS_NIGHTLY else ["mean"]),
]


@pytest.mark.parametrize(("name", "reduction"), TWICE)
def test_linear_loss_is_differentiable_twice(name, reduction):
    options = {"label_smoothing": 0.1, "z_loss": 0.1, "softcap": 4.0, "class_weight": torch.linspace(0.5, 2.0, CLASSES)}

    def function(input, weight, bias):
        value = linear_loss(
            input, weight, LABELS, bias=bias, mapping=name, reduction=reduction, max_memory=3 * CLASSES * 8, **options
        )
        return value[0] if reduction == "parts" else value

    head = head_for(name)
    assert gradcheck(function, head)
    assert gradgradcheck(function, head)


def test_linear_loss_under_torch_func():
    input, weight, bias = (t.detach() for t in head_for("softmax"))

    def function(input, weight):
        return linear_loss(input, weight, LABELS, bias=bias)

    def plain(input, weight):
        return torch.nn.functional.cross_entropy(torch.nn.functional.linear(input, weight, bias), LABELS)

    close(func.grad(function, argnums=(0, 1))(input, weight), func.grad(plain, argnums=(0, 1))(input, weight))
    close(func.jacrev(func.jacrev(function))(input, weight), func.jacrev(func.jacrev(plain))(input, weight))
    many = drawn(3, ROWS, input.shape[1], seed=11)
    close(
        func.vmap(func.grad(function), in_dims=(0, None))(many, weight),
        func.vmap(func.grad(plain), in_dims=(0, None))(many, weight),
    )


def test_statistics_under_torch_func():
    input, weight, bias = (t.detach() for t in head_for("softmax"))

    def function(input):
        return linear_statistics(input, weight, LABELS, bias=bias, max_memory=300).entropy.sum()

    def stored(input):
        logs = torch.log_softmax(input @ weight.T + bias, -1)
        # An ignored row has no entropy.
        return -(logs.exp() * logs)[LABELS != -100].sum()

    close(func.grad(function)(input), func.grad(stored)(input))
    close(func.jacrev(func.jacrev(function))(input), func.jacrev(func.jacrev(stored))(input))


FORWARD = {
    "probabilities": ll.softmax,
    "logsumexp": ll.logsumexp,
    "loss": lambda x: ll.loss(x, LABELS),
    "loss_and_grad": lambda x: ll.loss_and_grad(x, LABELS)[0],
    "linear_loss": lambda x: linear_loss(x, torch.eye(CLASSES, dtype=x.dtype), LABELS),
    "linear_statistics": lambda x: linear_statistics(x, torch.eye(CLASSES, dtype=x.dtype), LABELS).entropy,
}


# torch's own, when it first takes a forward-mode derivative.
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("function", FORWARD.values(), ids=FORWARD)
def test_forward_mode_is_refused(function):
    x = scores_for("softmax").detach()
    with pytest.raises(NotImplementedError, match="jacrev"):
        func.jvp(function, (x,), (x,))
    with pytest.raises(NotImplementedError, match="jacrev"):
        func.hessian(lambda s: function(s).sum())(x)
    with forward_ad.dual_level(), pytest.raises(NotImplementedError, match="jacrev"):
        function(forward_ad.make_dual(x, x))
    with forward_ad.dual_level():
        assert function(x) is not None


def test_autocast_casts_as_linear_does():
    input, weight, bias = head_for("softmax", dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = torch.nn.functional.linear(input, weight, bias)
        value = linear_loss(input, weight, LABELS, bias=bias)
        assert ll.cross_entropy(scores, LABELS).dtype == torch.float32
        assert ll.softmax(scores).dtype == torch.bfloat16
    assert scores.dtype == torch.bfloat16
    assert value.dtype == torch.float32
    gradients = torch.autograd.grad(value, (input, weight, bias))
    assert {g.dtype for g in gradients} == {torch.float32}
    exact = linear_loss(
        *(t.detach().bfloat16().double() for t in (input, weight)), LABELS, bias=bias.bfloat16().double()
    )
    # Scores below 8 in bfloat16 are rounded by at most 2^-7 (half a unit), and the loss moves by twice that at most.
    assert 0 < abs(float(value.detach()) - float(exact.detach())) < 2 * 2**-7
    half = [t.detach().bfloat16().requires_grad_() for t in (input, weight, bias)]
    expected = torch.autograd.grad(linear_loss(*half[:2], LABELS, bias=half[2]), half)
    for got, want in zip(gradients, expected, strict=True):
        assert torch.equal(got, want.float())
    with pytest.raises(TypeError, match="autocast"):
        linear_loss(input, weight.bfloat16(), LABELS)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_backward_twice_is_twice_the_gradient(dtype, reduction):
    def loss_of(head):
        input, weight, bias = head
        return linear_loss(input, weight, LABELS, bias=bias, reduction=reduction, max_memory=64).sum()

    once = head_for("softmax", dtype=dtype)
    (3 * loss_of(once)).backward()
    twice = head_for("softmax", dtype=dtype)
    loss = 3 * loss_of(twice)
    loss.backward(retain_graph=True)
    loss.backward()
    for got, expected in zip(twice, once, strict=True):
        torch.testing.assert_close(got.grad, 2 * expected.grad, rtol=1e-12 if dtype == torch.float64 else 1e-6, atol=0)


def test_a_gradient_that_was_handed_out_stays_as_it_is():
    """Backward scales what forward kept where it lies: it must not reach a gradient that somebody already has."""
    head = head_for("softmax")
    loss = linear_loss(*head[:2], LABELS, bias=head[2], reduction="sum")
    first = torch.autograd.grad(loss, head, retain_graph=True)
    copies = [g.clone() for g in first]
    second = torch.autograd.grad(2 * loss, head, retain_graph=True)
    first[1].mul_(7.0)
    third = torch.autograd.grad(loss, head)
    for copy, twice, again in zip(copies, second, third, strict=True):
        close(twice, 2 * copy)
        close(again, copy)
    assert torch.equal(first[0], copies[0])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("soft", [False, True])
def test_parts_of_micro_batches_add_up(name, soft):
    targets = soft_targets() if soft else LABELS
    weights = {"class_weight": torch.linspace(0.5, 2.0, CLASSES), "sample_weight": torch.linspace(0.5, 1.0, ROWS)}
    whole, parts = head_for(name), head_for(name)
    mean = linear_loss(*whole[:2], targets, bias=whole[2], mapping=name, **weights)
    mean.backward()
    denominators, totals = [], []
    for rows in (slice(0, 1), slice(1, 4)):
        given = {**weights, "sample_weight": weights["sample_weight"][rows]}
        total, denominator = linear_loss(
            parts[0][rows], parts[1], targets[rows], bias=parts[2], mapping=name, reduction="parts", **given
        )
        total.backward()
        totals.append(total.detach())
        denominators.append(denominator)
        assert not denominator.requires_grad
    close(sum(totals) / sum(denominators), mean.detach())
    for got, expected in zip(parts, whole, strict=True):
        close(got.grad / sum(denominators), expected.grad)

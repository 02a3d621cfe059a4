"""`normalize`, `scale`, `margin` and `class_prior`: against plain torch in float64, and at angles of 0 and π."""

from __future__ import annotations

import copy
import itertools
import math

import margins_reference
import pytest
import torch
import torch.nn.functional as F

import lastlayer as ll
from lastlayer.torch import LinearLoss, linear_loss, linear_statistics
from lastlayer.torch.linear.margins.unit_rows import unit_rows

ROWS, FEATURES, CLASSES = 11, 5, 7
ANGULAR, ADDITIVE = ("angular", 0.5), ("additive", 0.35)
PRIOR = torch.linspace(0.5, 4.0, CLASSES)


def head(dtype=torch.float64):
    """Angles from nearly 0 to nearly π at the label, an ignored row, and labels that repeat."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((ROWS, FEATURES), (CLASSES, FEATURES), (CLASSES,))
    input, weight, bias = (torch.randn(*shape, generator=generator) for shape in shapes)
    labels = torch.randint(0, CLASSES, (ROWS,), generator=generator)
    labels[3] = -100
    input[0] = 3 * weight[labels[0]] + 0.1 * input[0]
    input[1] = -2 * weight[labels[1]] + 0.1 * input[1]
    return [x.to(dtype) for x in (input, weight, bias)], labels


def gradients(function, leaves):
    leaves = [x.detach().clone().requires_grad_() for x in leaves]
    value = function(*leaves)
    value = value[0] if isinstance(value, tuple) else value
    upstream = torch.linspace(-1.0, 2.0, ROWS) if value.ndim else torch.tensor(1.7)
    return [value.detach(), *torch.autograd.grad(value, leaves, upstream.to(value.dtype))]


def assert_same(function, exact, leaves, tolerance):
    found, want = gradients(function, leaves), gradients(exact, [x.double() for x in leaves])
    for a, t in zip(found, want, strict=True):
        assert float((a.double() - t).abs().max()) <= tolerance * float(t.abs().max())


OPTIONS = {
    "plain": {},
    "smoothed": {"label_smoothing": 0.2, "z_loss": 0.01},
    "weights": {"class_weight": torch.linspace(0.0, 2.0, CLASSES), "sample_weight": torch.linspace(0.0, 2.0, ROWS)},
    "capped": {"softcap": 4.0, "temperature": 1.3},
    "padded": {"n_classes": 6},
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "parts"])
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("margin", [None, ADDITIVE, ANGULAR], ids=str)
def test_like_plain_torch(margin, option, reduction):
    tensors, labels = head()
    options = {"margin": margin, "scale": 6.0, "reduction": reduction, **OPTIONS[option]}
    if option != "capped":
        options["class_prior"] = PRIOR
    if option == "padded":
        labels = torch.where(labels >= 6, labels - 6, labels)

    def mine(input, weight, bias):
        return linear_loss(input, weight, labels, bias=bias, normalize=True, max_memory=400, **options)

    def plain(input, weight, bias):
        return margins_reference.loss_of(input, weight, labels, bias=bias, **options)

    assert_same(mine, plain, tensors, 1e-11)


@pytest.mark.parametrize("mapping", [name for name in ll.MAPPINGS if name not in ("ratio", "hardmax")])
def test_every_mapping(mapping):
    (input, weight, _bias), labels = head()
    options = {"margin": ANGULAR, "scale": 4.0, "class_prior": PRIOR, "mapping": mapping, "reduction": "none"}
    assert_same(
        lambda h, w: linear_loss(h, w, labels, normalize=True, **options),
        lambda h, w: margins_reference.loss_of(h, w, labels, **options),
        [input, weight],
        1e-10,
    )


@pytest.mark.parametrize("kind", ["one", "per row"])
@pytest.mark.parametrize("has_bias", [False, True])
def test_scale_and_temperature_are_learned(has_bias, kind):
    (input, weight, bias), labels = head()
    temperature = torch.tensor(1.4) if kind == "one" else torch.linspace(0.7, 2.0, ROWS)
    leaves = [input, weight, torch.tensor(6.0).double(), temperature.double(), *([bias] if has_bias else [])]

    def by(function, **more):
        def call(input, weight, scale, temperature, bias=None):
            given = {"scale": scale, "temperature": temperature, "bias": bias, "margin": ANGULAR, "class_prior": PRIOR}
            return function(input, weight, labels, **given, **more)

        return call

    assert_same(by(linear_loss, normalize=True), by(margins_reference.loss_of), leaves, 1e-11)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 3e-6), (torch.bfloat16, 0.03), (torch.float16, 4e-3)])
def test_other_dtypes(dtype, tolerance):
    tensors, labels = head(dtype)
    options = {"margin": ANGULAR, "scale": 6.0, "class_prior": PRIOR}
    wide = None if dtype == torch.float32 else torch.float32
    assert_same(
        lambda h, w, b: linear_loss(h, w, labels, bias=b, normalize=True, scores_dtype=wide, **options),
        lambda h, w, b: margins_reference.loss_of(h, w, labels, bias=b, **options),
        tensors,
        tolerance,
    )


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("margin", [ADDITIVE, ANGULAR], ids=str)
def test_gradients_at_angles_of_0_and_pi(margin, sign):
    """At angle 0 the angular margin has a tip; its central difference, and the gradient, are those without the tip."""
    (input, weight, _), labels = head()
    labels = labels.clamp(min=0)
    input = sign * 2.0 * weight[labels]
    leaves = [x.clone().requires_grad_() for x in (input, weight)]
    assert torch.autograd.gradcheck(
        lambda h, w: linear_loss(h, w, labels, normalize=True, scale=3.0, margin=margin), leaves, atol=1e-5
    )
    for x in torch.autograd.grad(linear_loss(*leaves, labels, normalize=True, scale=3.0, margin=margin), leaves):
        assert bool(x.isfinite().all())


def test_small_angles_keep_their_digits():
    """float32 rows a millionth of a right angle apart: the slope is that of float64; by acos in float32 it is not even finite."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(3, 64, generator=generator)
    labels = torch.tensor([0, 1, 2])
    input = 2 * weight + 1e-5 * torch.randn(3, 64, generator=generator)

    def slope(function, dtype):
        leaf = input.to(dtype).requires_grad_()
        return torch.autograd.grad(function(leaf, weight.to(dtype)), leaf)[0].double()

    def mine(h, w):
        return linear_loss(h, w, labels, normalize=True, scale=1.0, margin=ANGULAR, reduction="sum")

    def plain(h, w):
        cosine = F.normalize(h, dim=1) @ F.normalize(w, dim=1).T
        moved = torch.cos(torch.acos(cosine) + ANGULAR[1])
        return F.cross_entropy(torch.where(torch.eye(3) == 1, moved, cosine), labels, reduction="sum")

    exact = slope(mine, torch.float64)
    assert float((slope(mine, torch.float32) - exact).abs().max()) < 1e-6 * float(exact.abs().max())
    assert not float((slope(plain, torch.float32) - exact).abs().max()) < 1e-2 * float(exact.abs().max())


@pytest.mark.parametrize("margin", [ADDITIVE, ANGULAR], ids=str)
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_second_derivatives(margin, reduction):
    (input, weight, bias), labels = head()
    leaves = [x[:6].clone().requires_grad_() for x in (input, weight, bias)]
    labels = labels[:6] % 6
    assert torch.autograd.gradgradcheck(
        lambda h, w, b: linear_loss(
            h, w, labels, bias=b, normalize=True, scale=3.0, margin=margin, reduction=reduction
        ).square(),
        leaves,
    )


def test_unit_rows():
    rows = torch.tensor([[3e38, 4e37], [3e-36, 4e-36], [0.0, 0.0], [3.0, 4.0]])
    torch.testing.assert_close(unit_rows(rows)[[1, 3]], torch.tensor([[0.6, 0.8]]).expand(2, 2))
    torch.testing.assert_close(unit_rows(rows).norm(dim=1), torch.tensor([1.0, 1.0, 0.0, 1.0]))
    leaf = rows.clone().requires_grad_()
    unit_rows(leaf).sum().backward()
    assert bool((leaf.grad[2] == 0).all())
    assert bool(leaf.grad.isfinite().all())
    assert torch.autograd.gradcheck(unit_rows, torch.randn(3, 4, dtype=torch.float64, requires_grad=True))
    assert torch.autograd.gradgradcheck(unit_rows, torch.randn(3, 4, dtype=torch.float64, requires_grad=True))
    assert unit_rows(torch.zeros(3, 0)).shape == (3, 0)


def test_a_row_of_zeros_has_no_direction():
    (input, weight, _), labels = head()
    input[4] = 0
    leaf = input.clone().requires_grad_()
    losses = linear_loss(leaf, weight, labels, normalize=True, scale=9.0, margin=ADDITIVE, reduction="none")
    losses.sum().backward()
    assert float(losses[4].detach()) == pytest.approx(math.log(CLASSES), rel=1e-12)
    assert bool((leaf.grad[4] == 0).all())


@pytest.mark.parametrize("what", ["ignored", "sample_weight"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_rows_that_do_not_count(reduction, what):
    (input, weight, bias), labels = head()
    input[3] = float("nan")
    options = {"normalize": True, "scale": 3.0, "margin": ANGULAR, "reduction": reduction}
    if what == "sample_weight":
        labels[3] = 2
        options["sample_weight"] = torch.ones(ROWS).index_fill(0, torch.tensor([3]), 0.0)
    leaves = [x.clone().requires_grad_() for x in (input, weight, bias)]
    losses = linear_loss(*leaves[:2], labels, bias=leaves[2], **options)
    upstream = torch.ones_like(losses)
    if reduction == "none":
        upstream[3] = float("inf")
        assert float(losses[3].detach()) == 0
    found = torch.autograd.grad(losses, leaves, upstream, retain_graph=True)
    assert bool((found[0][3] == 0).all())
    assert bool((torch.autograd.grad(losses, leaves, upstream * float("inf"))[0][3] == 0).all())
    assert all(bool(x.isfinite().all()) for x in found)
    keep = torch.arange(ROWS) != 3
    options["sample_weight"] = None
    want = gradients(
        lambda h, w, b: linear_loss(h, w, labels[keep], bias=b, **{**options, "reduction": "mean"}),
        [input[keep], weight, bias],
    )
    factor = 1.7 if reduction == "mean" else 1.7 / (ROWS - 1)
    torch.testing.assert_close(found[1] * factor, want[2])


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_compiled(reduction):
    tensors, labels = head(torch.float32)

    def step(input, weight, bias, labels):
        options = {"margin": ANGULAR, "class_prior": PRIOR, "scale": 5.0, "reduction": reduction}
        return linear_loss(input, weight, labels, bias=bias, normalize=True, **options).square().sum()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    for rows in (ROWS, 6):
        some = [tensors[0][:rows], *tensors[1:]]
        want = gradients(lambda *x, rows=rows: step(*x, labels[:rows]), some)
        found = gradients(lambda *x, rows=rows: compiled(*x, labels[:rows]), some)
        for a, b in zip(found, want, strict=True):
            torch.testing.assert_close(a, b)


def test_functional_transforms():
    (input, weight, _), labels = head()

    def loss(h, w):
        return linear_loss(h, w, labels, normalize=True, scale=4.0, margin=ANGULAR)

    want = gradients(lambda *x: loss(*x) / 1.7, [input, weight])[1:]
    found = torch.func.grad(loss, argnums=(0, 1))(input, weight)
    mapped = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1)))(
        torch.stack([input, 2 * input]), torch.stack([weight, weight])
    )
    for a, b, both in zip(found, want, mapped, strict=True):
        torch.testing.assert_close(a, b)
        torch.testing.assert_close(both[0], b)
    torch.testing.assert_close(mapped[0][1] * 2, want[0])


def test_autocast_and_meta():
    (input, weight, bias), labels = head(torch.float32)
    options = {"normalize": True, "scale": 5.0, "margin": ANGULAR, "class_prior": PRIOR}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = linear_loss(input, weight, labels, bias=bias, scores_dtype=torch.float32, **options)
    exact = margins_reference.loss_of(
        input, weight, labels, bias=bias, **{k: v for k, v in options.items() if k != "normalize"}
    )
    assert float(found) == pytest.approx(float(exact), rel=0.01)
    options["class_prior"] = PRIOR.to("meta")
    meta = linear_loss(*(x.to("meta") for x in (input, weight, labels)), bias=bias.to("meta"), **options)
    assert meta.is_meta
    assert meta.shape == ()


def test_a_prior_is_added_to_the_scores():
    """Logit adjustment: cross-entropy of the scores plus log π, with any multiple of π, whatever the temperature."""
    (input, weight, bias), labels = head()
    scores = F.linear(input, weight, bias) / 1.7 + torch.log(PRIOR / PRIOR.sum())
    for prior in (PRIOR, 100 * PRIOR.double()):
        loss = linear_loss(input, weight, labels, bias=bias, temperature=1.7, class_prior=prior, z_loss=0.1)
        z = scores.logsumexp(1)[labels >= 0].square().mean()
        assert float(loss) == pytest.approx(float(F.cross_entropy(scores, labels) + 0.1 * z), rel=1e-7)


def test_statistics():
    (input, weight, bias), labels = head()
    found = linear_statistics(input, weight, labels.clamp(min=0), bias=bias, normalize=True, scale=6.0)
    scores = margins_reference.scores_of(input, weight, labels, bias=bias, scale=6.0)
    logs = scores.log_softmax(1)
    torch.testing.assert_close(found.log_prob, logs.gather(1, labels.clamp(min=0)[:, None])[:, 0])
    torch.testing.assert_close(found.entropy, -(logs.exp() * logs).sum(1))
    assert torch.equal(found.argmax, scores.argmax(1))


def test_the_layer():
    (input, weight, bias), labels = head(torch.float32)
    scale = torch.nn.Parameter(torch.tensor(6.0))
    made = LinearLoss(FEATURES, CLASSES, normalize=True, scale=scale, margin=ANGULAR, class_prior=PRIOR)
    made.weight.data.copy_(weight), made.bias.data.copy_(bias)
    options = {"bias": bias, "scale": 6.0}
    want = margins_reference.loss_of(input, weight, labels, margin=ANGULAR, class_prior=PRIOR, **options)
    loss = copy.deepcopy(made)(input, labels)
    assert float(loss.detach()) == pytest.approx(float(want), rel=1e-5)
    made(input, labels).backward()
    assert float(scale.grad.abs()) > 0
    assert sorted(made.state_dict()) == ["bias", "scale", "weight"]
    scores = margins_reference.scores_of(input, weight, labels, **options)
    torch.testing.assert_close(made(input).detach().double(), scores, rtol=1e-5, atol=1e-5)
    plain = linear_statistics(input, weight, labels, normalize=True, **options)
    torch.testing.assert_close(made.statistics(input, labels).log_prob.detach(), plain.log_prob)
    assert "normalize=True, margin=('angular', 0.5), class_prior='tensor of shape (7,)'" in repr(made)
    constant = LinearLoss(FEATURES, CLASSES, normalize=True, scale=torch.tensor(6.0))
    assert "scale" in dict(constant.named_buffers())
    assert "scale" not in constant.state_dict()


@pytest.mark.parametrize("frozen", list(itertools.product([False, True], repeat=2)), ids=str)
def test_frozen_parts(frozen):
    (input, weight, _), labels = head()
    leaves = [x.clone().requires_grad_(not is_frozen) for x, is_frozen in zip((input, weight), frozen, strict=True)]
    loss = linear_loss(*leaves, labels, normalize=True, margin=ANGULAR)
    assert loss.requires_grad is not all(frozen)
    want = gradients(lambda h, w: linear_loss(h, w, labels, normalize=True, margin=ANGULAR), [input, weight])
    asked = [x for x in leaves if x.requires_grad]
    for x, g in zip(asked, torch.autograd.grad(loss, asked) if asked else (), strict=True):
        torch.testing.assert_close(1.7 * g, want[1 if x is leaves[0] else 2])

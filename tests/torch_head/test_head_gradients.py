"""Every gradient that is asked of a head is computed or refused: temperature is learned, everything else is a constant."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F

import lastlayer as ll
from lastlayer.torch import LinearLoss, linear_loss, linear_statistics

ROWS, FEATURES, CLASSES = 6, 4, 5
ENTMAX = ll.MAPPINGS["entmax"]


def head(dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    drawn = [torch.randn(*shape, generator=generator, dtype=dtype) for shape in ((ROWS, FEATURES), (CLASSES, FEATURES))]
    return drawn, torch.arange(ROWS) % CLASSES


def refused():
    """Name → a constant, and the loss as a function of it."""
    (input, weight), labels = head(torch.float32)

    def by(name):
        return lambda value: linear_loss(input, weight, labels, **{name: value})

    def statistics(**options):
        return linear_statistics(input, weight, labels, **options).log_prob.sum()

    alpha = torch.full((ROWS,), 1.3)
    return {
        "softcap": (torch.tensor(3.0), by("softcap")),
        "label_smoothing": (torch.tensor(0.1), by("label_smoothing")),
        "z_loss": (torch.tensor(0.1), by("z_loss")),
        "class_weight": (torch.rand(CLASSES), by("class_weight")),
        "sample_weight": (torch.rand(ROWS), by("sample_weight")),
        "targets": (torch.rand(ROWS, CLASSES).softmax(-1), lambda q: linear_loss(input, weight, q)),
        "alpha": (alpha, lambda a: linear_loss(input, weight, labels, mapping=ENTMAX.replace(alpha=a))),
        "softcap of statistics": (torch.tensor(3.0), lambda c: statistics(softcap=c)),
        "alpha of statistics": (alpha, lambda a: statistics(mapping=ENTMAX.replace(alpha=a))),
        "temperature": (torch.tensor(2.0), lambda t: linear_loss(input, weight, labels, temperature=t, softcap=3.0)),
    }


CONTEXTS = {
    "required": lambda f, v: f(v.clone().requires_grad_()),
    "derived": lambda f, v: f(2.0 * v.clone().requires_grad_() - v),
    "a parameter": lambda f, v: f(torch.nn.Parameter(v)),
    "func.grad": lambda f, v: torch.func.grad(f)(v),
    "vmap of grad": lambda f, v: torch.func.vmap(torch.func.grad(f))(torch.stack([v, v])),
    "grad of vmap": lambda f, v: torch.func.grad(
        lambda s: torch.func.vmap(lambda u: f(v * s + 0.0 * u))(torch.ones(2)).sum()
    )(torch.tensor(1.0)),
    "an outer level": lambda f, v: torch.func.grad(
        lambda outer: torch.func.grad(lambda inner: inner * f(outer * 1.0))(torch.tensor(1.0))
    )(v),
    "jacrev": lambda f, v: torch.func.jacrev(f)(v),
}


@pytest.mark.parametrize("name", refused())
def test_gradients_that_are_refused(name):
    value, function = refused()[name]
    for call in CONTEXTS.values():
        with pytest.raises(
            TypeError, match=rf"^{name.split()[0]} (requires a gradient.*detach\(\)|is a tensor and there is a softcap)"
        ):
            call(function, value)
    with torch.no_grad():
        # Nobody asks for a gradient here; numbers are given as numbers.
        if value.ndim:
            function(value.clone().requires_grad_())


@pytest.mark.parametrize("name", ["class_weight", "targets"])
def test_gradients_that_are_refused_by_a_compiler(name):
    value, function = refused()[name]
    torch.compiler.reset()
    with pytest.raises(Exception, match="requires a gradient") as caught:
        torch.compile(function, backend="eager", fullgraph=True)(value.clone().requires_grad_())
    assert isinstance(caught.value, TypeError | torch._dynamo.exc.Unsupported)
    with pytest.raises(TypeError, match="requires a gradient"):
        torch.compile(function, backend="eager")(value.clone().requires_grad_())


TEMPERATURES = {
    "a number": torch.tensor(1.7),
    "one entry": torch.tensor([1.7]),
    "rows": torch.linspace(0.5, 2.0, ROWS),
    "rows in two axes": torch.linspace(0.5, 2.0, ROWS).reshape(2, 3),
}


def divided(input, weight, bias, temperature):
    """Scores by torch, (N, K), in the given dtype."""
    by = temperature if temperature.numel() == 1 else temperature.reshape(-1, 1)
    return F.linear(input.reshape(-1, FEATURES), weight, bias) / by


@pytest.mark.parametrize("kind", TEMPERATURES)
@pytest.mark.parametrize("has_bias", [True, False])
def test_temperature_is_learned(kind, has_bias):
    (input, weight), labels = head()
    if kind == "rows in two axes":
        input, labels = input.reshape(2, 3, FEATURES), labels.reshape(2, 3)
    given = [
        input,
        weight,
        torch.linspace(-1.0, 1.0, CLASSES).double() if has_bias else None,
        TEMPERATURES[kind].double(),
    ]
    walked = 0
    for reduction, mapping in itertools.product(("mean", "sum", "none"), ("softmax", "sparsemax", "taylor")):
        upstream = torch.linspace(-1.0, 2.0, ROWS).double() if reduction == "none" else torch.tensor(1.0).double()
        leaves = [None if x is None else x.clone().requires_grad_() for x in given]
        value = linear_loss(
            *leaves[:2], labels, bias=leaves[2], temperature=leaves[3], mapping=mapping, reduction=reduction, z_loss=0.1
        )
        (value.reshape(-1) * upstream).sum().backward()
        others = [None if x is None else x.clone().requires_grad_() for x in given]
        exact = ll.loss(
            divided(*others), labels.reshape(-1), mapping=mapping, reduction=reduction, z_loss=0.1, on_domain="nan"
        )
        (exact * upstream).sum().backward()
        torch.testing.assert_close(value.reshape(exact.shape), exact, rtol=1e-12, atol=1e-14)
        for mine, truth in zip(leaves, others, strict=True):
            if mine is not None:
                torch.testing.assert_close(mine.grad, truth.grad, rtol=1e-10, atol=1e-12)
        walked += 1
    assert walked == 9


@pytest.mark.parametrize("kind", ["a number", "rows"])
def test_temperature_in_statistics_transforms_and_second_derivatives(kind):
    (input, weight), labels = head()
    bias, temperature = torch.linspace(-1.0, 1.0, CLASSES).double(), TEMPERATURES[kind].double()

    def loss(t):
        return linear_loss(input, weight, labels, bias=bias, temperature=t)

    def exact(t):
        return F.cross_entropy(divided(input, weight, bias, t), labels)

    for transform in (
        torch.func.grad,
        lambda f: torch.func.jacrev(torch.func.grad(f)),
        lambda f: lambda t: torch.func.vmap(torch.func.grad(f))(torch.stack([t, 2.0 * t])),
    ):
        torch.testing.assert_close(transform(loss)(temperature), transform(exact)(temperature), rtol=1e-9, atol=1e-12)

    def statistics(t):
        return linear_statistics(input, weight, labels, bias=bias, temperature=t)[:3]

    def by_torch(t):
        spread = torch.distributions.Categorical(logits=divided(input, weight, bias, t))
        return spread.log_prob(labels), spread.entropy(), divided(input, weight, bias, t).logsumexp(1)

    for mine, true in zip(
        torch.func.jacrev(statistics)(temperature), torch.func.jacrev(by_torch)(temperature), strict=True
    ):
        torch.testing.assert_close(mine, true, rtol=1e-9, atol=1e-12)
    torch.compiler.reset()
    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    leaf = temperature.clone().requires_grad_()
    torch.testing.assert_close(torch.autograd.grad(compiled(leaf), leaf)[0], torch.func.grad(exact)(temperature))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_temperature_of_narrow_heads(dtype):
    (input, weight), labels = head()
    half = torch.tensor(1.7, requires_grad=True)
    wide = torch.tensor(1.7, dtype=torch.float64, requires_grad=True)
    linear_loss(input.to(dtype), weight.to(dtype), labels, temperature=half).backward()
    F.cross_entropy(divided(input, weight, None, wide), labels).backward()
    assert float(half.grad) == pytest.approx(float(wide.grad), rel=30 * torch.finfo(dtype).eps)


def test_a_layer_learns_its_temperature():
    (input, _), labels = head(torch.float32)
    layer = LinearLoss(FEATURES, CLASSES, temperature=torch.nn.Parameter(torch.tensor(2.0)))
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias", "temperature"]
    layer(input, labels).backward()
    assert float(layer.temperature.grad) != 0.0
    layer.statistics(input, labels).entropy.sum().backward()
    fixed = LinearLoss(FEATURES, CLASSES, temperature=torch.tensor(2.0))
    assert list(fixed.state_dict()) == ["weight", "bias"]
    assert "temperature" in dict(fixed.named_buffers())
    assert "temperature=2.0" in repr(LinearLoss(FEATURES, CLASSES, temperature=2.0))


def test_temperatures_that_do_not_fit():
    (input, weight), labels = head()
    for value in (0.0, -1.0, float("nan"), float("inf")):
        for given in (value, torch.tensor(value), torch.full((ROWS,), value)):
            with pytest.raises(ValueError, match="positive"):
                linear_loss(input, weight, labels, temperature=given)
    with pytest.raises(ValueError, match=r"temperature has shape \(4,\)"):
        linear_loss(input, weight, labels, temperature=torch.ones(4))
    number = linear_loss(input, weight, labels, temperature=2.0, softcap=3.0)
    assert torch.equal(linear_loss(input, weight, labels, temperature=torch.tensor(2.0), softcap=3.0), number)

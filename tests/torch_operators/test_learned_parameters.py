"""Every gradient that is asked for is computed (entmax's alpha, the temperature) or refused with a TypeError, by every entrance."""

from __future__ import annotations

import itertools

import mpmath
import pytest
import torch
from operator_cases import CLASSES, LABELS, NAMES, ROWS, drawn, scores_for, soft_targets
from torch.autograd import gradcheck, gradgradcheck

import lastlayer as ll
from lastlayer.torch import CrossEntropyLoss, Entmax, LogProbabilities, MappingLoss

func, ENTMAX = torch.func, ll.MAPPINGS["entmax"]
ALPHAS = [1.0, 1.0 + 1e-9, 1.2, 1.5, 2.0, 2.6]
EVERY_ROW, SOFT = LABELS.clamp(min=0), soft_targets()


def tensor(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def derivative_of_oracle(quantity, alpha):
    """d/dα of a function of the oracle's probabilities, by differences with 20 digits: one-sided at 1, where α begins."""
    with mpmath.workdps(70):
        a, h = mpmath.mpf(alpha), mpmath.mpf(10) ** -20
        if alpha == 1.0:
            return float((quantity(a + h) - quantity(a)) / h)
        h = min(h, (a - 1) / 1000)
        return float((quantity(a + h) - quantity(a - h)) / (2 * h))


def oracle_quantities(row, cotangent, target):
    """Functions of α for one row: Σ v p, Σ v log p on the support, and the Fenchel–Young loss of soft targets."""
    mp, (x, v, y) = mpmath.mp, ([mpmath.mpf(float(n)) for n in numbers] for numbers in (row, cotangent, target))

    def loss(alpha):
        gap = ENTMAX.log_partition_oracle(x, mp, alpha=alpha) - mp.fdot(y, x)
        return gap + ENTMAX.regularizer_oracle(y, mp, alpha=alpha)

    yield lambda alpha: mp.fdot(v, ENTMAX.oracle(x, mp, alpha=alpha))
    yield lambda alpha: mp.fsum(w * mp.log(p) for w, p in zip(v, ENTMAX.oracle(x, mp, alpha=alpha), strict=True) if p)
    yield loss


@pytest.mark.parametrize("alpha", ALPHAS)
def test_alpha_against_the_oracle(alpha):
    x, v, y = drawn(ROWS, CLASSES), drawn(ROWS, CLASSES, seed=2), soft_targets()
    # A confident row, one of equal scores, and one with a class far off the support.
    x[1] = torch.tensor([9.0, 0, 1, -2, 3])
    x[2] = 0.0
    x[3, 0] = -50.0
    given = torch.full((ROWS,), alpha, dtype=torch.float64, requires_grad=True)
    mapping = ENTMAX.replace(alpha=given)
    p, logs = ll.probabilities(x, mapping=mapping), ll.log_probabilities(x, mapping=mapping)
    results = (
        (v * p).sum(-1),
        torch.where(p > 0, v * logs, 0.0).sum(-1),
        ll.loss(x, y, mapping=mapping, reduction="none"),
    )
    for place, result in enumerate(results):
        (found,) = torch.autograd.grad(result.sum(), given)
        for row in range(ROWS):
            expected = derivative_of_oracle([*oracle_quantities(x[row], v[row], y[row])][place], alpha)
            assert float(found[row]) == pytest.approx(expected, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize(
    "option", [{}, {"label_smoothing": 0.1, "z_loss": 0.1, "softcap": 4.0}], ids=["plain", "options"]
)
@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("parameter", [1.7, [1.2, 1.5, 2.0, 2.6]], ids=["one", "per row"])
def test_second_derivatives_in_alpha(parameter, reduction, option):
    x, alpha = scores_for("entmax"), tensor(parameter)
    given = {"reduction": reduction, "weight": torch.linspace(0.5, 2.0, CLASSES, dtype=torch.float64), **option}

    def function(scores, alpha):
        return ll.loss(scores, LABELS, mapping=ENTMAX.replace(alpha=alpha), **given)

    assert gradcheck(function, (x, alpha), check_batched_grad=True)
    assert gradgradcheck(function, (x, alpha))


@pytest.mark.parametrize("evaluate", [ll.probabilities, ll.log_probabilities])
def test_second_derivatives_of_quantities(evaluate):
    # Every class is on the support of every row, and stays there in the small steps of a difference.
    x, alpha = (0.05 * drawn(ROWS, CLASSES)).requires_grad_(), tensor([1.2, 1.5, 1.7, 1.9])
    assert gradcheck(lambda s, a: evaluate(s, mapping=ENTMAX.replace(alpha=a)), (x, alpha))
    assert gradgradcheck(lambda s, a: evaluate(s, mapping=ENTMAX.replace(alpha=a)), (x, alpha))


LEARNED = {
    "entmax": lambda x, a: ll.entmax(x, alpha=a)[:, 0].sum(),
    "log_probabilities": lambda x, a: ll.log_probabilities(x, mapping=ENTMAX.replace(alpha=a)).amax(-1).sum(),
    "loss in alpha": lambda x, a: ll.loss(x, LABELS, mapping=ENTMAX.replace(alpha=a)),
    "loss in temperature": lambda x, a: ll.loss(x, LABELS, temperature=a, softcap=3.0),
    "cross_entropy of soft": lambda x, a: ll.cross_entropy(x, SOFT, temperature=a, reduction="sum"),
    "parts": lambda x, a: ll.loss(x, LABELS, temperature=a, mapping="sparsemax", reduction="parts")[0],
}


@pytest.mark.parametrize("function", LEARNED.values(), ids=LEARNED)
def test_every_entrance(function):
    x = drawn(ROWS, CLASSES)
    for shape, dtype in itertools.product(((), (ROWS,)), (torch.float64, torch.float32, torch.bfloat16)):
        scores = x.to(dtype)
        given = torch.full(shape, 1.7, dtype=torch.float32 if dtype == torch.bfloat16 else dtype, requires_grad=True)
        (expected,) = torch.autograd.grad(function(scores, given), given)
        assert expected.dtype == given.dtype
        constant, near = given.detach(), {"rtol": 1e-5 if given.dtype == torch.float32 else 1e-12, "atol": 1e-9}
        exact = torch.autograd.grad(function(scores.double(), wide := constant.double().requires_grad_()), wide)[0]
        torch.testing.assert_close(expected.double(), exact, rtol=2e-2 if dtype == torch.bfloat16 else 1e-5, atol=2e-3)
        # Where the scores require one too, the whole goes by other ways.
        both = torch.autograd.grad(function(leaf := scores.clone().requires_grad_(), given), (leaf, given))
        torch.testing.assert_close(both[1], expected, **near)
        torch.testing.assert_close(func.grad(function, argnums=1)(scores, constant), expected, **near)
        mapped = func.vmap(func.grad(function, argnums=1), in_dims=(0, None))(scores[None], constant)
        torch.testing.assert_close(mapped[0], expected, **near)
        outside = func.grad(lambda a, s=scores: func.vmap(lambda b: function(b, a))(s[None]).sum())(constant)
        torch.testing.assert_close(outside, expected, **near)
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(torch.autograd.grad(compiled(scores, given), given)[0], expected, **near)
    torch.compiler.reset()


@pytest.mark.parametrize("name", NAMES)
def test_temperature_as_a_number_gives_the_same(name):
    """The numbers go to the kernels, tensors through the division; differences in the number are the tensor's gradient."""
    step = 1e-6
    for softcap, soft in itertools.product((None, 3.0), (False, True)):
        targets, x = soft_targets() if soft else LABELS, scores_for(name)
        options = {"mapping": name, "softcap": softcap, "z_loss": 0.01, "on_domain": "nan"}
        given = tensor(0.7)
        value = ll.loss(x, targets, temperature=given, **options)
        number, slope = ll.loss_and_grad(x, targets, temperature=0.7, **options)
        torch.testing.assert_close(value.detach(), number, rtol=1e-13, atol=1e-14)
        in_scores, in_temperature = torch.autograd.grad(value, (x, given))
        torch.testing.assert_close(in_scores, slope, rtol=1e-12, atol=1e-14)
        for found in (value.detach(), in_scores):
            assert not found.requires_grad
        ends = [ll.loss(x.detach(), targets, temperature=0.7 + s, **options) for s in (-step, step)]
        torch.testing.assert_close(in_temperature, (ends[1] - ends[0]) / (2 * step), rtol=1e-6, atol=1e-8)
        pair = ll.loss_and_grad(x, targets, temperature=given, **options)
        assert not pair[0].requires_grad
        assert not pair[1].requires_grad
        torch.testing.assert_close(pair[1], slope, rtol=1e-12, atol=1e-14)


def test_a_saturated_softcap_keeps_its_gradient():
    """sech² of 40 is 7e−35; 1 − tanh² would be 0."""
    x = torch.tensor([[200.0, -150.0, 0.0]], dtype=torch.float64, requires_grad=True)
    found = torch.autograd.grad(ll.loss(x, torch.tensor([1]), temperature=tensor(2.0), softcap=5.0), x)[0]
    expected = ll.loss_and_grad(x, torch.tensor([1]), temperature=2.0, softcap=5.0)[1]
    assert 0 < float(expected[0, 0]) < 1e-30
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_modules_learn():
    x, parameter = drawn(ROWS, CLASSES).float(), torch.nn.Parameter
    modules = [
        Entmax(alpha=parameter(torch.tensor(1.3))),
        LogProbabilities(ENTMAX.replace(alpha=parameter(torch.full((ROWS,), 1.3)))),
        MappingLoss(ENTMAX.replace(alpha=parameter(torch.tensor(1.3))), temperature=parameter(torch.tensor(2.0))),
        CrossEntropyLoss(temperature=parameter(torch.tensor(2.0))),
    ]
    for module, count in zip(modules, (1, 1, 2, 1), strict=True):
        parameters = dict(module.named_parameters())
        assert len(parameters) == len(module.state_dict()) == count
        assert "learn" not in repr(module)
        result = module(x, LABELS) if isinstance(module, MappingLoss) else module(x)[:, 0].clamp(min=-9)
        result.sum().backward()
        assert all(p.grad is not None and bool((p.grad != 0).any()) for p in parameters.values())
        # What a functional call puts in place of them is what is used.
        other = {name: p.detach() + 0.5 for name, p in parameters.items()}
        given = (x, LABELS) if isinstance(module, MappingLoss) else (x,)
        assert not torch.equal(func.functional_call(module, other, given), module(*given))


CONSTANTS = {"weight": (CLASSES,), "sample_weight": (ROWS,), "softcap": (), "label_smoothing": (), "z_loss": ()}


@pytest.mark.parametrize("name", [*CONSTANTS, "targets"])
def test_what_is_constant_is_refused(name):
    x = drawn(ROWS, CLASSES)

    def function(value, scores=x):
        return ll.loss(scores, **({"targets": value} if name == "targets" else {"targets": EVERY_ROW, name: value}))

    value = soft_targets() if name == "targets" else torch.full(CONSTANTS[name], 0.5, dtype=torch.float64)
    entrances = (
        lambda: function(value.clone().requires_grad_()),
        lambda: function(value.clone().requires_grad_(), x.clone().requires_grad_()),
        lambda: func.grad(function)(value),
        lambda: func.vmap(func.grad(function))(value[None]),
        lambda: func.grad(lambda v: func.vmap(lambda s: function(v, s))(x[None]).sum())(value),
    )
    for entrance in entrances:
        with pytest.raises(TypeError, match=rf"{name}.*(detach|item)"):
            entrance()
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    with pytest.raises(Exception, match=rf"{name}.*(detach|item)"):
        compiled(value.clone().requires_grad_())
    torch.compiler.reset()


def test_class_weights_of_modules_are_constants():
    for criterion in (CrossEntropyLoss, lambda weight: MappingLoss("sparsemax", weight)):
        with pytest.raises(TypeError, match=r"weight\.detach"):
            criterion(torch.nn.Parameter(torch.ones(CLASSES)))


def test_alphas_and_temperatures_that_do_not_fit():
    x = drawn(ROWS, CLASSES)
    for alpha in ([1.5, 0.5, 1.5, 1.5], [1.5, float("nan"), 1.5, 1.5], 0.5):
        with pytest.raises(ValueError, match="at least 1"):
            ll.entmax(x, alpha=torch.tensor(alpha))
    for temperature in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="temperature"):
            ll.cross_entropy(x, LABELS, temperature=torch.tensor(temperature))
    for shape in ((ROWS, 1), (CLASSES,), (1, 1, 1)):
        with pytest.raises(ValueError, match="alpha has shape"):
            ll.entmax(x, alpha=torch.full(shape, 1.5))
        with pytest.raises(ValueError, match="temperature has shape"):
            ll.cross_entropy(x, LABELS, temperature=torch.full(shape, 1.5))

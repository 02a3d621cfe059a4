"""What is held between forward and backward: one copy of the scores where torch holds one, counted by autograd's own hooks."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from operator_cases import LABELS, ROWS, drawn, soft_targets
from torch.fx.experimental.proxy_tensor import make_fx

import lastlayer as ll
from lastlayer.backends import EXTENSION
from lastlayer.torch import CrossEntropyLoss, LogSoftmax, MappingLoss, Softmax, Sparsemax

pytestmark = pytest.mark.skipif(EXTENSION is None, reason="built without kernels; install a C++ compiler")

WEIGHT = torch.linspace(0.5, 2.0, 5)
#: Functions, and how many tensors of the scores' size each holds.
HELD = {
    "softmax": (ll.softmax, 1),
    "softmax by its operator": (lambda x: ll.softmax(x, axis=1), 1),
    "log_softmax": (ll.log_softmax, 1),
    "log_softmax by its operator": (lambda x: ll.log_softmax(x, axis=1), 1),
    "cross_entropy": (lambda x: ll.cross_entropy(x, LABELS), 1),
    "cross_entropy by its operator": (lambda x: ll.cross_entropy(x, LABELS, sample_weight=torch.ones(ROWS)), 1),
    "with options": (lambda x: ll.cross_entropy(x, LABELS, label_smoothing=0.1, weight=WEIGHT, temperature=2.0), 1),
    "by rows": (lambda x: ll.cross_entropy(x, LABELS, reduction="none"), 1),
    "with a z-loss": (lambda x: ll.cross_entropy(x, LABELS, z_loss=0.1), 2),
    "with a softcap": (lambda x: ll.cross_entropy(x, LABELS, softcap=3.0), 2),
    "soft targets": (lambda x: ll.cross_entropy(x, soft_targets()), 3),
    "sparsemax": (ll.sparsemax, 1),
    "loss of sparsemax": (lambda x: ll.loss(x, LABELS, mapping="sparsemax"), 2),
}


def saved_by(function, x):
    """The tensors of the scores' size that autograd saves, and the result."""
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        result = function(x)
    return sum(t.numel() == x.numel() for t in saved), result


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", HELD)
def test_copies(name, dtype):
    function, copies = HELD[name]
    x = drawn(ROWS, 5, dtype=dtype).requires_grad_()
    assert saved_by(function, x)[0] == copies


def test_half_types():
    for dtype, copies in ((torch.bfloat16, 1), (torch.float16, 2)):
        x = drawn(ROWS, 5, dtype=dtype).requires_grad_()
        assert saved_by(HELD["cross_entropy"][0], x)[0] == copies
        assert saved_by(ll.softmax, x)[0] == 1


@pytest.mark.parametrize(
    "name", [name for name, (_, copies) in HELD.items() if copies == 1 and "sparsemax" not in name]
)
def test_scores_may_change_afterwards(name):
    function, leaf = HELD[name][0], drawn(ROWS, 5).requires_grad_()
    expected = torch.autograd.grad(function(leaf).square().sum(), leaf)[0]
    scores = leaf * 1.0
    loss = function(scores).square().sum()
    scores.mul_(3.0)
    assert torch.equal(torch.autograd.grad(loss, leaf)[0], expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_second_derivatives_from_the_gradient_alone(reduction, dtype):
    """Those of the formulas, in the precision of the scores; a confident row keeps its tail."""
    x = drawn(ROWS, 5, seed=3)
    x[1, 4] = 30.0
    direction, options = drawn(ROWS, 5, seed=6), {"reduction": reduction, "weight": WEIGHT, "temperature": 1.5}

    def second(leaf, **more):
        loss = ll.cross_entropy(leaf, LABELS, **options, **more)
        (slope,) = torch.autograd.grad(loss.sum(), leaf, create_graph=True)
        return torch.autograd.grad(slope, leaf, direction.to(leaf.dtype))[0]

    rounded = x.to(dtype)
    found = second(rounded.requires_grad_())
    # A softcap so far away that it changes nothing goes through the formulas.
    exact = second(rounded.detach().double().requires_grad_(), softcap=1e12)
    assert found.dtype == dtype
    size = 16 * torch.finfo(dtype).eps
    torch.testing.assert_close(found.double(), exact, rtol=size if dtype != torch.float64 else 1e-9, atol=size / ROWS)
    tail = float(exact[1, 4])
    assert 0 < abs(tail) < 1e-7
    assert float(found[1, 4]) == pytest.approx(tail, rel=max(size, 1e-9))


def test_third_derivatives():
    x = drawn(ROWS, 5).requires_grad_()
    for function in (
        HELD["cross_entropy"][0],
        lambda s: ll.softmax(s)[:, 0].sum(),
        lambda s: ll.log_softmax(s)[:, 0].sum(),
    ):

        def slope(scores, function=function):
            return torch.autograd.grad(function(scores).square(), scores, create_graph=True)[0].square().sum()

        assert torch.autograd.gradgradcheck(slope, (x,))


def _swapped(criterion, labels, scores):
    return criterion(scores, labels)


@pytest.mark.parametrize("module", [Softmax(), LogSoftmax(), Sparsemax()], ids=repr)
def test_modules_as_nodes_of_a_traced_graph(module):
    x, labels = drawn(3, 4).float(), torch.tensor([0, 2, 1])
    for model in (module, torch.nn.Sequential(torch.nn.Linear(4, 5), module)):
        assert torch.equal(torch.fx.symbolic_trace(model)(x), model(x))
    for criterion in (CrossEntropyLoss(label_smoothing=0.1), MappingLoss("sparsemax", torch.linspace(0.5, 1.0, 4))):
        assert torch.equal(torch.fx.symbolic_trace(criterion)(x, labels), criterion(x, labels))
        # Labels that a tracer takes as constants: their values are not looked at.
        traced = make_fx(partial(_swapped, criterion, labels))(x)
        assert torch.equal(traced(x + 1.0), criterion(x + 1.0, labels))
        meta = criterion.to("meta")(x.to("meta").requires_grad_(), labels.to("meta"))
        assert meta.shape == ()
        assert meta.device.type == "meta"
    assert module(x.to("meta")).shape == x.shape


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_scripting_is_refused():
    for module in (Softmax(), CrossEntropyLoss()):
        with pytest.raises(TypeError, match=r"torch\.export"):
            torch.jit.script(module)

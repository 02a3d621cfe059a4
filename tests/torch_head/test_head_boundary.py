"""Where a head meets the rest of torch: meta tensors, tracing, counting, other default devices, shards, and the edges of shapes."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.flop_counter import FlopCounterMode

import lastlayer as ll
from lastlayer.torch import LinearLoss, linear_loss, linear_statistics

ROWS, FEATURES, CLASSES = 20, 8, 50
PRODUCT = 2 * ROWS * FEATURES * CLASSES
REDUCTIONS = ("mean", "sum", "none", "parts")


def head(**options):
    generator = torch.Generator().manual_seed(1)
    drawn = [torch.randn(n, FEATURES, generator=generator) for n in (ROWS, CLASSES)]
    labels = torch.randint(CLASSES, (ROWS,), generator=generator)
    return [x.to(**options).requires_grad_() for x in drawn], labels.to(**options)


def first(value):
    return value[0] if isinstance(value, tuple) else value


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_meta_tensors(dtype):
    """Shapes and dtypes of losses, statistics and gradients, as the CPU gives them."""
    for reduction, name in itertools.product(REDUCTIONS, ("softmax", "entmax")):
        found = []
        for device in ("cpu", "meta"):
            tensors, labels = head(device=device)
            tensors = [x.detach().to(dtype).requires_grad_() for x in tensors]
            loss = first(linear_loss(*tensors, labels, mapping=name, reduction=reduction))
            statistics = linear_statistics(*tensors, labels, mapping=name)
            gradients = torch.autograd.grad(loss.sum() + statistics.entropy.sum(), tensors)
            found.append([(x.shape, x.dtype) for x in (loss, *statistics, *gradients)])
            assert {x.device.type for x in (loss, *statistics, *gradients)} == {device}
        assert found[0] == found[1]


def test_another_default_device():
    (input, weight), labels = head()
    soft = torch.rand(ROWS, CLASSES).softmax(-1)
    expected = [linear_loss(input, weight, t).detach() for t in (labels, soft)]
    with torch.device("meta"):
        found = [linear_loss(input, weight, t, sample_weight=None) for t in (labels, soft)]
        torch.autograd.grad(found[1] / torch.zeros((), device="cpu"), [input, weight])
        assert linear_statistics(input, weight, labels).log_prob.device.type == "cpu"
    for mine, truth in zip(found, expected, strict=True):
        assert torch.equal(mine.detach(), truth)


@pytest.mark.parametrize("name", ll.MAPPINGS)
def test_no_features(name):
    """The loss of the bias alone."""
    bias = torch.linspace(0.5, 2.0, 4).requires_grad_()
    labels = torch.tensor([0, 1, 3])
    for dtype, shape in itertools.product((torch.float32, torch.float16, torch.bfloat16), ((3, 0), (1, 3, 0))):
        tensors = [x.to(dtype).requires_grad_() for x in (torch.zeros(shape), torch.zeros(4, 0))]
        given = bias.detach().to(dtype).requires_grad_()
        loss = linear_loss(*tensors, labels.reshape(shape[:-1]), bias=given, mapping=name)
        loss.backward()
        exact = ll.loss(bias.detach().to(dtype).double().expand(3, 4), labels, mapping=name)
        assert float(loss.detach()) == pytest.approx(float(exact), rel=1e-5)
        assert [x.grad.shape for x in tensors] == [x.shape for x in tensors]
        assert given.grad.isfinite().all()
    assert linear_statistics(torch.zeros(3, 0), torch.zeros(4, 0), labels, bias=bias).log_prob.shape == (3,)
    assert LinearLoss(0, 4)(torch.zeros(3, 0), labels).isfinite()


def test_flops_are_counted():
    (input, weight), labels = head()
    frozen = input.detach()
    for given, products in (((input, weight), 3), ((frozen, weight), 2), ((frozen, weight.detach()), 1)):
        for reduction in REDUCTIONS:
            with FlopCounterMode(display=False) as counter:
                loss = first(linear_loss(*given, labels, reduction=reduction)).sum()
                forward = counter.get_total_flops()
                if products > 1:
                    loss.backward()
            # Losses by row are recomputed in backward.
            again = reduction == "none" and products > 1
            assert forward == (PRODUCT if again else products * PRODUCT)
            assert counter.get_total_flops() == (products + again) * PRODUCT
    with FlopCounterMode(display=False) as counter:
        linear_statistics(input, weight, labels).entropy.sum().backward()
    assert counter.get_total_flops() == 4 * PRODUCT


@pytest.mark.parametrize("mode", ["real", "fake", "symbolic"])
def test_make_fx(mode):
    (input, weight), labels = head()
    soft = torch.full((ROWS, CLASSES), 1.0 / CLASSES)

    def function(x, w, y, q):
        value = linear_loss(x, w, y) + linear_loss(x, w, q) + linear_statistics(x, w, y).log_prob.sum()
        return torch.autograd.grad(value, (x, w))

    graph = make_fx(function, tracing_mode=mode)(input, weight, labels, soft)
    for mine, exact in zip(graph(input, weight, labels, soft), function(input, weight, labels, soft), strict=True):
        torch.testing.assert_close(mine, exact)
    if mode == "real":
        # Constants of the graph: nobody looks at their values while it is traced.
        captured = make_fx(lambda x, w: linear_loss(x, w, labels) + linear_loss(x, w, soft))(input, weight)
        torch.testing.assert_close(
            captured(input, weight), linear_loss(input, weight, labels) + linear_loss(input, weight, soft)
        )


def test_a_layer_without_targets_gives_its_scores():
    (input, _), _ = head()
    layer = LinearLoss(FEATURES, CLASSES, temperature=2.0)
    assert torch.equal(layer(input), F.linear(input, layer.weight, layer.bias))


def test_rows_that_do_not_count_need_no_distribution():
    (input, weight), _ = head()
    soft = torch.full((ROWS, CLASSES), 1.0 / CLASSES)
    soft[3], soft[5] = 0.0, float("nan")
    weights = torch.ones(ROWS)
    weights[3] = weights[5] = 0.0
    others = [i for i in range(ROWS) if i not in (3, 5)]
    loss = linear_loss(input, weight, soft, sample_weight=weights)
    torch.testing.assert_close(loss, linear_loss(input[others], weight, soft[others]))
    (in_input,) = torch.autograd.grad(loss, input)
    assert not in_input[[3, 5]].any()
    for bad, match in ((soft, "sum to|not a probability"), (soft.nan_to_num(0.2), "sum to")):
        with pytest.raises(ValueError, match=match):
            linear_loss(input, weight, bad)


def test_a_weight_on_a_mesh_of_one_process():
    """It is the plain head; its scores alone are refused, with a remedy."""
    from torch.distributed import HashStore, destroy_process_group, init_process_group
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    (input, weight), labels = head()
    init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    try:
        sharded = distribute_tensor(weight.detach(), init_device_mesh("cpu", (1,)), [Shard(0)])
        layer = LinearLoss(FEATURES, CLASSES, bias=False)
        layer.weight = torch.nn.Parameter(sharded)
        loss = linear_loss(input, weight, labels)
        for found in (linear_loss(input, sharded, labels), layer(input, labels)):
            assert torch.equal(found, loss)
        exact = linear_statistics(input, weight, labels)
        for found in (linear_statistics(input, sharded, labels), layer.statistics(input, labels)):
            assert all(map(torch.equal, found, exact))
        with pytest.raises(TypeError, match=r"weight is a DTensor.*full_tensor\(\).*register_fsdp_forward_method"):
            layer.scores(input)
    finally:
        destroy_process_group()

"""The head in blocks of rows: its loss and gradients against float64, what it computes, and what it keeps."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from domains import inside
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import lastlayer as ll
from lastlayer.losses import LossOptions
from lastlayer.torch import LinearLoss, linear_loss
from lastlayer.torch.linear.blocks import Wanted, loss_of_blocks
from lastlayer.torch.linear.plan import SLAB, WHOLE_SLAB, padded_classes, tail_start

ROWS, FEATURES, CLASSES = 37, 8, 50
OPTIONS = {
    "plain": {},
    "weights": {"class_weight": torch.linspace(0.5, 2.0, CLASSES), "sample_weight": torch.linspace(0.0, 2.0, ROWS)},
    "smoothed": {"label_smoothing": 0.1, "z_loss": 1e-2},
    "activated": {"temperature": 1.3, "softcap": 4.0},
}
DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def head(name, dtype=torch.float64, rows=ROWS, classes=CLASSES, seed=0):
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.randn(*shape, generator=generator) for shape in ((rows, FEATURES), (classes, FEATURES), (classes,))]
    drawn = [inside(name, x) for x in drawn]
    labels = torch.randint(0, classes, (rows,), generator=generator)
    labels[3::11] = -100
    return [x.to(dtype).requires_grad_() for x in drawn], labels


def unfused(input, weight, bias, targets, class_weight=None, **options):
    return ll.loss(F.linear(input, weight, bias), targets, weight=class_weight, on_domain="nan", **options)


def with_gradients(function, tensors, targets, upstream=None, **options):
    leaves = [x.detach().clone().requires_grad_() for x in tensors]
    value = function(*leaves, targets, **options)
    value = value[0] if isinstance(value, tuple) else value
    value.backward(torch.ones_like(value) if upstream is None else upstream.to(value.dtype))
    return [value.detach(), *(x.grad for x in leaves)]


def fused(input, weight, bias, targets, **options):
    return linear_loss(input, weight, targets, bias=bias, **options)


def in_blocks_of(rows, dtype, classes=CLASSES):
    """The memory that holds the scores of `rows` rows, as the planner counts it."""
    return -(-rows * classes * dtype.itemsize * 5 // 3)


def distance(got, truth):
    """The largest error, relative to the largest entry."""
    return float((got.double() - truth).abs().max() / truth.abs().max())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", ll.MAPPINGS)
def test_loss_and_gradients_are_as_near_to_the_truth_as_the_unfused_ones(name, option, dtype):
    tensors, labels = head(name, dtype)
    for reduction in ("mean", "none"):
        options = {"mapping": name, "reduction": reduction, **OPTIONS[option]}
        upstream = torch.linspace(-1.0, 2.0, ROWS) if reduction == "none" else torch.tensor(1.7)
        wide = [x.detach().double() for x in tensors]
        truth = with_gradients(unfused, wide, labels, upstream, **options)
        naive = with_gradients(unfused, tensors, labels, upstream, **options)
        got = with_gradients(fused, tensors, labels, upstream, max_memory=in_blocks_of(16, dtype), **options)
        assert [x.dtype for x in got] == [x.dtype for x in naive]
        for mine, theirs, exact in zip(got, naive, truth, strict=True):
            # The truth of float64 is itself rounded in every product.
            slack = 100 if dtype == torch.float64 else 4
            assert distance(mine, exact) <= 1.5 * distance(theirs, exact) + slack * torch.finfo(mine.dtype).eps


def test_against_torch_in_float64():
    tensors, labels = head("softmax")
    truth = with_gradients(lambda x, w, b, y: F.cross_entropy(F.linear(x, w, b), y), tensors, labels)
    got = with_gradients(fused, tensors, labels, max_memory=in_blocks_of(8, torch.float64))
    for mine, exact in zip(got, truth, strict=True):
        torch.testing.assert_close(mine, exact, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ["softmax", "sparsemax"])
def test_soft_targets(name):
    tensors, _ = head(name)
    targets = torch.rand(ROWS, CLASSES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    targets /= targets.sum(1, keepdim=True)
    truth = with_gradients(unfused, tensors, targets, mapping=name)
    got = with_gradients(fused, tensors, targets, mapping=name, max_memory=in_blocks_of(16, torch.float64))
    for mine, exact in zip(got, truth, strict=True):
        torch.testing.assert_close(mine, exact, rtol=1e-11, atol=1e-14)


def test_one_parameter_a_row_and_rows_of_any_shape():
    tensors, labels = head("entmax", rows=36)
    alpha = torch.linspace(1.0, 2.0, 36, dtype=torch.float64)
    mapping = ll.MAPPINGS["entmax"].replace(alpha=alpha)
    truth = with_gradients(unfused, tensors, labels, mapping=mapping)
    got = with_gradients(fused, tensors, labels, mapping=mapping, max_memory=in_blocks_of(7, torch.float64))
    for mine, exact in zip(got, truth, strict=True):
        torch.testing.assert_close(mine, exact, rtol=1e-11, atol=1e-14)
    input, weight, bias = tensors
    losses = linear_loss(input.reshape(4, 9, -1), weight, labels.reshape(4, 9), bias=bias, reduction="none")
    torch.testing.assert_close(losses.reshape(-1), unfused(*tensors, labels, reduction="none"))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none", "parts"])
def test_nothing_to_average(reduction):
    tensors, labels = head("softmax")
    for targets in (torch.full_like(labels, -100), labels[:0]):
        given = [tensors[0][: len(targets)], *tensors[1:]]
        value, *gradients = with_gradients(fused, given, targets, reduction=reduction)
        assert not value.any()
        assert not any(g.any() for g in gradients)
        assert [g.shape for g in gradients] == [x.shape for x in given]


@pytest.mark.parametrize("rows", [1, 2, 16, 17])
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_few_rows_and_classes(rows, classes):
    tensors, labels = head("softmax", rows=rows, classes=classes)
    truth = with_gradients(unfused, tensors, labels)
    got = with_gradients(fused, tensors, labels, max_memory=1)
    for mine, exact in zip(got, truth, strict=True):
        torch.testing.assert_close(mine, exact, rtol=1e-11, atol=1e-14)
    if classes == 1:
        assert not got[0].any()


def test_a_confident_row_trains():
    input, weight = torch.eye(1), torch.tensor([[0.0], [-30.0]], requires_grad=True)
    loss = linear_loss(input, weight, torch.tensor([0]))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(9.357622968840175e-14, rel=3e-7)
    assert float(weight.grad[0, 0]) == -float(weight.grad[1, 0]) != 0.0


def test_a_bad_label_or_row_touches_no_other():
    tensors, labels = head("ratio")
    with torch.no_grad():
        tensors[0][5] = -1.0
        tensors[2].zero_()
    losses = linear_loss(tensors[0], tensors[1], labels, mapping="ratio", reduction="none")
    assert losses.isnan().nonzero().flatten().tolist() == [5]


def operations(tensors, labels, **options):
    with FlopCounterMode(display=False) as counter:
        told = LossOptions(**options)
        wanted = Wanted(*(x.requires_grad for x in tensors))
        loss_of_blocks(ll.MAPPINGS["softmax"], *(x.detach() for x in tensors), labels, False, told, 16, wanted)
    return counter.get_total_flops() / (2 * FEATURES * CLASSES)


def test_what_needs_no_gradient_costs_nothing():
    tensors, labels = head("softmax")
    counted = int((labels != -100).sum())
    assert counted < ROWS
    assert operations(tensors, labels) == 3 * counted
    tensors[0].requires_grad_(False)
    assert operations(tensors, labels) == 2 * counted
    tensors[1].requires_grad_(False)
    tensors[2].requires_grad_(False)
    assert operations(tensors, labels) == counted
    weights = torch.zeros(ROWS)
    weights[0] = 1.0
    assert operations(tensors, labels, sample_weight=weights) == 1


def test_scores_are_never_stored_whole():
    sizes = []

    class Sizes(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor):
                sizes.append(result.numel())
            return result

    tensors, labels = head("softmax", torch.float32, rows=400)
    with Sizes():
        loss_of_blocks(
            ll.MAPPINGS["softmax"],
            *(x.detach() for x in tensors),
            labels,
            False,
            LossOptions(),
            16,
            Wanted(True, True, True),
        )
    assert max(sizes) == max(400 * FEATURES, 16 * CLASSES) < 400 * CLASSES


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_sums_of_half_types_are_kept_in_float32(dtype):
    tensors, labels = head("softmax", dtype, rows=4000)
    truth = with_gradients(fused, [x.double() for x in tensors], labels, reduction="mean")
    one, many = (with_gradients(fused, tensors, labels, max_memory=in_blocks_of(rows, dtype)) for rows in (4000, 16))
    assert distance(many[2], truth[2]) <= 1.5 * distance(one[2], truth[2])


@pytest.fixture
def with_threads():
    """Sets torch's number of threads until the test is over."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("has_bias", "threads"), [(True, 1), (False, 1), (True, 4)])
def test_large_weights_on_the_cpu_in_slabs_and_parts(dtype, has_bias, threads, with_threads):
    """Their scores by slabs of classes, the input's gradient as a sum of a part a thread and what they leave over."""
    with_threads(threads)
    classes = 4 * SLAB + 9
    tensors, labels = head("softmax", dtype, rows=50, classes=classes)
    tensors = tensors if has_bias else tensors[:2]

    def whole(input, weight, *bias_and_targets):
        *bias, targets = bias_and_targets
        return F.cross_entropy(F.linear(input, weight, *bias), targets)

    def ours(input, weight, *bias_and_targets):
        *bias, targets = bias_and_targets
        memory = (classes + SLAB) * dtype.itemsize * 16 * 5 // 3 + 1
        return linear_loss(input, weight, targets, bias=bias[0] if bias else None, max_memory=memory)

    truth = with_gradients(whole, [x.double() for x in tensors], labels)
    for got, expected in zip(with_gradients(ours, tensors, labels), truth, strict=True):
        assert distance(got, expected) <= 100 * torch.finfo(dtype).eps


def test_plan_on_cuda_counts_what_half_types_take():
    """One product where the gradient's memory takes the last rows' scores; else blocks, and a plane next to the gradient."""
    told = {"dtype": torch.bfloat16, "device": "cuda"}
    whole = linear_loss.plan(8192, 4096, 151936, **told)
    gradients = (8192 + 151936) * 4096 * 2
    assert (whole.blocks, whole.gradient_bytes) == (2, gradients)
    assert whole.workspace_bytes + WHOLE_SLAB <= 2 * 2**30
    assert tail_start(8192, whole.block_rows, 151936, 4096) is not None
    many = linear_loss.plan(40_000, 4096, 151936, **told)
    assert many.blocks > 2
    assert many.gradient_bytes == (40_000 + 2 * 151936) * 4096 * 2
    assert linear_loss.plan(4096, 2048, 32000, **told).blocks == 1
    little = linear_loss.plan(8192, 4096, 151936, max_memory=2**28, **told)
    assert 2**26 / 2 < little.workspace_bytes <= 2**26
    wide = linear_loss.plan(8192, 4096, 151936, device="cuda")
    assert wide.gradient_bytes == 2 * gradients


@pytest.mark.parametrize(("classes", "features"), [(151936, 4096), (50257, 768), (1001, 64), (3, 5)])
def test_scores_fit_into_the_gradient_only_where_their_columns_find_room(classes, features):
    stride = padded_classes(classes)
    assert stride % 64 == 0 <= stride - classes < 64
    for height in (1, 64, 5000):
        for tail in (0, 1, 40, 400, 4000):
            start = tail_start(height + tail, height, classes, features)
            if start is None:
                continue
            assert 0 < tail <= height
            assert start % 8 == 0
            assert start + tail * stride <= classes * features
            free = start // features
            assert free >= classes - free
    assert tail_start(100, 100, classes, features) is None


def test_plan_says_what_is_done():
    plan = linear_loss.plan(4096, 512, 32000)
    assert plan.blocks * plan.block_rows >= 4096 > (plan.blocks - 1) * plan.block_rows
    assert plan.workspace_bytes == plan.block_rows * (32000 + SLAB) * 4 <= 50 * 2**20
    assert linear_loss.plan(4096, 512, 32000, device="meta").workspace_bytes % 32000 == 0
    assert linear_loss.plan(4096, 512, 8000).workspace_bytes % 8000 == 0
    assert linear_loss.plan(4096, 512, 32000, max_memory=1).block_rows == 1
    assert linear_loss.plan(10, 4, 3).blocks == 1
    assert linear_loss.plan(0, 4, 3).blocks == 0
    half = linear_loss.plan(1024, 768, 128256, torch.bfloat16)
    assert half.gradient_bytes == 1024 * 768 * 2 + 128256 * 768 * 6
    with pytest.raises(ValueError, match="max_memory is 0"):
        linear_loss.plan(10, 4, 3, max_memory=0)
    with pytest.raises(ValueError, match="classes is 0"):
        linear_loss.plan(10, 4, 0)


def test_bad_input():
    (input, weight, bias), labels = head("softmax")
    bad = labels.clone()
    bad[7] = CLASSES
    for error, match, given in (
        (IndexError, "label 50 at position 7", (input, weight, bad)),
        (ValueError, "one row|shape", (input, weight[:, :3], labels)),
        (ValueError, "targets have shape", (input, weight, labels[:5])),
        (TypeError, "labels are torch.float64", (input, weight, labels.double())),
        (TypeError, "weight is torch.float32", (input, weight.float(), labels)),
        (TypeError, "input is torch.int64", (labels[:, None], weight, labels)),
        (TypeError, "targets are list", (input, weight, labels.tolist())),
    ):
        with pytest.raises(error, match=match):
            linear_loss(*given)
    with pytest.raises(ValueError, match="bias has shape"):
        linear_loss(input, weight, labels, bias=bias[:3])
    with pytest.raises(ValueError, match="class_weight"):
        linear_loss(input, weight, labels, class_weight=torch.ones(3))
    with pytest.raises(ValueError, match="reduction"):
        linear_loss(input, weight, labels, reduction="average")


def test_autocast_casts_as_a_linear_layer_does():
    tensors, labels = head("softmax", torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        got = with_gradients(fused, tensors, labels)
        naive = with_gradients(lambda x, w, b, y: ll.loss(F.linear(x, w, b), y), tensors, labels)
    assert [g.dtype for g in got] == [torch.float32] * 4
    for mine, theirs in zip(got, naive, strict=True):
        assert distance(mine, theirs.double()) < 0.02


def test_layer_trains_like_a_linear_layer():
    torch.manual_seed(0)
    ours = LinearLoss(FEATURES, CLASSES, label_smoothing=0.1)
    torch.manual_seed(0)
    theirs = torch.nn.Linear(FEATURES, CLASSES)
    assert ours.weight.shape == theirs.weight.shape
    theirs.load_state_dict(ours.state_dict())
    (input, *_), labels = head("softmax", torch.float32)
    input = input.detach()
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.5) for m in (ours, theirs)]
    for _ in range(20):
        losses = ours(input, labels), F.cross_entropy(theirs(input), labels, label_smoothing=0.1)
        for loss, optimizer in zip(losses, optimizers, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert float(losses[0].detach()) == pytest.approx(float(losses[1].detach()), rel=1e-5)
    torch.testing.assert_close(ours.scores(input), theirs(input), rtol=1e-4, atol=1e-5)

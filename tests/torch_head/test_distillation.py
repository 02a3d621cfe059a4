"""`SparseTargets` and `TeacherTargets`: the divergence from dense probabilities, every mapping and option, and what is refused."""

from __future__ import annotations

import mpmath
import pytest
import torch
import torch.nn.functional as F
from distilled_heads import (
    CLASSES,
    FEATURES,
    KINDS,
    MAPPINGS,
    ROWS,
    errors,
    head,
    is_refused,
    named_classes,
    targets_of,
    tensors,
    truth,
)

from lastlayer.torch import LinearLoss, SparseTargets, TeacherTargets, linear_loss
from lastlayer.torch.linear.distillation.divergences import (
    DIVERGENCES,
    Distribution,
    close_losses_and_slopes,
    divergence_terms,
    exponentials,
    softmax_slopes,
)

OPTIONS = {
    "plain": {},
    "activated": {"temperature": 1.3, "softcap": 4.0, "reduction": "none"},
    "z-loss": {"z_loss": 0.01, "temperature": 0.7, "reduction": "sum"},
    "weights": {"sample_weight": torch.linspace(0.0, 2.0, ROWS)},
    "blocks": {"max_memory": 2000, "reduction": "parts"},
}


#: Every pair of a mapping and a kind of targets, with two of the options in turn; softmax with all.
CASES = [
    (name, kind, option)
    for i, name in enumerate(MAPPINGS)
    for j, kind in enumerate(KINDS)
    for k, option in enumerate(OPTIONS)
    if not is_refused(name, kind) and (name == "softmax" or (i + j + k) % len(OPTIONS) < 2)
]


@pytest.mark.parametrize(("name", "kind", "option"), CASES)
def test_loss_and_gradients(name, kind, option):
    for dtype, limit in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        student, teacher = tensors(name, dtype)
        got = head(name, kind, student, teacher, **OPTIONS[option])
        exact = truth(name, kind, student, teacher, **OPTIONS[option])
        # Where a class enters the support of α-entmax its slope is steep.
        slack = 100.0 if "max" in name and "softmax" not in name and "js" in kind else 1.0
        assert max(errors(got, exact)) < limit * slack, errors(got, exact)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_types(kind, dtype):
    student, teacher = tensors("softmax", dtype)
    exact = truth("softmax", kind, student, teacher)
    got = head("softmax", kind, student, teacher, scores_dtype=torch.float32, max_memory=4000)
    assert [x.dtype for x in got[:2]] == [torch.float32, dtype]
    assert errors(got, exact)[0] < 1e-5
    assert max(errors(got, exact)) < 4 * torch.finfo(dtype).eps
    assert max(errors(head("softmax", kind, student, teacher), exact)) < 40 * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_exponentials_keep_their_digits(dtype):
    size = torch.logspace(-30, 1.8, 400, dtype=torch.float64).to(dtype)
    d = torch.cat([-size, size])
    for got, of in zip(exponentials(d), (mpmath.expm1, lambda x: mpmath.expm1(x) - x), strict=True):
        with mpmath.workdps(80):
            exact = [of(mpmath.mpf(float(x))) for x in d]
            worst = max(abs(float(a) - t) / abs(t) for a, t in zip(got, exact, strict=True) if abs(t) > 1e-37)
        assert worst < 8 * torch.finfo(dtype).eps
        assert (got >= 0).all() or of is mpmath.expm1


@pytest.mark.parametrize("kind", DIVERGENCES)
@pytest.mark.parametrize("distance", [1e-5, 0.3, 4.0, 200.0])
def test_divergences_of_near_and_far_rows(kind, distance):
    generator = torch.Generator().manual_seed(0)
    x, change = torch.randn(2, 6, 9, dtype=torch.float64, generator=generator)
    logs = [torch.log_softmax(scores, 1) for scores in (x * 3, x * 3 + distance * change)]
    student, target = map(Distribution.of_logs, logs)
    found = [(divergence_terms(kind, student, target).sum(1), softmax_slopes(kind, student, target, None))]
    if kind != "js" and distance < 40:
        found.append(close_losses_and_slopes(kind, *logs, logs[0] - logs[1]))
    with mpmath.workdps(60):
        exact = [_exact(kind, *(row.tolist() for row in rows)) for rows in zip(*logs, strict=True)]
        for losses, slopes in found:
            for loss, slope, (value, gradient) in zip(losses, slopes, exact, strict=True):
                # log p − log y is rounded: a divergence of d²/2 has the relative error 2 eps·|log p|/d.
                assert abs(float(loss) - value) < (1e-14 + 2e-14 / distance) * value
                size = max(map(abs, gradient))
                worst = max(abs(float(a) - b) for a, b in zip(slope, gradient, strict=True))
                assert worst < (4e-14 + 4e-14 / distance) * size


def _exact(kind, log_p, log_y):
    """The divergence and its gradient in the scores, of rows normalized once more."""
    p, y = ([mpmath.exp(x) for x in logs] for logs in (log_p, log_y))
    p, y = ([x / mpmath.fsum(row) for x in row] for row in (p, y))
    m = [(a + b) / 2 for a, b in zip(p, y, strict=True)]

    def kl(a, b):
        return mpmath.fsum(i * mpmath.log(i / j) for i, j in zip(a, b, strict=True))

    if kind == "forward":
        return kl(y, p), [a - b for a, b in zip(p, y, strict=True)]
    to, half = (y, 1) if kind == "reverse" else (m, mpmath.mpf(1) / 2)
    c = [half * mpmath.log(a / b) for a, b in zip(p, to, strict=True)]
    mean = mpmath.fsum(a * b for a, b in zip(p, c, strict=True))
    value = kl(p, y) if kind == "reverse" else (kl(p, m) + kl(y, m)) / 2
    return value, [a * (b - mean) for a, b in zip(p, c, strict=True)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("name", "divergence"),
    [
        *((name, d) for name in ("softmax", "softmax_plus_one", "taylor") for d in DIVERGENCES),
        ("entmax:alpha=1", "forward"),
    ],
)
def test_never_negative(name, divergence, dtype):
    generator = torch.Generator().manual_seed(0)
    input, weight = (torch.randn(300, 8, generator=generator).to(dtype) for _ in range(2))
    same = TeacherTargets(input, weight, divergence=divergence)
    leaf = weight.clone().requires_grad_()
    losses = linear_loss(input, leaf, same, mapping=name, reduction="none")
    losses.sum().backward()
    # The Fenchel–Young loss of Shannon's entropy is a sum of y (log y − log p).
    assert losses.max() < 1e-15 if "alpha" in name else (losses == 0).all()
    assert leaf.grad.abs().max() < 1e-5
    for change in (1e-7, 1e-3):
        near = (weight * (1.0 + change * torch.randn(300, 1, generator=generator))).to(dtype)
        losses = linear_loss(input, near, same, mapping=name, reduction="none")
        assert (losses >= 0).all()


def test_a_tail_of_little():
    """1 − Σ of the named probabilities would be 0 or a rounding error; the sum of the others is not."""
    weight = torch.tensor([[60.0], [0.0], [-1.0], [-2.0]], dtype=torch.float64).requires_grad_()
    targets = SparseTargets(torch.tensor([[0]]), torch.tensor([[1.0 - 2.0**-40]], dtype=torch.float64))
    loss = linear_loss(torch.ones(1, 1, dtype=torch.float64), weight, targets)
    loss.backward()
    with mpmath.workdps(60):
        tail = mpmath.fsum(mpmath.exp(x) for x in (0, -1, -2)) / mpmath.fsum(mpmath.exp(x) for x in (60, 0, -1, -2))
        y = mpmath.mpf(2) ** -40
        exact = y * mpmath.log(y / tail) + (1 - y) * mpmath.log((1 - y) / (1 - tail))
        assert abs(float(loss.detach()) - exact) < 1e-14 * exact
        assert abs(float(weight.grad[0]) - (y - tail)) < 1e-14 * y


def test_all_classes_named_and_one_class():
    input, weight = torch.randn(3, 2), torch.randn(4, 2)
    order = torch.stack([torch.randperm(4) for _ in range(3)])
    y = torch.randn(3, 4).softmax(1)
    exact = F.kl_div(F.linear(input, weight).log_softmax(1), y, reduction="batchmean")
    for options in KINDS["tail forward"], KINDS["nothing forward"]:
        found = linear_loss(input, weight, SparseTargets(order, y.gather(1, order), **options))
        torch.testing.assert_close(found, exact)
    reverse = F.kl_div(y.log(), F.linear(input, weight).softmax(1), reduction="batchmean")
    targets = SparseTargets(order, y.gather(1, order), divergence="reverse")
    torch.testing.assert_close(linear_loss(input, weight, targets), reverse)
    one = SparseTargets(torch.zeros(3, 1, dtype=torch.uint8), torch.ones(3, 1))
    leaf = weight[:1].clone().requires_grad_()
    loss = linear_loss(input, leaf, one)
    loss.backward()
    assert loss == 0
    assert (leaf.grad == 0).all()
    for kind in KINDS:
        student, teacher = tensors("softmax", torch.float32)
        targets = targets_of(kind, teacher)
        if kind.startswith("teacher"):
            none = TeacherTargets(teacher[0][:0], *teacher[1:])
        else:
            none = SparseTargets(targets.indices[:0], targets.probabilities[:0])
        assert linear_loss(student[0][:0], student[1], none) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_infinite_scores(kind):
    """Masked classes in both heads, and a class of +inf: what the formulas of softmax say in float64."""
    student, teacher = tensors("softmax", torch.float64)
    for x in (student[2], teacher[2]):
        x[20:] = -float("inf")
    indices, y = named_classes()
    indices = torch.where(indices >= 20, -100, indices)
    y = y * 0.5
    few = SparseTargets(indices, y, **KINDS[kind]) if "teacher" not in kind else None
    targets = TeacherTargets(*teacher, **KINDS[kind]) if few is None else few
    cut = [x[..., :20] if x.ndim == 1 else x[:20] for x in student[1:]]
    cut_teacher = [x[..., :20] if x.ndim == 1 else x[:20] for x in teacher[1:]]
    short = TeacherTargets(teacher[0], *cut_teacher, **KINDS[kind]) if few is None else few
    found = []
    for (weight, bias), goal in ((student[1:], targets), (cut, short)):
        leaves = [x.clone().requires_grad_() for x in (student[0], weight, bias)]
        loss = linear_loss(leaves[0], leaves[1], goal, bias=leaves[2], reduction="sum")
        loss.backward()
        found.append([loss.detach(), leaves[0].grad, leaves[1].grad[:20], leaves[2].grad[:20]])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-13)
    bias = student[2].clone()
    bias[2] = float("inf")
    loss = linear_loss(student[0], student[1], targets, bias=bias, reduction="none")
    # One-hot: a divergence from it is infinite unless it is reverse, or JS.
    counted = torch.ones(ROWS, dtype=torch.bool)
    counted[8] = few is None
    if kind == "teacher js" or "reverse" in kind:
        assert loss.isfinite().all()
        assert (loss[counted] > 0).all()
    else:
        assert (loss[counted] == float("inf")).all()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_that_do_not_count_stay_zero(kind, reduction):
    student, teacher = tensors("softmax", torch.float32)
    weight = torch.ones(ROWS)
    weight[5] = 0.0
    student[0][5] = float("nan")
    leaves = [x.clone().requires_grad_() for x in student]
    targets = targets_of(kind, teacher)
    loss = linear_loss(leaves[0], leaves[1], targets, bias=leaves[2], sample_weight=weight, reduction=reduction)
    upstream = torch.ones_like(loss)
    if reduction == "none":
        assert loss[5] == 0
        upstream[5] = float("inf")
        loss.backward(upstream)
        assert leaves[1].grad.isfinite().all()
    else:
        loss.backward(upstream * float("inf"))
    assert (leaves[0].grad[5] == 0).all()
    if not kind.startswith("teacher"):
        assert (leaves[0].grad[8] == 0).all()


def test_more_options():
    student, teacher = tensors("softmax", torch.float64)
    for kind in KINDS:
        indices, y = named_classes()
        few = indices < 17
        cut = SparseTargets(torch.where(few, indices, -100), y, **KINDS[kind]) if "teacher" not in kind else None
        cut = TeacherTargets(*teacher, **KINDS[kind]) if cut is None else cut
        short = (
            TeacherTargets(teacher[0], teacher[1][:17], teacher[2][:17], **KINDS[kind]) if "teacher" in kind else cut
        )
        padded = linear_loss(student[0], student[1], cut, bias=student[2], n_classes=17)
        plain = linear_loss(student[0], student[1][:17], short, bias=student[2][:17])
        torch.testing.assert_close(padded, plain)
        # A learned temperature, and one per row of the teacher.
        t = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
        linear_loss(student[0], student[1], targets_of(kind, teacher), bias=student[2], temperature=t).backward()
        near = [
            linear_loss(student[0], student[1], targets_of(kind, teacher), bias=student[2], temperature=1.3 + e)
            for e in (1e-5, -1e-5)
        ]
        assert abs(t.grad - (near[0] - near[1]) / 2e-5) < 1e-8
    per_row = torch.full((ROWS,), 2.0, dtype=torch.float64)
    a, b = (linear_loss(student[0], student[1], TeacherTargets(*teacher, x)) for x in (per_row, 2.0))
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.uint64])
def test_indices_of_any_integer_dtype(dtype):
    student, _ = tensors("softmax", torch.float32)
    indices = torch.tensor([[3, 29]]).expand(ROWS, 2)
    y = torch.tensor([[0.5, 0.2]]).expand(ROWS, 2)
    losses = [linear_loss(*student[:2], SparseTargets(x, y)) for x in (indices, indices.to(dtype))]
    assert losses[0] == losses[1]
    # −100 is 156 in uint8, which is a class here.
    if dtype == torch.uint8:
        weight = torch.randn(200, FEATURES)
        some = torch.full((ROWS, 1), 156, dtype=dtype)
        assert linear_loss(student[0], weight, SparseTargets(some, y[:, :1])) != 0


def test_in_a_layer_with_leading_axes():
    layer = LinearLoss(FEATURES, CLASSES, temperature=2.0)
    input = torch.randn(2, 3, FEATURES)
    indices, y = torch.tensor([4, 7]).expand(2, 3, 2), torch.tensor([0.6, 0.3]).expand(2, 3, 2)
    loss = layer(input, SparseTargets(indices, y))
    dense = torch.cat(
        [layer.scores(input)[..., [4, 7]], layer.scores(input)[..., [*range(4), 5, 6, *range(8, CLASSES)]]], -1
    )
    p = (dense / 2.0).softmax(-1)
    p = torch.cat([p[..., :2], p[..., 2:].sum(-1, keepdim=True)], -1)
    exact = (torch.tensor([0.6, 0.3, 0.1]) * (torch.tensor([0.6, 0.3, 0.1]) / p).log()).sum(-1).mean()
    torch.testing.assert_close(loss, exact)
    assert layer(input, TeacherTargets(torch.randn(2, 3, 5), torch.randn(CLASSES, 5))).shape == ()
    with torch.no_grad():
        assert not layer(input, SparseTargets(indices, y)).requires_grad


def test_backward_again_and_changed_targets():
    student, teacher = tensors("softmax", torch.float32)
    for reduction in ("mean", "none"):
        leaf = student[1].clone().requires_grad_()
        loss = linear_loss(student[0], leaf, targets_of("teacher js", teacher), reduction=reduction).sum()
        (first,) = torch.autograd.grad(loss, leaf, retain_graph=True)
        kept = first.clone()
        (second,) = torch.autograd.grad(loss, leaf, retain_graph=True)
        assert torch.equal(kept, second)
        with pytest.raises(RuntimeError, match="has no second derivatives"):
            torch.autograd.grad(loss, leaf, create_graph=True)
    moving = [x.clone() for x in teacher]
    loss = linear_loss(student[0], leaf, TeacherTargets(*moving), reduction="none").sum()
    moving[1] += 1.0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# The tracer looks at the gradient of what it passes on.
@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_compiled_code_leaves_its_graph():
    student, teacher = tensors("softmax", torch.float32)
    targets = targets_of("teacher forward", teacher)

    def loss(input):
        return linear_loss(input * 2.0, student[1], targets) * 3.0

    torch._dynamo.reset()
    compiled = torch.compile(loss, backend="eager")
    leaf, plain = (student[0].clone().requires_grad_() for _ in range(2))
    compiled(leaf).backward()
    loss(plain).backward()
    torch.testing.assert_close(leaf.grad, plain.grad)
    with pytest.raises(Exception, match=r"(?i)disable|graph"):
        torch.compile(loss, backend="eager", fullgraph=True)(student[0])
    torch._dynamo.reset()
    with pytest.raises((TypeError, RuntimeError), match=r"torch\.func|setup_context|vmap"):
        torch.func.grad(loss)(student[0])


def sparse(indices=((0, 1),), probabilities=((0.5, 0.25),), **options):
    rows = (ROWS, len(indices[0]))
    return SparseTargets(torch.tensor(indices).expand(rows), torch.tensor(probabilities).expand(rows), **options)


REFUSALS = {
    "rest": (lambda s, t: sparse(rest="all"), {}, ValueError, "rest is 'all'; choose one of 'tail', 'nothing'"),
    "js": (lambda s, t: sparse(divergence="js"), {}, ValueError, "choose one of 'forward', 'reverse'"),
    "reverse of nothing": (
        lambda s, t: sparse(rest="nothing", divergence="reverse"),
        {},
        ValueError,
        "is infinite: the student gives every class",
    ),
    "divergence": (lambda s, t: TeacherTargets(*t, divergence="KL"), {}, ValueError, "divergence is 'KL'"),
    "out of range": (
        lambda s, t: sparse(((0, 30),)),
        {},
        IndexError,
        r"index 30 at position \(0, 1\) .* outside 0..29",
    ),
    "twice": (lambda s, t: sparse(((4, 4),)), {}, ValueError, "names class 4 twice"),
    "negative": (
        lambda s, t: sparse(probabilities=((0.5, -0.1),)),
        {},
        ValueError,
        r"probability -0.1 at position \(0, 1\) is negative; give probabilities, not log-probabilities or scores",
    ),
    "not a number": (
        lambda s, t: sparse(probabilities=((0.5, float("nan")),)),
        {},
        ValueError,
        "probability nan .* is not a number; give probabilities",
    ),
    "all classes": (
        lambda s, t: SparseTargets(torch.arange(CLASSES).expand(ROWS, -1), torch.full((ROWS, CLASSES), 0.02)),
        {},
        ValueError,
        "row 0 names all 30 classes with probabilities of sum 0.59",
    ),
    "meta teacher": (
        lambda s, t: TeacherTargets(*(x.to("meta") for x in t)),
        {},
        ValueError,
        "the teacher's input: on meta, but the student's input is on cpu",
    ),
    "meta targets": (
        lambda s, t: SparseTargets(torch.zeros(ROWS, 1, dtype=torch.int64, device="meta"), torch.ones(ROWS, 1)),
        {},
        ValueError,
        "indices: on meta",
    ),
    "too much": (lambda s, t: sparse(probabilities=((0.9, 0.9),)), {}, ValueError, "sum 1.79.*not log-prob"),
    "zero": (lambda s, t: sparse(probabilities=((0.0, 0.0),), rest="nothing"), {}, ValueError, "positive and finite"),
    "reverse of zero": (
        lambda s, t: sparse(probabilities=((0.5, 0.5),), divergence="reverse"),
        {},
        ValueError,
        "the reverse KL is infinite",
    ),
    "floats": (
        lambda s, t: sparse(((0.0, 1.0),)),
        {},
        TypeError,
        "indices are torch.float32; give a torch tensor of integers",
    ),
    "integers": (lambda s, t: sparse(probabilities=((1, 0),)), {}, TypeError, "probabilities are torch.int64"),
    "shape": (
        lambda s, t: SparseTargets(torch.zeros(3, 1).long(), torch.ones(3, 1)),
        {},
        ValueError,
        r"give \(19, k\) with",
    ),
    "two shapes": (
        lambda s, t: SparseTargets(torch.zeros(ROWS, 1).long(), torch.ones(ROWS, 2)),
        {},
        ValueError,
        "give one per index",
    ),
    "smoothing": (
        lambda s, t: sparse(),
        {"label_smoothing": 0.1},
        ValueError,
        "targets of a teacher are smooth already",
    ),
    "class weight": (lambda s, t: sparse(), {"class_weight": torch.ones(CLASSES)}, ValueError, "is no divergence"),
    "tail of sparsemax": (
        lambda s, t: sparse(),
        {"mapping": "sparsemax"},
        ValueError,
        "needs a score for every target",
    ),
    "reverse of sparsemax": (
        lambda s, t: TeacherTargets(*t, divergence="reverse"),
        {"mapping": "sparsemax"},
        ValueError,
        "reverse KL is infinite",
    ),
    "teacher learns": (
        lambda s, t: TeacherTargets(t[0], t[1].requires_grad_()),
        {},
        TypeError,
        "the teacher's weight requires a gradient",
    ),
    "other classes": (lambda s, t: TeacherTargets(t[0], t[1][:9]), {}, ValueError, "9 rows and the student's 30"),
    "other rows": (lambda s, t: TeacherTargets(t[0][:9], t[1]), {}, ValueError, "give one row each"),
    "other features": (lambda s, t: TeacherTargets(t[0], s[1]), {}, ValueError, "the teacher's input has shape"),
    "temperature": (lambda s, t: TeacherTargets(*t, -1.0), {}, ValueError, "the teacher's temperature is -1.0"),
    "n_classes": (lambda s, t: TeacherTargets(*t), {"n_classes": 31}, ValueError, "n_classes is 31"),
    "an option": (lambda s, t: TeacherTargets(*t), {"smoothing": 1}, TypeError, "no option 'smoothing'"),
    "probabilities learn": (
        lambda s, t: SparseTargets(torch.zeros(ROWS, 1).long(), torch.ones(ROWS, 1).requires_grad_()),
        {},
        TypeError,
        "targets.probabilities requires a gradient",
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_refusals(what):
    build, options, error, words = REFUSALS[what]
    student, teacher = tensors("softmax", torch.float32)
    with pytest.raises(error, match=words):
        linear_loss(student[0], student[1], build(student, teacher), **options)

"""Heads whose classes lie on several processes, against float64 truth and against the whole head in one process."""

from __future__ import annotations

import itertools

import torch
import torch.distributed as dist
import torch.nn.functional as F
from domains import inside
from warm_softmax import WARM_SOFTMAX

import lastlayer as ll
from lastlayer.torch import linear_loss, linear_statistics

ROWS, FEATURES, CLASSES = 19, 6, 30
#: Classes of each process, by the number of processes: uneven, and some empty.
SIZES = {1: [30], 2: [8, 22], 3: [30, 0, 0], 4: [0, 9, 0, 21]}
MAPPINGS = {name: name for name in ll.MAPPINGS} | {
    "entmax:alpha=1": "entmax:alpha=1",
    "entmax:alpha=1.3": "entmax:alpha=1.3",
    "entmax:alpha=3": "entmax:alpha=3",
    "entmax per row": ll.MAPPINGS["entmax"].replace(alpha=torch.linspace(1.0, 2.2, ROWS)),
    "user's": WARM_SOFTMAX,
}
OPTIONS = {
    "plain": {},
    "weights": {"class_weight": torch.linspace(0.0, 2.0, CLASSES), "sample_weight": torch.linspace(0.0, 2.0, ROWS)},
    "smoothed": {"label_smoothing": 0.1, "z_loss": 1e-2},
    "smoothed weights": {"label_smoothing": 0.2, "class_weight": torch.linspace(0.5, 2.0, CLASSES), "z_loss": 0.1},
    "activated": {"temperature": 1.3, "softcap": 4.0},
    "padded": {"n_classes": 17, "label_smoothing": 0.1},
    "soft": {"class_weight": torch.linspace(0.5, 2.0, CLASSES), "label_smoothing": 0.1, "z_loss": 1e-2},
}
DTYPES = (torch.float32, torch.bfloat16, torch.float64, torch.float16)
REDUCTIONS = ("mean", "none", "sum", "parts")


def mine(size, sizes=None):
    """The classes of this process as a slice."""
    sizes = SIZES[size] if sizes is None else sizes
    start = sum(sizes[: dist.get_rank()])
    return slice(start, start + sizes[dist.get_rank()])


def head(mapping, dtype):
    """Input, weight, bias and labels; a confident row, an ignored one, and labels among all classes."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(*shape, generator=generator) for shape in ((ROWS, FEATURES), (CLASSES, FEATURES), (CLASSES,))]
    drawn[0][4] *= 8
    labels = torch.randint(0, CLASSES, (ROWS,), generator=generator)
    labels[3::7] = -100
    labels[4] = int(F.linear(*drawn)[4].argmax())
    return [inside(mapping, x).to(dtype) for x in drawn], labels


def targets_of(option, labels):
    if option == "padded":
        return torch.where(labels >= 17, labels - 17, labels)
    if option == "soft":
        return torch.rand(ROWS, CLASSES, generator=torch.Generator().manual_seed(1)).softmax(1)
    return labels


def gradients(value, leaves):
    """The loss or losses, and the gradients under an upstream gradient that differs from row to row."""
    value = value[0] if isinstance(value, tuple) else value
    value.backward(torch.linspace(-1.0, 2.0, ROWS).to(value.dtype) if value.ndim else torch.full_like(value, 1.7))
    return [value.detach(), *(x.grad for x in leaves)]


def leaves_of(tensors):
    return [x.detach().clone().requires_grad_() for x in tensors]


def truth(tensors, targets, n_classes=None, class_weight=None, **options):
    """From all scores in float64, by the public loss."""
    leaves = leaves_of([x.double() for x in tensors])
    scores = F.linear(*leaves)[:, :n_classes]
    return gradients(ll.loss(scores, targets, weight=class_weight, on_domain="nan", **options), leaves)


def whole(tensors, targets, **options):
    """By the head in one process."""
    leaves = leaves_of(tensors)
    return gradients(linear_loss(leaves[0], leaves[1], targets, bias=leaves[2], **options), leaves)


def memory(mapping):
    """Bytes for about two blocks of rows; the formulas need more per row than softmax."""
    return ROWS * CLASSES * (4 if mapping == "softmax" else 120)


def sliced(tensors, targets, cut, class_weight=None, **options):
    """By the head in slices: weight, bias, class weights and soft targets are this process's."""
    input, weight, bias = tensors
    leaves = leaves_of([input, weight[cut], bias[cut]])
    class_weight = None if class_weight is None else class_weight[cut]
    targets = targets[:, cut] if targets.ndim == 2 else targets
    options = {"max_memory": memory(options["mapping"]), "group": dist.group.WORLD, **options}
    value = linear_loss(leaves[0], leaves[1], targets, bias=leaves[2], class_weight=class_weight, **options)
    return gradients(value, leaves)


def compare(got, one, exact, cut, slack=4):
    """Errors above those of one process: (which, error, that of one process). All relative to the largest true entry."""
    found = []
    names = ("loss", "input", "weight", "bias")
    for name, a, b, t in zip(names, got, one, exact, strict=True):
        unit = t.abs().max()
        part = cut if name in ("weight", "bias") else slice(None)
        b, t = (b, t) if name == "loss" else (b[part], t[part])
        if not a.numel():
            continue
        errors = [float((x.double() - t).abs().max() / unit) for x in (a, b)]
        room = (100 if a.dtype == torch.float64 else slack) * torch.finfo(a.dtype).eps
        if a.dtype != b.dtype or not errors[0] <= 1.5 * errors[1] + room:
            found.append([name, *errors])
    return found


def loss_case(size, name, option, dtype, reduction):
    """What is wrong with one case."""
    mapping, cut = MAPPINGS[name], mine(size)
    tensors, labels = head(mapping, dtype)
    targets = targets_of(option, labels)
    options = {"mapping": mapping, "reduction": reduction, **OPTIONS[option]}
    one = whole(tensors, targets, **options)
    return compare(sliced(tensors, targets, cut, **options), one, truth(tensors, targets, **options), cut)


def cases(size, is_all):
    """(mapping, option, dtype, reduction): all of them, or the pairs of a mapping and an option with the others in turn.

    Two processes run most of the pairs. More than there are cores wait long for each other: they run softmax and some pairs.
    """
    if is_all:
        yield from itertools.product(MAPPINGS, OPTIONS, DTYPES, REDUCTIONS)
        return
    for (i, name), (j, option) in itertools.product(enumerate(MAPPINGS), enumerate(OPTIONS)):
        if name in ("entmax:alpha=3", "entmax per row") and (size > 2 or option not in ("smoothed", "soft")):
            # More than a hundred exchanges a block.
            continue
        turn, is_few = (i + 2 * j) % 12, name == "softmax"
        if (
            (size <= 2 and turn % 3)
            or (size == 3 and (is_few or turn in (0, 6)))
            or (size == 4 and (is_few or turn == 3))
        ):
            yield name, option, DTYPES[(i + j) % 4], REDUCTIONS[(i // 4 + i + 2 * j) % 4]


def losses(size, is_all=False):
    """How many cases there were, and what is wrong."""
    count, wrong = 0, {}
    for case in cases(size, is_all):
        count += 1
        found = loss_case(size, *case)
        if found:
            wrong[" ".join(map(str, case))] = found
    return {"count": count, "wrong": wrong}


def edges(size):
    """Scores of −inf and +inf, as masked classes have them, and NaN: the same as in one process, NaN included."""
    wrong, cut = {}, mine(size)
    masks = {
        "a slice": (slice(0, 9), -float("inf")),
        "all but one": (slice(1, None), -float("inf")),
        "two dominate": ([2, 25], float("inf")),
        "nan": ([11], float("nan")),
    }
    mappings = ("softmax", "softmax_plus_one", "sparsemax", "softplus_ratio")[: 4 if size == 2 else 1]
    for (name, (where, value)), mapping, smoothing in itertools.product(masks.items(), mappings, (0.0, 0.1)):
        if smoothing and mapping != "softmax":
            continue
        tensors, labels = head(mapping, torch.float64)
        tensors[2][where] = value
        options = {"mapping": mapping, "label_smoothing": smoothing, "reduction": "none"}
        one, got = whole(tensors, labels, **options), sliced(tensors, labels, cut, **options)
        one[2:] = [x[cut] for x in one[2:]]
        if not all(torch.allclose(a, b, rtol=1e-11, atol=1e-13, equal_nan=True) for a, b in zip(got, one, strict=True)):
            wrong[f"{name} {mapping} {smoothing}"] = [float((a - b).abs().max()) for a, b in zip(got, one, strict=True)]
    return wrong


def statistics_of(tensors, labels, temperature, mapping, cut=None, **options):
    leaves = leaves_of(tensors if cut is None else [tensors[0], tensors[1][cut], tensors[2][cut]])
    if isinstance(temperature, torch.Tensor):
        temperature = temperature.detach().to(leaves[0].dtype).requires_grad_()
    found = linear_statistics(
        leaves[0], leaves[1], labels, bias=leaves[2], mapping=mapping, temperature=temperature, **options
    )
    log_prob = torch.where(found.log_prob.isfinite(), found.log_prob, 0.0)
    total = log_prob.sum() + (found.entropy * torch.linspace(-1, 2, ROWS)).sum() + found.logsumexp.square().sum()
    total.backward()
    if isinstance(temperature, torch.Tensor):
        leaves.append(temperature)
    return [x.detach() for x in found], [x.grad for x in leaves]


def statistics(size):
    """Every mapping's statistics and their gradients in float32, against float64 of one process."""
    count, wrong, cut = 0, {}, mine(size)
    kinds = {"number": 1.3, "learned": torch.tensor(1.4), "per row": torch.linspace(0.7, 2.0, ROWS)}
    for i, (name, mapping) in enumerate(MAPPINGS.items()):
        if size > 2 and name not in ("softmax", "ratio", "sparsemax"):
            continue
        temperature = list(kinds)[i % 3]
        tensors, labels = head(mapping, torch.float32)
        given = (labels, kinds[temperature], mapping)
        exact, slopes = statistics_of([x.double() for x in tensors], *given)
        one, one_slopes = statistics_of(tensors, *given)
        got, got_slopes = statistics_of(tensors, *given, cut, group=dist.group.WORLD, max_memory=memory(mapping))
        count += 1
        bad = [] if torch.equal(got[3], one[3]) else ["argmax"]
        for i, (a, b, t) in enumerate(zip(got[:3] + got_slopes, one[:3] + one_slopes, exact[:3] + slopes, strict=True)):
            part = cut if i in (4, 5) else slice(None)
            is_finite = t[part].isfinite() if t.ndim else t.isfinite()
            b, t, unit = (b[part], t[part], t[t.isfinite()].abs().max()) if t.ndim else (b, t, t.abs())
            errors = [float((x.double() - t)[is_finite].abs().max() / unit) if x.numel() else 0.0 for x in (a, b)]
            # log p of a class at the edge of a sparse support amplifies the rounding of the scores, which the slices round otherwise.
            slack = 200 if "max" in name and "softmax" not in name else 8
            if errors[0] > 1.5 * errors[1] + slack * torch.finfo(a.dtype).eps or not torch.equal(
                a.isfinite(), t.isfinite()
            ):
                bad.append([i, *errors])
        if bad:
            wrong[f"{name} {temperature}"] = bad
    return {"count": count, "wrong": wrong}

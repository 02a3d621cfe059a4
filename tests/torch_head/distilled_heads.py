"""A student's head, targets of a teacher, and the truth: dense probabilities in float64, the textbook formulas, autograd."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from domains import inside

import lastlayer as ll
from lastlayer.torch import SparseTargets, TeacherTargets, linear_loss

ROWS, FEATURES, CLASSES, NAMED, OTHER_FEATURES = 19, 6, 30, 5, 4
KINDS = {
    "teacher forward": {"divergence": "forward"},
    "teacher reverse": {"divergence": "reverse"},
    "teacher js": {"divergence": "js"},
    "tail forward": {"rest": "tail", "divergence": "forward"},
    "tail reverse": {"rest": "tail", "divergence": "reverse"},
    "nothing forward": {"rest": "nothing", "divergence": "forward"},
}
MAPPINGS = {name: name for name in ll.MAPPINGS} | {
    "entmax:alpha=1": "entmax:alpha=1",
    "entmax:alpha=1.3": "entmax:alpha=1.3",
    "entmax per row": ll.MAPPINGS["entmax"].replace(alpha=torch.linspace(1.1, 2.0, ROWS)),
}
#: Temperature and softcap of the teacher.
SCALES = {"temperature": 2.0, "softcap": 5.0}


def is_refused(name, kind):
    """Where the divergence is not defined, or infinite."""
    is_sparse = ll.resolve_mapping(MAPPINGS[name]).family == "regularized"
    return is_sparse and kind in ("teacher reverse", "tail forward")


def tensors(name, dtype, seed=0):
    """Student's input, weight and bias, and the teacher's."""
    generator = torch.Generator().manual_seed(seed)
    shapes = (
        *((ROWS, FEATURES), (CLASSES, FEATURES), (CLASSES,)),
        *((ROWS, OTHER_FEATURES), (CLASSES, OTHER_FEATURES), (CLASSES,)),
    )
    drawn = [inside(MAPPINGS[name], torch.randn(shape, generator=generator)).to(dtype) for shape in shapes]
    return drawn[:3], drawn[3:]


def named_classes(dtype=torch.float64, seed=1):
    """The largest probabilities of a random row, and their classes; padding in one row, a row of nothing else."""
    rows = torch.randn(ROWS, CLASSES, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 2.0
    top = rows.softmax(1).topk(NAMED, 1)
    indices = top.indices.clone()
    indices[3, 2:] = -100
    indices[8] = -100
    return indices, top.values.to(dtype)


def targets_of(kind, teacher, cut=slice(None), seed=1):
    """The targets for the classes of `cut`."""
    if kind.startswith("teacher"):
        input, weight, bias = teacher
        return TeacherTargets(input, weight[cut], bias[cut], **SCALES, **KINDS[kind])
    return SparseTargets(*named_classes(teacher[0].dtype, seed), **KINDS[kind])


def kl(a, b):
    """Σ a log(a/b); 0 log 0 = 0."""
    has = a > 0
    terms = torch.where(has, a, 1.0).log() - torch.where(has, b, 1.0).log()
    return torch.where(has, a * terms, 0.0).sum(1)


def divergence(kind, p, y):
    if kind.endswith("forward"):
        return kl(y, p)
    if kind.endswith("reverse"):
        return kl(p, y)
    m = (p + y) / 2
    return kl(p, m) / 2 + kl(y, m) / 2


def with_spare(p, name):
    """With the outcome that no class has."""
    return torch.cat([p, 1.0 - p.sum(1, keepdim=True)], 1) if name == "softmax_plus_one" else p


def true_losses(name, kind, scores, teacher, ignored=8):
    """The loss of each row, from activated scores (N, K) in float64."""
    mapping = MAPPINGS[name]
    p = ll.probabilities(scores, mapping=mapping, on_domain="nan")
    classes, is_bregman = scores.shape[1], ll.resolve_mapping(mapping).family == "regularized" and "forward" in kind
    if kind.startswith("teacher"):
        cap, temperature = SCALES["softcap"], SCALES["temperature"]
        scores_of_teacher = F.linear(*(x.double() for x in teacher))[:, :classes]
        scores_of_teacher = cap * torch.tanh(scores_of_teacher / cap) / temperature
        y = ll.probabilities(scores_of_teacher, mapping=mapping, on_domain="nan")
        if is_bregman:
            return ll.loss(scores, y, mapping=mapping, reduction="none")
        return divergence(kind, with_spare(p, name), with_spare(y, name))
    indices, values = named_classes(teacher[0].dtype)
    is_named = indices >= 0
    values = torch.where(is_named, values.double(), 0.0)
    dense = torch.zeros(len(scores), classes + 1, dtype=torch.float64)
    dense.scatter_add_(1, torch.where(is_named, indices, classes), values)
    dense = dense[:, :classes]
    has = (
        torch.zeros(len(scores), classes + 1).scatter(1, torch.where(is_named, indices, classes), 1.0)[:, :classes] > 0
    )
    total = dense.sum(1, keepdim=True)
    if kind.startswith("nothing"):
        dense = dense / torch.where(total == 0, 1.0, total)
        if is_bregman:
            dense[ignored, 0] = 1.0
            losses = ll.loss(scores, dense, mapping=mapping, reduction="none")
        else:
            y = torch.cat([dense, 0.0 * total], 1) if name == "softmax_plus_one" else dense
            losses = divergence(kind, with_spare(p, name), y)
    else:
        p = torch.cat([torch.where(has, p, 0.0), 1.0 - torch.where(has, p, 0.0).sum(1, keepdim=True)], 1)
        losses = divergence(kind, p, torch.cat([dense, 1.0 - total], 1))
    is_counted = torch.ones(len(scores), dtype=torch.bool)
    is_counted[ignored] = False
    return torch.where(is_counted, losses, 0.0)


def reduced(losses, is_counted, reduction, sample_weight=None):
    weight = is_counted.double() * (1.0 if sample_weight is None else sample_weight.double())
    losses = torch.where(weight != 0, losses * weight, 0.0)
    if reduction == "none":
        return losses
    return losses.sum() / (weight.sum() if reduction == "mean" else 1.0)


def truth(name, kind, student, teacher, reduction="mean", sample_weight=None, temperature=1.0, softcap=None, **options):
    """Loss and gradients."""
    leaves = [x.detach().double().requires_grad_() for x in student]
    scores = F.linear(*leaves)[:, : options.get("n_classes")]
    scores = scores if softcap is None else softcap * torch.tanh(scores / softcap)
    scores = scores / temperature
    losses = true_losses(name, kind, scores, teacher)
    z = options.get("z_loss", 0.0)
    if z:
        args = {"mapping": MAPPINGS[name], "reduction": "none", "on_domain": "nan"}
        first = torch.zeros(ROWS, dtype=torch.int64)
        squares = ll.loss(scores, first, z_loss=z, **args) - ll.loss(scores, first, **args)
        losses = losses + squares
    is_counted = torch.ones(ROWS, dtype=torch.bool)
    if not kind.startswith("teacher"):
        is_counted[8] = False
    return gradients(reduced(losses, is_counted, reduction, sample_weight), leaves)


def gradients(value, leaves):
    """The loss or losses, and the gradients under an upstream gradient that differs from row to row."""
    value = value[0] if isinstance(value, tuple) else value
    value.backward(torch.linspace(-1.0, 2.0, ROWS).to(value.dtype) if value.ndim else torch.full_like(value, 1.7))
    return [value.detach(), *(x.grad for x in leaves)]


def head(name, kind, student, teacher, cut=slice(None), **options):
    """The same by the head; of the classes `cut`."""
    input, weight, bias = student
    leaves = [x.detach().clone().requires_grad_() for x in (input, weight[cut], bias[cut])]
    targets = targets_of(kind, teacher, cut)
    value = linear_loss(leaves[0], leaves[1], targets, bias=leaves[2], mapping=MAPPINGS[name], **options)
    return gradients(value, leaves)


def errors(got, exact, cut=slice(None)):
    """The largest error of the loss and of each gradient, relative to the largest true entry."""
    found = []
    for i, (a, t) in enumerate(zip(got, exact, strict=True)):
        unit = t.abs().max()
        t = t[cut] if i > 1 else t
        found.append(float((a.double() - t).abs().max() / unit) if a.numel() else 0.0)
    return found

"""Heads of DTensors on 2 × 2 processes: rows over one dimension of the mesh, classes over the other, against the whole head in float64."""

from __future__ import annotations

import itertools

import torch
import torch.distributed as dist
import torch.nn.functional as F
from shards_cases import CLASSES, FEATURES, OPTIONS, ROWS, head, targets_of
from shards_costs import Counted
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

import lastlayer as ll
from lastlayer.torch import LinearLoss, linear_loss, linear_statistics

REDUCTIONS = ("mean", "none", "sum", "parts")
#: Where input and weight lie on the mesh.
PLACEMENTS = {
    "rows, classes": ((Shard(0), Replicate()), (Replicate(), Shard(0))),
    "classes, rows": ((Replicate(), Shard(0)), (Shard(0), Replicate())),
    "rows and sequence, classes": ((Shard(0), Shard(0)), (Replicate(), Shard(0))),
    "same rows, classes": ((Replicate(), Replicate()), (Replicate(), Shard(0))),
    "rows, whole weight": ((Shard(0), Replicate()), (Replicate(), Replicate())),
    "rows twice, whole weight": ((Shard(0), Shard(0)), (Replicate(), Replicate())),
    "features, classes": ((Shard(0), Shard(1)), (Replicate(), Shard(0))),
}
MAPPINGS = {
    "softmax": torch.float32,
    "ratio": torch.float32,
    "sparsemax": torch.float64,
    "entmax:alpha=1.3": torch.float16,
}


def whole(tensor):
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def place(tensor, mesh, placements):
    return None if tensor is None else distribute_tensor(tensor, mesh, placements)


def upstream_of(value):
    return torch.linspace(-1.0, 2.0, ROWS).to(value.dtype) if value.ndim else torch.full_like(value, 1.7)


def truth(tensors, targets, n_classes=None, class_weight=None, **options):
    """Loss and gradients from all scores in float64."""
    leaves = [x.detach().clone().double().requires_grad_() for x in tensors]
    loss = ll.loss(F.linear(*leaves)[:, :n_classes], targets, weight=class_weight, on_domain="nan", **options)
    value = loss[0] if isinstance(loss, tuple) else loss
    value.backward(upstream_of(value))
    return [value.detach(), *(x.grad for x in leaves)]


def on_mesh(mesh, tensors, targets, placements, class_weight=None, sample_weight=None, **options):
    """The same by a head of DTensors; and whether each gradient lies as its tensor does."""
    of_input, of_weight = placements
    input, weight, bias = (
        place(x, mesh, p).requires_grad_() for x, p in zip(tensors, (of_input, of_weight, of_weight), strict=True)
    )
    of_rows = [p if p == Shard(0) else Replicate() for p in of_input]
    of_targets = [
        Shard(1) if p == Shard(0) and targets.ndim == 2 else q for p, q in zip(of_weight, of_rows, strict=True)
    ]
    loss = linear_loss(
        input,
        weight,
        place(targets, mesh, of_targets),
        bias=bias,
        class_weight=place(class_weight, mesh, of_weight),
        sample_weight=place(sample_weight, mesh, of_rows),
        **options,
    )
    value = loss[0] if isinstance(loss, tuple) else loss
    upstream = upstream_of(whole(value).detach())
    value.backward(place(upstream, mesh, value.placements))
    lies = all(x.grad.placements == x.placements for x in (input, weight, bias))
    return [whole(value).detach(), *(whole(x.grad) for x in (input, weight, bias))], lies


def losses(mesh):
    """Placements × mappings × options × reductions, some of them: how many, and what is wrong."""
    count, wrong = 0, {}
    for i, (where, placements) in enumerate(PLACEMENTS.items()):
        for (j, (mapping, dtype)), (k, (option, given)) in itertools.product(
            enumerate(MAPPINGS.items()), enumerate(OPTIONS.items())
        ):
            if (i + j + k) % (2 if mapping == "softmax" else 5):
                continue
            tensors, labels = head(mapping, dtype)
            targets = targets_of(option, labels)
            options = {"mapping": mapping, "reduction": REDUCTIONS[(i + j + k) // 2 % 4], **given}
            exact = truth(tensors, targets, **options)
            # Blocks of other heights on every process.
            memory = ROWS * CLASSES * (4 if mapping == "softmax" else 120) * (1 + dist.get_rank())
            got, lies = on_mesh(mesh, tensors, targets, placements, max_memory=memory, **options)
            count += 1
            room = 16 * torch.finfo(dtype).eps if dtype != torch.float64 else 1e-12
            errors = [float((a.double() - b).abs().max() / b.abs().max()) for a, b in zip(got, exact, strict=True)]
            if not lies or not max(errors) <= room:
                wrong[f"{where} {mapping} {option} {options['reduction']}"] = [lies, errors]
    return {"count": count, "wrong": wrong}


def statistics(mesh):
    """Statistics and their gradients, with a learned temperature, of rows over one dimension and classes over the other."""
    wrong = {}
    for name, placements in PLACEMENTS.items():
        tensors, labels = head("softmax", torch.float64)
        plain = [x.clone().requires_grad_() for x in (*tensors, torch.tensor(1.3))]
        of_rows = [p if p == Shard(0) else Replicate() for p in placements[0]]
        shared = [
            place(x, mesh, p).requires_grad_()
            for x, p in zip(
                (*tensors, torch.tensor(1.3)), (placements[0], *placements[1:] * 2, [Replicate()] * 2), strict=True
            )
        ]
        found = []
        for leaves, goal in ((plain, labels), (shared, place(labels, mesh, of_rows))):
            got = linear_statistics(leaves[0], leaves[1], goal, bias=leaves[2], temperature=leaves[3])
            (got.log_prob.sum() + got.entropy.square().sum() + got.logsumexp.sum()).backward()
            found.append([whole(x).detach() for x in got] + [whole(x.grad) for x in leaves])
        if not all(torch.allclose(a, b, rtol=1e-6, atol=1e-9) for a, b in zip(*found, strict=True)):
            wrong[name] = [float((a - b).abs().max()) for a, b in zip(*found, strict=True)]
    return wrong


def of_a_line(line):
    """One dimension: plain inputs, the same on all; labels of a batch of sequences; the layer; sums of parts as input."""
    tensors, labels = head("softmax", torch.float64)
    facts = {}
    exact = truth(tensors, labels)
    input = tensors[0].clone().requires_grad_()
    layer = LinearLoss(FEATURES, CLASSES, dtype=torch.float64)
    layer.weight, layer.bias = (torch.nn.Parameter(place(x, line, [Shard(0)])) for x in tensors[1:])
    value = layer(input, labels)
    value.backward(torch.full_like(value, 1.7))
    got = [value.detach(), input.grad, layer.weight.grad.full_tensor(), layer.bias.grad.full_tensor()]
    facts["layer"] = not isinstance(value, DTensor) and close(got, exact)
    found = layer.statistics(input.detach(), labels)
    facts["statistics"] = close([-found.log_prob.sum() / (labels >= 0).sum()], exact[:1])
    terms = DTensor.from_local(tensors[0] / line.size(), line, [Partial()]).requires_grad_()
    value = layer(terms, labels)
    value.backward(torch.full_like(value, 1.7))
    facts["sum of parts"] = close([whole(value).detach(), whole(terms.grad)], exact[:2])
    sequences = tensors[0][:18].reshape(3, 6, FEATURES)
    goal = labels[:18].reshape(3, 6)
    shared = place(sequences, line, [Shard(1)]).requires_grad_()
    loss = layer(shared, goal)
    loss.backward()
    plain = sequences.clone().requires_grad_()
    want = linear_loss(plain, tensors[1], goal, bias=tensors[2])
    want.backward()
    facts["sequences"] = close([whole(loss).detach(), whole(shared.grad)], [want.detach(), plain.grad])
    facts["optimiser"] = optimiser(line, tensors, labels)
    return facts


def sent_bytes(mesh, rows=12, features=8):
    """Bytes of a call on 2 × 2 processes, for few and for many classes: gathered, and reduced."""
    found = []
    for classes in (40, 4000):
        input, weight = torch.rand(rows, features), torch.rand(classes, features)
        shared = place(input, mesh, [Shard(0), Replicate()]).requires_grad_()
        labels = place(torch.arange(rows), mesh, [Shard(0), Replicate()])
        weight = place(weight, mesh, [Replicate(), Shard(0)])
        with Counted() as counted:
            linear_loss(shared, weight, labels).backward()
        found.append([counted.gathered, counted.reduced])
    return found


def close(got, exact):
    return all(torch.allclose(a.double(), b.double(), rtol=1e-10, atol=1e-13) for a, b in zip(got, exact, strict=True))


def optimiser(mesh, tensors, labels):
    """Adam's steps on a DTensor weight are those on the whole one."""
    shared, plain = place(tensors[1], mesh, [Shard(0)]).requires_grad_(), tensors[1].clone().requires_grad_()
    for leaf in (shared, plain):
        adam = torch.optim.AdamW([leaf], lr=0.1)
        for _ in range(3):
            adam.zero_grad()
            linear_loss(tensors[0], leaf, labels).backward()
            torch.nn.utils.clip_grad_norm_([leaf], 0.1)
            adam.step()
    return close([shared.detach().full_tensor()], [plain.detach()])


def uneven(mesh):
    """5 and 14 rows, plain labels and weights of each process: the mean over all of them."""
    tensors, labels = head("softmax", torch.float64)
    weights = torch.linspace(0.0, 2.0, ROWS, dtype=torch.float64)
    exact = truth(tensors, labels, sample_weight=weights)
    mine = slice(0, 5) if mesh.get_local_rank(0) == 0 else slice(5, None)
    local = tensors[0][mine].clone().requires_grad_()
    input = DTensor.from_local(local, mesh, [Shard(0), Replicate()], run_check=False)
    weight, bias = (place(x, mesh, [Replicate(), Shard(0)]).requires_grad_() for x in tensors[1:])
    value = linear_loss(input, weight, labels[mine], bias=bias, sample_weight=weights[mine], max_memory=2000)
    value.backward(torch.full_like(value, 1.7))
    got = [whole(value).detach(), local.grad, weight.grad.full_tensor(), bias.grad.full_tensor()]
    exact[1] = exact[1][mine]
    nothing = linear_loss(input, weight, torch.full_like(labels[mine], -100), bias=bias)
    (slope,) = torch.autograd.grad(nothing / 0.0, weight)
    return {
        "mean": close(got, exact),
        "nothing counts": float(whole(nothing.detach())) == 0.0 and not slope.full_tensor().any(),
    }

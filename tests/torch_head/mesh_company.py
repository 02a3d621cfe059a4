"""Heads of DTensors in the company of FSDP and distribute_module."""

from __future__ import annotations

import copy

import torch
from mesh_cases import close, place, whole
from shards_cases import CLASSES, FEATURES, head
from shards_faults import error_of
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_module
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_, clip_grads_with_norm_, get_total_norm

from lastlayer.torch import LinearLoss, linear_loss


def layer_on(mesh, tensors):
    layer = LinearLoss(FEATURES, CLASSES)
    layer.weight, layer.bias = (torch.nn.Parameter(place(x, mesh, [Shard(0)])) for x in tensors[1:])
    return layer


def under_fsdp(mesh):
    """Classes in slices over one dimension, parameters sharded for storage over the other, with other rows there."""
    tensors, labels = head("softmax", torch.float64)
    layer = layer_on(mesh["model"], tensors)
    fully_shard(layer, mesh=mesh["data"])
    mine = slice(0, 9) if mesh.get_local_rank("data") == 0 else slice(9, 18)
    layer(tensors[0][mine], labels[mine]).backward()
    plain = [x.detach().clone().requires_grad_() for x in tensors]
    halves = [linear_loss(plain[0][i], plain[1], labels[i], bias=plain[2]) for i in (slice(0, 9), slice(9, 18))]
    (sum(halves) / 2).backward()
    facts = {
        "gradients": close([x.grad.full_tensor() for x in (layer.weight, layer.bias)], [x.grad for x in plain[1:]])
    }
    facts["outside"] = error_of(lambda: linear_loss(tensors[0][mine], layer.weight, labels[mine], bias=layer.bias))
    found = layer.statistics(tensors[0][mine], labels[mine]).log_prob
    mean = found.sum() / (labels[mine] >= 0).sum()
    facts["statistics"] = close([-mean], [halves[mesh.get_local_rank("data")]])
    return facts


def data_parallel_body(line):
    """A body under DDP with its own rows, the classes in slices on the same processes, gradients clipped: one step as in one process."""
    tensors, labels = head("softmax", torch.float64)
    rows, goal = tensors[0][:16], labels[:16]
    torch.manual_seed(0)
    body = torch.nn.Linear(FEATURES, FEATURES, dtype=torch.float64)
    wrapped, layer = DistributedDataParallel(copy.deepcopy(body)), layer_on(line, tensors)
    mine = slice(4 * line.get_rank(), 4 * line.get_rank() + 4)
    hidden = wrapped(rows[mine])
    hidden.register_hook(lambda g: g * line.size())
    found = layer(*(DTensor.from_local(x, line, [Shard(0)]) for x in (hidden, goal[mine])))
    found.backward()
    plain = [x.clone().requires_grad_() for x in tensors[1:]]
    want = linear_loss(body(rows), plain[0], goal, bias=plain[1])
    want.backward()
    norms = [get_total_norm([p.grad for p in part.parameters()]) for part in (wrapped, layer)]
    total = torch.stack([whole(norm) for norm in norms]).norm()
    for part in (wrapped, layer):
        clip_grads_with_norm_(part.parameters(), 0.1, total)
    clip_grad_norm_([*body.parameters(), *plain], 0.1)
    ours, theirs = [*wrapped.parameters(), *layer.parameters()], [*body.parameters(), *plain]
    predicted = layer.statistics(
        DTensor.from_local(hidden.detach(), line, [Shard(0)]), DTensor.from_local(goal[mine] * 0, line, [Shard(0)])
    )
    right = torch.nn.functional.linear(body(rows), *tensors[1:]).argmax(1)
    return {
        "loss and gradients": close([whole(found), *(whole(p.grad) for p in ours)], [want, *(p.grad for p in theirs)]),
        "prediction": bool((whole(predicted.argmax) == right).all()),
    }


def distributed_module(line):
    """A module distributed by torch, with its class weights as a buffer."""
    tensors, labels = head("softmax", torch.float64)
    weights = torch.linspace(0.5, 2.0, CLASSES, dtype=torch.float64)
    layer = LinearLoss(FEATURES, CLASSES, class_weight=weights, dtype=torch.float64)
    layer.load_state_dict({"weight": tensors[1], "bias": tensors[2]})
    want = layer(tensors[0], labels)

    def slice_classes(_, module, mesh):
        for name, x in list(module.named_parameters(recurse=False)):
            module.register_parameter(name, torch.nn.Parameter(place(x.detach(), mesh, [Shard(0)])))

    distribute_module(layer, line, slice_classes)
    return {"distribute_module": close([layer(tensors[0], labels)], [want])}

"""Heads of DTensors in the company of FSDP and distribute_module."""

from __future__ import annotations

import torch
from mesh_cases import close, place
from shards_cases import CLASSES, FEATURES, head
from shards_faults import error_of
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import Shard, distribute_module

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

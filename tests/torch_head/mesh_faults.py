"""What heads of DTensors refuse, and processes of a mesh that differ: the same error on each."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from mesh_cases import place
from shards_cases import ROWS, head
from shards_faults import error_of, everywhere
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard

from lastlayer.torch import linear_loss, linear_statistics

ACROSS, ALONG = [Shard(0), Replicate()], [Replicate(), Shard(0)]


def refused(mesh, line):
    """What no head takes."""
    tensors, labels = head("softmax", torch.float32)
    input, weight, bias = (
        place(tensors[0], mesh, ACROSS),
        place(tensors[1], mesh, ALONG),
        place(tensors[2], mesh, ALONG),
    )
    learned = torch.tensor(1.3, requires_grad=True)
    calls = {
        "features": lambda: linear_loss(tensors[0], place(tensors[1], line, [Shard(1)]), labels),
        "sums": lambda: linear_loss(tensors[0], DTensor.from_local(tensors[1], line, [Partial()]), labels),
        "twice": lambda: linear_loss(input, place(tensors[1], mesh, [Shard(0), Shard(0)]), labels),
        "plain input": lambda: linear_loss(tensors[0], weight, labels),
        "plain weight": lambda: linear_statistics(input, tensors[1], labels),
        "plain bias": lambda: linear_loss(input, weight, labels, bias=tensors[2]),
        "another mesh": lambda: linear_loss(place(tensors[0], line, [Replicate()]), weight, labels),
        "group": lambda: linear_loss(input, weight, labels, bias=bias, group=dist.group.WORLD),
        "temperature": lambda: linear_loss(input, weight, place(labels, mesh, ACROSS), temperature=learned),
        "labels": lambda: linear_loss(input, weight, labels),
    }
    return {name: error_of(call) for name, call in calls.items()}


def differing(mesh, line):
    """The last process differs in one thing, or has other rows than its weight says; what each raises."""
    is_odd = dist.get_rank() == dist.get_world_size() - 1
    tensors, labels = head("softmax", torch.float32)
    weight, rows = place(tensors[1], mesh, ALONG), place(labels, mesh, ACROSS)
    input = place(tensors[0], mesh, ACROSS)
    same = place(tensors[0], mesh, [Replicate()] * 2)
    stored = place(tensors[1], line, [Shard(0)])
    others = tensors[0].roll(dist.get_rank(), 0)

    def odd(**options):
        return error_of(lambda: linear_loss(input, weight, rows, **(options if is_odd else {})))

    def row_of_mesh(**options):
        """Both processes of the last row of the mesh differ, so that the slices of the classes agree."""
        is_last = mesh.get_local_rank(0) == 1
        return error_of(lambda: linear_loss(input, weight, rows, **(options if is_last else {})))

    local = tensors[0].flip(0) if mesh.get_local_rank(0) else tensors[0]
    drifted = DTensor.from_local(local, mesh, [Replicate()] * 2, run_check=False)
    calls = {
        "a process": lambda: odd(mapping="sparsemax"),
        "a row": lambda: row_of_mesh(mapping="sparsemax"),
        "reduction": lambda: row_of_mesh(reduction="none"),
        "an argument": lambda: odd(sample_weight=torch.ones(ROWS + 1)),
        "bad label": lambda: error_of(
            lambda: linear_loss(input, weight, place(labels + 1000 * (labels == labels[-1]), mesh, ACROSS))
        ),
        "replicas": lambda: error_of(lambda: linear_loss(drifted, weight, place(labels, mesh, [Replicate()] * 2))),
        "storage": lambda: error_of(lambda: linear_loss(others, stored, labels)),
        "nothing": lambda: error_of(lambda: linear_loss(same, weight, place(labels, mesh, [Replicate()] * 2))),
    }
    return {name: everywhere(call()) for name, call in calls.items()}


def killed(mesh):
    """The last process ends without a word: the others say so, also those that share no slice with it."""
    tensors, labels = head("softmax", torch.float32)
    input, rows = (place(x, mesh, ACROSS) for x in (tensors[0], labels))
    weight = place(tensors[1], mesh, ALONG)
    dist.barrier()
    if dist.get_rank() == dist.get_world_size() - 1:
        os._exit(0)
    return error_of(lambda: linear_loss(input, weight, rows))


def meshes():
    return init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "model")), init_device_mesh("cpu", (4,))

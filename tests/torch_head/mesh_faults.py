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


def calls_of(mesh, line):
    """Calls that no head takes, and for each one that is right on the same mesh."""
    tensors, labels = head("softmax", torch.float32)
    input, weight, bias = (
        place(tensors[0], mesh, ACROSS),
        place(tensors[1], mesh, ALONG),
        place(tensors[2], mesh, ALONG),
    )
    learned = torch.tensor(1.3, requires_grad=True)
    rows = place(labels, mesh, ACROSS)
    shared = place(learned.detach(), mesh, [Replicate()] * 2).requires_grad_()
    # Made by all processes, since they send.
    by_features, by_classes = (place(tensors[1], line, [Shard(axis)]) for axis in (1, 0))
    sums = DTensor.from_local(tensors[1], line, [Partial()], run_check=False)
    twice, on_another = place(tensors[1], mesh, [Shard(0), Shard(0)]), place(tensors[0], line, [Replicate()])
    in_parts, labels_in_parts = (place(x, line, [Shard(0)]) for x in (tensors[0], labels))
    calls = {
        "features": lambda: linear_loss(tensors[0], by_features, labels),
        "sums": lambda: linear_loss(tensors[0], sums, labels),
        "twice": lambda: linear_loss(input, twice, labels),
        "plain input": lambda: linear_loss(tensors[0], weight, labels),
        "plain weight": lambda: linear_statistics(input, tensors[1], labels),
        "plain bias": lambda: linear_loss(input, weight, labels, bias=tensors[2]),
        "another mesh": lambda: linear_loss(on_another, weight, labels),
        "group": lambda: linear_loss(input, weight, labels, bias=bias, group=dist.group.WORLD),
        "temperature": lambda: linear_loss(input, weight, rows, temperature=learned),
        "labels": lambda: linear_loss(input, weight, labels),
        "gathered": lambda: linear_loss(in_parts, by_classes, labels[: len(in_parts.to_local())]),
    }

    def right(**options):
        return lambda: linear_loss(input, weight, rows, **options)

    others = {
        "features": lambda: linear_loss(tensors[0], by_classes, labels),
        "sums": lambda: linear_loss(tensors[0], by_classes, labels),
        "plain weight": lambda: linear_statistics(input, weight, rows),
        "gathered": lambda: linear_loss(in_parts, by_classes, labels_in_parts),
        "plain bias": right(bias=bias),
        "group": right(bias=bias),
        "temperature": right(temperature=shared),
    }
    return {name: others.get(name, right()) for name in calls}, calls


def refused(mesh, line):
    """What no head takes."""
    return {name: error_of(call) for name, call in calls_of(mesh, line)[1].items()}


def refused_by_one(mesh, line):
    """What everybody raises when the last process alone makes a call that is refused."""
    is_odd = dist.get_rank() == dist.get_world_size() - 1
    right, calls = calls_of(mesh, line)
    return {name: everywhere(error_of(call if is_odd else right[name])) for name, call in calls.items()}


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
    ones = torch.ones(ROWS + 1 if is_odd else len(input.to_local()))
    drifted = DTensor.from_local(local, mesh, [Replicate()] * 2, run_check=False)
    calls = {
        "a process": lambda: odd(mapping="sparsemax"),
        "a row": lambda: row_of_mesh(mapping="sparsemax"),
        "reduction": lambda: row_of_mesh(reduction="none"),
        "an argument": lambda: error_of(lambda: linear_loss(input, weight, rows, sample_weight=ones)),
        "placements": lambda: odd(class_weight=torch.ones(len(weight.to_local()))),
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

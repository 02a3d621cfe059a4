"""Targets of a teacher on 2 × 2 processes, whole and in parts, against one process."""

from __future__ import annotations

from dataclasses import replace

import torch
from distilled_heads import KINDS, ROWS, targets_of, tensors
from mesh_cases import place, whole
from shards_faults import error_of
from torch.distributed.tensor import Replicate, Shard

from lastlayer.torch import TeacherTargets, linear_loss

REDUCTIONS = ("mean", "sum", "none")


def on_mesh(targets, mesh, of_rows, of_weight):
    """The teacher's tensors as DTensors."""
    names = dict.fromkeys(("indices", "probabilities", "input"), of_rows)
    names |= dict.fromkeys(("weight", "bias"), of_weight)
    found = {name: place(getattr(targets, name), mesh, p) for name, p in names.items() if hasattr(targets, name)}
    return replace(targets, **found)


def losses(mesh, line):
    """What is wrong, by kind of target, where the rows lie, and reduction."""
    wrong, (student, teacher) = {}, tensors("softmax", torch.float64)
    along, across = (Replicate(), Shard(0)), (Shard(0), Replicate())
    layouts = {
        "rows, classes": (mesh, across, along),
        "same rows, classes": (mesh, (Replicate(), Replicate()), along),
        "classes": (line, (Replicate(),), (Shard(0),)),
        "rows": (line, (Shard(0),), (Replicate(),)),
    }
    for i, kind in enumerate(KINDS):
        targets = targets_of(kind, teacher)
        for j, (where, (on, of_rows, of_weight)) in enumerate(layouts.items()):
            reduction = REDUCTIONS[(i + j) % 3]
            found = []
            for is_whole in (True, False):
                places = (of_rows, of_weight, of_weight)
                leaves = [
                    (x.clone() if is_whole else place(x, on, p)).requires_grad_()
                    for x, p in zip(student, places, strict=True)
                ]
                goal = targets if is_whole else on_mesh(targets, on, of_rows, of_weight)
                loss = linear_loss(leaves[0], leaves[1], goal, bias=leaves[2], reduction=reduction)
                upstream = (
                    torch.linspace(-1.0, 2.0, ROWS).double() if reduction == "none" else torch.tensor(1.7).double()
                )
                loss.backward(upstream if is_whole else place(upstream, on, loss.placements))
                found.append([whole(loss).detach(), *(whole(x.grad) for x in leaves)])
            errors = [float((a - b).abs().max() / b.abs().max()) for a, b in zip(*reversed(found), strict=True)]
            if not max(errors) < 1e-6:
                wrong[f"{kind}, {where}, {reduction}"] = errors
    goal = TeacherTargets(teacher[0], place(teacher[1], line, [Shard(0)]))
    wrong_weight = error_of(lambda: linear_loss(student[0], student[1], goal))
    return {"wrong": wrong, "plain student": wrong_weight}

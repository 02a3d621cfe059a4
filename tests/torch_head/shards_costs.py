"""What a head in slices sends and allocates, counted, and compared with the plan that foretells it."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch.profiler import ProfilerActivity, profile

import lastlayer.backends.torch.memory as memory_of_results
from lastlayer.torch import linear_loss, linear_statistics


class Counted:
    """Counts the bytes that this process sends into collectives."""

    def __init__(self):
        self.gathered, self.reduced, self.calls = 0, 0, 0

    def __enter__(self):
        self._gather, self._reduce = dist.all_gather, dist.all_reduce

        def gather(found, sent, **options):
            self.calls += 1
            self.gathered += sent.numel() * sent.element_size()
            return self._gather(found, sent, **options)

        def reduce(sent, **options):
            self.calls += 1
            self.reduced += sent.numel() * sent.element_size()
            return self._reduce(sent, **options)

        dist.all_gather, dist.all_reduce = gather, reduce
        return self

    def __exit__(self, *_):
        dist.all_gather, dist.all_reduce = self._gather, self._reduce


def sent_bytes():
    """Bytes that a process sends in loss and backward, by mapping and number of classes: gathered, and reduced."""
    found = {}
    for mapping in ("softmax", "ratio", "sparsemax", "entmax"):
        for classes in (40, 4000):
            generator = torch.Generator().manual_seed(classes)
            input, weight = (torch.rand(*s, generator=generator) for s in ((64, 8), (classes // 2, 8)))
            leaf = weight.requires_grad_()
            with Counted() as counted:
                linear_loss(
                    input.requires_grad_(), leaf, torch.arange(64) % 40, group=dist.group.WORLD, mapping=mapping
                ).backward()
            found[f"{mapping} {classes}"] = [counted.gathered, counted.reduced]
            if mapping == "softmax":
                with Counted() as counted:
                    linear_statistics(
                        input, leaf, torch.arange(64) % 40, group=dist.group.WORLD
                    ).entropy.sum().backward()
                found[f"statistics {classes}"] = [counted.gathered, counted.reduced]
    return found


def first_groups():
    """Groups of the first 1, 2 and 4 processes; this process is a member of those that it is in."""
    return {size: dist.new_group(list(range(size))) for size in (1, 2, 4)}


def head_of(group, rows, features, classes, mapping="softmax"):
    """Input, this process's slice of the weight, labels."""
    generator = torch.Generator().manual_seed(0)
    mine = classes // dist.get_world_size(group)
    input, weight = (torch.rand(n, features, generator=generator).requires_grad_() for n in (rows, mine))
    return input, weight, torch.arange(rows) % classes


def peak_of(run):
    """The most bytes that tensors made by `run` have at one time."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        run()
    events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


def memory():
    """Peak bytes of loss and backward by the number of processes: measured, and by the plan."""
    rows, features, classes, found = 64, 64, 131072, {}
    # Large results in torch's memory too, which the profiler sees.
    before, memory_of_results.LARGE = memory_of_results.LARGE, 2**62
    for size, group in first_groups().items():
        if dist.get_rank() < size:
            input, weight, labels = head_of(group, rows, features, classes)
            peak = peak_of(lambda: linear_loss(input, weight, labels, group=group).backward())
            plan = linear_loss.plan_in_slices(rows, features, classes, size)
            found[size] = [peak, plan.memory_bytes - plan.weight_bytes, weight.numel() * 4, plan.weight_bytes]
        dist.barrier()
    memory_of_results.LARGE = before
    return found


def plans():
    """Bytes and collectives of a call, counted and by the plan, for several shapes and numbers of processes."""
    wrong = {}
    for size, group in first_groups().items():
        for rows, features, classes, max_memory in ((64, 8, 400, None), (33, 5, 4000, 100_000), (7, 16, 8000, None)):
            for dtype in (torch.float32, torch.bfloat16, torch.float64):
                if dist.get_rank() >= size:
                    continue
                tensors = head_of(group, rows, features, classes)
                input, weight = (x.detach().to(dtype).requires_grad_() for x in tensors[:2])
                with Counted() as counted:
                    linear_loss(input, weight, tensors[2], group=group, max_memory=max_memory).backward()
                plan = linear_loss.plan_in_slices(rows, features, classes, size, dtype, max_memory=max_memory)
                got = [counted.gathered, counted.reduced, counted.calls]
                want = [plan.gathered_bytes, plan.reduced_bytes, plan.collectives]
                if got != (want if size > 1 else [0, 0, 0]):
                    wrong[f"{size} {rows} {classes} {dtype}"] = [got, want]
        dist.barrier()
    return wrong

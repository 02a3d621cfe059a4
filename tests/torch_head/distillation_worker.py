"""One of the processes of tests/torch_head/test_distillation_shards.py: `python distillation_worker.py RANK SIZE FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import processes
import torch
import torch.distributed as dist
from distilled_heads import KINDS, MAPPINGS, errors, head, is_refused, named_classes, targets_of, tensors, truth
from shards_cases import mine
from shards_costs import Counted
from shards_faults import error_of, everywhere

from lastlayer.torch import LinearLoss, SparseTargets, TeacherTargets, linear_loss

OPTIONS = (
    {},
    {"temperature": 1.3, "softcap": 4.0, "reduction": "none"},
    {"z_loss": 0.01, "reduction": "sum", "max_memory": 6000},
    {"sample_weight": torch.linspace(0.0, 2.0, 19), "reduction": "parts"},
)
DTYPES = (torch.float64, torch.float32, torch.bfloat16)
LIMITS = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.1}


def losses(size):
    """How many cases there were, and what is wrong."""
    count, wrong, cut = 0, {}, mine(size)
    for i, name in enumerate(MAPPINGS):
        for j, kind in enumerate(KINDS):
            # More processes than cores wait long for each other.
            is_turn = name == "softmax" or (i + j) % (3 if size == 2 else 9) == 0
            if (
                is_refused(name, kind)
                or not is_turn
                or (name == "entmax per row" and (size, kind) != (2, "nothing forward"))
            ):
                continue
            for dtype in DTYPES if name == "softmax" and size == 2 else DTYPES[(i + j) % 2 : (i + j) % 2 + 1]:
                count += 1
                options = dict(OPTIONS[(i + 2 * j + DTYPES.index(dtype)) % 4])
                if "max_memory" in options and name != "softmax":
                    # The formulas need more per row. About two blocks as well.
                    options["max_memory"] = 120_000
                student, teacher = tensors(name, dtype)
                exact = truth(name, kind, student, teacher, **options)
                got = head(name, kind, student, teacher, cut, group=dist.group.WORLD, **options)
                slack = 100.0 if "max" in name and "softmax" not in name and "js" in kind else 1.0
                if not max(errors(got, exact, cut)) < LIMITS[dtype] * slack:
                    wrong[f"{name} {kind} {dtype} {options}"] = errors(got, exact, cut)
    return {"count": count, "wrong": wrong}


def edges(size):
    """Scores of −inf and +inf: as in one process."""
    wrong, cut = {}, mine(size)
    for kind in KINDS:
        for value, where in ((-float("inf"), slice(10, None)), (float("inf"), [2, 25])):
            student, teacher = tensors("softmax", torch.float64)
            student[2][where] = value
            one = head("softmax", kind, student, teacher, reduction="none")
            got = head("softmax", kind, student, teacher, cut, reduction="none", group=dist.group.WORLD)
            one[2:] = [x[cut] for x in one[2:]]
            if not all(
                torch.allclose(a, b, rtol=1e-10, atol=1e-12, equal_nan=True) for a, b in zip(got, one, strict=True)
            ):
                wrong[f"{kind} {value}"] = [float((a - b).abs().max()) for a, b in zip(got, one, strict=True)]
    return wrong


def mismatches():
    """One process of two differs in one thing; what each of them raises."""
    is_odd, cut = dist.get_rank() == 1, mine(2)
    student, teacher = tensors("softmax", torch.float32)
    indices, y = named_classes(torch.float32)

    def call(targets, **options):
        given = {"group": dist.group.WORLD, **options}
        return error_of(lambda: linear_loss(student[0], student[1][cut], targets, **given))

    def teaching(weight=teacher[1][cut], **options):
        return TeacherTargets(teacher[0], weight, **options)

    few = SparseTargets(indices, y)
    found = {
        "targets": call(few if is_odd else teaching()),
        "divergence": call(SparseTargets(indices, y, divergence="reverse") if is_odd else few),
        "rest": call(SparseTargets(indices, y, rest="nothing") if is_odd else few),
        "indices": call(SparseTargets(indices.flip(1), y) if is_odd else few),
        "probabilities": call(SparseTargets(indices, y * 0.5) if is_odd else few),
        "temperature": call(teaching(temperature=2.0) if is_odd else teaching()),
        "classes": call(teaching(teacher[1]) if is_odd else teaching()),
        "range": call(SparseTargets(indices.clamp(min=28) + torch.arange(5), y)),
        "nothing": call(few),
    }
    return {name: everywhere(message) for name, message in found.items()}


def derivatives():
    """A kept graph, second derivatives, a layer, padded classes."""
    cut = mine(2)
    student, teacher = tensors("softmax", torch.float32)
    facts = {}
    for kind in ("teacher reverse", "tail forward"):
        for reduction in ("mean", "none"):
            leaf = student[1][cut].clone().requires_grad_()
            given = {"group": dist.group.WORLD, "reduction": reduction}
            loss = linear_loss(student[0], leaf, targets_of(kind, teacher, cut), **given).sum()
            (first,) = torch.autograd.grad(loss, leaf, retain_graph=True)
            (second,) = torch.autograd.grad(2.0 * loss, leaf, retain_graph=True)
            facts[f"{kind} {reduction} twice"] = torch.allclose(2.0 * first, second)
            words = error_of(lambda loss=loss, leaf=leaf: torch.autograd.grad(loss, leaf, create_graph=True))
            facts[f"{kind} {reduction} second"] = words.startswith("RuntimeError: linear_loss with SparseTargets")
        layer = LinearLoss(6, cut.stop - cut.start, bias=False, group=dist.group.WORLD, n_classes=29)
        layer.weight.data.copy_(student[1][cut])
        indices, y = named_classes(torch.float32)
        indices = torch.where(indices >= 29, -100, indices)
        few = kind.startswith("tail")
        targets = SparseTargets(indices, y) if few else targets_of(kind, teacher, cut)
        one = targets if few else targets_of(kind, teacher)
        facts[f"{kind} layer"] = torch.allclose(
            layer(student[0], targets), linear_loss(student[0], student[1], one, n_classes=29)
        )
    return facts


def sent_bytes():
    """Bytes that a process sends in loss and backward, by kind of targets and number of classes: gathered, and reduced."""
    found = {}
    for kind in KINDS:
        for classes in (40, 4000):
            generator = torch.Generator().manual_seed(0)
            input, weight, taught = (
                torch.randn(*shape, generator=generator) for shape in ((64, 8), (classes // 2, 8), (classes // 2, 5))
            )
            input.requires_grad_()
            if kind.startswith("teacher"):
                targets = TeacherTargets(torch.randn(64, 5, generator=generator), taught, **KINDS[kind])
            else:
                targets = SparseTargets(torch.tensor([[3, 30]]).expand(64, 2), torch.full((64, 2), 0.3), **KINDS[kind])
            with Counted() as counted:
                linear_loss(input, weight, targets, group=dist.group.WORLD).backward()
            found[f"{kind} {classes}"] = [counted.gathered, counted.reduced]
    return found


def main(size, write):
    found = {"losses": losses(size)}
    if size == 2:
        found |= {"edges": edges(size), "mismatches": mismatches(), "derivatives": derivatives(), "bytes": sent_bytes()}
    return found


if __name__ == "__main__":
    processes.work(main)

"""One of the processes of tests/torch_head/test_margins_in_slices.py: `python margins_worker.py RANK SIZE FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

sys.path.insert(0, str(Path(__file__).parent.parent))

import margins_reference
import processes
import torch
import torch.distributed as dist
from shards_costs import Counted

from lastlayer.torch import LinearLoss, linear_loss, linear_statistics

ROWS, FEATURES, CLASSES = 13, 5, 12
#: Classes of each process, by the number of processes: uneven, and one empty.
SIZES = {1: [12], 2: [5, 7], 3: [4, 0, 8]}
PRIOR = torch.linspace(0.5, 6.0, CLASSES)
ANGULAR, ADDITIVE = ("angular", 0.5), ("additive", 0.35)
CASES = {
    "plain": {"margin": ADDITIVE},
    "angular": {"margin": ANGULAR, "reduction": "none"},
    "no margin": {"class_prior": PRIOR, "reduction": "sum"},
    "prior": {"margin": ANGULAR, "class_prior": PRIOR, "bias": True, "reduction": "parts", "z_loss": 0.01},
    "padded": {"margin": ADDITIVE, "class_prior": PRIOR, "n_classes": 9, "bias": True},
    "smoothed": {"margin": ANGULAR, "label_smoothing": 0.2, "z_loss": 0.01, "class_weight": PRIOR},
    "sparsemax": {"margin": ANGULAR, "mapping": "sparsemax", "class_prior": PRIOR},
    "capped": {"margin": ANGULAR, "softcap": 5.0, "temperature": 1.3, "bias": True},
    "learned": {"margin": ANGULAR, "temperature": torch.tensor(1.4), "bias": True, "class_prior": PRIOR},
    "per row": {"margin": ADDITIVE, "temperature": torch.linspace(0.7, 2, ROWS), "bias": True, "class_prior": PRIOR},
    "half": {"margin": ANGULAR, "dtype": torch.bfloat16, "scores_dtype": torch.float32, "class_prior": PRIOR},
    "float16": {"margin": ADDITIVE, "dtype": torch.float16, "bias": True},
}


def mine(size):
    sizes = SIZES[size]
    start = sum(sizes[: dist.get_rank()])
    return slice(start, start + sizes[dist.get_rank()])


def head(dtype):
    generator = torch.Generator().manual_seed(0)
    shapes = ((ROWS, FEATURES), (CLASSES, FEATURES), (CLASSES,))
    input, weight, bias = (torch.randn(*shape, generator=generator) for shape in shapes)
    labels = torch.randint(0, 9, (ROWS,), generator=generator)
    labels[2::5] = -100
    # Angles of nearly 0 and nearly π at the label, and a row without a direction.
    input[0] = 3 * weight[labels[0]] + 0.1 * input[0]
    input[1] = -2 * weight[labels[1]] + 0.1 * input[1]
    input[3] = 0
    return [x.to(dtype) for x in (input, weight, bias)], labels


def gradients(function, leaves):
    value = function()
    value = value[0] if isinstance(value, tuple) else value
    value.backward(torch.linspace(-1.0, 2.0, ROWS).to(value.dtype) if value.ndim else torch.full_like(value, 1.7))
    return [value.detach(), *(x.grad for x in leaves)]


def case(size, dtype=torch.float64, bias=False, scores_dtype=None, temperature=1.0, **options):
    """Relative errors of the loss and of every gradient that are too large."""
    cut, (tensors, labels) = mine(size), head(dtype)
    tensors = tensors if bias else tensors[:2]
    more = [torch.tensor(6.0), *([temperature] if isinstance(temperature, torch.Tensor) else [])]

    def leaves_of(some, wide):
        numbers = [x.to(torch.promote_types(torch.float32, dtype) if wide is None else wide) for x in more]
        return [x.detach().clone().requires_grad_() for x in (*some, *numbers)]

    def arguments(leaves):
        given = {"bias": leaves[2] if bias else None, "scale": leaves[len(tensors)]}
        return {**given, "temperature": leaves[-1] if len(more) > 1 else temperature}

    exact = leaves_of([x.double() for x in tensors], torch.float64)
    n_classes = options.get("n_classes")
    if "class_weight" in options:
        options["class_weight"] = options["class_weight"][:n_classes]
    want = gradients(lambda: margins_reference.loss_of(*exact[:2], labels, **arguments(exact), **options), exact)
    got = leaves_of([tensors[0], *(x[cut] for x in tensors[1:])], None)
    sliced = {k: v[cut] if k in ("class_prior", "class_weight") else v for k, v in options.items()}
    told = {**arguments(got), **sliced, "scores_dtype": scores_dtype, "group": dist.group.WORLD, "max_memory": 700}
    found = gradients(lambda: linear_loss(*got[:2], labels, normalize=True, **told), got)
    wrong = {}
    names = ("loss", "input", "weight", *(["bias"] if bias else []), "scale", "temperature")
    slack = {torch.float64: 1e-11, torch.bfloat16: 0.05, torch.float16: 0.01}[dtype]
    for name, a, t in zip(names, found, want, strict=False):
        unit = t.abs().max()
        t = t[cut] if name in ("weight", "bias") else t
        error = float((a.double() - t).abs().max() / unit) if a.numel() else 0.0
        if not error <= slack:
            wrong[name] = error
    return wrong


def statistics(size):
    (input, weight, bias), labels = head(torch.float64)
    cut, options = mine(size), {"normalize": True, "scale": 6.0}
    want = linear_statistics(input, weight, labels, bias=bias, **options)
    got = linear_statistics(input, weight[cut], labels, bias=bias[cut], group=dist.group.WORLD, **options)
    return [bool(torch.allclose(a, b, rtol=1e-12, atol=1e-13)) for a, b in zip(got, want, strict=True)]


def layer(size):
    """A layer's loss, its state and its statistics."""
    (input, weight, _), labels = head(torch.float64)
    cut, group = mine(size), dist.group.WORLD
    made = LinearLoss(
        FEATURES, weight[cut].shape[0], False, normalize=True, scale=torch.nn.Parameter(torch.tensor(6.0).double()),
        margin=ANGULAR, class_prior=PRIOR[cut], group=group, dtype=torch.float64,
    )  # fmt: skip
    made.weight.data.copy_(weight[cut])
    loss = made(input, labels)
    loss.backward()
    want = margins_reference.loss_of(input, weight, labels, scale=6.0, margin=ANGULAR, class_prior=PRIOR)
    plain = linear_statistics(input, weight, labels, normalize=True, scale=6.0).log_prob
    return {
        "loss": abs(float(loss.detach() - want)) < 1e-12,
        "state": sorted(made.state_dict()) == ["scale", "weight"],
        "scale": float(made.scale.grad.abs()) > 0,
        "statistics": bool(torch.allclose(made.statistics(input, labels).log_prob, plain)),
        "scores": made.scores(input).shape == (ROWS, weight[cut].shape[0]),
    }


def message_of(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def mismatches(size):
    """What each process says where they differ, or where one of them is wrong."""
    (input, weight, _), labels = head(torch.float64)
    cut, is_first = mine(size), dist.get_rank() == 0

    def call(**options):
        return message_of(lambda: linear_loss(input, weight[cut], labels, group=dist.group.WORLD, **options))

    prior = PRIOR[cut].clone()
    if is_first:
        prior[0] = 0
    return {
        "normalize": call(normalize=is_first),
        "margin": call(normalize=True, margin=("angular", 0.5 if is_first else 0.4)),
        "scale": call(normalize=True, scale=2.0 if is_first else torch.tensor(3.0)),
        "class_prior": call(class_prior=PRIOR[cut] if is_first else None),
        "shape": call(class_prior=PRIOR[:1] if is_first else PRIOR[cut]),
        "not positive": call(class_prior=prior),
    }


def sent_bytes(size):
    """Bytes gathered and reduced in loss and backward: of cosines, with a margin, and with a prior too."""
    (input, weight, _), labels = head(torch.float64)
    found = []
    for options in ({}, {"margin": ANGULAR}, {"margin": ANGULAR, "class_prior": PRIOR[mine(size)]}):
        leaves = [x.clone().requires_grad_() for x in (input, weight[mine(size)])]
        with Counted() as counted:
            linear_loss(*leaves, labels, normalize=True, group=dist.group.WORLD, **options).backward()
        found.append([counted.gathered, counted.reduced])
    return found


def ignored(size):
    """Infinite gradients from upstream, and NaN in rows that do not count, reach nothing."""
    (input, weight, _), labels = head(torch.float64)
    input[2] = float("nan")
    leaves = [x.detach().clone().requires_grad_() for x in (input, weight[mine(size)])]
    options = {"normalize": True, "margin": ANGULAR, "group": dist.group.WORLD}
    losses = linear_loss(*leaves, labels, reduction="none", **options)
    losses.backward(torch.where(labels == -100, float("inf"), 1.0).double())
    is_right = bool((losses[labels == -100] == 0).all()) and all(bool(x.grad.isfinite().all()) for x in leaves)
    (under_mean,) = torch.autograd.grad(linear_loss(*leaves, labels, **options), leaves[:1], torch.tensor(float("inf")))
    return is_right and all(bool((g[labels == -100] == 0).all()) for g in (leaves[0].grad, under_mean))


def main(size, write):
    found = {"cases": {name: case(size, **options) for name, options in CASES.items()}}
    found |= {"statistics": statistics(size), "layer": layer(size), "ignored": ignored(size)}
    if size == 2:
        found |= {"mismatches": mismatches(size), "bytes": sent_bytes(size)}
    return found


if __name__ == "__main__":
    processes.work(main)

"""Random hostile calls of every torch entrance: each is right, or an error that the docstrings name, in lastlayer's words.

LASTLAYER_FUZZ_CALLS=10000 makes that many calls per entrance, LASTLAYER_FUZZ_SECONDS=600 lasts that long per entrance;
LASTLAYER_FUZZ_SEED=123 repeats one call. LASTLAYER_FUZZ_REPORT=1 lists every kind of failure with its first seed.
"""

from __future__ import annotations

import itertools
import os
import re
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import reference
import torch
from hostile import (
    DTYPES,
    EPS,
    LABEL_DTYPES,
    MAPPINGS,
    REFUSED,
    WIDER_LABELS,
    Draw,
    Wrong,
    draw_labels,
    draw_options,
    draw_soft,
    draw_values,
    draw_wrong,
    laid_out,
    refusal,
    special_rows,
)

import lastlayer as ll
import lastlayer.torch as lt

Tensor = torch.Tensor
REPORT = bool(os.environ.get("LASTLAYER_FUZZ_REPORT"))
#: Kinds of calls that are known to be wrong: (entrance, what was found, facts) → whether it is one. Take an entry out when it
#: is mended; a report lists them all the same.
OPEN: dict[str, Callable[[str, str, dict[str, Any]], bool]] = {}
CALLS = int(os.environ.get("LASTLAYER_FUZZ_CALLS", "100"))
SECONDS = float(os.environ.get("LASTLAYER_FUZZ_SECONDS", "0"))
CLASSES = (1, 2, 3, 5, 8, 17, 57, 64, 100, 130, 300)


def close(got: Tensor, expected: Tensor, slack: Any, what: str) -> None:
    """Equal within the slack; infinities and NaN in the same places."""
    assert got.shape == expected.shape, f"{what}: shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
    a, b = got.detach().double(), expected.detach().double()
    same = (a == b) | (a.isnan() & b.isnan())
    off = ~same & ~((a - b).abs() <= slack)
    if bool(off.any()):
        at = tuple(int(i) for i in off.nonzero()[0])
        raise AssertionError(f"WRONG VALUE {what}: got {float(a[at]):.9g}, expected {float(b[at]):.9g} at {at}")


def tolerance(x: Tensor, dtype: torch.dtype) -> float:
    """What rounding in a dtype may do to a comparison with textbook formulas in float64, per unit of the result."""
    # The formulas of the reference lose what x − max and 1 − p cancel.
    size = float(x.detach().abs().nan_to_num(0.0, 0.0, 0.0).max()) if x.numel() else 1.0
    return 4.0 * EPS[dtype] + 1e-9 * (1.0 + size)


def upstream_for(draw: Draw, value: Tensor) -> Tensor:
    """Gradients that arrive from above: of both signs, zeros, sometimes infinite or NaN."""
    v = torch.from_numpy(np.asarray(draw.rng.normal(size=tuple(value.shape)))).to(value.dtype)
    if v.numel() and draw.chance(0.15):
        v.view(-1)[int(draw.rng.integers(v.numel()))] = draw.choose([np.inf, -np.inf, np.nan, 0.0])
        draw.note("upstream", "not finite")
    return v


def check_gradient(leaf: Tensor, exact: Tensor, dtype: torch.dtype, size: Tensor | float, what: str) -> None:
    assert leaf.grad is not None, f"{what}: no gradient"
    slack = (tolerance(leaf, dtype) * 4) * (1.0 + exact.abs().amax(-1, keepdim=True) + size)
    close(leaf.grad, exact, slack, what)


def call_probabilities(draw: Draw) -> None:
    """ll.probabilities, ll.log_probabilities, ll.logsumexp, named functions and modules, with backward."""
    mapping, dtype, classes = (draw.note("mapping", draw.choose(MAPPINGS)), draw.note("dtype", draw.choose(DTYPES)),
                               draw.choose(CLASSES))  # fmt: skip
    shape = draw.note("shape", draw.choose([(classes,), (7, classes), (0, classes), (2, 3, classes)]))
    values, ordinary = special_rows(draw, draw_values(draw, shape, mapping, dtype))
    axis = draw.note("axis", int(draw.rng.integers(-len(shape), len(shape))))
    quantity = draw.note("quantity", draw.choose(["probabilities", "log_probabilities", "logsumexp", "module"]))
    x = laid_out(draw, values.movedim(-1, axis))
    if draw.facts["layout"] == "expanded":
        ordinary = torch.isfinite(x.detach().movedim(axis, -1)).all(-1)
    leaf = x.detach().requires_grad_()
    options: dict[str, Any] = {"axis": axis}
    names = ["axis"] if quantity == "logsumexp" else ["axis", "mapping", "on_domain"]
    wrong = None if quantity == "module" else draw_wrong(draw, shape[:-1], classes, names)
    if quantity != "logsumexp":
        options |= {"mapping": mapping, "on_domain": "nan"}
    if wrong is not None:
        options[wrong.name] = wrong.given
    if quantity == "module":
        module = draw.choose([lt.Probabilities, lt.LogProbabilities])(mapping, axis)
        quantity = "log_probabilities" if isinstance(module, lt.LogProbabilities) else "probabilities"
        got, error = refusal(lambda: module(leaf))
    else:
        got, error = refusal(lambda: getattr(ll, quantity)(leaf, **options))
    if wrong is not None:
        assert error is not None, f"{draw.facts['hostile']} was taken"
        return
    if error is not None:
        raise error
    assert got.dtype == dtype
    wide = leaf.detach().double().movedim(axis, -1).requires_grad_()
    function = {"probabilities": reference.probabilities, "log_probabilities": reference.log_probabilities,
                "logsumexp": lambda _, z: torch.logsumexp(z, -1)}[quantity]  # fmt: skip
    exact = function("softmax" if quantity == "logsumexp" else mapping, wide)
    last = got if quantity == "logsumexp" else got.movedim(axis, -1)
    slack = tolerance(leaf, dtype)
    is_log = quantity == "log_probabilities"
    if is_log and mapping not in reference.LOG_G:
        p = reference.probabilities(mapping, wide)
        size = torch.where(p > 0, 1.0 / p.clamp(min=1e-300), torch.inf).detach()
        slack = slack * size.nan_to_num(torch.inf, torch.inf) + slack * exact.detach().abs().nan_to_num(0, 0, 0)
    else:
        slack = slack * (1.0 + (exact.detach().abs() if quantity != "probabilities" else 0.0))
    slack = slack if isinstance(slack, Tensor) else torch.full_like(exact, slack)
    close(last[ordinary], exact[ordinary], slack[ordinary], f"{quantity} of {mapping}")
    v = upstream_for(draw, got)
    got.backward(v)
    upstream = v.double() if quantity == "logsumexp" else v.double().movedim(axis, -1)
    clean = torch.isfinite(upstream) if quantity == "logsumexp" else torch.isfinite(upstream).all(-1)
    kept = ordinary & clean
    if is_log and mapping not in reference.LOG_G:
        # A class off the support has log p = −inf, and no slope.
        upstream = torch.where(exact.detach() == -torch.inf, 0.0, upstream)
        kept = kept & ~((exact.detach() > -torch.inf) & (exact.detach() < -6)).any(-1)
    if mapping == "entmax:alpha=2.5":
        # Its slope p^(2 − α) has no bound at the edge of the support.
        kept = kept & ~(
            (reference.probabilities(mapping, wide) < 1e-3) & (reference.probabilities(mapping, wide) > 0)
        ).any(-1)
    target = torch.where(torch.isfinite(exact), exact, 0.0)
    (exact_grad,) = torch.autograd.grad((target * upstream.nan_to_num(0, 0, 0)).sum(), wide)
    assert leaf.grad is not None
    size = v.double().nan_to_num(0, 0, 0).abs().amax() * max(1.0, classes**0.5) if v.numel() else 0.0
    if is_log and mapping not in reference.LOG_G:
        size = size * 400
    got_grad, limit = leaf.grad.movedim(axis, -1)[kept], exact_grad[kept]
    close(got_grad, limit, tolerance(leaf, dtype) * 8 * (1.0 + limit.abs().amax(-1, keepdim=True) + size)
          if limit.numel() else 0.0, f"gradient of {quantity} of {mapping}")  # fmt: skip


def finish_loss(
    draw: Draw, mapping: str, dtype: torch.dtype, leaves: list[Tensor], scores: Callable[[list[Tensor]], Tensor],
    targets: Tensor, wild: bool, ordinary: Tensor, call: Callable[[], Any], options: dict[str, Any], wrong: Wrong | None,
    is_head: bool = False,
) -> None:  # fmt: skip
    """Compare a loss and the gradients of its leaves with the reference; `scores` makes (N, K) of wide leaves."""
    got, error = refusal(call)
    if wrong is not None and wrong.meaning is REFUSED:
        assert error is not None, f"{draw.facts['hostile']} was taken"
        return
    if wild:
        assert isinstance(error, IndexError), f"label out of range: {error!r}"
        return
    if error is not None:
        raise error
    reduction = options.get("reduction", "mean")
    if reduction == "parts":
        got, denominator = got
    wide = [leaf.detach().double().requires_grad_() for leaf in leaves]
    x = scores(wide)
    rows = {name: value for name, value in options.items() if name != "reduction"}
    if rows.get("sample_weight") is not None:
        rows["sample_weight"] = rows["sample_weight"].reshape(-1)
    losses, parts = reference.row_losses(mapping, x, targets, **rows)
    if reduction == "parts":
        close(denominator.reshape(()), parts.sum(), 1e-6 * (1 + float(parts.sum())), "denominator")
    counted = parts.detach() != 0
    if "weight" in rows:
        # A class of weight 0 still has its z-loss and smoothing.
        counted = counted | (losses.detach() != 0)
    exact = reference.reduced(losses, parts, reduction)
    kept = ordinary | ~counted
    if reduction != "none" and not bool(kept.all()):
        return
    largest = float(x.detach().abs().nan_to_num(0, 0, 0).max()) if x.numel() else 1.0
    # A head's scores are rounded to its dtype; half losses are float32.
    eps = EPS[dtype] if is_head else min(EPS[dtype], EPS[torch.float32])
    unit = (16 * eps * (1 + largest) if is_head else 0.0) + 8 * eps + 1e-9 * (1 + largest)
    if targets.is_floating_point() and targets.dtype == torch.float32:
        # Rounded targets sum to one up to 1e-7, which the two sides spread differently.
        unit += 1e-6
    if mapping == "entmax:alpha=2.5":
        # Its slope p^(2 − α) has no bound at the edge of the support.
        unit += 1e-6
    z = options.get("z_loss", 0.0) * (2 * largest + 10) * 2 + 1
    temper = 1.0 / min(1.0, options.get("temperature", 1.0))
    value = got.reshape(-1) if reduction == "none" else got
    slack = unit * z * temper * (1.0 + exact.detach().abs())
    if reduction in ("sum", "parts"):
        slack = slack * (1 + len(losses))
    close(value[kept] if reduction == "none" else value, exact[kept] if reduction == "none" else exact,
          slack[kept] if reduction == "none" else slack, f"loss of {mapping}")  # fmt: skip
    v = upstream_for(draw, got)
    got.backward(v)
    flat = v.double().reshape(-1) if reduction == "none" else v.double()
    clean = torch.isfinite(flat)
    if reduction == "none":
        exact.backward(torch.where(clean & kept, flat, 0.0))
        fine = clean & kept | (parts == 0) & ~counted
    else:
        if not bool(clean) and bool(counted.any()):
            return
        exact.backward(torch.where(clean, flat, 0.0))
        fine = torch.ones(len(losses), dtype=torch.bool)
    for leaf, exact_leaf, name in zip(leaves, wide, ("input", "weight", "bias"), strict=False):
        assert leaf.grad is not None, f"no gradient of {name}"
        truth = exact_leaf.grad if exact_leaf.grad is not None else torch.zeros_like(exact_leaf)
        got_grad = leaf.grad
        if name == "input" and (is_head or leaf.ndim):
            per_row = draw.facts["rows of"](leaf.grad), draw.facts["rows of"](truth)
            # Autograd makes NaN of 0 · ∞ in the rows that the reference leaves out.
            exact_rows = torch.where(counted[:, None], per_row[1], 0.0)
            got_grad, truth = per_row[0][fine], exact_rows[fine]
        elif not bool(fine.all()):
            continue
        weight = float(options["weight"].max()) if "weight" in options else 1.0
        size = float(flat.nan_to_num(0, 0, 0).abs().max()) if flat.numel() else 0.0
        factor = (
            (1 + weight) * (2.0 if "sample_weight" in options else 1.0) * temper * z * (1 + (largest if is_head else 0))
        )
        if name != "input":
            factor = factor * (1 + len(losses) / (len(losses) if reduction == "mean" and len(losses) else 1))
        slack = (8 * EPS[dtype] + unit) * factor * ((truth.abs().amax() if truth.numel() else 0.0) + size + 1e-3)
        close(got_grad, truth, slack, f"gradient of {name} of {mapping}")


def call_loss(draw: Draw, entrance: str) -> None:
    """ll.loss, ll.loss_and_grad, and the modules CrossEntropyLoss and MappingLoss."""
    mapping, dtype, classes = (draw.note("mapping", draw.choose(MAPPINGS)), draw.note("dtype", draw.choose(DTYPES)),
                               draw.choose(CLASSES))  # fmt: skip
    is_module = entrance == "modules"
    batch = draw.choose([(), (9,), (0,), (2, 3)])
    draw.note("shape", (*batch, classes))
    values, ordinary = special_rows(draw, draw_values(draw, (*batch, classes), mapping, dtype))
    axis = (1 if batch else 0) if is_module else draw.choose([-1, -1, 0])
    x = laid_out(draw, values.movedim(-1, axis))
    leaf = x.detach().requires_grad_()
    if draw.facts["layout"] == "expanded":
        ordinary = torch.isfinite(leaf.detach().movedim(axis, -1)).all(-1)
    draw.facts["rows of"] = lambda t: t.movedim(axis, -1).reshape(-1, classes)
    is_soft = draw.note("soft", draw.chance(0.25))
    wild = False
    options = draw_options(draw, batch, classes, not is_module)
    if is_soft:
        targets = draw_soft(draw, batch, classes, draw.choose([torch.float32, torch.float64]))
        flat, given = targets.reshape(-1, classes), targets.movedim(-1, axis)
    else:
        targets, ignored, wild = draw_labels(draw, batch, classes, (*LABEL_DTYPES, *WIDER_LABELS))
        flat, given = targets.reshape(-1).to(torch.int64), targets
        options["ignore_index"] = ignored
    options["reduction"] = draw.choose(["mean", "sum", "none", "parts"])
    names = ["reduction", "label_smoothing", "z_loss", "temperature", "softcap", "weight", "mapping", "ignore_index"]
    wrong = draw_wrong(draw, batch, classes, names if is_module else [*names, "sample_weight", "axis", "on_domain"])
    if is_module and wrong is not None and wrong.given == "w":
        # torch's own register_buffer refuses it.
        wrong = None
    passed = dict(options) | ({} if is_module else {"axis": axis, "on_domain": "nan"}) | {"mapping": mapping}
    if wrong is not None:
        passed[wrong.name] = wrong.given
        if wrong.meaning is not REFUSED and wrong.name in (
            *options,
            "temperature",
            "softcap",
            "z_loss",
            "label_smoothing",
        ):
            options[wrong.name] = wrong.meaning
        if wrong.name == "ignore_index":
            flat = torch.where(flat == draw.facts.get("ignore_index", -100), -100, flat) if not is_soft else flat
            given = flat.reshape(given.shape) if not is_soft else given
    draw.note("options", {k: v for k, v in options.items() if not isinstance(v, Tensor)} | {
        k: "tensor" for k, v in options.items() if isinstance(v, Tensor)})  # fmt: skip
    if entrance == "loss_and_grad":

        def call() -> Any:
            value, gradient = ll.loss_and_grad(leaf.detach(), given, **passed)
            return value, gradient

        got, error = refusal(call)
        if wrong is not None and wrong.meaning is REFUSED:
            assert error is not None, f"{draw.facts['hostile']} was taken"
            return
        if wild:
            assert isinstance(error, IndexError), f"label out of range: {error!r}"
            return
        if error is not None:
            raise error
        value, gradient = got
        finish_loss(draw, mapping, dtype, [leaf], lambda w: w[0].movedim(axis, -1).reshape(-1, classes), flat, False,
                    ordinary.reshape(-1), lambda: _with_gradient(leaf, value, gradient, axis, classes), options, None)  # fmt: skip
        return

    def run() -> Any:
        if not is_module:
            return ll.loss(leaf, given, **passed)
        weight = passed.pop("weight", None)
        return lt.MappingLoss(passed.pop("mapping"), weight, **passed)(leaf, given)

    finish_loss(draw, mapping, dtype, [leaf], lambda w: w[0].movedim(axis, -1).reshape(-1, classes), flat, wild,
                ordinary.reshape(-1), run, options, wrong)  # fmt: skip


def _with_gradient(leaf: Tensor, value: Any, gradient: Tensor, axis: int, classes: int) -> Any:
    """A loss whose backward is the gradient that loss_and_grad gave."""

    class Given(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Any:
            total = value[0] if isinstance(value, tuple) else value
            return total.clone()

        @staticmethod
        def backward(ctx: Any, v: Tensor) -> Any:
            rows = gradient.movedim(axis, -1)
            # 0 · inf would be NaN: a row without a gradient keeps it.
            pulled = torch.where(rows == 0, 0.0, rows.double() * v.double()[..., None])
            return pulled.movedim(-1, axis).to(gradient.dtype)

    total = Given.apply(leaf)
    return (total, value[1]) if isinstance(value, tuple) else total


def call_head(draw: Draw, entrance: str) -> None:
    """linear_loss, LinearLoss and linear_statistics."""
    mapping, dtype, classes = (draw.note("mapping", draw.choose(MAPPINGS)), draw.note("dtype", draw.choose(DTYPES)),
                               draw.choose(CLASSES))  # fmt: skip
    features, batch = int(draw.choose([1, 4, 9])), draw.choose([(), (9,), (0,), (2, 3), (33,)])
    draw.note("shape", (*batch, features, classes))
    is_limited = ll.resolve_mapping(mapping).domain.is_valid is not None
    positive = (lambda t: t.abs() + 0.2) if is_limited else (lambda t: t)
    make = lambda *shape: positive(torch.from_numpy(np.asarray(draw.rng.normal(size=shape)))).to(dtype)  # noqa: E731
    tensors = [laid_out(draw, make(*batch, features)), laid_out(draw, make(classes, features))]
    if draw.chance(0.5):
        tensors.append(laid_out(draw, make(classes)))
    leaves = [t.detach().requires_grad_() for t in tensors]
    draw.facts["rows of"] = lambda t: t.reshape(-1, features)
    rows = int(np.prod(batch))
    ordinary = torch.ones(rows, dtype=torch.bool)
    options: dict[str, Any] = draw_options(draw, batch, classes, entrance == "linear_loss")
    if entrance == "linear_statistics":
        options = {k: v for k, v in options.items() if k in ("temperature", "softcap")}
    is_soft, wild = entrance != "linear_statistics" and draw.note("soft", draw.chance(0.2)), False
    if is_soft:
        given = draw_soft(draw, batch, classes, torch.float32)
        flat = given.reshape(-1, classes)
    else:
        given, ignored, wild = draw_labels(draw, batch, classes, (*LABEL_DTYPES, *WIDER_LABELS))
        flat = given.reshape(-1).to(torch.int64)
        options["ignore_index"] = ignored
    if entrance != "linear_statistics":
        options["reduction"] = draw.choose(["mean", "sum", "none", "parts"])
    names = ["temperature", "softcap", "mapping", "ignore_index", "max_memory"]
    if entrance != "linear_statistics":
        names += ["reduction", "label_smoothing", "z_loss", "weight"]
    if entrance == "linear_loss":
        names += ["sample_weight", "bias"]
    wrong = draw_wrong(draw, batch, classes, names)
    passed = dict(options) | {"mapping": mapping}
    if wrong is not None:
        passed[wrong.name] = wrong.given
        if wrong.meaning is not REFUSED:
            options[wrong.name] = wrong.meaning
        if wrong.name == "ignore_index" and not is_soft:
            flat = torch.where(flat == draw.facts["ignore_index"], -100, flat)
            given = flat.reshape(given.shape)
    if "weight" in passed:
        passed["class_weight"] = passed.pop("weight")
    if options.get("sample_weight") is not None:
        options["sample_weight"] = options["sample_weight"].reshape(-1)
    draw.note("options", {k: v for k, v in passed.items() if not isinstance(v, Tensor)} | {
        k: "tensor" for k, v in passed.items() if isinstance(v, Tensor)})  # fmt: skip

    def scores(w: list[Tensor]) -> Tensor:
        x = w[0].reshape(-1, features) @ w[1].T
        return x + w[2] if len(w) > 2 else x

    bias = leaves[2] if len(leaves) > 2 else None
    if entrance == "linear_statistics":
        check_statistics(draw, mapping, dtype, leaves, scores, given, flat, wild, passed, options, wrong)
        return

    def run() -> Any:
        if entrance == "linear_loss":
            return lt.linear_loss(leaves[0], leaves[1], given, **({"bias": bias} | passed))
        head = lt.LinearLoss(features, classes, bias is not None, dtype=dtype, **passed)
        head.weight, head.bias = (
            torch.nn.Parameter(leaves[1].detach()),
            None if bias is None else torch.nn.Parameter(bias.detach()),
        )
        leaves[1:] = [head.weight] if head.bias is None else [head.weight, head.bias]
        return head(leaves[0], given)

    finish_loss(draw, mapping, dtype, leaves, scores, flat, wild, ordinary, run, options, wrong, is_head=True)


def check_statistics(
    draw: Draw, mapping: str, dtype: torch.dtype, leaves: list[Tensor], scores: Any, given: Tensor, flat: Tensor, wild: bool,
    passed: dict[str, Any], options: dict[str, Any], wrong: Wrong | None,
) -> None:  # fmt: skip
    """Each statistic of every row, and the gradient of the label's log-probability."""
    bias = leaves[2] if len(leaves) > 2 else None
    got, error = refusal(lambda: lt.linear_statistics(leaves[0], leaves[1], given, bias=bias, **passed))
    if wrong is not None and wrong.meaning is REFUSED:
        assert error is not None, f"{draw.facts['hostile']} was taken"
        return
    if wild:
        assert isinstance(error, IndexError), f"label out of range: {error!r}"
        return
    if error is not None:
        raise error
    wide = [leaf.detach().double().requires_grad_() for leaf in leaves]
    x = scores(wide)
    if options.get("softcap") is not None:
        x = options["softcap"] * torch.tanh(x / options["softcap"])
    x = x / options.get("temperature", 1.0)
    p, log_p = reference.probabilities(mapping, x), reference.log_probabilities(mapping, x)
    counted = flat != options["ignore_index"]
    exact_log = log_p.gather(1, torch.where(counted, flat, 0)[:, None])[:, 0]
    exact_log = torch.where(counted, exact_log, 0.0)
    # Ignored rows are zeros, and their argmax is −1.
    entropy = torch.where(counted, -torch.where(p > 0, p * log_p, 0.0).sum(-1), 0.0)
    largest = float(x.detach().abs().max()) if x.numel() else 1.0
    unit = 32 * EPS[dtype] * (1 + largest) / min(1.0, options.get("temperature", 1.0)) + 1e-9 * (1 + largest)
    if mapping in reference.LOG_G:
        close(got.log_prob.reshape(-1), exact_log, unit * (1 + exact_log.detach().abs()), f"log_prob of {mapping}")
        close(got.entropy.reshape(-1), entropy, unit * (2 + 2 * entropy.detach()), f"entropy of {mapping}")
    else:
        # A class near the edge of the support has few digits in half types.
        implied = torch.where(counted, p.gather(1, torch.where(counted, flat, 0)[:, None])[:, 0], 1.0)
        share = got.log_prob.reshape(-1).double().exp()
        close(
            share,
            implied,
            unit * 4 if mapping != "entmax:alpha=2.5" else (4 * unit) ** 0.5 + unit,
            f"exp(log_prob) of {mapping}",
        )
    z = torch.where(counted, reference.log_partition(mapping, x), 0.0)
    close(got.logsumexp.reshape(-1), z, unit * (1 + z.detach().abs()), f"logsumexp of {mapping}")
    if EPS[dtype] < 1e-5 and x.numel():
        first = got.argmax.reshape(-1)
        assert bool((first[~counted] == -1).all())
        chosen = x.detach()[counted].gather(1, first[counted, None])[:, 0]
        close(chosen, x.detach()[counted].amax(-1), unit, "argmax")
    if mapping in reference.LOG_G and len(flat):
        v = torch.from_numpy(draw.rng.normal(size=len(flat)))
        got.log_prob.reshape(-1).backward(v.to(got.log_prob.dtype))
        exact_log.backward(v)
        truth = wide[0].grad
        assert truth is not None
        assert leaves[0].grad is not None
        slack = 8 * unit * (1 + float(leaves[1].detach().abs().max())) * (1 + truth.abs().amax() + v.abs().max())
        close(leaves[0].grad, truth, slack, f"gradient of log_prob of {mapping}")


ENTRANCES: dict[str, Callable[[Draw], None]] = {
    "probabilities": call_probabilities,
    "loss": lambda draw: call_loss(draw, "loss"),
    "loss_and_grad": lambda draw: call_loss(draw, "loss_and_grad"),
    "modules": lambda draw: call_loss(draw, "modules"),
    "linear_loss": lambda draw: call_head(draw, "linear_loss"),
    "LinearLoss": lambda draw: call_head(draw, "LinearLoss"),
    "linear_statistics": lambda draw: call_head(draw, "linear_statistics"),
}


def trial(entrance: str, seed: int) -> str | None:
    """What is wrong with the call of a seed; None where nothing is."""
    draw = Draw(np.random.default_rng([seed, len(entrance), ord(entrance[0])]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # On Parameters and expanded leaves torch warns of nothing that is ours.
            warnings.filterwarnings("ignore", message="The .grad attribute")
            ENTRANCES[entrance](draw)
    except Exception as error:
        draw.facts.pop("rows of", None)
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        found = f"{kind}{error} {draw.facts}"
        is_open = any(is_of(entrance, found, draw.facts) for is_of in OPEN.values())
        return None if is_open and not REPORT else found
    return None


@pytest.mark.parametrize("entrance", ENTRANCES)
def test_hostile_calls(entrance: str) -> None:
    one = os.environ.get("LASTLAYER_FUZZ_SEED")
    until, kinds = time.monotonic() + SECONDS, {}
    calls = 0
    for seed in [int(one)] if one else itertools.count():
        if not one and calls >= CALLS and time.monotonic() > until:
            break
        calls += 1
        if (found := trial(entrance, seed)) is None:
            continue
        if not REPORT:
            raise AssertionError(f"{entrance}, seed {seed}: {found}")
        # One entry per kind: its words without numbers.
        kind = re.sub(r"-?\d[\d.e+-]*", "#", found.partition(" {")[0])
        kinds.setdefault(kind, []).append((seed, found))
    assert not kinds, f"{entrance}, {calls} calls:\n" + "\n".join(
        f"{len(found):6d} × {kind}\n         first: seed {found[0][0]}: {found[0][1]}" for kind, found in kinds.items()
    )

"""PyTorch's OpInfo samples and module inputs, with lastlayer in torch's place: values, gradients, gradcheck, gradgradcheck."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from verdict import REFUSALS, NotApplicableError, Rule, Suite

import lastlayer as ll
import lastlayer.torch as lt

Tensor = torch.Tensor
NAME = "torch"
#: The error that `_close` raises if torch returns NaN for the mean of no rows.
RULES = (Rule("mean of nothing", "difference", "mean over no rows"),)
#: For these refusals the sample is changed so that lastlayer accepts it, and then compared.
TAMED = tuple(rule for rule in REFUSALS if rule.reason in ("soft targets", "negative class weights"))
HALVES = (torch.float16, torch.bfloat16)


def _one_axis(x: Tensor, dim: Any) -> Tensor:
    if isinstance(dim, (tuple, list)) and len(dim) != 1:
        raise NotApplicableError("several class axes")
    return x


def _softmax(x: Tensor, dim: Any, dtype: Any = None, **_: Any) -> Tensor:
    return ll.softmax(_one_axis(x, dim) if dtype is None else x.to(dtype), axis=dim)


def _log_softmax(x: Tensor, dim: Any, dtype: Any = None, **_: Any) -> Tensor:
    return ll.log_softmax(x if dtype is None else x.to(dtype), axis=dim)


def _softmin(x: Tensor, dim: Any, dtype: Any = None, **_: Any) -> Tensor:
    if not x.dtype.is_signed:
        # torch negates unsigned scores before it casts them, so they wrap around.
        raise NotApplicableError("softmin of unsigned scores")
    return ll.softmax(-(x if dtype is None else x.to(dtype)), axis=dim)


def _logsumexp(x: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    x = _one_axis(x, dim)
    return ll.logsumexp(x, axis=dim[0] if isinstance(dim, (tuple, list)) else dim, keepdims=keepdim)


def _cross_entropy(input: Tensor, target: Tensor, weight: Any = None, **options: Any) -> Tensor:
    options = {k: v for k, v in options.items() if k in ("ignore_index", "reduction", "label_smoothing")}
    return lt.CrossEntropyLoss(weight, **options)(input, target)


def _linear_cross_entropy(input: Tensor, linear_weight: Tensor, target: Tensor, **options: Any) -> Tensor:
    if linear_weight.ndim != 2 or input.ndim > 2:
        raise NotApplicableError("a head weight of more than two axes")
    known = {k: v for k, v in options.items() if k in ("ignore_index", "reduction", "label_smoothing")}
    known |= {"bias": options.get("linear_bias"), "class_weight": options.get("weight")}
    return lt.linear_loss(input, linear_weight, target, **known)


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "nn.functional.softmin": _softmin,
    "logsumexp": _logsumexp,
    "nn.functional.cross_entropy": _cross_entropy,
    "nn.functional.linear_cross_entropy": _linear_cross_entropy,
}


def run() -> Iterator[Suite]:
    """Every OpInfo of the functions above, and the module inputs."""
    # Imported here: torch's testing modules need expecttest, which may be missing.
    from torch.testing._internal.common_methods_invocations import op_db

    for info in op_db:
        if info.name in OPERATORS:
            suite = Suite(f"torch {info.name} {info.variant_test_name}".strip())
            for dtype in sorted(info.supported_dtypes("cpu"), key=str):
                for get in (info.sample_inputs, info.reference_inputs):
                    _walk(suite, info, dtype, get)
            yield suite
    yield _modules()


def _walk(suite: Suite, info: Any, dtype: torch.dtype, get: Callable[..., Any]) -> None:
    if dtype.is_complex or dtype == torch.bool:
        for _ in get("cpu", dtype):
            suite.add("n.a.", "complex or bool scores")
        return
    is_tracked = dtype.is_floating_point and info.supports_autograd
    torch.manual_seed(0)
    for i, sample in enumerate(get("cpu", dtype, requires_grad=is_tracked)):
        name = f"{dtype}, sample {i} of {get.__name__}"
        suite.trial(name, lambda s=sample: _compare(info, s, dtype, is_tracked), RULES)


def _leaves(sample: Any) -> list[Tensor]:
    return [t for t in (sample.input, *sample.args, *sample.kwargs.values()) if _is_leaf(t)]


def _is_leaf(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.requires_grad


def _compare(info: Any, sample: Any, dtype: torch.dtype, is_tracked: bool) -> str | None:
    """Compare one sample: None if equal, else the row of docs/deviations.md that names the difference."""
    ours, kwargs = OPERATORS[info.name], dict(sample.kwargs)
    refused = None
    try:
        got = ours(sample.input, *sample.args, **kwargs)
    except ValueError as error:
        refused = next((rule.reason for rule in TAMED if rule.pattern in str(error)), None)
        if refused is None:
            raise
        # The refusal is a documented difference. Compare the sample all the same, with distributions and weights ≥ 0.
        sample = _tamed(sample)
        kwargs = dict(sample.kwargs)
        got = ours(sample.input, *sample.args, **kwargs)
    expected = info.op(sample.input, *sample.args, **kwargs)
    found = _close(got, expected, dtype)
    leaves = _leaves(sample)
    if is_tracked and leaves and got.requires_grad:
        _compare_gradients(info, ours, sample, kwargs, got, expected, leaves, dtype)
    return refused or found


def _tamed(sample: Any) -> Any:
    """The sample with constant targets that sum to one, and without negative class weights."""
    target = sample.args[-1].detach() if sample.args else sample.kwargs["target"].detach()
    kwargs = dict(sample.kwargs)
    if target.is_floating_point():
        axis = 1 if target.ndim > 1 else 0
        target = target.abs() + 1e-3
        target = (target.float() / target.float().sum(axis, keepdim=True)).to(target.dtype)
    if kwargs.get("weight") is not None:
        kwargs["weight"] = kwargs["weight"].detach().abs()
    return SimpleNamespace(input=sample.input, args=(*sample.args[:-1], target), kwargs=kwargs)


def _compare_gradients(
    info: Any, ours: Any, sample: Any, kwargs: Any, got: Tensor, expected: Tensor, leaves: list[Tensor], dtype: torch.dtype
) -> None:  # fmt: skip
    v = torch.randn_like(expected)
    exact = torch.autograd.grad(expected, leaves, v, allow_unused=True)
    mine = torch.autograd.grad(got, leaves, v.to(got.dtype), allow_unused=True)
    for a, b in zip(mine, exact, strict=True):
        if (a is None) != (b is None) and bool((b if a is None else a).any()):
            raise AssertionError(f"a gradient is {'missing' if a is None else 'there, torch has none'}")
        if a is not None and b is not None:
            _close(a, b, dtype)
    if dtype == torch.float64 and got.numel() and torch.isfinite(got).all() and torch.isfinite(expected).all():

        def function(*tensors: Tensor) -> Tensor:
            place = iter(tensors)
            swap = lambda value: next(place) if _is_leaf(value) else value  # noqa: E731
            return ours(swap(sample.input), *map(swap, sample.args), **{k: swap(x) for k, x in kwargs.items()})

        inputs = tuple(leaf.detach().clone().requires_grad_() for leaf in leaves)
        assert torch.autograd.gradcheck(function, inputs, fast_mode=True)
        assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


def _close(got: Tensor, expected: Tensor, dtype: torch.dtype) -> str | None:
    """Raise unless the values are equal; the row of docs/deviations.md if only the dtype differs."""
    if expected.isnan().all() and expected.ndim == 0 and bool((got == 0).all()):
        raise AssertionError("mean of nothing")
    if expected.isnan().any() and not got.isnan().any():
        raise AssertionError(f"torch gives NaN where lastlayer gives {got.flatten()[:3]}")
    # Loose in half types, since torch computes some operations in half precision.
    loose = {torch.float16: 2e-2, torch.bfloat16: 1e-1, torch.float32: 2e-5, torch.float64: 1e-9}
    tolerance = loose.get(dtype, 2e-5)
    torch.testing.assert_close(got, expected, rtol=tolerance, atol=tolerance, check_dtype=False, equal_nan=True)
    if got.dtype == expected.dtype:
        return None
    return "loss of float16" if dtype in HALVES else "integer scores"


def _modules() -> Suite:
    """The inputs of torch's module tests for CrossEntropyLoss, Softmax and LogSoftmax, on lastlayer's modules."""
    from torch.testing._internal.common_modules import module_db

    suite = Suite("torch common_modules")
    mine = {
        torch.nn.CrossEntropyLoss: lt.CrossEntropyLoss,
        torch.nn.Softmax: lt.Softmax,
        torch.nn.LogSoftmax: lt.LogSoftmax,
    }
    for info, dtype in itertools.product(module_db, (torch.float32, torch.float64)):
        if info.module_cls in mine:
            torch.manual_seed(0)
            inputs = info.module_inputs_func(info, "cpu", dtype, requires_grad=True, training=True)
            for i, given in enumerate(inputs):
                name = f"{info.name} {dtype} {i}"
                pair = info.module_cls, mine[info.module_cls]
                suite.trial(name, partial(_compare_modules, given, *pair, dtype), RULES)
    return suite


def _compare_modules(given: Any, theirs: Any, ours: Any, dtype: torch.dtype) -> str | None:
    options = dict(given.constructor_input.kwargs)
    args = given.constructor_input.args
    forward = given.forward_input
    expected = theirs(*args, **options)(*forward.args, **forward.kwargs)
    got = ours(*args, **options)(*forward.args, **forward.kwargs)
    found = _close(got, expected, dtype)
    leaf = forward.args[0]
    if leaf.requires_grad and got.requires_grad:
        v = torch.randn_like(expected)
        _close(torch.autograd.grad(got, leaf, v)[0], torch.autograd.grad(expected, leaf, v)[0], dtype)
    return found


__all__ = ["NAME", "run"]

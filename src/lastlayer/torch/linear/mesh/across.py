"""Between processes that hold the same classes: sums over rows in parts, and a handshake, as among the slices of the classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch.distributed.device_mesh import DeviceMesh

from lastlayer.torch.linear.mesh.layout import Layout
from lastlayer.torch.linear.sharded.handshake import agree, refuse
from lastlayer.torch.linear.sharded.prints import print_of_rows, sketch_of_inputs
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor
#: Options that have an entry per class.
PER_CLASS = ("class_weight", "class_prior")
Result = TypeVar("Result")


class _SumOfParts(torch.autograd.Function):
    """Σ over the processes with other rows. Each of them gets the upstream gradient of the sum, which is the same on all."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, layout: Layout, call: str) -> Tensor:
        total = part.double()
        for dimension in layout.row_dimensions:
            total = Wire(layout.mesh.get_group(dimension), call).add(total)
        return total.to(part.dtype)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
        return upstream, None, None


def sum_of_parts(part: Tensor, layout: Layout, call: str) -> Tensor:
    """A total of all rows from that of each process."""
    total: Tensor = _SumOfParts.apply(part.clone(), layout, call)  # type: ignore[no-untyped-call]
    return total


def check_everywhere(
    mesh: DeviceMesh,
    call: str,
    device: torch.device,
    check: Callable[[], Result],
    facts: Callable[[Result], dict[str, object]],
) -> Result:
    """What `check` returns, if no process of the mesh refuses its arguments and all say the same of them; else all raise.

    One exchange per dimension of the mesh, before anything else is sent.

    Raises:
        Exception: that of `check`, or ValueError about another process's error or about what differs.
    """
    error: Exception | None = None
    said: dict[str, object] = {}
    try:
        result = check()
        said = facts(result)
    except Exception as raised:
        error = raised
    dimensions = [i for i in range(mesh.ndim) if mesh.size(i) > 1]
    words = "each tensor must lie in the same way on all"
    error = _tell_all(mesh, dimensions, call, device, error, lambda _: said, lambda _: words)
    if error is not None:
        raise error
    return result


def run_everywhere(
    layout: Layout, call: str, device: torch.device, run: Callable[[], Result], facts: Callable[[], dict[str, object]]
) -> Result:
    """What `run` returns, if every process of the mesh has run it with the same facts; else all raise.

    `run` sends among the slices of the classes alone, which have agreed on the same or have raised the same error. One more
    exchange per further dimension of the mesh then tells everybody.

    Raises:
        Exception: that of `run`, or ValueError about another process's error or about what differs.
    """
    error: Exception | None = None
    said: dict[str, object] = {}
    try:
        result = run()
        said = facts()
    except Exception as raised:
        error = raised
    error = _tell_all(
        layout.mesh,
        layout.other_dimensions,
        call,
        device,
        error,
        lambda dimension: _facts_along(said, dimension in layout.row_dimensions),
        lambda dimension: f"only the rows may differ along dimension {dimension} of the mesh, where input says Shard",
    )
    if error is not None:
        raise error
    return result


def _tell_all(
    mesh: DeviceMesh,
    dimensions: Sequence[int],
    call: str,
    device: torch.device,
    error: Exception | None,
    facts: Callable[[int], Mapping[str, Any]],
    words: Callable[[int], str],
) -> Exception | None:
    """One exchange per dimension: the error that this process has, or has heard by the last of them."""
    for dimension in dimensions:
        wire = Wire(mesh.get_group(dimension), call)
        wire.sliced = words(dimension)
        try:
            _tell(wire, device, error, facts(dimension))
        except Exception as heard:
            error = error or heard
    return error


def _tell(wire: Wire, device: torch.device, error: Exception | None, facts: Mapping[str, Any]) -> None:
    if error is not None:
        refuse(wire, device, error)
        return
    sketch = {"sketch": facts["sketch"]} if "sketch" in facts else {}
    agree(wire, device, {name: value for name, value in facts.items() if name != "sketch"}, 1, 0, **sketch)


#: What differs where the rows do.
_OF_ROWS = ("rows", "labels, as a fingerprint", "sketch")
_EACH = "each row's "


def _facts_along(facts: dict[str, object], has_other_rows: bool) -> dict[str, object]:
    if not has_other_rows:
        return facts
    return {name: value for name, value in facts.items() if name not in _OF_ROWS and not name.startswith(_EACH)}


def facts_across(
    layout: Layout,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Any,
    mapping: Any,
    options: dict[str, Any],
) -> dict[str, object]:
    """What must be the same along the other dimensions of the mesh, of the local tensors."""
    tensors, is_tensor = {"input": input, "weight": weight, "bias": bias}, isinstance(targets, torch.Tensor)
    asked = [name for name, x in tensors.items() if x is not None and x.requires_grad and torch.is_grad_enabled()]
    facts: dict[str, object] = {
        "rows": tuple(input.shape[:-1]),
        "features": input.shape[-1],
        "classes of this process": weight.shape[0],
        "dtype": input.dtype,
        "mapping": getattr(mapping, "label", mapping),
        "bias": bias is not None,
        "targets": f"{targets.dtype}, {targets.ndim} axes" if is_tensor else type(targets).__name__,
        "gradients for": ", ".join(asked) or "nothing",
    }
    facts |= {name: getattr(targets, name) for name in ("divergence", "rest") if hasattr(targets, name)}
    for name, value in options.items():
        if name == "max_memory" or value is None:
            continue
        is_one = not isinstance(value, torch.Tensor) or name in PER_CLASS or (value.numel() == 1 and value.ndim <= 1)
        facts[name if is_one else _EACH + name] = _in_words(value)
    if set(layout.other_dimensions) - set(layout.row_dimensions):
        flat = input.reshape(-1, input.shape[-1]) if input.numel() else input.reshape(0, input.shape[-1])
        facts["sketch"] = sketch_of_inputs(flat)
        if is_tensor and not targets.dtype.is_floating_point:
            facts["labels, as a fingerprint"] = print_of_rows(targets)
        of_rows = () if is_tensor else ("indices", "probabilities", "input")
        each = {f"targets.{name}": getattr(targets, name) for name in of_rows if hasattr(targets, name)}
        each |= {name: value for name, value in getattr(mapping, "values", {}).items() if value is not None}
        facts |= {_EACH + name: _in_words(value) for name, value in each.items() if isinstance(value, torch.Tensor)}
    return facts


def _in_words(value: Any) -> object:
    return f"tensor with the fingerprint {print_of_rows(value)}" if isinstance(value, torch.Tensor) else value

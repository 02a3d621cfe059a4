"""From a head's arguments to a call that all processes have agreed on: checked here, compared there, cut to the classes that exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import torch

from lastlayer.arguments import as_integer
from lastlayer.backends.torch.tensor_state import is_untransformed
from lastlayer.functions.scores import is_eager
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.linear.arguments import Head, divide_by_temperature, prepare_head, refuse_gradients
from lastlayer.torch.linear.labels import prepare_labels
from lastlayer.torch.linear.plan import block_rows
from lastlayer.torch.linear.sharded.call import Call
from lastlayer.torch.linear.sharded.facts import check_slices
from lastlayer.torch.linear.sharded.handshake import Agreement, agree, refuse
from lastlayer.torch.linear.sharded.prints import mark_of, print_of_rows, sketch_of_inputs
from lastlayer.torch.linear.sharded.wire import Wire

Tensor = torch.Tensor
Result = TypeVar("Result")


class Sliced(NamedTuple):
    """A head of slices, and what this process would do about it."""

    head: Head
    mapping: ProbabilityMapping
    options: LossOptions
    targets: Tensor
    is_soft: bool
    #: Whether half inputs have float32 scores.
    is_wide: bool
    #: Rows per block that this process proposes.
    height: int
    facts: dict[str, object]


def or_tell(wire: Wire, weight: Any, prepare: Callable[[], Result]) -> Result:
    """What `prepare` returns; if it raises, the other processes of the group hear of it and raise too."""
    try:
        return prepare()
    except Exception as error:
        device = weight.device if isinstance(weight, torch.Tensor) else torch.device("cpu")
        refuse(wire, device, error)
        raise


def told(group: Any, weight: Any, error: Exception) -> Exception:
    """The error to raise; the other processes of the group, if there is one, hear of it now."""
    if group is not None:
        refuse(Wire(group, "LinearLoss"), weight.device, error)
    return error


def prepare_slices(
    input: Tensor, weight: Tensor, bias: Tensor | None, temperature: Any, softcap: Any
) -> tuple[Head, Any]:
    """The head of this process's classes, and the temperature as a number.

    Raises:
        TypeError: tensors that are traced or transformed, and what `prepare_head` refuses.
    """
    head = prepare_head(input, weight, bias, may_be_empty=True)
    if not all(is_untransformed(x) for x in (head.input, head.weight)):
        raise TypeError(
            "with group= a head works on plain tensors in eager calls: not inside of torch.func, fake tensors, export or a dispatch "
            "mode, since it sends what it computes."
        )
    is_number = not isinstance(temperature, torch.Tensor) or (
        temperature.numel() == 1 and not temperature.requires_grad
    )
    if head.bias is not None and not is_number and softcap is None:
        # As the weight of one more feature: then the temperature's gradient comes through the input alone, whose gradient is whole.
        ones = head.input.new_ones(head.input.shape[0], 1)
        more = torch.cat([head.weight, head.bias[:, None]], 1)
        head = Head(torch.cat([head.input, ones], 1), more, None, head.shape)
    return divide_by_temperature(head, temperature, softcap)


def height_of(head: Head, max_memory: int | None, is_wide: bool, buffers: int) -> int:
    """Rows per block that this process proposes."""
    rows, features = head.input.shape
    classes = max(1, head.weight.shape[0])
    return block_rows(rows, features, classes, head.input.dtype, head.input.device, max_memory, buffers, is_wide)


def facts_of(
    head: Head, mapping: ProbabilityMapping, options: LossOptions, targets: Any, is_soft: bool
) -> dict[str, object]:
    """What must be the same on every process, in words."""
    tensors = {"input": head.input, "weight": head.weight, "bias": head.bias}
    is_tracking = torch.is_grad_enabled()
    asked = [name for name, x in tensors.items() if x is not None and x.requires_grad and is_tracking]
    sample_weight = options.sample_weight
    facts: dict[str, object] = {
        "rows": head.input.shape[0],
        "features": head.input.shape[1],
        "dtype": head.input.dtype,
        "device": head.input.device.type,
        "mapping": mapping.label,
        "bias": head.bias is not None,
        "targets": "soft targets" if is_soft else f"labels of {getattr(targets, 'dtype', type(targets).__name__)}",
        "gradients for": ", ".join(asked) or "nothing",
        "class_weight": options.weight is not None,
        "sample_weight": sample_weight is not None,
    }
    for name in ("label_smoothing", "z_loss", "temperature", "softcap"):
        value = getattr(options, name)
        facts[name] = float(value) if isinstance(value, int) else value
    facts |= {"ignore_index": options.ignore_index, "reduction": options.reduction}
    if sample_weight is not None:
        facts["sample_weight, as a fingerprint"] = print_of_rows(sample_weight)
    if not is_soft and isinstance(targets, torch.Tensor) and not targets.is_complex():
        facts["labels, as a fingerprint"] = print_of_rows(targets)
    for name, value in mapping.values.items():
        if isinstance(value, torch.Tensor):
            facts[f"{name} of each row, as a fingerprint"] = print_of_rows(value)
    return facts


def check_slices_of(weight: Any, **per_class: Any) -> None:
    """Raise ValueError for a tensor that has not one entry per class of this process."""
    if not isinstance(weight, torch.Tensor) or weight.ndim != 2:
        return
    for name, value in per_class.items():
        if isinstance(value, torch.Tensor) and value.shape != weight.shape[:1]:
            raise ValueError(
                f"{name} has shape {tuple(value.shape)}; give this process's slice of it, ({weight.shape[0]},), as of weight."
            )


def fact_of_temperature(temperature: Any) -> dict[str, object]:
    """The values of a temperature that inputs have been divided by; empty for a number."""
    if not isinstance(temperature, torch.Tensor) or temperature.is_complex():
        return {}
    is_one = temperature.numel() == 1
    return {
        "temperature": float(temperature.detach()) if is_one else f"a tensor, {print_of_rows(temperature.detach())}"
    }


def agree_on(wire: Wire, sliced: Sliced, n_classes: int | None) -> tuple[Call, Head]:
    """The handshake, and what follows from it: the classes that exist, and checked targets.

    Raises:
        IndexError: a label out of range.
        TypeError: labels that are no integers.
        ValueError: the processes do not make the same call; no class; soft targets that are no distributions.
    """
    head, targets, options = sliced.head, sliced.targets, sliced.options
    facts = {"function": wire.call, **sliced.facts, "n_classes": n_classes}
    sketch = sketch_of_inputs(head.input)
    mark = mark_of(head.weight) if wire.is_of_layer else 0
    agreement = agree(wire, head.input.device, facts, sliced.height, head.weight.shape[0], sketch, mark)
    agreement = _that_exist(agreement, n_classes)
    size, classes = agreement.sizes[wire.rank], sum(agreement.sizes)
    if size < head.weight.shape[0]:
        head = head._replace(weight=head.weight[:size], bias=None if head.bias is None else head.bias[:size])
        targets = targets[:, :size] if sliced.is_soft else targets
        weight = options.weight
        options = replace(options, weight=None if weight is None else weight[:size])
    if not sliced.is_soft:
        targets = prepare_labels(targets, head.shape, classes, options.ignore_index)
    elif is_eager(targets):
        check_slices(targets, options, classes, wire)
    call = Call(wire, agreement, sliced.mapping, targets, options, sliced.is_wide, facts)
    # Refused, if it is, before anything else is sent, and by every process.
    _ = call.record
    return call, head


def _that_exist(agreement: Agreement, n_classes: int | None) -> Agreement:
    total = sum(agreement.sizes)
    if n_classes is not None:
        if not 1 <= as_integer("n_classes", n_classes, "the number of classes that exist") <= total:
            raise ValueError(
                f"n_classes is {n_classes}; the slices of weight have {total} rows in all: give 1..{total}."
            )
        return agreement.within(n_classes)
    if not total:
        raise ValueError("the slices of weight have no row in all: no class; give at least one.")
    return agreement


def read_targets(targets: Any, head: Head) -> tuple[Any, bool]:
    """Soft targets as (N, K of this process), or labels as they are; and which of the two they are.

    Raises:
        TypeError: no tensor, or soft targets that require a gradient.
        ValueError: another shape.
    """
    if not isinstance(targets, torch.Tensor):
        raise TypeError(f"targets are {type(targets).__name__}; give a torch tensor of labels or soft targets.")
    classes = head.weight.shape[0]
    if targets.shape == (*head.shape, classes) and targets.dtype.is_floating_point:
        refuse_gradients(targets=targets)
        return targets.reshape(head.input.shape[0], classes), True
    if targets.shape != head.shape:
        raise ValueError(
            f"targets have shape {tuple(targets.shape)} for rows of shape {tuple(head.shape)}; give labels of that shape, or this "
            f"process's slice of the soft targets, {(*head.shape, classes)}."
        )
    return targets, False

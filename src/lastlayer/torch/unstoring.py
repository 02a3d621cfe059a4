"""A head that returns `LazyScores` while its model computes a loss, and computes the loss inside its own forward.

The head is called twice. In the model's forward it returns lazy scores at once: no hook runs and no weight is read. For the loss
it is called in full, with every hook that FSDP, DeepSpeed or a user has put on it. Inside, its own forward runs on an input whose
product with a weight is lazy, and the loss is computed before the hooks free the weight: it is gathered once.
"""

from __future__ import annotations

import copyreg
import functools
from collections.abc import Callable
from typing import Any

import torch

from lastlayer.backends.torch.sharding import is_sharded
from lastlayer.torch.lazy_scores import Call, LazyScores, ScoresNotStoredError, UnstoredInput

Tensor = torch.Tensor


class Unstoring:
    """Methods in front of those of a head's class; they act only while a loss is computed."""

    is_unstoring = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self.is_unstoring:
            return super().__call__(*args, **kwargs)  # type: ignore[misc]
        if len(args) != 1 or kwargs:
            raise TypeError(f"the head is called with {len(args)} + {len(kwargs)} arguments; only its input is served.")
        return LazyScores((Call(self, args[0]),))

    def forward(self, *args: Any, unstored: Callable[[LazyScores], Tensor] | None = None, **kwargs: Any) -> Any:
        """As the head's, or what `unstored` makes of its lazy scores."""
        if unstored is None:
            return super().forward(*args, **kwargs)  # type: ignore[misc]
        found = lazily(super().forward, args[0])  # type: ignore[misc]
        return _inside(_freed_layers(self, found), lambda: unstored(found))

    def __reduce_ex__(self, protocol: Any) -> Any:
        below = plain(type(self))
        if _unstoring(below) is not type(self):  # type: ignore[arg-type]
            return super().__reduce_ex__(protocol)
        # A copy has the head's class; the model takes it over in its next step.
        return copyreg.__newobj__, (below,), {**self.__dict__}  # type: ignore[attr-defined]


def lazily(forward: Callable[..., Any], input: Tensor) -> LazyScores:
    """The lazy scores of a head's forward.

    Raises:
        TypeError: it computes anything but a sum of linear layers, or by weights that are no plain tensors.
    """
    found = forward(input.as_subclass(UnstoredInput))
    if not isinstance(found, LazyScores):
        raise ScoresNotStoredError(
            f"its forward returns a {type(found).__name__} that torch.nn.functional.linear did not compute."
        )
    if any(is_sharded(weight) for weight in weights_of(found)):
        raise TypeError(
            "the head's weight is sharded (a DTensor) during forward; keep the head whole (no tensor parallelism), "
            "in FSDP's root group or in a unit that holds the head alone."
        )
    return found


def loss_inside(scores: LazyScores, compute: Callable[[LazyScores], Tensor]) -> Tensor:
    """Call the head in full; inside its forward `compute` gets the scores with their weights."""
    call = scores.terms[0]
    head = call.head

    def finish(found: LazyScores) -> Tensor:
        return compute(scores.after(found))

    head.is_unstoring = False
    try:
        if "forward" not in head.__dict__:
            result: Tensor = head(call.input, unstored=finish)
            return result
        # A wrapper (accelerate's offload) has replaced forward on the instance, and calls the class's in it.
        return finish(lazily(head, call.input))
    finally:
        head.is_unstoring = True


def try_head(head: Any) -> LazyScores:
    """The lazy scores of a head for an input without rows; no weight is read, since it may be sharded.

    Raises:
        TypeError: it is no sum of linear layers, its weights are quantised, or FullyShardedDataParallel wraps it alone.
    """
    if any(cls.__name__ == "FullyShardedDataParallel" for cls in type(head).__mro__):
        # Its forward may not run before that of the model around it.
        raise ScoresNotStoredError("FullyShardedDataParallel frees its weight in forward; use torch's fully_shard.")
    weight = head.weight
    device = torch.device("cpu") if weight.device.type == "meta" and "forward" in head.__dict__ else weight.device
    dtype = weight.dtype if weight.dtype.is_floating_point else torch.float32
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        found = head.forward(torch.empty(0, head.in_features, device=device, dtype=dtype).as_subclass(UnstoredInput))
    if not isinstance(found, LazyScores):
        raise ScoresNotStoredError(
            f"its forward returns a {type(found).__name__} that torch.nn.functional.linear did not compute."
        )
    for tensor in weights_of(found):
        is_plain = type(tensor) in (torch.Tensor, torch.nn.Parameter) or is_sharded(tensor)
        if not (is_plain and tensor.dtype.is_floating_point):
            raise ScoresNotStoredError(
                f"its weight is a {type(tensor).__name__} of {tensor.dtype}, which is quantised."
            )
    return found


def weights_of(scores: LazyScores) -> list[Tensor]:
    """The weights of all linear layers."""
    return [layer.weight for term in scores.terms for layer in term.layers()]


def _freed_layers(head: Any, scores: LazyScores) -> list[torch.nn.Linear]:
    """The layers within a head (an adapter's, for example) whose weights were freed after the layers' forwards."""
    freed = [layer.weight for term in scores.terms for layer in term.layers() if layer.is_freed]
    if not freed:
        return []
    linear = [module for module in head.modules() if module is not head and isinstance(module, torch.nn.Linear)]
    owners = {id(module.weight): module for module in linear}
    return [owners[id(weight)] for weight in freed if id(weight) in owners]


def _inside(layers: list[torch.nn.Linear], compute: Callable[[], Tensor]) -> Tensor:
    """Call `compute` inside the forwards of all layers, so that the weights of all are gathered at once."""
    if not layers:
        return compute()
    layer, *others = layers
    take_over(layer)
    try:
        rows = layer.weight.new_empty(0, layer.in_features)
        result: Tensor = layer(rows, unstored=lambda _: _inside(others, compute))
        return result
    finally:
        give_back(layer)


def is_fsdp(module: Any) -> bool:
    """Whether `torch.distributed.fsdp.fully_shard` manages this module itself."""
    # By name: importing torch.distributed.fsdp is slow, and its module differs between versions of torch.
    return any(cls.__name__ == "FSDPModule" for cls in type(module).__mro__)


def without_fsdp(cls: type[Any]) -> type[Any]:
    """The class without the one that `fully_shard` put in front of it."""
    return next(c for c in cls.__mro__ if not any(base.__name__ == "FSDPModule" for base in c.__mro__))


def plain(cls: type[Any]) -> type[Any]:
    """The class behind `Unstoring`."""
    return cls.__bases__[1] if cls.__bases__[0] is Unstoring else cls


def take_over(head: Any) -> None:
    """Put `Unstoring` in front of the head's class."""
    if not isinstance(head, Unstoring):
        head.__class__ = _unstoring(type(head))  # type: ignore[arg-type]


def give_back(head: Any) -> None:
    """Undo `take_over`. If FSDP put a class on top later, the head keeps its class, which then does nothing."""
    if isinstance(head, Unstoring):
        head.__dict__.pop("is_unstoring", None)  # type: ignore[attr-defined]
        head.__class__ = plain(type(head))  # type: ignore[assignment]


@functools.cache
def _unstoring(head_class: Any) -> type[Any]:
    names = {name: getattr(head_class, name) for name in ("__module__", "__qualname__", "__doc__")}
    return type(head_class.__name__, (Unstoring, head_class), names)

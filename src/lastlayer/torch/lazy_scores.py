"""Lazy logits: an object in the place of a linear head's scores that records what a network does to them, for the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import torch

from lastlayer.torch.linear import linear_loss

Tensor = torch.Tensor


class ScoresNotStoredError(TypeError, AttributeError):
    """An operation needs the values of scores that are not stored."""


@dataclass(frozen=True, eq=False)
class LazyScores:
    """softcap·tanh(z / softcap) / temperature of z = input · weightᵀ + bias, without a tensor of one number per class.

    A network may use it as its scores: multiply and divide it by positive numbers and apply one tanh, which is what models do
    between head and loss. Anything else raises ScoresNotStoredError.

    >>> z = LazyScores(torch.ones(2, 4), torch.ones(9, 4), None)
    >>> capped = torch.tanh(z / 30) * 30
    >>> capped.softcap, capped.temperature, capped.shape
    (30.0, 1.0, torch.Size([2, 9]))
    """

    input: Tensor
    weight: Tensor
    bias: Tensor | None
    temperature: float = 1.0
    softcap: float | None = None

    def loss(
        self, targets: Tensor, *, temperature: float = 1.0, softcap: float | None = None, **options: Any
    ) -> Tensor:
        """`linear_loss` of these scores; a softcap and temperature apply to them as they are.

        Raises:
            TypeError: the memory of the weight has been freed.
            ValueError: a softcap, if the network has one already.
        """
        if not torch.compiler.is_compiling() and self.weight.numel() and not self.weight.untyped_storage().size():
            # FSDP gathers a weight for its module's forward only, and frees its memory afterwards.
            raise TypeError(
                "the head's weight is sharded and was freed after the head's forward; "
                "keep the head in FSDP's root group, or use torch's fully_shard."
            )
        scores = self.capped(softcap)
        result: Tensor = linear_loss(
            scores.input,
            scores.weight,
            targets,
            bias=scores.bias,
            temperature=scores.temperature * temperature,
            softcap=scores.softcap,
            **options,
        )
        return result

    def capped(self, softcap: float | None) -> LazyScores:
        """softcap·tanh(scores / softcap); the scores themselves if it is None."""
        return self if softcap is None else (self / softcap).tanh() * softcap

    def of(self, weight: Tensor, bias: Tensor | None) -> LazyScores:
        """The same scores with another weight and bias."""
        return replace(self, weight=weight, bias=bias)

    @property
    def shape(self) -> torch.Size:
        """The shape that the scores would have."""
        return torch.Size((*self.input.shape[:-1], self.weight.shape[0]))

    @property
    def device(self) -> torch.device:
        """Where the loss is computed."""
        return self.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The scores' dtype."""
        return self.input.dtype

    def __mul__(self, factor: float) -> LazyScores:
        return replace(self, temperature=self.temperature / _positive(factor))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> LazyScores:
        return replace(self, temperature=self.temperature * _positive(divisor))

    def tanh(self) -> LazyScores:
        """tanh(z / T) is a softcap T of z, divided by T."""
        if self.softcap is not None:
            raise ValueError(f"these scores have a softcap, {self.softcap:g}, already; leave out the second one.")
        return replace(self, softcap=float(self.temperature))

    def float(self) -> LazyScores:
        """The same: losses are computed in float32 at least."""
        return self

    def contiguous(self) -> LazyScores:
        """The same."""
        return self

    def __getattr__(self, name: str) -> NoReturn:
        raise ScoresNotStoredError(_refusal(name))

    def __getitem__(self, index: Any) -> NoReturn:
        raise ScoresNotStoredError(_refusal("indexing"))

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise ScoresNotStoredError(_refusal("assignment"))

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> LazyScores:
        if function in (torch.tanh, torch.nn.functional.tanh):
            return cls.tanh(args[0])
        raise ScoresNotStoredError(_refusal(getattr(function, "__name__", str(function))))


def _positive(factor: Any) -> float:
    if isinstance(factor, (int, float)) and factor > 0:
        return factor
    what = repr(factor) if isinstance(factor, (int, float)) else type(factor).__name__
    raise ScoresNotStoredError(_refusal(f"scaling by {what} (a positive number is needed)"))


def _refusal(what: str) -> str:
    return (
        f"{what}: the scores of this head are not stored. Between head and loss they can be scaled by positive numbers "
        "and softcapped; a network that does more with them keeps its own loss (leave out use_linear_loss)."
    )

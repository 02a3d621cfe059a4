"""Lazy logits: an object in the place of a linear head's scores that records what a network does to them, for the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import torch

from lastlayer.torch.linear import linear_loss

Tensor = torch.Tensor
linear = torch.nn.functional.linear


class ScoresNotStoredError(TypeError, AttributeError):
    """An operation needs the values of scores that are not stored."""


class Product:
    """scale · (input · weightᵀ + bias), one term of lazy scores. The input may be lazy too: an adapter has two layers."""

    def __init__(
        self, input: Any, weight: Tensor, bias: Tensor | None, scale: float = 1.0, classes: int | None = None
    ) -> None:
        self.input, self.weight, self.bias, self.scale = input, weight, bias, scale
        self.classes: int = weight.shape[0] if classes is None else classes

    def scaled(self, factor: float) -> Product:
        """The same, times a number. The weight may have been freed by now."""
        return Product(self.input, self.weight, self.bias, self.scale * factor, self.classes)

    @property
    def is_freed(self) -> bool:
        """Whether a wrapper has freed the weight, which it gathers for its module's forward only."""
        weight = self.weight
        return not torch.compiler.is_compiling() and (
            weight.shape[0] != self.classes or bool(weight.numel() and not weight.untyped_storage().size())
        )

    def rows(self) -> Tensor:
        """The input as a tensor.

        Raises:
            TypeError: the memory of the weight has been freed.
        """
        if self.is_freed:
            raise TypeError(
                "the head's weight is sharded and was freed after the head's forward; keep the head in the root group of "
                "FullyShardedDataParallel, or use torch's fully_shard; a wrapper of your own must gather the weight in forward hooks."
            )
        return self.input.stored() if isinstance(self.input, LazyScores) else self.input

    def layers(self) -> list[Product]:
        """This layer, after those that its input is lazy scores of."""
        before = self.input.terms if isinstance(self.input, LazyScores) else ()
        return [*(layer for term in before for layer in term.layers()), self]


class Call:
    """The scores that a head will give for an input, before it is called."""

    def __init__(self, head: Any, input: Tensor) -> None:
        self.head, self.input, self.classes = head, input, classes_of(head)


@dataclass(frozen=True, eq=False)
class LazyScores:
    """softcap·tanh(z / softcap) / temperature of z, a sum of linear layers, without a tensor of one number per class.

    A network may use it as its scores: multiply and divide it by positive numbers and apply one tanh, which is what models do
    between head and loss, and add other lazy scores, which is what adapters do. Anything else raises ScoresNotStoredError.

    >>> z = LazyScores.product(torch.ones(2, 4), torch.ones(9, 4), None)
    >>> capped = torch.tanh((z + z) / 30) * 30
    >>> capped.softcap, capped.temperature, capped.shape
    (30.0, 1.0, torch.Size([2, 9]))
    """

    terms: tuple[Any, ...]
    temperature: float = 1.0
    softcap: float | None = None

    @classmethod
    def product(cls, input: Any, weight: Tensor, bias: Tensor | None = None) -> LazyScores:
        """input · weightᵀ + bias; the input may be lazy."""
        return cls((Product(input, weight, bias),))

    def loss(
        self, targets: Tensor, *, temperature: float = 1.0, softcap: float | None = None, **options: Any
    ) -> Tensor:
        """`linear_loss` of these scores; a softcap and temperature apply to them as they are.

        Raises:
            TypeError: the memory of the weight has been freed.
            ValueError: a softcap, if the network has one already.
        """
        scores = self.capped(softcap)
        input, weight, bias = scores.head()
        result: Tensor = linear_loss(
            input,
            weight,
            targets,
            bias=bias,
            temperature=scores.temperature * temperature,
            softcap=scores.softcap,
            **options,
        )
        return result

    def head(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Input, weight and bias of z as one head. A sum is a wider head: [x, s·h] · [W, B]ᵀ = x·Wᵀ + s·h·Bᵀ, in the dtype of W."""
        first, *others = self.terms
        if not others:
            return first.rows(), first.weight, first.bias
        dtype = first.weight.dtype
        rows = [term.rows() if term.scale == 1.0 else term.rows() * term.scale for term in self.terms]
        biases = [term.bias * term.scale for term in self.terms if term.bias is not None]
        return (
            torch.cat([each.to(rows[0].dtype) for each in rows], -1),
            torch.cat([term.weight.to(dtype) for term in self.terms], -1),
            sum(biases[1:], biases[0]).to(dtype) if biases else None,
        )

    def stored(self) -> Tensor:
        """The scores themselves: those of an adapter's first layer are as few as its rank."""
        if self.softcap is not None:
            raise ScoresNotStoredError(_refusal("another layer after a softcap"))
        scores = linear(*self.head())
        return scores if self.temperature == 1.0 else scores / self.temperature

    def capped(self, softcap: float | None) -> LazyScores:
        """softcap·tanh(scores / softcap); the scores themselves if it is None."""
        return self if softcap is None else (self / softcap).tanh() * softcap

    def after(self, found: LazyScores) -> LazyScores:
        """What the network did to these scores, done to others."""
        return found.capped(self.softcap) / self.temperature

    @property
    def shape(self) -> torch.Size:
        """The shape that the scores would have."""
        return torch.Size((*self.terms[0].input.shape[:-1], self.terms[0].classes))

    @property
    def device(self) -> torch.device:
        """Where the loss is computed."""
        device: torch.device = self.terms[0].input.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """The scores' dtype."""
        dtype: torch.dtype = self.terms[0].input.dtype
        return dtype

    def __mul__(self, factor: float) -> LazyScores:
        return replace(self, temperature=self.temperature / _positive(factor))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> LazyScores:
        return replace(self, temperature=self.temperature * _positive(divisor))

    def __add__(self, other: LazyScores) -> LazyScores:
        both = (self, other)
        if not all(isinstance(z, LazyScores) and z.softcap is None for z in both) or self.shape != other.shape:
            raise ScoresNotStoredError(_refusal("adding anything but another linear layer"))
        if not all(isinstance(term, Product) for z in both for term in z.terms):
            raise ScoresNotStoredError(_refusal("adding to them"))
        return LazyScores(tuple(term.scaled(1.0 / z.temperature) for z in both for term in z.terms))

    def tanh(self) -> LazyScores:
        """tanh(z / T) is a softcap T of z, divided by T."""
        if self.softcap is not None:
            raise ValueError(f"these scores have a softcap, {self.softcap:g}, already; leave out the second one.")
        return replace(self, softcap=float(self.temperature))

    def float(self) -> LazyScores:
        """The same: losses are computed in float32 at least."""
        return self

    def to(self, *place: Any, **options: Any) -> LazyScores:
        """The same: losses are computed in float32 at least, where the weight is."""
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
        if function is linear and isinstance(args[0], LazyScores):
            return cls.product(*args, **(kwargs or {}))
        raise ScoresNotStoredError(_refusal(getattr(function, "__name__", str(function))))


class UnstoredInput(torch.Tensor):
    """A head's input whose product with a weight is lazy; all else is computed as for any tensor."""

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if function is linear and isinstance(args[0], cls):
            # as_subclass(Tensor) is more direct, but torch.compile does not trace it.
            with torch._C.DisableTorchFunctionSubclass():
                rows = args[0].view(args[0].shape)
            return LazyScores.product(rows, *args[1:], **(kwargs or {}))
        return super().__torch_function__(function, types, args, kwargs or {})  # type: ignore[no-untyped-call]


def classes_of(head: Any) -> int:
    """The number of classes of a head; a weight whose memory is elsewhere may be empty."""
    classes: int | None = getattr(head, "out_features", None)
    return head.weight.shape[0] if classes is None else classes


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

"""A causal language model of Hugging Face transformers whose training loss never stores the scores, by one line."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch

from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.unstored import UnstoredScores

Tensor = torch.Tensor

#: The name of the only loss whose meaning is taken over; transformers gives it to every causal language model.
_LOSS = "ForCausalLMLoss"


class LinearLossHandle:
    """What `use_linear_loss` returns: `remove()`, or leaving a `with` block, gives the model its own loss back."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def remove(self) -> None:
        """Give the model its own loss back; nothing happens where it has it."""
        _remove(self._model)

    def __enter__(self) -> LinearLossHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def use_linear_loss(
    model: Any,
    *,
    mapping: str | ProbabilityMapping = "softmax",
    class_weight: Tensor | None = None,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    temperature: float = 1.0,
    softcap: float | None = None,
    max_memory: int | None = None,
) -> LinearLossHandle:
    """Let a transformers causal language model compute its loss by `linear_loss`, whenever it is called with labels.

    Then its output has the loss, logits=None, and all else as before. Labels are shifted, ignored (-100) and averaged
    (num_items_in_batch, shift_labels) as transformers does. What the model does to its scores, a softcap (Gemma 2) or a
    scale (Cohere, Granite), is kept, and so are auxiliary losses, tied weights and gradient checkpointing. Called
    without labels, in `generate` for example, the model is what it was; so are its parameters, names and files.

    Args:
        model: with a linear head (`get_output_embeddings()`) and transformers' loss of causal language models.
        mapping, class_weight, label_smoothing, z_loss, temperature, softcap, max_memory: as for `linear_loss`; softcap and
            temperature come after the model's own scale. A second call replaces what a first one chose.

    Returns:
        A handle whose `remove()` undoes it.

    Raises:
        TypeError: the model has no linear head, takes no labels, or has another loss. Later, where the model is called
            with labels: it does more with its scores than scaling and a softcap, or its head's weight is sharded.
        ValueError: options that `linear_loss` refuses.

    >>> from transformers import GPT2Config, GPT2LMHeadModel
    >>> model = GPT2LMHeadModel(GPT2Config(vocab_size=97, n_embd=16, n_layer=1, n_head=2))
    >>> handle = use_linear_loss(model)
    >>> tokens = torch.arange(12).reshape(2, 6)
    >>> output = model(tokens, labels=tokens)
    >>> output.loss.shape, output.logits
    (torch.Size([]), None)
    """
    options: dict[str, Any] = {
        "mapping": mapping,
        "class_weight": class_weight,
        "label_smoothing": label_smoothing,
        "z_loss": z_loss,
        "temperature": temperature,
        "softcap": softcap,
        "max_memory": max_memory,
    }
    _remove(model)
    head = _head_of(model)
    if "labels" not in inspect.signature(type(model).forward).parameters:
        raise TypeError(f"{type(model).__name__}.forward takes no labels; give a model for causal language modelling.")
    loss_name = getattr(getattr(model, "loss_function", None), "__name__", "none that is known")
    if loss_name != _LOSS:
        raise TypeError(f"the loss of {type(model).__name__} is {loss_name}; only transformers' {_LOSS} is served.")
    with torch.no_grad():
        # An empty batch checks every option at once.
        empty = head.weight.new_zeros(0, head.in_features)
        UnstoredScores(empty, head.weight, head.bias).loss(empty[:, 0].long(), **options)
    model.__class__ = _with_linear_loss(type(model), options)
    return LinearLossHandle(model)


class UnstoringLinear(torch.nn.Linear):
    """A linear head that is a torch.nn.Linear but while its model computes a loss."""

    is_unstoring = False

    def forward(self, input: Tensor) -> Any:
        """The scores, or while a loss is computed what stands for them."""
        if not self.is_unstoring:
            return super().forward(input)
        if hasattr(self.weight, "device_mesh"):
            raise TypeError("the head's weight is sharded (a DTensor); keep the head whole to use linear_loss.")
        return UnstoredScores(input, self.weight, self.bias)


def _head_of(model: Any) -> UnstoringLinear:
    """The model's head, also where it has been resized or replaced since."""
    head = getattr(model, "get_output_embeddings", lambda: None)()
    if type(head) is torch.nn.Linear and "forward" not in head.__dict__:
        head.__class__ = UnstoringLinear
    if type(head) is not UnstoringLinear:
        what = "none" if head is None else f"a {type(head).__name__}, or one that a hook replaces"
        raise TypeError(
            f"{type(model).__name__} needs a torch.nn.Linear as its get_output_embeddings(); it is {what}. "
            "Quantised, adapted and offloaded heads are not served."
        )
    return head


def _with_linear_loss(model_class: type[Any], options: dict[str, Any]) -> type[Any]:
    """A subclass of the model's class, under the same name: what is bound to it survives copies and replicas."""
    place = list(inspect.signature(model_class.forward).parameters).index("labels") - 1

    @functools.wraps(model_class.forward)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        labels = args[place] if len(args) > place else kwargs.get("labels")
        if labels is None:
            return model_class.forward(self, *args, **kwargs)
        head = _head_of(self)
        head.is_unstoring = True
        try:
            output = model_class.forward(self, *args, **kwargs)
        finally:
            head.is_unstoring = False
        return _without_scores(output)

    def loss_function(self: Any, logits: Any, labels: Tensor | None, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(logits, UnstoredScores):
            return model_class.loss_function.fget(self)(logits, labels, *args, **kwargs)
        return _causal_loss(logits, labels, options, *args, **kwargs)

    def reduce(self: Any) -> tuple[Any, ...]:
        return _rebuild, (model_class, options), self.__dict__

    told = {
        "__module__": model_class.__module__,
        "__qualname__": model_class.__qualname__,
        "__doc__": model_class.__doc__,
    }
    parts: dict[str, Any] = {"forward": forward, "loss_function": loss_function, "__reduce__": reduce}
    return type(model_class.__name__, (model_class,), {**told, **parts, "without_linear_loss": model_class})


def _causal_loss(
    scores: UnstoredScores,
    labels: Tensor | None,
    options: dict[str, Any],
    vocab_size: int | None = None,
    num_items_in_batch: Tensor | int | None = None,
    ignore_index: int = -100,
    shift_labels: Tensor | None = None,
    **unused: Any,
) -> Tensor:
    """The loss of tokens < n predicting n, with the signature and the meaning of transformers' ForCausalLMLoss."""
    if shift_labels is None:
        assert labels is not None
        shift_labels = torch.nn.functional.pad(labels, (0, 1), value=ignore_index)[..., 1:]
    targets = shift_labels.to(scores.device).reshape(scores.shape[:-1])
    if num_items_in_batch is None:
        return scores.loss(targets, ignore_index=ignore_index, reduction="mean", **options)
    if isinstance(num_items_in_batch, torch.Tensor):
        num_items_in_batch = num_items_in_batch.to(scores.device)
    return scores.loss(targets, ignore_index=ignore_index, reduction="sum", **options) / num_items_in_batch


def _without_scores(output: Any) -> Any:
    """logits=None in a model's output; left out of a tuple, as transformers leaves out what is None."""
    if isinstance(output, tuple):
        return tuple(part for part in output if not isinstance(part, UnstoredScores))
    return dataclasses.replace(output, logits=None)


def _remove(model: Any) -> None:
    model_class = getattr(type(model), "without_linear_loss", None)
    if model_class is not None:
        model.__class__ = model_class
        head: Any = model.get_output_embeddings()
        if type(head) is UnstoringLinear:
            head.__class__ = torch.nn.Linear  # type: ignore[assignment]


def _rebuild(model_class: type[Any], options: dict[str, Any]) -> Any:
    """An empty model for pickle and deepcopy to fill."""
    served = _with_linear_loss(model_class, options)
    build: Callable[..., Any] = served.__new__
    return build(served)

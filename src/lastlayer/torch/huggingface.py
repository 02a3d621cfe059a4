"""One line makes a causal language model of Hugging Face transformers train without ever storing the scores."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch

from lastlayer.backends.torch.sharding import is_sharded
from lastlayer.losses import refuse_unknown, with_loss_options
from lastlayer.mappings import ProbabilityMapping
from lastlayer.torch.causal_loss import CausalLoss
from lastlayer.torch.lazy_scores import LazyScores, classes_of
from lastlayer.torch.linear import linear_loss
from lastlayer.torch.linear.arguments import HEAD_OPTIONS
from lastlayer.torch.trial import scores_in_trial
from lastlayer.torch.unstoring import (
    give_back,
    is_fsdp,
    loss_inside,
    take_over,
    try_head,
    weights_of,
    without_fsdp,
)

Tensor = torch.Tensor

#: The name of the only loss whose meaning is taken over; transformers gives it to every causal language model.
_LOSS = "ForCausalLMLoss"


class LinearLossHandle:
    """What `use_linear_loss` returns. `remove()`, or leaving a `with` block, restores the model's loss."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def remove(self) -> None:
        """Restore the model's loss and leave everything else as it is (FSDP, adapters); safe to call twice."""
        _remove(self._model)

    def __enter__(self) -> LinearLossHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


#: What transformers decides by itself.
_NOT_OURS = ("sample_weight", "ignore_index", "reduction")


@with_loss_options(without=_NOT_OURS, weight="class_weight")
def use_linear_loss(
    model: Any,
    *,
    when: str = "training",
    mapping: str | ProbabilityMapping = "softmax",
    max_memory: int | None = None,
    scores_dtype: torch.dtype | None = None,
    **options: Any,
) -> LinearLossHandle:
    """Let a transformers causal language model compute its training loss by `linear_loss`.

    In training mode (`model.train()`) and called with labels, its output has the loss, logits=None, and all else as
    before. Labels are shifted, ignored (-100) and averaged (num_items_in_batch, shift_labels) as transformers does. What
    the model does to its scores, a softcap (Gemma 2) or a scale (Cohere, Granite), is kept, and so are auxiliary losses,
    tied weights and gradient checkpointing. In evaluation mode, or without labels (`generate`), the model is what it was;
    so are its parameters, names and files. `torch.distributed.fsdp.fully_shard`, adapters (PEFT, also on the head) and wrappers
    that gather weights in forward hooks may come before or after: the loss is computed in the head's own forward.

    Args:
        model: with a linear head (`get_output_embeddings()`) and transformers' loss of causal language models; also inside a
            PeftModel, DistributedDataParallel or torch.compile.
        when: "training", or "always": in evaluation mode as well, for the loss of many tokens in little memory. The logits of an
            evaluation are then None, too.
        mapping, max_memory, scores_dtype and all other options: as for `linear_loss`; softcap and temperature come after the model's scale and
            softcap.
        class_weight: one weight w per class. The loss is Σ w·l / Σ w over the labels; where the caller gives
            num_items_in_batch = n, as a Trainer always does, it is Σ w·l / n, so that micro-batches and processes add up. Give
            weights whose mean over the labels is 1 where the size of the loss matters.

    Returns:
        A handle whose `remove()` undoes it. A second call replaces the options of the first.

    Raises:
        TypeError: the model has no linear head, takes no labels, has another loss, or does more with its scores than scale
            and softcap them, as far as a trial on an empty copy of the model can tell; the first step tells the rest. A
            head that is quantised, adapted by more than sums of linear layers (DoRA), or sharded by tensor parallelism. A
            model whose forward another library has replaced.
        ValueError: options that `linear_loss` refuses, or a softcap where the model has one.

    >>> from transformers import GPT2Config, GPT2LMHeadModel
    >>> model = GPT2LMHeadModel(GPT2Config(vocab_size=97, n_embd=16, n_layer=1, n_head=2))
    >>> handle = use_linear_loss(model)
    >>> tokens = torch.arange(12).reshape(2, 6)
    >>> output = model(tokens, labels=tokens)
    >>> output.loss.shape, output.logits
    (torch.Size([]), None)
    >>> model.eval()(tokens, labels=tokens).logits.shape
    torch.Size([2, 6, 97])
    """
    if when not in ("training", "always"):
        raise ValueError(f"when is {when!r}; choose 'training' or 'always'.")
    refuse_unknown("use_linear_loss", options, {name: None for name in HEAD_OPTIONS if name not in _NOT_OURS})
    own_options = {"mapping": mapping, "max_memory": max_memory, "scores_dtype": scores_dtype}
    loss = CausalLoss({"class_weight": None, "softcap": None, **options, **own_options})
    outer, model = model, _inside(model)
    if "labels" not in inspect.signature(type(model).forward).parameters:
        _head_of(model)
        raise TypeError(f"{type(model).__name__}.forward takes no labels; give a model for causal language modelling.")
    own = getattr(model, "without_linear_loss", type(model))
    loss_name = getattr(_own_loss(model, own), "__name__", "none that is known")
    if loss_name != _LOSS:
        raise TypeError(f"the loss of {type(model).__name__} is {loss_name}; only transformers' {_LOSS} is served.")
    _check(model, loss, without_fsdp(own), is_in_fsdp=any(map(is_fsdp, outer.modules())))
    if not hasattr(type(model), "without_linear_loss"):
        model.__class__ = _with_linear_loss(type(model))  # type: ignore[arg-type]
    _renew_forward(model)
    model._takeover = Takeover(when, loss)
    return LinearLossHandle(model)


def _check(model: Any, loss: CausalLoss, model_class: type[Any], is_in_fsdp: bool) -> None:
    """Refuse options, weights and models that cannot be served. No weight is read, since it may be sharded."""
    if "forward" in model.__dict__ and not _is_accelerated(model):
        raise TypeError(
            f"the forward of this {type(model).__name__} has been replaced (by accelerate's prepare, for example), "
            "so that use_linear_loss would do nothing; call use_linear_loss first."
        )
    head = _head_of(model)
    scores = _scores_of(head, model)
    if any(map(is_sharded, weights_of(scores))) and not is_in_fsdp:
        raise TypeError(
            "the head's weight is sharded (a DTensor) by something other than fully_shard; keep the head whole. If fully_shard "
            "has been called with a module around this model, call use_linear_loss before it."
        )
    options = loss.options
    class_weight = options["class_weight"]
    with torch.no_grad():
        # No rows, one feature and no memory: this checks every option at once.
        one = torch.zeros(1, 1, device="cpu" if class_weight is None else class_weight.device)
        linear_loss(one[:0], one.expand(classes_of(head), 1), one[:0, 0].long(), **options)
    trial = scores_in_trial(model, model_class, _as_in_trial)
    if trial is not None:
        trial.capped(options["softcap"])


def _scores_of(head: Any, model: Any) -> LazyScores:
    """A trial of the head alone: its lazy scores."""
    try:
        return try_head(head)
    except Exception as error:
        cls = type(head)
        raise TypeError(
            f"{type(model).__name__} needs a linear layer, or a sum of them (LoRA), as its get_output_embeddings(); it is a "
            f"{cls.__module__}.{cls.__qualname__}: {error} Quantised heads and adapters that scale classes (DoRA, IA3) are not "
            "served; leave the head out of the adapter's target_modules."
        ) from error


def _as_in_trial(twin: Any, loss: Callable[..., Tensor]) -> None:
    """Prepare an empty copy of the model as the model itself will be, with a stand-in for the loss."""
    twin.__class__ = _with_linear_loss(type(twin))  # type: ignore[arg-type]
    twin._takeover = Takeover("always", loss)


def _is_accelerated(model: Any) -> bool:
    """Whether accelerate's hooks are on the model: their forward calls `_old_forward`, which they look up in every step."""
    return hasattr(model, "_hf_hook") and inspect.ismethod(model.__dict__.get("_old_forward"))


def _renew_forward(model: Any) -> None:
    """Let accelerate's hooks call the forward of the class that the model has now."""
    if _is_accelerated(model):
        model._old_forward = type(model).forward.__get__(model)


@dataclasses.dataclass(frozen=True)
class Takeover:
    """When a model's head returns lazy scores, and what computes its loss then."""

    when: str
    loss: Callable[..., Tensor]


def _inside(model: Any) -> Any:
    """The transformers model inside PEFT, data parallelism and torch.compile."""
    parallel = (torch.nn.parallel.DistributedDataParallel, torch.nn.DataParallel)
    while True:
        if isinstance(model, parallel):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), torch.nn.Module):
            model = model._orig_mod
        elif callable(getattr(type(model), "get_base_model", None)):
            model = model.get_base_model()
        else:
            return model


def _head_of(model: Any) -> Any:
    """The model's head, even if it has been resized, adapted or replaced since."""
    head = getattr(model, "get_output_embeddings", lambda: None)()
    if not isinstance(head, torch.nn.Module) or not hasattr(head, "weight"):
        raise TypeError(
            f"{type(model).__name__} needs a torch.nn.Linear as its get_output_embeddings(); it is {type(head).__name__}."
        )
    return head


@functools.cache
def _with_linear_loss(model_class: Any) -> type[Any]:
    """A subclass of the model's class, under the same name: methods of a class survive copies and replicas of the model.

    It acts only while the model has a `_takeover`: once FSDP has put a class on top of it, `remove()` cannot take it away.
    """
    place = list(inspect.signature(model_class.forward).parameters).index("labels") - 1

    @functools.wraps(model_class.forward)
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        labels = args[place] if len(args) > place else kwargs.get("labels")
        takeover = self._takeover
        if labels is None or takeover is None or not (self.training or takeover.when == "always"):
            return model_class.forward(self, *args, **kwargs)
        head = _head_of(self)
        take_over(head)
        head.is_unstoring = True
        try:
            output = model_class.forward(self, *args, **kwargs)
        finally:
            head.is_unstoring = False
        return _without_scores(output)

    def loss_function(self: Any, logits: Any, labels: Tensor | None, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(logits, LazyScores):
            return _own_loss(self, model_class)(logits, labels, *args, **kwargs)
        return loss_inside(logits, lambda scores: self._takeover.loss(scores, labels, *args, **kwargs))

    def reduce(self: Any, protocol: Any) -> Any:
        if type(self) is not served:
            return model_class.__reduce_ex__(self, protocol)
        return _rebuild, (model_class,), self.__dict__

    served = type(
        model_class.__name__,
        (model_class,),
        {
            "__module__": model_class.__module__,
            "__qualname__": model_class.__qualname__,
            "__doc__": model_class.__doc__,
            "__reduce_ex__": reduce,
            "forward": forward,
            "loss_function": loss_function,
            "without_linear_loss": model_class,
            "_takeover": None,
        },
    )
    return served


def _own_loss(model: Any, model_class: type[Any]) -> Any:
    """The loss that the model had before."""
    found = inspect.getattr_static(model_class, "loss_function", None)
    if isinstance(found, property) and found.fget is not None:
        return found.fget(model)
    return getattr(model, "loss_function", None)


def _without_scores(output: Any) -> Any:
    """The output with logits=None; in a tuple they are left out, as transformers leaves out what is None."""
    if isinstance(output, tuple):
        return tuple(part for part in output if not isinstance(part, LazyScores))
    return dataclasses.replace(output, logits=None)


def _remove(model: Any) -> None:
    model.__dict__.pop("_takeover", None)
    model_class = getattr(type(model), "without_linear_loss", None)
    if model_class is None:
        return
    # An adapter may have wrapped the head since.
    for module in model.get_output_embeddings().modules():
        give_back(module)
    if type(model) is _with_linear_loss(model_class):
        model.__class__ = model_class
    _renew_forward(model)


def _rebuild(model_class: type[Any]) -> Any:
    """An empty model for pickle and deepcopy to fill."""
    served = _with_linear_loss(model_class)  # type: ignore[arg-type]
    build: Callable[..., Any] = served.__new__
    return build(served)

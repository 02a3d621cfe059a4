"""A trial of one step on an empty copy of a model: does it only scale and softcap its scores before its loss?"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import torch

from lastlayer.torch.lazy_scores import LazyScores, ScoresNotStoredError

Tensor = torch.Tensor


def scores_in_trial(
    model: Any, model_class: type[Any], prepare: Callable[[Any, Callable[..., Tensor]], None]
) -> LazyScores | None:
    """The scores that the model passes to its loss, in a step of two tokens on meta tensors; None if no step is possible.

    The copy has the model's class and configuration, but no layers and no memory: the model itself, which may be large, sharded
    or on another device, is not touched.

    Raises:
        TypeError: the model does more with its scores, or computes its loss elsewhere.
    """
    tokens = torch.zeros(1, 2, dtype=torch.long, device="meta")
    known = inspect.signature(model_class.forward).parameters
    # A mask in memory spares models from reading the values of a mask on the meta device; encoders read them nevertheless.
    for also in ({"use_cache": False, "attention_mask": torch.ones(1, 2, dtype=torch.long)}, {"use_cache": False}):
        seen: list[LazyScores] = []
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                twin = _twin(model.config, model_class)
                prepare(twin, _Witness(seen))
                twin(input_ids=tokens, labels=tokens, **{name: also[name] for name in also if name in known})
        except Exception as error:
            # Python names the class in its message for an operation that LazyScores lacks.
            if isinstance(error, ScoresNotStoredError) or "LazyScores" in str(error):
                raise TypeError(f"{model_class.__name__} cannot be served: {error}") from error
            if not seen:
                continue
        if not seen:
            raise TypeError(
                f"{model_class.__name__} cannot be served: its forward does not give the scores of "
                "get_output_embeddings() to its loss_function."
            )
        return seen[0]
    return None


class _Witness:
    """Stands in for the loss and keeps the scores that it receives."""

    def __init__(self, seen: list[LazyScores]) -> None:
        self.seen = seen

    def __call__(self, scores: LazyScores, *args: Any, **kwargs: Any) -> Tensor:
        self.seen.append(scores)
        return torch.zeros((), device=scores.device)


def _twin(config: Any, model_class: type[Any]) -> Any:
    """The model without layers on the meta device."""
    config = copy.deepcopy(config)
    # Attention kernels for one kind of device do not run on meta tensors.
    config._attn_implementation = "eager"
    config.num_hidden_layers = 0
    with torch.device("meta"):
        return model_class(config)

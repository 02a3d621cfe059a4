"""Modules: one per mapping, and CrossEntropyLoss and MappingLoss in torch.nn's layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Unpack

import torch
import torch.fx

from lastlayer.backends.torch.tensor_state import refuse_gradient
from lastlayer.functions.losses import loss, loss_of_any_total
from lastlayer.functions.probabilities import log_probabilities, probabilities
from lastlayer.losses import LossOptions, refuse_unknown, with_loss_options
from lastlayer.losses.options import ARRAYS, DEFAULTS, SharedKeywords
from lastlayer.mappings import MAPPINGS, ProbabilityMapping
from lastlayer.torch.mapping_module import MappingModule

Tensor = torch.Tensor


class Probabilities(MappingModule):
    """Scores → probabilities along `dim` under any mapping. Its subclasses fix the mapping: `Softmax`, `Sparsemax`, …

    >>> Probabilities("entmax:alpha=1.3")
    Probabilities(mapping='entmax:alpha=1.3', dim=-1)
    """

    _compute = staticmethod(probabilities)

    def __init__(self, mapping: str | ProbabilityMapping = "softmax", dim: int = -1) -> None:
        super().__init__(mapping)
        self.dim = dim

    def forward(self, scores: Tensor) -> Tensor:
        """Probabilities of the scores' shape and dtype."""
        if isinstance(scores, torch.fx.Proxy):
            return self.record_call((scores,), {"axis": self.dim})
        # Rows outside the domain are NaN rows within a network, whose scores nobody has looked at.
        result: Tensor = self._compute(scores, mapping=self.mapping, axis=self.dim, on_domain="nan")
        return result

    def extra_repr(self) -> str:
        """The arguments, as `print(model)` shows them."""
        return f"mapping={self.mapping.label!r}, dim={self.dim}"


class LogProbabilities(Probabilities):
    """Scores → log-probabilities along `dim` under any mapping, accurate where they are nearly zero."""

    _compute = staticmethod(log_probabilities)


class LogSoftmax(LogProbabilities):
    """log softmax(x) along `dim`, as torch.nn.LogSoftmax; exact where that returns 0 for a confident class."""

    def __init__(self, dim: int = -1) -> None:
        super().__init__("softmax", dim)


def _module_of(mapping: ProbabilityMapping) -> type[Probabilities]:
    def initialise(self: Probabilities, dim: int = -1, **parameters: Any) -> None:
        Probabilities.__init__(self, mapping.replace(**parameters), dim)

    name = "".join(word.capitalize() for word in mapping.name.split("_"))
    given = "".join(f", {p.name}={p.default}" for p in mapping.parameters)
    words = f"{mapping.equation} along `dim` of scores, as a module: {name}(dim=-1{given})."
    # Where the class can be found again by its name, which pickle asks for.
    return type(name, (Probabilities,), {"__init__": initialise, "__doc__": words, "__module__": "lastlayer.torch"})


#: One module per mapping, by its class name: Softmax, Ratio, Sparsemax, Entmax, …
MODULES: dict[str, type[Probabilities]] = {cls.__name__: cls for cls in map(_module_of, MAPPINGS.values())}


#: The options that a loss module keeps, and their defaults; the class weights are a buffer of it.
_OPTIONS = {name: default for name, default in DEFAULTS.items() if name not in ARRAYS}


class MappingLoss(MappingModule):
    """The loss of any mapping in torch.nn's layout: classes on axis 1 (axis 0 of a single row), targets without it.

    Log loss for the normalized family, Fenchel–Young for the regularized one. Arguments as for `ll.loss`. A temperature, or
    an α of entmax, that is a torch.nn.Parameter is learned.

    >>> import torch
    >>> criterion = MappingLoss("sparsemax", label_smoothing=0.1)
    >>> float(criterion(torch.tensor([[3.0, 0.0]]), torch.tensor([0]))) > 0
    True
    """

    weight: Tensor | None
    _compute: Callable[..., Any] = staticmethod(loss)

    @with_loss_options(without=("weight", "sample_weight"))
    def __init__(
        self,
        mapping: str | ProbabilityMapping = "softmax",
        weight: Tensor | None = None,
        **options: Unpack[SharedKeywords],
    ) -> None:
        super().__init__(mapping)
        refuse_unknown(type(self).__name__, options, _OPTIONS)
        refuse_gradient("weight", weight)
        # A wrong option is refused here, not in the first step of training.
        LossOptions(**options)
        self.register_buffer("weight", weight)
        for name, default in _OPTIONS.items():
            self.hold(name, options.get(name, default))

    def forward(self, input: Tensor, target: Tensor) -> Any:
        """The loss of scores (N, K, …) or (K,) with labels (N, …) or soft targets of the scores' shape."""
        options = {name: getattr(self, name) for name in ("weight", *_OPTIONS)}
        if isinstance(input, torch.fx.Proxy) or isinstance(target, torch.fx.Proxy):
            return self.record_call((input, target), options)
        axis = 1 if input.ndim > 1 else 0
        return self._compute(input, target, mapping=self.mapping, axis=axis, on_domain="nan", **options)

    def extra_repr(self) -> str:
        """The mapping, and the options that differ from what they are by default."""
        changed = [f"mapping={self.mapping.label!r}"]
        for name, default in _OPTIONS.items():
            value = getattr(self, name)
            if isinstance(value, Tensor):
                changed.append(f"{name}=tensor of shape {tuple(value.shape)}")
            elif value != default:
                changed.append(f"{name}={value!r}")
        return ", ".join(changed)


class CrossEntropyLoss(MappingLoss):
    """torch.nn.CrossEntropyLoss with a loss and gradient that do not vanish for confident rows, 2 ULP from the truth.

    Arguments and layout as in torch, and the other options of `ll.loss`. As in torch, soft
    targets may have any sum per row (several positives); they must be ≥ 0. Where every row is ignored the loss is 0 with
    zero gradients; torch's is NaN.
    """

    _compute = staticmethod(loss_of_any_total)

    def __init__(self, weight: Tensor | None = None, **options: Any) -> None:
        super().__init__("softmax", weight, **options)

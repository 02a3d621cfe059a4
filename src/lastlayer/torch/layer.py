"""`LinearLoss`: a linear head with its loss, as a layer."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.fx

from lastlayer.arguments import as_integer, describe
from lastlayer.losses import LossOptions, refuse_unknown, with_loss_options
from lastlayer.losses.options import ARRAYS, DEFAULTS
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping
from lastlayer.torch.linear import LinearStatistics, linear_loss, linear_statistics
from lastlayer.torch.linear.arguments import refuse_sharded
from lastlayer.torch.linear.distillation import DistillationTargets
from lastlayer.torch.linear.margins import read_scoring
from lastlayer.torch.linear.plan import check_max_memory
from lastlayer.torch.linear.shapes import as_rows, is_traced_by_jit
from lastlayer.torch.linear.sharded.preparation import told
from lastlayer.torch.linear.sharded.wire import GroupOfLayer, Wire

Tensor = torch.Tensor

#: The loss options that it takes by name besides those of its signature.
_OPTIONS = {name: None for name in DEFAULTS if name not in (*ARRAYS, "temperature")}


class LinearLoss(torch.nn.Module):
    """A linear head with its loss: `linear_loss` with the weight (and bias) as parameters, initialised as torch.nn.Linear.

    Args:
        in_features, out_features: D and K.
        bias: whether there is one.
        mapping: a name, a name with parameters, or a `ProbabilityMapping`.
        class_weight: one weight per class; moved with the module, but no part of its state, which is torch.nn.Linear's.
        temperature: a number; a torch.nn.Parameter is learned and part of the state.
        max_memory, scores_dtype, options: as for `linear_loss`.
        group: a process group; weight and bias are then this process's slice of the classes, `out_features` of them (0 is allowed).
            A pickle of the layer is refused; save its `state_dict()`. Without group=, weight and bias may be replaced by DTensor
            parameters, sharded along the classes.
        n_classes: the classes that exist, of all slices, if the weight is padded.
        normalize, scale, margin: scores are scale · cos(h, w), with a margin at the label, as for `linear_loss`. A scale that is a
            torch.nn.Parameter is learned and part of the state.
        class_prior: as for `linear_loss`; moved with the module, but no part of its state. Like the margin it is part of the loss
            alone: `scores` and `statistics` are those of the head without them.

    Raises:
        TypeError: another option.
        ValueError: an option outside its range.

    >>> import torch
    >>> head = LinearLoss(4, 10, mapping="sparsemax")
    >>> head(torch.ones(3, 4), torch.tensor([0, 1, 2])).shape
    torch.Size([])
    """

    class_weight: Tensor | None
    class_prior: Tensor | None
    temperature: float | Tensor
    scale: float | Tensor | None

    @with_loss_options(without=("weight", "sample_weight", "temperature"))
    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        mapping: str | ProbabilityMapping = "softmax",
        class_weight: Tensor | None = None,
        temperature: float | Tensor = 1.0,
        max_memory: int | None = None,
        scores_dtype: torch.dtype | None = None,
        group: Any = None,
        n_classes: int | None = None,
        normalize: bool = False,
        scale: float | Tensor | None = None,
        margin: tuple[str, float] | None = None,
        class_prior: Tensor | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        # A wrong option is refused here, not in the first step of training.
        refuse_unknown("LinearLoss", options, _OPTIONS)
        LossOptions(**options, temperature=1.0 if isinstance(temperature, Tensor) else temperature)
        check_max_memory(max_memory)
        read_scoring(normalize, scale, margin, class_prior, options.get("softcap")).check_prior_of(out_features)
        _check_n_classes(n_classes, None if group is not None else out_features)
        self.normalize, self.margin = normalize, margin
        if max_memory is not None:
            options["max_memory"] = max_memory
        if scores_dtype is not None:
            options["scores_dtype"] = scores_dtype
        self._group, self.n_classes = None if group is None else GroupOfLayer(group), n_classes
        self.in_features, self.out_features = in_features, out_features
        if not isinstance(class_weight, Tensor | None):
            raise TypeError(
                f"class_weight is {describe(class_weight)}; give a tensor of one weight per class, or None."
            )
        self.register_buffer("class_weight", class_weight, persistent=False)
        self.register_buffer("class_prior", class_prior, persistent=False)
        self.mapping, self.options = resolve_mapping(mapping), options
        self.weight = torch.nn.Parameter(torch.empty(out_features, in_features, device=device, dtype=dtype))
        self.bias = torch.nn.Parameter(torch.empty(out_features, device=device, dtype=dtype)) if bias else None
        for name, value in (("temperature", temperature), ("scale", scale)):
            if isinstance(value, Tensor) and not isinstance(value, torch.nn.Parameter):
                self.register_buffer(name, value, persistent=False)
            else:
                setattr(self, name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias from U(−1/√D, 1/√D), as torch.nn.Linear does."""
        bound = 1.0 / math.sqrt(self.in_features) if self.in_features else 0.0
        for parameter in (self.weight, self.bias):
            if parameter is not None:
                torch.nn.init.uniform_(parameter, -bound, bound)

    def forward(
        self, input: Tensor, targets: Tensor | DistillationTargets | None = None, output: str | None = None
    ) -> Any:
        """The loss of inputs (..., D) with labels (...) or soft targets (..., K), `SparseTargets` or `TeacherTargets`.

        Without targets the scores, as torch.nn.Linear. `output` says which: "loss", "scores" or "statistics" (of labels), for
        instance through a wrapper such as DDP.
        """
        if output is None or isinstance(output, torch.fx.Proxy):
            # A trace of torch.fx makes a proxy of it, and has no other output.
            output = "scores" if targets is None else "loss"
        if output == "scores":
            return self._scores(input)
        if targets is None or output not in ("loss", "statistics"):
            words = f"output is {output!r}, targets are {describe(targets)}; choose 'scores', or 'loss' or 'statistics' with targets."
            raise told(self._group, self.weight, ValueError(words))
        if output == "statistics":
            if isinstance(targets, DistillationTargets):
                words = f"statistics are those of labels; targets are {type(targets).__name__}."
                raise told(self._group, self.weight, TypeError(words))
            shared = ("ignore_index", "softcap", "max_memory", "scores_dtype")
            given = {**self._given(), **{name: value for name, value in self.options.items() if name in shared}}
            return linear_statistics(input, self.weight, targets, temperature=self.temperature, **given)
        only_of_loss = {name: getattr(self, name) for name in ("class_weight", "margin", "class_prior")}
        given = {**self._given(), **only_of_loss, **self.options}
        return linear_loss(input, self.weight, targets, temperature=self.temperature, **given)

    def statistics(self, input: Tensor, labels: Tensor) -> LinearStatistics:
        """`linear_statistics` of this head, without margin and class prior.

        A call of the layer, so that hooks run: FSDP gathers the weight.
        """
        found: LinearStatistics = self(input, labels, output="statistics")
        return found

    def _given(self) -> dict[str, Any]:
        names = ("bias", "mapping", "n_classes", "normalize", "scale")
        return {"group": self._group, **{name: getattr(self, name) for name in names}}

    @property
    def group(self) -> Any:
        """The process group whose processes hold the classes in slices; None if this head is whole."""
        return None if self._group is None else self._group.group

    def scores(self, input: Tensor) -> Tensor:
        """The scores themselves (..., K) for inference, before softcap and temperature, without margin and class prior.

        With a group they are those of this process's classes. Classes from n_classes on are left out; with a group as well, all its
        processes must then make the call, since they tell each other how many classes each has.
        """
        found: Tensor = self(input, output="scores")
        return found

    def _scores(self, input: Tensor) -> Tensor:
        if type(input) is Tensor:
            refuse_sharded("weight", self.weight)
        weight: Tensor = self.weight
        bias: Tensor | None = self.bias
        count = self._classes_here()
        # To cut a DTensor would gather it.
        is_cut_after = count is not None and hasattr(weight, "device_mesh")
        if count is not None and not is_cut_after:
            weight, bias = weight[:count], None if bias is None else bias[:count]
        rows, classes = read_scoring(self.normalize, self.scale).rows(input, weight, bias)
        if type(rows) is not Tensor or rows.ndim <= 2 or is_traced_by_jit():
            scores = torch.nn.functional.linear(rows, classes, bias)
        else:
            scores = as_rows(torch.nn.functional.linear(rows.flatten(0, -2), classes, bias), rows.shape[:-1])
        return scores[..., :count] if is_cut_after else scores

    def _classes_here(self) -> int | None:
        """How many of the weight's rows are classes that exist; None for all."""
        if self.n_classes is None or self.group is None:
            return self.n_classes
        wire = Wire(self.group, "LinearLoss.scores")
        rows = torch.tensor(self.weight.shape[0], device=self.weight.device)
        return max(0, self.n_classes - int(wire.gather(rows)[: wire.rank].sum()))

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        prior = self.class_prior
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if prior is not None and self.class_prior is not None and self.class_prior.dtype != prior.dtype:
            # `layer.half()` is about scores: counts above 65504 have no place in float16.
            self.class_prior = prior.to(self.class_prior.device)
        return self

    def extra_repr(self) -> str:
        """The arguments, as `print(model)` shows them."""
        options = self.options
        if isinstance(self.temperature, Tensor) or self.temperature != 1.0:
            options = {"temperature": self.temperature, **options}
        if self.normalize:
            options = {**options, "normalize": True}
        for name in ("scale", "margin"):
            value = getattr(self, name)
            if value is not None:
                options = {**options, name: value}
        if self.class_prior is not None:
            options = {**options, "class_prior": self.class_prior}
        if self.n_classes is not None:
            options = {**options, "n_classes": self.n_classes}
        if self.group is not None:
            options = {**options, "group": self.group}
        shown = {name: value for name, value in options.items() if not isinstance(value, torch.nn.Parameter)}
        changed = "".join(f", {name}={_in_words(value)!r}" for name, value in shown.items())
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}, "
            f"mapping={self.mapping.label!r}{changed}"
        )


def _in_words(value: Any) -> Any:
    return f"tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else value


def _check_n_classes(n_classes: Any, rows: int | None) -> None:
    if n_classes is None:
        return
    count = as_integer("n_classes", n_classes, "the number of classes that exist")
    if count < 1 or (rows is not None and count > rows):
        raise ValueError(
            f"n_classes is {n_classes}; give {'1 or more' if rows is None else f'1..{rows}, the rows of weight'}."
        )
